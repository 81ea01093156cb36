"""Copies between main memory and a device, which go on while the device computes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

_STAGED = 1 << 25
"""Bytes that are staged at a time: large enough to be fast, small enough to be page-locked quickly."""


class Transfers:
    """The ways up and down of one run.

    A GPU copies from and to page-locked memory by itself. So what goes up is staged there, piece by piece, and what
    comes down is fetched into it. Both have streams of their own, so that neither waits for what is computed meanwhile.
    On a processor everything is where it is needed.

    Parameters
    ----------
    device : torch.device
        Where to, and where from.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._is_gpu = device.type == "cuda"
        self._staged: list[tuple[Tensor, torch.cuda.Event]] = []
        if self._is_gpu:
            self._up = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
            self._down = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    @contextmanager
    def preparing(self) -> Iterator[None]:
        """What is uploaded and computed inside of the block goes on beside everything else, and is done at its end."""
        if not self._is_gpu:
            yield
            return
        with torch.cuda.stream(self._up):
            yield
            self._up.synchronize()

    def upload(self, array: np.ndarray) -> Tensor:
        """A copy of `array` on the device; to be called in `preparing`.

        Parameters
        ----------
        array : ndarray
            Of a type that torch has, in any byte order and layout.
        """
        native = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
        found = torch.empty(native.nbytes, dtype=torch.uint8, device=self.device)
        given = native.reshape(-1).view(np.uint8)
        for i, start in enumerate(range(0, given.size, _STAGED)):
            piece = given[start : start + _STAGED]
            place = found[start : start + piece.size]
            if self._is_gpu:
                self._stage(i % 2, piece, place)
            else:
                place.numpy()[:] = piece
        # torch names its types as numpy does
        return found.view(getattr(torch, native.dtype.name)).view(native.shape)

    def _stage(self, turn: int, piece: np.ndarray, place: Tensor) -> None:
        """Copy one piece by way of one of two page-locked buffers: one is filled while the other is emptied."""
        if not self._staged:
            for _ in range(2):
                buffer = torch.empty(_STAGED, dtype=torch.uint8, pin_memory=True)
                emptied = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
                self._staged.append((buffer, emptied))
        buffer, emptied = self._staged[turn]
        emptied.synchronize()  # of no effect before it was used
        buffer.numpy()[: piece.size] = piece
        place.copy_(buffer[: piece.size], non_blocking=True)
        emptied.record()

    def download(self, values: Tensor) -> Download:
        """Begin to fetch `values`, when what is computed now is done; they may be let go of at once."""
        finite = torch.isfinite(values).all()
        if not self._is_gpu:
            return Download(values, finite, None)
        self._down.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(self._down):
            fetched = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
            fetched.copy_(values, non_blocking=True)
            fetched_finite = torch.empty((), dtype=torch.bool, pin_memory=True)
            fetched_finite.copy_(finite, non_blocking=True)
            done = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
            done.record()
        # They are used on another stream than they were made on: their memory is not to be given away before.
        values.record_stream(self._down)
        finite.record_stream(self._down)
        return Download(fetched, fetched_finite, done)


def sent(array: np.ndarray, device: torch.device) -> Tensor:
    """A small array on a device. Nobody waits for what the device computes, as torch would do without being told."""
    return torch.from_numpy(array).to(device, non_blocking=True)


class Download:
    """Values on their way to main memory."""

    def __init__(self, values: Tensor, finite: Tensor, done: torch.cuda.Event | None) -> None:
        self._values = values
        self._finite = finite
        self._done = done

    def wait(self) -> np.ndarray | None:
        """The values when they have arrived; None where any of them is not finite.

        On a GPU they are in page-locked memory, of which there should never be much: use them, and let them go.
        """
        if self._done is not None:
            self._done.synchronize()
        if not bool(self._finite):
            return None
        array: np.ndarray = self._values.numpy()
        return array
