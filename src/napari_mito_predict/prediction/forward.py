"""One pass of a network over one window, on any device, in any precision, without side effects on the model."""

from __future__ import annotations

import copy
import gc
import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from napari_mito_predict.errors import PredictionCancelled, PredictionError
from napari_mito_predict.prediction.memory import empty_cache, is_out_of_memory

if TYPE_CHECKING:
    from napari_mito_predict.networks import Network
    from napari_mito_predict.prediction.device import Device

_log = logging.getLogger(__name__)


class Forward:
    """A private copy of a network on a device; the model that the user holds stays where and as it is.

    Parameters
    ----------
    network : Network
        2-D or 3-D, in evaluation mode.
    device : Device
        Where to compute, and in which precision.
    cancelled : callable
        Asked before every layer, so that even a huge tile stops at once.
    name : str
        Of the model, for messages.
    """

    def __init__(self, network: Network, device: Device, cancelled: Callable[[], bool], *, name: str) -> None:
        self.device = device
        self.name = name
        self._original = network
        self._cancelled = cancelled
        self._copy: nn.Module | None = None

    def __call__(self, window: np.ndarray, contexts: Sequence[np.ndarray] = ()) -> np.ndarray | None:
        """Predict one window.

        Parameters
        ----------
        window : ndarray, float32, (D, Y, X)
            Normalised; sizes divisible by the network's stride. A 2-D network takes the planes one by one.
        contexts : sequence of ndarray, float32, (planes or 1, ...)
            The network's averages over the field, where the window is only a part of it.

        Returns
        -------
        ndarray, float32, (targets, D, Y, X), or None
            None when memory ran out; everything of this pass has been released then.

        Raises
        ------
        PredictionError
            Anything else that torch complains of, or an output that is not finite.
        PredictionCancelled
            `cancelled` became true.
        """
        output = self._guarded(window, lambda module, x: module(x, self._tensors(contexts)) if contexts else module(x))
        if output is None:
            return None
        return output[0] if self._original.ndim == 3 else np.ascontiguousarray(output.swapaxes(0, 1))

    def context(self, window: np.ndarray, core: tuple[slice, ...], given: Sequence[np.ndarray]) -> np.ndarray | None:
        """What the part `core` of a window adds to the network's next average over the field, after those `given`.

        Takes and raises what a prediction does; the answer is float32, (planes or 1, ...), or None.
        """
        return self._guarded(window, lambda module, x: module.context(x, core, self._tensors(given)))

    def _guarded(self, window: np.ndarray, ask: Callable[[Any, Tensor], Tensor]) -> np.ndarray | None:
        """The answer to `ask`, or None when memory ran out."""
        try:
            return self._compute(window, ask)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise PredictionError(self._explain(error)) from error
            _log.info("%s: out of memory on %s: %s", self.name, self.device.name, error)
        # Only here, outside the block, is the traceback gone that kept the tensors of the failed pass alive.
        gc.collect()
        empty_cache(self.device)
        return None

    def close(self) -> None:
        """Release the copy and the device memory; it is made again when it is needed."""
        self._copy = None
        empty_cache(self.device)

    def _loaded(self) -> nn.Module:
        """The copy on the device, made at the first pass: memory may run out here, too."""
        if self._copy is None:
            module = copy.deepcopy(cast("nn.Module", self._original)).eval().requires_grad_(False)
            module = module.to(self.device.torch_device).to(memory_format=self._layout)  # type: ignore[call-overload]
            for layer in module.modules():
                if not any(layer.children()):
                    layer.register_forward_pre_hook(self._stop_if_cancelled)
            self._copy = module
        return self._copy

    @property
    def _layout(self) -> torch.memory_format:
        """Channels last is what oneDNN and cuDNN compute in; MPS gains nothing from it."""
        if self.device.kind == "mps":
            return torch.contiguous_format
        return torch.channels_last_3d if self._original.ndim == 3 else torch.channels_last

    def _compute(self, window: np.ndarray, ask: Callable[[Any, Tensor], Tensor]) -> np.ndarray:
        module, volumetric = self._loaded(), self._original.ndim == 3
        planes = torch.from_numpy(np.ascontiguousarray(window, dtype=np.float32))
        batch = planes[None, None] if volumetric else planes[:, None]
        # Entered and left within this call: the mode belongs to the thread, and a generator must not carry it outside.
        with torch.inference_mode(), self._precision():
            batch = batch.to(self.device.torch_device, memory_format=self._layout)
            output = ask(module, batch).float()
            if not bool(torch.isfinite(output).all()):
                hint = "" if self.device.precision == "32" else " Try again with precision 32."
                raise PredictionError(f"{self.name} gave values that are not numbers (NaN or infinite).{hint}")
            return np.ascontiguousarray(output.cpu().numpy())

    def _tensors(self, arrays: Sequence[np.ndarray]) -> list[Tensor]:
        return [torch.from_numpy(array).to(self.device.torch_device) for array in arrays]

    def _precision(self) -> AbstractContextManager[Any]:
        if self.device.precision == "32":
            return nullcontext()
        return torch.autocast(self.device.kind, dtype=self.device.dtype)

    def _stop_if_cancelled(self, *_: object) -> None:
        if self._cancelled():
            raise PredictionCancelled("Cancelled; nothing was written.")

    def _explain(self, error: BaseException) -> str:
        text = (str(error).strip().splitlines() or [type(error).__name__])[0]
        lost = self.device.kind == "cuda" and "device-side assert" in str(error)
        advice = " The GPU cannot be used again before napari (or Python) is restarted." if lost else ""
        return f"{self.name} failed on {self.device.name}: {text}.{advice}"
