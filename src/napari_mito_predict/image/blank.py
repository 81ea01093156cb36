"""What of a volume was never recorded: blank planes, and areas that are the same in every plane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEWEST_PLANES = 4
"""Two or three planes may well agree in many pixels, for example where the light was cut off."""
TIMES_CHANCE = 4
SMALLEST_AREA = 0.02
"""Fraction of a plane: fewer pixels hardly change the statistics of a volume."""


def blank_planes(volume: NDArray[Any]) -> NDArray[np.bool_]:
    """Find the planes of a volume ``(D, Y, X)`` that hold one value; one entry for each plane."""
    # Two corners tell of nearly all sound planes.
    return np.array([plane[0, 0] == plane[-1, -1] and (plane == plane[0, 0]).all() for plane in volume], bool)


def blank_area(volume: NDArray[Any]) -> NDArray[np.bool_] | None:
    """Find the pixels that have one value in every plane: borders of registered or stitched stacks, dead columns.

    Noise makes that all but impossible where something was recorded, so that a sound volume is told by two planes.

    Parameters
    ----------
    volume : ndarray, (D, Y, X)
        Without blank planes.

    Returns
    -------
    ndarray of bool, (Y, X), or None
        None where there are no such pixels, or hardly any.
    """
    if len(volume) < FEWEST_PLANES:
        return None
    constant = np.ones(volume.shape[1:], bool)
    for plane in volume[1:]:
        constant &= plane == volume[0]
        if constant.mean() < SMALLEST_AREA:
            return None
    # An image of a few values agrees with itself by chance. How often, those pixels tell that were recorded.
    agree = float((volume[1] == volume[0])[~constant].mean()) if not constant.all() else 0.0
    by_chance = agree ** (len(volume) - 1)
    if constant.mean() < TIMES_CHANCE * by_chance:
        return None
    return constant


def recorded(volume: NDArray[Any]) -> NDArray[Any]:
    """Give the voxels of a volume without what was never recorded, to take statistics of.

    Parameters
    ----------
    volume : ndarray, (D, Y, X)
        A single plane ``(Y, X)`` is given back.

    Returns
    -------
    ndarray
        ``(D, ...)``: the volume itself where all of it was recorded, or none of it.
    """
    if volume.ndim < 3:
        return volume
    blank = blank_planes(volume)
    if blank.all():
        return volume
    kept = volume
    if blank.any():
        kept = volume[~blank]
    area = blank_area(kept)
    if area is None or area.all():
        return kept
    return kept[:, ~area]
