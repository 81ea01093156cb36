"""The piecewise way of whole-field prediction with pytorch_fnet, written from a description of it.

Pieces overlap by a few voxels in y and x and are blended there with triangular weights. Each is one forward of the
network in float32, which pads it with zeros. A volume no larger than a piece is one whole pass.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from exact_streaming.bare import array, autocast, batch, channels_last

if TYPE_CHECKING:
    from exact_streaming.subject import Subject


def pieces(subject: Subject, precision: str, settings: dict[str, Any]) -> Callable[[], np.ndarray]:
    """`settings`: piece, overlap."""
    network = channels_last(subject.network)

    def predict() -> np.ndarray:
        volume = subject.normalised
        shape = volume.shape
        sizes = [min(n, piece) for n, piece in zip(shape, settings["piece"], strict=True)]
        result, weight = np.zeros(shape, np.float32), np.zeros(shape[1:], np.float32)
        places = [starts(n, size, settings["overlap"]) for n, size in zip(shape, sizes, strict=True)]
        for place in product(*places):
            z, y, x = (slice(start, start + size) for start, size in zip(place, sizes, strict=True))
            with torch.inference_mode(), autocast(precision):
                output = array(network(batch(np.ascontiguousarray(volume[z, y, x]))))
            along_y, along_x = (triangle(sizes[a], settings["overlap"]) for a in (1, 2))
            blend = along_y[:, None] * along_x
            result[z, y, x] += output * blend
            if place[0] == 0:
                weight[y, x] += blend
        result /= weight
        return result

    return predict


def starts(length: int, size: int, overlap: int) -> list[int]:
    """Where pieces begin; the last ends with the volume and so overlaps by more."""
    last = length - size
    return [*range(0, last, max(size - overlap, 1)), last]


def triangle(size: int, overlap: int) -> np.ndarray:
    """Weights along an axis, float32: up over `overlap` voxels, level, down; dividing by the sum mends the edges."""
    ramp = np.arange(1, size + 1, dtype=np.float32) / (overlap + 1)
    weights: np.ndarray = np.minimum(np.minimum(ramp, ramp[::-1]), 1)
    return weights
