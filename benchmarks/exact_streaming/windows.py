"""MONAI's `sliding_window_inference`: overlapping windows, blended with Gaussian weights.

The windows' sizes and overlaps are those its documentation and bundles recommend (overlap 0.25 by default, 0.5 for
quality, ``mode="gaussian"``), and larger windows for fairness. The network is in channels-last, as it is for the bare
forward; each window is padded with zeros by the network's convolutions, and knows nothing of what is beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from exact_streaming.bare import array, autocast, batch, channels_last
from exact_streaming.not_measured import NotMeasured

if TYPE_CHECKING:
    import numpy as np

    from exact_streaming.subject import Subject


def windows(subject: Subject, precision: str, settings: dict[str, Any]) -> Callable[[], np.ndarray]:
    """`settings`: roi, overlap, batch."""
    try:
        from monai.inferers import sliding_window_inference
    except ImportError as error:
        raise NotMeasured("not installed: pip install monai") from error
    network = channels_last(subject.network)

    def predict() -> np.ndarray:
        with torch.inference_mode(), autocast(precision):
            output = sliding_window_inference(
                batch(subject.normalised),
                roi_size=tuple(settings["roi"]),
                sw_batch_size=settings["batch"],
                predictor=network,
                overlap=settings["overlap"],
                mode="gaussian",
            )
            return array(output)

    return predict
