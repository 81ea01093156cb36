"""Numbers for the compare step; runs in the worker thread, knows arrays only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mito_predict.evaluation import pcc, ssim_global

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_mito_predict._widgets._worker import Work


@dataclass(frozen=True)
class Agreement:
    """PCC and SSIM (global) of a plane or a stack."""

    pcc: float
    ssim: float


@dataclass(frozen=True)
class StackAgreement(Agreement):
    """The same of a stack, and the PCC of each of its planes."""

    profile: tuple[float, ...]


def comparing_planes(prediction: Any, truth: Any, index: tuple[Any, ...]) -> Work:
    """Work that compares the plane at `index` (integers and slices, one per axis)."""

    def work(cancelled: Callable[[], bool]) -> Iterator[object]:
        a, b = np.asarray(prediction[index]), np.asarray(truth[index])
        yield Agreement(pcc(a, b), ssim_global(a, b))

    return work


def comparing_stacks(prediction: Any, truth: Any, index: tuple[Any, ...]) -> Work:
    """Work that compares the stack at `index`: the planes one after the other, then all together."""

    def work(cancelled: Callable[[], bool]) -> Iterator[object]:
        a, b = _stack(prediction, index), _stack(truth, index)
        profile = []
        for plane_a, plane_b in zip(a, b, strict=True):
            if cancelled():
                return
            profile.append(pcc(plane_a, plane_b))
        yield StackAgreement(pcc(a, b), ssim_global(a, b), tuple(profile))

    return work


def _stack(data: Any, index: tuple[Any, ...]) -> NDArray[Any]:
    stack = np.asarray(data[index])
    return stack.reshape(-1, *stack.shape[-2:])
