"""Physics-simulated images of cells: transmitted light with the TMRM and SYBR Gold images of the same field.

Geometry is our own, both optics models are waveorder's. The sample image that ships with the package is what
``mito-predict simulate FOLDER -n 1 --seed 200005 --planes 24 --size 224`` writes; no bundled model was trained on it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_mito_predict.simulation.batch import Job, conditions_for, simulate_files
    from napari_mito_predict.simulation.binning import binned
    from napari_mito_predict.simulation.conditions import SIMULATOR_VERSION, Conditions
    from napari_mito_predict.simulation.czi import SIMULATED_BY, read_provenance, write_czi
    from napari_mito_predict.simulation.recording import GroundTruth, SimulatedImage
    from napari_mito_predict.simulation.simulator import simulate_series, simulate_stack

__all__ = [
    "SIMULATED_BY",
    "SIMULATOR_VERSION",
    "Conditions",
    "GroundTruth",
    "Job",
    "SimulatedImage",
    "binned",
    "conditions_for",
    "read_provenance",
    "simulate_files",
    "simulate_series",
    "simulate_stack",
    "write_czi",
]

_HOME = {
    "Conditions": "conditions",
    "GroundTruth": "recording",
    "Job": "batch",
    "SIMULATED_BY": "czi",
    "SIMULATOR_VERSION": "conditions",
    "SimulatedImage": "recording",
    "binned": "binning",
    "conditions_for": "batch",
    "read_provenance": "czi",
    "simulate_files": "batch",
    "simulate_series": "simulator",
    "simulate_stack": "simulator",
    "write_czi": "czi",
}


def __getattr__(name: str) -> Any:
    """Import on first use: torch and scipy are heavy, and most people never simulate."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
