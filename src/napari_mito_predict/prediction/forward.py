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
from napari_mito_predict.networks.unet import UNet
from napari_mito_predict.prediction.folded import FoldedUNet
from napari_mito_predict.prediction.memory import empty_cache, is_out_of_memory
from napari_mito_predict.prediction.tiles import Span

if TYPE_CHECKING:
    from napari_mito_predict.networks import Network
    from napari_mito_predict.prediction.device import Device
    from napari_mito_predict.prediction.streaming import UNetStream
    from napari_mito_predict.prediction.tiles import Box

_log = logging.getLogger(__name__)


class Forward:
    """A network made ready for a device; the model that the user holds stays where and as it is.

    A U-Net is computed by `FoldedUNet`, in one piece or in strips; other networks by a private copy.

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
        self._ready: FoldedUNet | nn.Module | None = None

    def __call__(
        self, window: np.ndarray, kept: Box | None = None, contexts: Sequence[np.ndarray] = ()
    ) -> np.ndarray | None:
        """Predict one window, or the part of it that is kept.

        Parameters
        ----------
        window : ndarray, float32, (D, Y, X)
            Normalised; sizes divisible by the network's stride. A 2-D network takes the planes one by one.
        kept : Box, optional
            What is wanted, in voxels of the window.
        contexts : sequence of ndarray, float32, (planes or 1, ...)
            The network's averages over the field, where the window is only a part of it.

        Returns
        -------
        ndarray, float32, (targets, D, Y, X), or None
            Of what is kept. None when memory ran out; everything of this pass has been released then.

        Raises
        ------
        PredictionError
            Anything else that torch complains of, or an output that is not finite.
        PredictionCancelled
            `cancelled` became true.
        """
        wanted = kept or tuple(Span(0, size) for size in window.shape)
        planes, part = wanted[0].slice, [span.slice for span in wanted]

        def ask(network: Any, x: Tensor) -> Tensor:
            if not isinstance(network, FoldedUNet):
                output = network(x, self._tensors(contexts)) if contexts else network(x)
                return cast("Tensor", output[:, :, *part] if x.ndim == 5 else output[planes, :, *part[1:]])
            if network.ndim == 3:
                return network(x, wanted, self._stop_if_cancelled)
            return network(x[planes], wanted[1:], self._stop_if_cancelled)

        output = self._guarded(window, ask)
        return None if output is None else self._in_order(output)

    def strips(self, axis: int) -> Callable[[np.ndarray, bool], np.ndarray | None]:
        """Begin to predict strip by strip along `axis` of (D, Y, X); for networks that `can_stream`.

        Returns
        -------
        callable
            Takes the next window, all of the field but along `axis`, and whether it is the last; takes, gives and
            raises what a prediction does. What it gives are the rows that are complete now, maybe none. After None it
            is of no use any more.
        """
        spatial = axis - (3 - self._original.ndim)
        stream: UNetStream | None = None

        def push(window: np.ndarray, last: bool) -> np.ndarray | None:
            def ask(network: Any, x: Tensor) -> Tensor:
                nonlocal stream
                if stream is None:
                    stream = network.stream(spatial, self._stop_if_cancelled)
                rows = stream.push(x, last=last)
                return x.new_empty((len(x), self._original.out_channels, 0)) if rows is None else rows

            output = self._guarded(window, ask)
            if output is None or output.size:
                return None if output is None else self._in_order(output)
            shape = [self._original.out_channels, *window.shape]
            shape[axis + 1] = 0
            return np.empty(shape, np.float32)

        return push

    def _in_order(self, output: np.ndarray) -> np.ndarray:
        """(targets, D, Y, X) of the network's own order."""
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
        """Release the network and the device memory; it is made again when it is needed."""
        self._ready = None
        empty_cache(self.device)

    def _loaded(self) -> FoldedUNet | nn.Module:
        """The network on the device, made at the first pass: memory may run out here, too."""
        if self._ready is None:
            if isinstance(self._original, UNet):
                device = self.device
                self._ready = FoldedUNet(self._original, device.dtype, device.torch_device, self._layout)
            else:
                self._ready = self._copied()
        return self._ready

    def _copied(self) -> nn.Module:
        module = copy.deepcopy(cast("nn.Module", self._original)).eval().requires_grad_(False)
        module = module.to(self.device.torch_device).to(memory_format=self._layout)  # type: ignore[call-overload]
        for layer in module.modules():
            if not any(layer.children()):
                layer.register_forward_pre_hook(self._stop_if_cancelled)
        return cast("nn.Module", module)

    @property
    def _layout(self) -> torch.memory_format:
        """Channels last is what oneDNN and cuDNN compute in; MPS gains nothing from it."""
        if self.device.kind == "mps":
            return torch.contiguous_format
        return torch.channels_last_3d if self._original.ndim == 3 else torch.channels_last

    def _compute(self, window: np.ndarray, ask: Callable[[Any, Tensor], Tensor]) -> np.ndarray:
        network, volumetric = self._loaded(), self._original.ndim == 3
        folded = isinstance(network, FoldedUNet)
        planes = torch.from_numpy(np.ascontiguousarray(window, dtype=np.float32))
        if self.device.kind == "cuda":
            planes = planes.pin_memory()  # copied while the host goes on
        batch = planes[None, None] if volumetric else planes[:, None]
        # Entered and left within this call: the mode belongs to the thread, and a generator must not carry it outside.
        with torch.inference_mode(), nullcontext() if folded else self._precision():
            dtype = self.device.dtype if folded else torch.float32
            batch = batch.to(self.device.torch_device, non_blocking=True).to(dtype, memory_format=self._layout)
            output = ask(network, batch).float()
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
