"""One whole-volume forward of the network: nothing is faster per voxel, and nothing needs more memory.

`bare` is the network as it is: weights in channels-last, under autocast for bfloat16. `folded` has the batch
normalisation folded into the convolutions by torch's own function, and for bfloat16 weights of that type: what our
engine gains by folding, a bare forward may have, too. Normalising the volume beforehand is not part of either.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from exact_streaming.not_measured import NotMeasured

if TYPE_CHECKING:
    from exact_streaming.subject import Subject
    from napari_mito_predict.networks.unet import UNet

DTYPES = {"32": torch.float32, "bf16": torch.bfloat16}

_LIVE = 9.5
"""Copies of the finest features that are alive at once in `UNet.forward`, with what the convolutions take: measured."""


def bare(subject: Subject, precision: str, _: dict[str, Any]) -> Callable[[], np.ndarray]:
    """The network as it is."""
    network = channels_last(subject.network)

    def predict() -> np.ndarray:
        check_memory(subject, precision)
        with torch.inference_mode(), autocast(precision):
            return array(network(batch(subject.normalised)))

    return predict


def folded(subject: Subject, precision: str, _: dict[str, Any]) -> Callable[[], np.ndarray]:
    """Batch normalisation folded, weights and features in the precision."""
    network = channels_last(fold(subject.network)).to(DTYPES[precision])

    def predict() -> np.ndarray:
        check_memory(subject, precision)
        with torch.inference_mode():
            return array(network(batch(subject.normalised).to(DTYPES[precision])))

    return predict


def fold(network: UNet) -> nn.Module:
    """A copy whose batch normalisations do nothing any more."""
    network = copy.deepcopy(network).eval()
    for parent in list(network.modules()):
        for name, norm in list(parent.named_children()):
            if not isinstance(norm, nn.BatchNorm3d):
                continue
            of = {"bn0": "conv_down", "bn1": "convt"} if hasattr(parent, "convt") else {name: f"conv{name[2:]}"}
            conv = parent.get_submodule(of[name])
            setattr(parent, of[name], fuse_conv_bn_eval(conv, norm, transpose=isinstance(conv, nn.ConvTranspose3d)))
            setattr(parent, name, nn.Identity())
    return network


def channels_last(network: nn.Module) -> nn.Module:
    """A copy in the layout oneDNN computes in."""
    return copy.deepcopy(network).to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]


def batch(volume: np.ndarray) -> Tensor:
    """(1, 1, D, Y, X), channels last, of (D, Y, X)."""
    return torch.from_numpy(volume)[None, None].contiguous(memory_format=torch.channels_last_3d)


def array(output: Tensor) -> np.ndarray:
    """(D, Y, X) float32 of the network's first output."""
    return np.ascontiguousarray(output[0, 0].float().numpy())


def autocast(precision: str) -> AbstractContextManager[Any]:
    """Of torch, for the processor; nothing for float32."""
    return nullcontext() if precision == "32" else torch.autocast("cpu", DTYPES[precision])


def check_memory(subject: Subject, precision: str) -> None:
    """Refuse a pass that would not fit, before the operating system ends a process for it."""
    first = next(module for module in subject.network.modules() if isinstance(module, nn.Conv3d))
    needed = _LIVE * first.out_channels * DTYPES[precision].itemsize * subject.raw.size
    free = psutil.virtual_memory().available
    if needed > free:
        raise NotMeasured(f"a whole pass needs about {needed / 2**30:.0f} GiB, {free / 2**30:.0f} are free")
