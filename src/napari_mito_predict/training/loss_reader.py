"""Reading losses when a device has computed them, instead of stopping it at every iteration."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor


class IterationLoss(NamedTuple):
    """The loss of one iteration, and the fields that its patches were cut from."""

    value: float
    iteration: int
    fields: tuple[str, ...]


class _Waiting(NamedTuple):
    """Losses on their way to page-locked memory, and what says that they have arrived."""

    losses: Tensor
    arrived: torch.cuda.Event | None
    iteration: int
    fields: tuple[str, ...]


class LossReader:
    """The losses of the last iterations, in their order.

    On a processor each is read at once. A GPU is several iterations behind whoever tells it what to compute; to read
    every loss would be to wait for it every time, with nothing for it to do afterwards.

    Parameters
    ----------
    device : torch.device
        Where losses are computed.
    behind : int, optional
        So many iterations may be under way: 8 on a GPU, none on a processor.
    """

    def __init__(self, device: torch.device, behind: int | None = None) -> None:
        self._is_gpu = device.type == "cuda"
        if behind is None:
            behind = 8 if self._is_gpu else 0
        self._behind = behind
        self._waiting: deque[_Waiting] = deque()

    def put(self, losses: Tensor, iteration: int, fields: tuple[str, ...]) -> None:
        """Take the losses of the parts of an iteration, which may still be computed; their sum counts."""
        arrived = None
        if self._is_gpu:
            fetched = torch.empty(losses.shape, dtype=losses.dtype, pin_memory=True)
            fetched.copy_(losses, non_blocking=True)
            losses = fetched
            arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
            arrived.record()
        self._waiting.append(_Waiting(losses, arrived, iteration, fields))

    def read(self, *, all_: bool = False) -> Iterator[IterationLoss]:
        """Give those that are too far behind, or all; whatever is needed is waited for."""
        allowed = 0 if all_ else self._behind
        while len(self._waiting) > allowed:
            waiting = self._waiting.popleft()
            if waiting.arrived is not None:
                waiting.arrived.synchronize()
            yield IterationLoss(sum(waiting.losses.reshape(-1).tolist()), waiting.iteration, waiting.fields)
