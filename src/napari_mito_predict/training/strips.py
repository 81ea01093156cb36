"""Validation where there are too few fields: a strip of each, on the side that resembles the whole the most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_mito_predict.image import Finding, Level

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_mito_predict.training.pairs import Pair

_PART = 0.2
"""Of a field, along y or x: the strip; and the gap before it at most."""
_ENOUGH_CONTRAST = 0.25
"""Standard deviation of a strip's truth as a part of the whole's, below which a score on it says little."""
_PLANES = 8
"""So many planes of a stack are enough to compare its sides."""


@dataclass(frozen=True)
class Side:
    """One of the four sides of a field.

    Attributes
    ----------
    axis : int
        -2 for y, -1 for x.
    at_end : bool
        Where the axis ends, not where it begins.
    """

    axis: int
    at_end: bool

    def strip(self, image: NDArray[np.float16]) -> NDArray[np.float16]:
        """The fifth of `image`, (..., Y, X), on this side."""
        return self._cut(image, 0, self.width(image.shape[self.axis]))

    def rest(self, image: NDArray[np.float16], gap: int) -> NDArray[np.float16]:
        """`image`, (..., Y, X), without the strip and `gap` rows or columns before it, of which one at least stays."""
        size = image.shape[self.axis]
        return self._cut(image, min(self.width(size) + gap, size - 1), size)

    def width(self, size: int) -> int:
        """Rows or columns of a strip, of `size`."""
        return max(1, round(_PART * size))

    def _cut(self, image: NDArray[np.float16], start: int, stop: int) -> NDArray[np.float16]:
        """From `start` to `stop`, counted from this side."""
        size = image.shape[self.axis]
        part = slice(size - stop, size - start) if self.at_end else slice(start, stop)
        where = [slice(None)] * image.ndim
        where[self.axis] = part
        return image[tuple(where)]


@dataclass(frozen=True)
class HeldBack:
    """Volumes in two parts.

    Attributes
    ----------
    training, validation : tuple of Pair
        Views of the volumes, in their order.
    findings : list of Finding
        A warning where no strip shows enough of the truth.
    """

    training: tuple[Pair, ...]
    validation: tuple[Pair, ...]
    findings: list[Finding]


_SIDES = (Side(-1, True), Side(-2, True), Side(-1, False), Side(-2, False))


def hold_back_strips(pairs: Sequence[Pair], gap: int) -> HeldBack:
    """Cut a fifth of every volume off for validation, and leave a gap before it.

    It is cut off on the side whose truth has about the contrast of the whole: one at the empty border of a cell could
    not tell a good network from a bad one.

    Parameters
    ----------
    pairs : sequence of Pair
        All volumes.
    gap : int
        Rows or columns between a strip and what is trained on; a fifth at most, a wide one would leave nothing.
    """
    training = []
    validation = []
    contrasts = []
    for pair in pairs:
        side, contrast = _most_like_the_whole(pair.truth)
        width = side.width(pair.input.shape[side.axis])
        gap_here = min(gap, width)
        rest = replace(pair, input=side.rest(pair.input, gap_here), truth=side.rest(pair.truth, gap_here))
        training.append(rest)
        validation.append(replace(pair, input=side.strip(pair.input), truth=side.strip(pair.truth)))
        contrasts.append(contrast)
    findings = []
    if max(contrasts) < _ENOUGH_CONTRAST:
        findings.append(_little_to_see())
    return HeldBack(tuple(training), tuple(validation), findings)


def _most_like_the_whole(truth: NDArray[np.float16]) -> tuple[Side, float]:
    """The side to validate on, and its contrast as a part of the whole's, of the target where that is the least."""
    seen = truth
    if truth.ndim == 4:
        seen = truth[:, :: max(1, truth.shape[1] // _PLANES)]
    whole = _contrast(seen)
    ratios = [_contrast(side.strip(seen)) / whole for side in _SIDES]
    # As the distance of logarithms: half and double the contrast are equally unlike.
    unlike = [float(np.abs(np.log(np.maximum(ratio, 1e-6))).max()) for ratio in ratios]
    chosen = int(np.argmin(unlike))
    return _SIDES[chosen], float(ratios[chosen].min())


def _contrast(truth: NDArray[np.float16]) -> NDArray[np.float32]:
    """Standard deviation of each target; a little above 0 where one is constant."""
    deviation: NDArray[np.float32] = truth.reshape(len(truth), -1).std(axis=1, dtype=np.float32)
    return np.maximum(deviation, np.float32(1e-6))


def _little_to_see() -> Finding:
    message = (
        "The strips held back for validation show little of what is to be learned, so that the best state cannot be "
        "told from others. Add fields, or set 'select: last' and 'split: {validation: 0}'."
    )
    return Finding(Level.WARNING, "empty-strips", message)
