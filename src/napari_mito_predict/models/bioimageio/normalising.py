"""Our normalisations in the words of bioimage.io, so that other programs take statistics of whole images, too.

Clipping at percentiles is said by three of its steps: scaling percentiles to 0 and 1 interpolates between values as we
do (its own clipping at percentiles does not), then everything outside is clipped, and z-scores do not mind the scale.
The small numbers that it adds to divisors are made so small that they mean nothing.
"""

from __future__ import annotations

from typing import Any

from napari_mito_predict.errors import ForeignModelError
from napari_mito_predict.models.card import Normalisation

_NOTHING = 1e-30
_LOWEST_UPPER = 1.0
"""Upper percentiles have to be larger in its format."""


def described(normalisation: Normalisation, axes: tuple[str, ...]) -> list[dict[str, Any]] | None:
    """Describe a normalisation as preprocessing steps.

    Parameters
    ----------
    normalisation : Normalisation
        The model card's.
    axes : tuple of str
        All axes of an image, by their names.

    Returns
    -------
    list of dict, or None
        None where its words do not suffice: then it has to be a part of the network.

    Raises
    ------
    ForeignModelError
        It cannot be said in any way.
    """
    if normalisation.kind == "robust":
        return None
    if normalisation.kind == "fixed":
        scale = normalisation.scale or 1.0
        gain, offset = 1 / scale, -(normalisation.offset or 0.0) / scale
        return [{"id": "scale_linear", "kwargs": {"gain": gain, "offset": offset}}]
    if normalisation.kind == "range":
        return [_scale_range(normalisation.percentiles or (0, 100), axes)]
    z_score = {"id": "zero_mean_unit_variance", "kwargs": {"axes": list(axes), "eps": _NOTHING}}
    if normalisation.clip_percentiles is None:
        return [z_score]
    clip = {"id": "clip", "kwargs": {"min": 0.0, "max": 1.0}}
    return [_scale_range(normalisation.clip_percentiles, axes), clip, z_score]


def _scale_range(percentiles: tuple[float, float], axes: tuple[str, ...]) -> dict[str, Any]:
    low, high = percentiles
    if high <= _LOWEST_UPPER:
        raise ForeignModelError(
            f"the percentile {high:g} of its normalisation cannot be said in a package of bioimage.io: the upper one has "
            f"to be larger than {_LOWEST_UPPER:g}."
        )
    limits = {"min_percentile": float(low), "max_percentile": float(high)}
    return {"id": "scale_range", "kwargs": {"axes": list(axes), **limits, "eps": _NOTHING}}
