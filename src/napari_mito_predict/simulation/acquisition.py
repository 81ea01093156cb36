"""Detectors: from ideal images to the grey levels a microscope stores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

if TYPE_CHECKING:
    from napari_mito_predict.simulation.conditions import Conditions
    from napari_mito_predict.simulation.shapes import Array

Counts = npt.NDArray[np.uint16]

_DARK_PHOTONS = 10  # what the fluorescence detectors read in darkness, so that read noise is not cut off at 0


def illumination(conditions: Conditions, shape_yx: tuple[int, int], rng: np.random.Generator) -> Array:
    """What an empty field looks like, 1 on average: shading, interference fringe and dirt, (Y, X) float32."""
    lines = [np.linspace(-1, 1, size, dtype=np.float32) for size in shape_yx]
    y, x = np.meshgrid(*lines, indexing="ij")
    cx = conditions.shading[0]
    cy = conditions.shading[1]
    cxy = conditions.shading[2]
    cxx = conditions.shading[3]
    cyy = conditions.shading[4]
    field = 1 + cx * x + cy * y + cxy * x * y + cxx * x**2 + cyy * y**2
    angle = rng.uniform(0, np.pi)
    waves = rng.uniform(3, 25)
    start = rng.uniform(0, 2 * np.pi)
    field += conditions.fringe * np.sin(np.pi * waves * (np.cos(angle) * x + np.sin(angle) * y) + start)
    blotches = gaussian_filter(rng.standard_normal(shape_yx), rng.uniform(1, 3) / conditions.voxel_size_um[1])
    field += conditions.dirt * blotches / blotches.std()
    return np.asarray(np.clip(field, 0.05, None), np.float32)


def expose_transmitted(ideal: Array, field: Array, conditions: Conditions, rng: np.random.Generator) -> Counts:
    """Record transmitted light.

    Parameters
    ----------
    ideal : (Z, Y, X) float array
        Intensity relative to the bright field.
    field : (Y, X) float array
        From `illumination`.
    conditions : Conditions
    rng : Generator

    Returns
    -------
    (Z, Y, X) uint16 array
    """
    # Scanned line by line: the laser fluctuates from row to row, all pixels of a row get the same light.
    laser = 1 + rng.normal(0, conditions.stripe, ideal.shape[:2])[..., None]
    light = np.clip(ideal * field * laser, 0.02, None)
    recorded = rng.poisson(light * conditions.photons) / conditions.photons
    recorded += rng.normal(0, conditions.tl_read_noise, ideal.shape)
    return _digitise(recorded * conditions.tl_counts + conditions.tl_offset_counts)


def expose_fluorescence(photons: Array, read_noise: float, gain: float, rng: np.random.Generator) -> Counts:
    """Record fluorescence, keeping the shape.

    Parameters
    ----------
    photons : float array
        Expected number per voxel.
    read_noise : float
        Standard deviation in photons.
    gain : float
        Grey levels per photon.
    rng : Generator
    """
    recorded = rng.poisson(photons) + rng.normal(0, read_noise, photons.shape) + _DARK_PHOTONS
    return _digitise(recorded * gain)


def _digitise(counts: npt.NDArray[np.floating]) -> Counts:
    """Grey levels as a detector of 16 bits stores them: whole numbers, cut off where it saturates."""
    return np.clip(np.round(counts), 0, 65535).astype(np.uint16)
