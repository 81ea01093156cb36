"""Our way: the public engine, and its streamed network alone.

`engine` is all of `predict` on the raw volume: checks, normalisation by percentiles of the whole
volume, reflection padding, strips, result. `network_only` takes the normalised volume, as the other ways do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from exact_streaming.bare import DTYPES, batch
from napari_mito_predict.prediction import memory, plan_prediction, run
from napari_mito_predict.prediction.unet import FoldedUNet

if TYPE_CHECKING:
    from exact_streaming.subject import Subject
    from napari_mito_predict.networks.unet import UNet

_LARGEST_STRIP, _FEWEST_ROWS = memory.LARGEST_STRIP["cpu"], memory.FEWEST_ROWS
"""In voxels, and in rows: what the engine chooses on a processor whose memory is not short."""


def engine(subject: Subject, precision: str, _: dict[str, Any]) -> Callable[[], np.ndarray]:
    """The public engine."""

    def predict() -> np.ndarray:
        plan = plan_prediction(subject.raw, subject.model, device="cpu", precision=precision, tile="auto")
        data: np.ndarray = next(iter(run(plan).predict().values())).data
        return data

    return predict


def network_only(subject: Subject, precision: str, _: dict[str, Any]) -> Callable[[], np.ndarray]:
    """The network strip by strip, without the engine; its weights are folded beforehand."""
    push = streaming(subject.network, DTYPES[precision])

    def predict() -> np.ndarray:
        volume = subject.normalised
        _, height, width = volume.shape
        axis = 1 if height >= width else 2
        length = volume.shape[axis]
        rows = min(length, max(_FEWEST_ROWS, _LARGEST_STRIP // (volume.size // length)))
        return push(volume, axis, rows)

    return predict


def streaming(network: UNet, dtype: torch.dtype) -> Callable[[np.ndarray, int, int], np.ndarray]:
    """Make ready to predict (D, Y, X) along an axis in strips of so many rows: the only place that knows how."""
    ready = FoldedUNet(network, dtype)

    def predict(volume: np.ndarray, axis: int, rows: int) -> np.ndarray:
        result, done = np.empty(volume.shape, np.float32), 0
        along = np.moveaxis(result, axis, 0)
        with torch.inference_mode():
            stream = ready.stream(axis)
            for start in range(0, volume.shape[axis], rows):
                strip = volume.take(range(start, min(start + rows, volume.shape[axis])), axis)
                given = stream.push(batch(strip).to(dtype), last=start + rows >= volume.shape[axis])
                if given is not None:
                    size = given.shape[axis + 2]
                    along[done : done + size] = given[0, 0].float().movedim(axis, 0).numpy()
                    done += size
        return result

    return predict
