"""Parts of images to look at: the middle plane, the centre."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


def centre_of(shape: Sequence[int], largest: Sequence[int]) -> tuple[slice, ...]:
    """Index of the centre of an array, along each axis at most as large as asked for.

    Parameters
    ----------
    shape : sequence of int
        Of the array.
    largest : sequence of int
        One size for each axis.
    """
    index = []
    for length, most in zip(shape, largest, strict=True):
        size = min(length, most)
        start = (length - size) // 2
        index.append(slice(start, (length + size) // 2))
    return tuple(index)


def middle_plane(image: NDArray[Any]) -> NDArray[Any]:
    """The plane in the middle of a volume ``(D, Y, X)``; a plane ``(Y, X)`` as it is."""
    if image.ndim == 2:
        return image
    plane: NDArray[Any] = image[len(image) // 2]
    return plane
