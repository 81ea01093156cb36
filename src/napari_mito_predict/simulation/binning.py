"""A finely sampled recording averaged to a coarser one, as when images of an Airyscan are downscaled."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np

from napari_mito_predict.errors import SimulationError
from napari_mito_predict.simulation.acquisition import Counts
from napari_mito_predict.simulation.recording import GroundTruth, SimulatedImage
from napari_mito_predict.simulation.shapes import Array

_Pixels = TypeVar("_Pixels", Counts, Array)


def binned(simulated: SimulatedImage, factor: int = 2) -> SimulatedImage:
    """Average blocks of `factor` x `factor` pixels of every plane.

    The mean, not the sum: grey levels keep their meaning and cannot overflow, while the noise falls by `factor`.

    Parameters
    ----------
    simulated : SimulatedImage
        Not changed. Rows and columns left over at the end, when its size is no multiple of `factor`, are dropped.
    factor : int

    Returns
    -------
    SimulatedImage
        Voxels `factor` times as wide in y and x, grey levels rounded to uint16; the truth is averaged alike, so that
        its photons are still those per pixel of the detector. `conditions` stay those of the recording.

    Raises
    ------
    SimulationError
        `factor` is less than 1 or more than the image has rows or columns.
    """
    rows, columns = simulated.data.shape[-2:]
    if not 1 <= factor <= min(rows, columns):
        raise SimulationError(
            f"A field of {rows} x {columns} pixels cannot be binned by {factor}; choose 1 to {min(rows, columns)}."
        )
    if factor == 1:
        return simulated
    z_um = simulated.voxel_size_um[0]
    y_um = simulated.voxel_size_um[1]
    x_um = simulated.voxel_size_um[2]
    truth = simulated.truth
    return replace(
        simulated,
        data=_averaged(simulated.data, factor),
        voxel_size_um=(z_um, y_um * factor, x_um * factor),
        truth=GroundTruth(
            nucleus=_averaged(truth.nucleus, factor),
            cell=_averaged(truth.cell, factor),
            mitochondria=_averaged(truth.mitochondria, factor),
            dna=_averaged(truth.dna, factor),
            nucleoids=_averaged(truth.nucleoids, factor),
        ),
        binning=simulated.binning * factor,
        dynamics=simulated.dynamics and simulated.dynamics.binned(factor),
    )


def _averaged(images: _Pixels, factor: int) -> _Pixels:
    """Average (..., Y, X) to (..., Y // factor, X // factor), plane by plane: float64 in between takes much memory."""
    rows, columns = (size // factor for size in images.shape[-2:])
    means = np.empty((*images.shape[:-2], rows, columns), images.dtype)
    for index in np.ndindex(images.shape[:-2]):
        plane = images[index][: rows * factor, : columns * factor]
        mean = plane.reshape(rows, factor, columns, factor).mean(axis=(1, 3), dtype=np.float64)
        if images.dtype.kind == "u":
            mean = np.round(mean)
        means[index] = mean
    return means
