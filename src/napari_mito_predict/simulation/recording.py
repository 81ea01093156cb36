"""What a simulation gives: the recorded image and the truth behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_mito_predict.simulation.acquisition import Counts
    from napari_mito_predict.simulation.conditions import Conditions
    from napari_mito_predict.simulation.shapes import Array
    from napari_mito_predict.simulation.true_dynamics import TrueDynamics

CHANNEL_NAMES = ("ESID-T1", "TMRM-T1", "SYBR Gold-T2")
EMISSION_UM = (0.58, 0.54)
"""Wavelengths of TMRM and SYBR Gold."""


@dataclass(frozen=True, slots=True)
class GroundTruth:
    """What no microscope could record: for evaluation, never written into the image file.

    Attributes
    ----------
    nucleus, cell : (Z, Y, X) float32 arrays
        Soft masks from 0 to 1; of a series, in its first frame.
    mitochondria, dna, nucleoids : (T, Z, Y, X) float32 arrays
        Noise-free images in expected photons; `nucleoids` is the part of `dna` that comes from mitochondrial DNA.
    """

    nucleus: Array
    cell: Array
    mitochondria: Array
    dna: Array
    nucleoids: Array


@dataclass(frozen=True, slots=True)
class SimulatedImage:
    """A simulated recording.

    Attributes
    ----------
    data : (C, T, Z, Y, X) uint16 array
        Transmitted light, TMRM, SYBR Gold.
    channel_names : tuple of str
    voxel_size_um : tuple of float
        (z, y, x).
    time_step_s : float or None
        None for a single stack.
    seed : int
    conditions : Conditions
        Of the recording; `voxel_size_um` there is that of the detector, before binning.
    truth : GroundTruth
    binning : int
        Pixels of the detector along y and x that were averaged to one pixel of `data`.
    dynamics : TrueDynamics or None
        Fissions and fusions, and the geometry of every frame; None if none were asked for.
    """

    data: Counts
    channel_names: tuple[str, str, str]
    voxel_size_um: tuple[float, float, float]
    time_step_s: float | None
    seed: int
    conditions: Conditions
    truth: GroundTruth
    binning: int = 1
    dynamics: TrueDynamics | None = None
