"""What is done to recorded pixels: faults of microscopes, of settings, of whoever opens the file; and what is none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, zoom

Array = NDArray[Any]
Truths = dict[str, Array]
Change = Callable[[Array, Truths], tuple[Array, Truths]]

FRAMES = 8
"""Of a movie in which nothing moves."""
_CROP = 96
_BLUR = 3.0
"""Pixels."""
_SATURATED_FROM = 70
"""Percentile of the intensities."""


def _same(light: Array, truths: Truths) -> tuple[Array, Truths]:
    return light, truths


def _turned(light: Array, truths: Truths) -> tuple[Array, Truths]:
    return _both(light, truths, lambda array: np.rot90(array, axes=(-2, -1)).copy())


def _cropped(light: Array, truths: Truths) -> tuple[Array, Truths]:
    corner = [(size - _CROP) // 2 for size in light.shape[-2:]]
    where = (..., slice(corner[0], corner[0] + _CROP), slice(corner[1], corner[1] + _CROP))
    return _both(light, truths, lambda array: array[where].copy())


def _gain_and_offset(light: Array, truths: Truths) -> tuple[Array, Truths]:
    return (light.astype(np.float32) - light.mean()) * np.float32(0.01), truths


def _eight_bit(light: Array, truths: Truths) -> tuple[Array, Truths]:
    low = float(light.min())
    span = max(float(light.max()) - low, 1.0)
    return np.round((light - low) * (255 / span)).astype(np.uint8), truths


def _inverted(light: Array, truths: Truths) -> tuple[Array, Truths]:
    return light.max() - (light - light.min()), truths


def _blurred(light: Array, truths: Truths) -> tuple[Array, Truths]:
    widths = (0,) * (light.ndim - 2) + (_BLUR, _BLUR)
    return np.round(gaussian_filter(light.astype(np.float32), widths)).astype(light.dtype), truths


def _saturated(light: Array, truths: Truths) -> tuple[Array, Truths]:
    return np.minimum(light, np.percentile(light, _SATURATED_FROM)).astype(light.dtype), truths


def _shuffled(light: Array, truths: Truths) -> tuple[Array, Truths]:
    order = np.random.default_rng(0).permutation(len(light))
    return _both(light, truths, lambda array: array[order])


def _fluorescence(light: Array, truths: Truths) -> tuple[Array, Truths]:
    return truths["mitochondria"], truths


def _still(light: Array, truths: Truths) -> tuple[Array, Truths]:
    return np.stack([light] * FRAMES), truths


def _noise(light: Array, truths: Truths) -> tuple[Array, Truths]:
    noise = np.random.default_rng(0).normal(light.mean(), light.std(), light.shape)
    return np.clip(np.round(noise), 0, np.iinfo(light.dtype).max).astype(light.dtype), truths


def _half_size(light: Array, truths: Truths) -> tuple[Array, Truths]:
    def halved(array: Array) -> Array:
        rows = array.shape[-2] // 2
        columns = array.shape[-1] // 2
        return array.reshape(rows, 2, columns, 2).mean((1, 3)).astype(array.dtype)

    return _both(light, truths, halved)


def _double_size(light: Array, truths: Truths) -> tuple[Array, Truths]:
    return _both(light, truths, lambda array: zoom(array, 2, order=1))


def _both(light: Array, truths: Truths, change: Callable[[Array], Array]) -> tuple[Array, Truths]:
    return change(light), {name: change(truth) for name, truth in truths.items()}


CHANGES: Mapping[str, Change] = MappingProxyType(
    {
        "": _same,
        "turned": _turned,
        "cropped": _cropped,
        "gain and offset": _gain_and_offset,
        "8 bit": _eight_bit,
        "inverted": _inverted,
        "blurred": _blurred,
        "saturated": _saturated,
        "shuffled": _shuffled,
        "fluorescence": _fluorescence,
        "still": _still,
        "noise": _noise,
        "half size": _half_size,
        "double size": _double_size,
    }
)
