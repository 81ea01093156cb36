"""The eight orientations of a plane: flips and quarter turns in y, x. Pure geometry, exact to the voxel.

They are the symmetries of the square (the dihedral group of order eight): each is a transposition of y and x, or none,
and then a flip of either axis, or none. For cells no direction in the plane is special, which a network knows only
roughly: the mean of its predictions of all orientations, each turned back, is known as test-time augmentation. For the
light one may be special, that of the shear of DIC or of oblique illumination. The third axis is left alone: light does
not run backwards, nor does time.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_mito_predict.prediction.tiles import Span

if TYPE_CHECKING:
    import numpy as np

    from napari_mito_predict.prediction.tiles import Box


@dataclass(frozen=True, slots=True)
class Orientation:
    """One of the eight orientations of a plane.

    Attributes
    ----------
    transposed : bool
        y and x change places, before anything is flipped.
    flipped_y, flipped_x : bool
        This axis of the result runs backwards.
    """

    transposed: bool = False
    flipped_y: bool = False
    flipped_x: bool = False

    @property
    def inverse(self) -> Orientation:
        """What undoes it; itself but for the quarter turns."""
        if self.transposed:
            return Orientation(True, self.flipped_x, self.flipped_y)
        return self

    def shape(self, shape: tuple[int, int, int]) -> tuple[int, int, int]:
        """(D, Y, X) of a volume of `shape` when it is oriented."""
        if self.transposed:
            return shape[0], shape[2], shape[1]
        return shape

    def array(self, array: np.ndarray) -> np.ndarray:
        """`array` (..., Y, X) oriented, as a view."""
        if self.transposed:
            array = array.swapaxes(-1, -2)
        if self.flipped_y:
            array = array[..., ::-1, :]
        if self.flipped_x:
            array = array[..., ::-1]
        return array

    def box(self, box: Box, shape: tuple[int, int, int]) -> Box:
        """Where the voxels `box` of a volume of `shape` lie when it is oriented."""
        if self.transposed:
            box = box[0], box[2], box[1]
        oriented = self.shape(shape)
        return box[0], _mirrored(box[1], oriented[1], self.flipped_y), _mirrored(box[2], oriented[2], self.flipped_x)


def _mirrored(span: Span, size: int, flipped: bool) -> Span:
    """Where `span` of an axis of `size` voxels lies, when the axis is `flipped` or not."""
    if flipped:
        return Span(size - span.stop, size - span.start)
    return span


UPRIGHT = Orientation()
"""The image as it is."""

TRANSPOSED = Orientation(transposed=True)
"""Rows become columns; a quarter turn but for a flip."""

ORIENTATIONS = tuple(itertools.starmap(Orientation, itertools.product((True, False), repeat=3)))
"""All eight; the upright one is the last."""
