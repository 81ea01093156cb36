"""Fixed constants in the place of a normalisation by the whole image, what they cost, and both in words."""

from __future__ import annotations

from dataclasses import dataclass

_RELIABLE = 0.9
"""Mean correlation below which predictions with fixed constants are others."""
_MEASURED = (
    "On real cells, constants of the same field cost mito-2d-h9c2 0.09 of a PCC of 0.66, those of other fields 0.17; "
    "images half a standard deviation brighter than their constants cost it 0.01, a whole one 0.24."
)
"""From `benchmarks/zen_normalisation.py`."""


@dataclass(frozen=True)
class FixedCost:
    """What fixed constants change, against normalising each image by itself.

    Each image was predicted with the constants of the others.

    Attributes
    ----------
    images : int
        How many there were.
    correlation, worst : float
        Pearson correlation of the two predictions of an image: mean, and lowest.
    shift : float
        Mean difference in brightness between the two, without its sign, in z-scores of the training truth.
    """

    images: int
    correlation: float
    worst: float
    shift: float


@dataclass(frozen=True)
class FixedInput:
    """What stands in for the normalisation by the whole image; see `napari_mito_predict.prediction.zen`.

    Attributes
    ----------
    offset, scale : float
        ``(x - offset) / scale`` is what the network gets, with x from 0 to 1.
    white : int
        The pixel value that becomes 1: the largest one of the pixel type.
    images : int
        From how many images the constants are.
    cost : FixedCost or None
        None where there was one image only.
    note : str
        What else the user should know, in a sentence; empty for nothing.
    """

    offset: float
    scale: float
    white: int
    images: int
    cost: FixedCost | None = None
    note: str = ""

    def __str__(self) -> str:
        """Constants and what they cost, in sentences."""
        constants = (
            f"Fixed constants of {_counted(self.images, 'image')}: pixel value {self.offset * self.white:.4g} becomes "
            f"0, and {self.scale * self.white:.4g} more becomes 1 ({self.white} is the largest value)."
        )
        return " ".join(filter(None, (constants, self._cost_text(), self.note, _MEASURED)))

    def _cost_text(self) -> str:
        cost = self.cost
        if cost is None:
            return "What they cost here was not measured: that takes two images or more."
        found = (
            "Against normalising each image by itself, predictions with the constants of the other images correlate at "
            f"{cost.correlation:.2f} on average and {cost.worst:.2f} at worst, and differ in mean brightness by "
            f"{cost.shift:.2f} z-scores ({cost.images} images)."
        )
        if cost.correlation >= _RELIABLE:
            return found
        return (
            f"{found} That is too little to rely on: these images differ too much in brightness or contrast for fixed "
            "constants. Record with the same light and exposure."
        )


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
