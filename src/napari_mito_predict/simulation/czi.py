"""Simulated images as real Zeiss CZI files."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mito_predict._files import atomic_path
from napari_mito_predict.errors import MissingExtraError, UnreadableImageError
from napari_mito_predict.simulation.conditions import SIMULATOR_VERSION

if TYPE_CHECKING:
    from napari_mito_predict.simulation.recording import SimulatedImage

SIMULATED_BY = "napari-mito-predict"
"""Value of the custom attribute `simulated_by` of every file written here."""

_COMPRESSION = "zstd1:ExplicitLevel=10;PreProcess=HiLoByteUnpack"


def write_czi(path: Path, simulated: SimulatedImage) -> None:
    """Write `simulated` as a CZI file, complete or not at all; an existing file is replaced.

    Channel names and voxel size go into the standard metadata fields. Custom attributes: `time_step_s` (of a series;
    the writer has no time stamps), `simulated_by`, `simulator_version`, `seed`, `conditions` (JSON), where pixels were
    averaged, `binning`, and where mitochondria divide and join, `dynamics` (JSON).

    Parameters
    ----------
    path : Path
        Must end in ``.czi``; its folder must exist.
    simulated : SimulatedImage

    Raises
    ------
    MissingExtraError
        pylibCZIrw is not installed.
    UnwritableOutputError
        The folder is missing, read-only or full.
    """
    pyczi = _pyczi()
    with (
        atomic_path(Path(path)) as temporary,
        pyczi.create_czi(str(temporary), exist_ok=True, compression_options=_COMPRESSION) as writer,
    ):
        channels = simulated.data.shape[0]
        for t, z in np.ndindex(simulated.data.shape[1:3]):
            for c in range(channels):
                writer.write(simulated.data[c, t, z, ..., None], plane={"T": t, "Z": z, "C": c})
        z_um = simulated.voxel_size_um[0]
        y_um = simulated.voxel_size_um[1]
        x_um = simulated.voxel_size_um[2]
        writer.write_metadata(
            document_name=Path(path).stem,
            channel_names=dict(enumerate(simulated.channel_names)),
            scale_x=x_um * 1e-6,
            scale_y=y_um * 1e-6,
            scale_z=z_um * 1e-6,
            custom_attributes=provenance(simulated),
        )


def provenance(simulated: SimulatedImage) -> dict[str, str | int | float]:
    """What the custom attributes of the written file say about where it comes from."""
    attributes: dict[str, str | int | float] = {
        "simulated_by": SIMULATED_BY,
        "simulator_version": SIMULATOR_VERSION,
        "seed": simulated.seed,
        "conditions": simulated.conditions.to_json(),
    }
    if simulated.binning != 1:
        attributes["binning"] = simulated.binning
    if simulated.dynamics is not None:
        attributes["dynamics"] = simulated.dynamics.settings.to_json()
    if simulated.time_step_s is not None:
        attributes["time_step_s"] = float(simulated.time_step_s)
    return attributes


def read_provenance(path: Path) -> dict[str, str | int | float]:
    """Custom attributes of a CZI file; empty when it has none.

    Raises
    ------
    MissingExtraError
        pylibCZIrw is not installed.
    UnreadableImageError
        The file is not a CZI file.
    """
    pyczi = _pyczi()
    try:
        with pyczi.open_czi(str(path)) as document:
            return dict(document.custom_attributes_metadata)
    except RuntimeError as error:  # what libCZI raises for every kind of damage
        raise UnreadableImageError(
            f"not a readable CZI file ({error}). Remove it, or choose another folder.", file=path
        ) from error


def _pyczi() -> Any:
    try:
        return importlib.import_module("pylibCZIrw.czi")
    except ImportError as error:
        raise MissingExtraError(
            f"Writing CZI files needs the package pylibCZIrw, which could not be imported ({error}). "
            "Install it with: pip install napari-mito-predict[simulate]"
        ) from error
