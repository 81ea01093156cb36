"""One pass of a network over one window, on any device, in any precision, without side effects on the model."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from napari_mito_predict.errors import PredictionCancelled, PredictionError, first_line
from napari_mito_predict.prediction.memory import empty_cache, is_out_of_memory
from napari_mito_predict.prediction.runners import make_runner
from napari_mito_predict.prediction.tiles import Span, per_axis

if TYPE_CHECKING:
    import numpy as np

    from napari_mito_predict.networks import Network
    from napari_mito_predict.prediction.device import Device
    from napari_mito_predict.prediction.runners import Runner, StripRunner
    from napari_mito_predict.prediction.tiles import Box

_log = logging.getLogger(__name__)


class Forward:
    """A network made ready for a device when it is first asked; what torch complains of becomes ours.

    Parameters
    ----------
    network : Network
        2-D or 3-D, in evaluation mode.
    device : Device
        Where to compute, and in which precision.
    should_stop : callable
        Asked before every layer, so that even a huge tile stops at once.
    name : str
        Of the model, for messages.
    """

    def __init__(self, network: Network, device: Device, should_stop: Callable[[], bool], *, name: str) -> None:
        self.device = device
        self.name = name
        self._network = network
        self._should_stop = should_stop
        self._runner: Runner | None = None

    def __call__(self, window: Tensor, kept: Box | None = None, contexts: Sequence[np.ndarray] = ()) -> Tensor | None:
        """Predict one window, or the part of it that is kept.

        Parameters
        ----------
        window : Tensor, (D, Y, X)
            Normalised, in main memory or on the device; sizes divisible by the network's stride. A 2-D network takes
            the planes one by one.
        kept : Box, optional
            What is wanted, in voxels of the window.
        contexts : sequence of ndarray, float32, (planes or 1, ...)
            The network's averages over the field, where the window is only a part of it.

        Returns
        -------
        Tensor, float32, (targets, D, Y, X), or None
            Of what is kept, on the device, where it may still be computed; see `to_host`. None when memory ran out;
            everything of this pass has been released then.

        Raises
        ------
        PredictionError
            Anything else that torch complains of.
        PredictionCancelled
            `should_stop` said so.
        """
        wanted = kept or per_axis(Span(0, size) for size in window.shape)
        return self.guarded(lambda: self._ready()(self._placed(window), wanted, self._tensors(contexts)))

    def context(self, window: Tensor, core: tuple[slice, ...], given: Sequence[np.ndarray]) -> Tensor | None:
        """What the part `core` of a window adds to the network's next average over the field, after those `given`.

        Parameters
        ----------
        window : Tensor, (D, Y, X)
            See `__call__`.
        core : tuple of slice
            Of the window, one for each axis that the network knows.
        given : sequence of ndarray, float32, (planes or 1, ...)
            The averages that are known.

        Returns
        -------
        Tensor, float32, (planes or 1, ...), or None
            None when memory ran out. Raises what a prediction does.
        """
        return self.guarded(lambda: self._ready().context(self._placed(window), core, self._tensors(given)))

    def strips(self, axis: int) -> Callable[[Tensor, bool], Tensor | None]:
        """Begin to predict strip by strip along `axis` of (D, Y, X); for networks that `can_stream`.

        Returns
        -------
        callable
            Takes the next window (D, Y, X), which is all of the field but along `axis`, and whether it is the last.
            Gives (targets, D, Y, X) of the rows that are complete now, maybe none; or None when memory ran out: it is
            of no use any more then. Raises what a prediction does.
        """
        begun: list[StripRunner] = []

        def compute(window: Tensor, last: bool) -> Tensor:
            if not begun:  # made here, where running out of memory is noticed
                begun.append(self._ready().strips(axis))
            return begun[0].push(self._placed(window), last=last)

        return lambda window, last: self.guarded(lambda: compute(window, last))

    def to_host(self, output: Tensor) -> Tensor | None:
        """What was predicted, in main memory; None when memory ran out.

        Raises
        ------
        PredictionError
            It is not finite, or torch complains of anything else.
        """

        def fetch() -> Tensor:
            if not bool(torch.isfinite(output).all()):
                raise self.not_finite()
            return output.contiguous().cpu()

        return self.guarded(fetch)

    def not_finite(self) -> PredictionError:
        """The error that says that an output is not finite."""
        message = f"{self.name} gave values that are not numbers (NaN or infinite)."
        if self.device.precision != "32":
            message += " Try again with precision 32."
        return PredictionError(message)

    def guarded(self, compute: Callable[[], Tensor]) -> Tensor | None:
        """What `compute` gives, or None when memory ran out; see `__call__` for what it raises."""
        try:
            # Entered and left within this call: the mode belongs to the thread; a generator must not carry it outside.
            with torch.inference_mode():
                return compute()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise self.explained(error) from error
            _log.info("%s: out of memory on %s: %s", self.name, self.device.name, error)
        # Only here, outside the block, is the traceback gone that kept the tensors of the failed pass alive.
        gc.collect()
        empty_cache(self.device)
        return None

    def close(self) -> None:
        """Release the network and the device memory; it is made again when it is needed."""
        self._runner = None
        empty_cache(self.device)

    def _ready(self) -> Runner:
        """The network on the device, made at the first pass: memory may run out here, too."""
        if self._runner is None:
            self._runner = make_runner(self._network, self.device, self._stop_if_asked)
        return self._runner

    @property
    def _copies_beside(self) -> bool:
        """Whether the device copies while the host goes on. An Apple GPU would read memory that is long used again."""
        return self.device.kind == "cuda"

    def _placed(self, window: Tensor) -> Tensor:
        """A window on the device."""
        if self._copies_beside and not window.is_cuda:
            window = window.pin_memory()
        return window.to(self.device.torch_device, non_blocking=self._copies_beside)

    def _tensors(self, arrays: Sequence[np.ndarray]) -> list[Tensor]:
        return [self._placed(torch.from_numpy(array)) for array in arrays]

    def _stop_if_asked(self) -> None:
        if self._should_stop():
            raise PredictionCancelled("Cancelled; nothing was written.")

    def explained(self, error: BaseException) -> PredictionError:
        """What torch said, as an error of ours."""
        return explained(error, self.name, self.device)


def explained(error: BaseException, what: str, device: Device) -> PredictionError:
    """What torch said when `what` failed, as an error of ours: its first line, which is the only one for people."""
    message = f"{what} failed on {device.name}: {first_line(error)}."
    if device.kind == "cuda" and "device-side assert" in str(error):
        message += " The GPU cannot be used again before napari (or Python) is restarted."
    return PredictionError(message)
