"""A picture of a model for lists: what it sees, and what it makes of it."""

from __future__ import annotations

import io

import numpy as np

_SIDE = 256
"""Pixels of each half; covers are twice as wide as high."""


def cover(given: np.ndarray, predicted: np.ndarray) -> bytes:
    """Make a PNG picture with the middle plane of an image on the left, and of its first prediction on the right.

    Parameters
    ----------
    given, predicted : ndarray, ([D,] Y, X)
    """
    from PIL import Image

    halves = [Image.fromarray(_grey(_middle(image))).resize((_SIDE, _SIDE)) for image in (given, predicted)]
    picture = Image.new("L", (2 * _SIDE, _SIDE))
    picture.paste(halves[0], (0, 0))
    picture.paste(halves[1], (_SIDE, 0))
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()


def _middle(image: np.ndarray) -> np.ndarray:
    """A square from the middle of the middle plane."""
    plane = image[len(image) // 2] if image.ndim == 3 else image
    side = min(plane.shape)
    top = (plane.shape[0] - side) // 2
    left = (plane.shape[1] - side) // 2
    return plane[top : top + side, left : left + side]


def _grey(plane: np.ndarray) -> np.ndarray:
    """Contrast from the darkest to the brightest percent."""
    low, high = np.percentile(plane, (1, 99))
    scaled = (plane - low) / max(float(high - low), 1e-12)
    grey: np.ndarray = (np.clip(scaled, 0, 1) * 255).astype(np.uint8)
    return grey
