"""How well predictions of a batch fit the fluorescence in the very image they were made from."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from napari_mito_predict.errors import ImageError
from napari_mito_predict.evaluation.streaming import StreamingPcc
from napari_mito_predict.image import Channel, ChannelRole, ImageSource, open_image
from napari_mito_predict.models.record import Quantity

if TYPE_CHECKING:
    import numpy as np

    from napari_mito_predict.prediction.result import Output, Prediction

_SHOWN = (ChannelRole.MITOCHONDRIA, ChannelRole.DNA)
"""What is both predicted and recognised in a recording; its role is called as the target is."""


def score_arrays(image: ImageSource, predictions: Mapping[str, Prediction]) -> dict[str, float]:
    """Pearson correlation of each prediction with its truth; those without one are left out."""
    scores = {}
    for key, prediction in predictions.items():
        truth = recorded_truth(image, prediction.output)
        if truth is not None:
            stacks = prediction.data.reshape(image.sizes["T"], image.sizes["Z"], *prediction.data.shape[-2:])
            scores[key] = _pcc(iter(stacks), image, truth)
    return {key: score for key, score in scores.items() if math.isfinite(score)}


def score_files(image: ImageSource, outputs: Mapping[str, Output], paths: Mapping[str, Path]) -> dict[str, float]:
    """Pearson correlation of predictions that were written, stack by stack; see `score_arrays`."""
    scores = {}
    for number, (key, output) in enumerate(outputs.items()):
        truth = recorded_truth(image, output)
        if truth is None:
            continue
        channel = 0
        path = paths.get(key)
        if path is None:  # all outputs share a file
            (path,) = paths.values()
            channel = number
        written = open_image(path)
        stacks = (written.read(t, channel) for t in range(image.sizes["T"]))
        scores[key] = _pcc(stacks, image, truth)
    return {key: score for key, score in scores.items() if math.isfinite(score)}


def recorded_truth(image: ImageSource, output: Output) -> Channel | None:
    """The only channel of an image that shows what is predicted, and is a recording; None for none, or several."""
    if output.quantity is not Quantity.PREDICTION or output.target.name not in _SHOWN:
        return None
    wanted = output.target.name
    shown = [channel for channel in image.channels if channel.role == wanted and channel.prediction is None]
    return shown[0] if len(shown) == 1 else None


def _pcc(stacks: Iterator[np.ndarray], image: ImageSource, truth: Channel) -> float:
    """Over all stacks (Z, Y, X) of an image, in order of time; NaN where the truth cannot be read."""
    score = StreamingPcc()
    try:
        for t, stack in enumerate(stacks):
            score.add(stack, image.read(t, truth.index))
    except ImageError:  # the truth was not recorded everywhere, which does not concern the prediction
        return math.nan
    return score.value
