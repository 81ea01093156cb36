"""Our normalisations in the words of bioimage.io, as far as they go; what is left becomes a part of the network.

A package of bioimage.io takes the statistics of all its steps from the image as it was recorded. So one step that needs
statistics can be said and no second one: percentiles to clip at, but no z-score of what was clipped. (Its own clipping
at percentiles takes the next value, where we interpolate; scaling percentiles to 0 and 1 interpolates, too, and is
followed by clipping there. A z-score does not mind the scale.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from napari_mito_predict.errors import ForeignModelError

if TYPE_CHECKING:
    from napari_mito_predict.models.card import Normalisation

_NOTHING = 1e-30
"""What is added to divisors."""
_LOWEST_UPPER = 1.0
"""Upper percentiles have to be larger in its format."""


class Described(NamedTuple):
    """A normalisation as preprocessing steps, and what the network itself has to do afterwards."""

    steps: list[dict[str, Any]]
    within: Literal["zscore", "robust"] | None = None


def described(normalisation: Normalisation, axes: tuple[str, ...]) -> Described:
    """Describe a normalisation.

    Parameters
    ----------
    normalisation : Normalisation
        The model card's.
    axes : tuple of str
        All axes of an image, by their names.

    Raises
    ------
    ForeignModelError
        It cannot be said.
    """
    if normalisation.kind == "robust":
        return Described([], "robust")
    if normalisation.kind == "fixed":
        scale = normalisation.scale or 1.0
        gain, offset = 1 / scale, -(normalisation.offset or 0.0) / scale
        return Described([{"id": "scale_linear", "kwargs": {"gain": gain, "offset": offset}}])
    if normalisation.kind == "range":
        return Described([_scale_range(normalisation.percentiles or (0, 100), axes)])
    if normalisation.clip_percentiles is None:
        return Described([{"id": "zero_mean_unit_variance", "kwargs": {"axes": list(axes), "eps": _NOTHING}}])
    clip = {"id": "clip", "kwargs": {"min": 0.0, "max": 1.0}}
    return Described([_scale_range(normalisation.clip_percentiles, axes), clip], "zscore")


def _scale_range(percentiles: tuple[float, float], axes: tuple[str, ...]) -> dict[str, Any]:
    low, high = percentiles
    if high <= _LOWEST_UPPER:
        raise ForeignModelError(
            f"the percentile {high:g} of its normalisation cannot be said in a package of bioimage.io: the upper one "
            f"has to be larger than {_LOWEST_UPPER:g}."
        )
    limits = {"min_percentile": float(low), "max_percentile": float(high)}
    return {"id": "scale_range", "kwargs": {"axes": list(axes), **limits, "eps": _NOTHING}}
