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
from napari_mito_predict.prediction.layers import channels_last
from napari_mito_predict.prediction.memory import empty_cache, is_out_of_memory
from napari_mito_predict.prediction.tiles import Span, per_axis

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
    should_stop : callable
        Asked before every layer, so that even a huge tile stops at once.
    name : str
        Of the model, for messages.
    """

    def __init__(self, network: Network, device: Device, should_stop: Callable[[], bool], *, name: str) -> None:
        self.device = device
        self.name = name
        self._original = network
        self._should_stop = should_stop
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
            `should_stop` said so.
        """
        wanted = kept or per_axis(Span(0, size) for size in window.shape)

        def ask(network: Any, batch: Tensor) -> Tensor:
            if isinstance(network, FoldedUNet):
                return self._ask_folded(network, batch, wanted)
            return self._ask_module(network, batch, wanted, contexts)

        output = self._guarded(window, ask)
        if output is None:
            return None
        return self._in_order(output)

    def _ask_folded(self, network: FoldedUNet, batch: Tensor, wanted: Box) -> Tensor:
        """The part `wanted` of the answer, which is all that is computed of it."""
        if network.ndim == 3:
            return network(batch, wanted, self._stop_if_asked)
        return network(batch[wanted[0].slice], wanted[1:], self._stop_if_asked)  # the planes are the batch

    def _ask_module(self, network: Any, batch: Tensor, wanted: Box, contexts: Sequence[np.ndarray]) -> Tensor:
        """The part `wanted` of the answer to the whole window."""
        if contexts:
            output = network(batch, self._tensors(contexts))
        else:
            output = network(batch)
        part = [span.slice for span in wanted]
        if self._volumetric:
            return cast("Tensor", output[:, :, *part])
        return cast("Tensor", output[part[0], :, *part[1:]])  # the planes are the batch

    def strips(self, axis: int) -> Callable[[np.ndarray, bool], np.ndarray | None]:
        """Begin to predict strip by strip along `axis` of (D, Y, X); for networks that `can_stream`.

        Returns
        -------
        callable
            Takes the next window (D, Y, X), which is all of the field but along `axis`, and whether it is the last.
            Gives (targets, D, Y, X) of the rows that are complete now, maybe none; or None when memory ran out: it is
            of no use any more then. Raises what a prediction does.
        """
        spatial = axis - (3 - self._original.ndim)
        stream: UNetStream | None = None

        def push(window: np.ndarray, last: bool) -> np.ndarray | None:
            def ask(network: Any, batch: Tensor) -> Tensor:
                nonlocal stream
                if stream is None:  # made here, where running out of memory is noticed
                    stream = network.stream(spatial, self._stop_if_asked)
                rows = stream.push(batch, last=last)
                if rows is None:
                    return batch.new_empty((len(batch), self._original.out_channels, 0))
                return rows

            output = self._guarded(window, ask)
            if output is None:
                return None
            if output.size:
                return self._in_order(output)
            shape = [self._original.out_channels, *window.shape]
            shape[axis + 1] = 0
            return np.empty(shape, np.float32)

        return push

    def _in_order(self, output: np.ndarray) -> np.ndarray:
        """(targets, D, Y, X) of what the network gives: (1, targets, D, Y, X), or (planes, targets, Y, X)."""
        if self._volumetric:
            return cast("np.ndarray", output[0])
        return np.ascontiguousarray(output.swapaxes(0, 1))

    def context(self, window: np.ndarray, core: tuple[slice, ...], given: Sequence[np.ndarray]) -> np.ndarray | None:
        """What the part `core` of a window adds to the network's next average over the field, after those `given`.

        Parameters
        ----------
        window : ndarray, float32, (D, Y, X)
            Normalised.
        core : tuple of slice
            Of the window, one for each axis that the network knows.
        given : sequence of ndarray, float32, (planes or 1, ...)
            The averages that are known.

        Returns
        -------
        ndarray, float32, (planes or 1, ...), or None
            None when memory ran out. Raises what a prediction does.
        """
        return self._guarded(window, lambda module, batch: module.context(batch, core, self._tensors(given)))

    def _guarded(self, window: np.ndarray, ask: Callable[[Any, Tensor], Tensor]) -> np.ndarray | None:
        """What `ask` makes of the network and the window as its input, or None when memory ran out."""
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
        """A copy of a network other than a U-Net: frozen, on the device, and stopping before any of its layers."""
        module = copy.deepcopy(cast("nn.Module", self._original)).eval().requires_grad_(False)
        module = module.to(self.device.torch_device).to(memory_format=self._layout)  # type: ignore[call-overload]
        for layer in module.modules():
            if not any(layer.children()):
                layer.register_forward_pre_hook(self._stop_if_asked)
        return cast("nn.Module", module)

    @property
    def _volumetric(self) -> bool:
        """Whether the network takes (D, Y, X) at once; a 2-D one takes the planes as a batch."""
        return self._original.ndim == 3

    @property
    def _layout(self) -> torch.memory_format:
        """Order of the features in memory; MPS gains nothing from channels last."""
        if self.device.kind == "mps":
            return torch.contiguous_format
        return channels_last(self._original.ndim)

    def _compute(self, window: np.ndarray, ask: Callable[[Any, Tensor], Tensor]) -> np.ndarray:
        network = self._loaded()
        # A folded network is in the device's precision already; other networks stay in float32, and torch casts.
        dtype = self.device.dtype
        precision: AbstractContextManager[Any] = nullcontext()
        if not isinstance(network, FoldedUNet):
            dtype, precision = torch.float32, self._autocast()
        planes = torch.from_numpy(np.ascontiguousarray(window, dtype=np.float32))
        if self.device.kind == "cuda":
            planes = planes.pin_memory()  # copied while the host goes on
        batch = planes[:, None]
        if self._volumetric:
            batch = planes[None, None]
        # Entered and left within this call: the mode belongs to the thread, and a generator must not carry it outside.
        with torch.inference_mode(), precision:
            batch = batch.to(self.device.torch_device, non_blocking=True).to(dtype, memory_format=self._layout)
            output = ask(network, batch).float()
            if not bool(torch.isfinite(output).all()):
                message = f"{self.name} gave values that are not numbers (NaN or infinite)."
                if self.device.precision != "32":
                    message += " Try again with precision 32."
                raise PredictionError(message)
            return np.ascontiguousarray(output.cpu().numpy())

    def _tensors(self, arrays: Sequence[np.ndarray]) -> list[Tensor]:
        return [torch.from_numpy(array).to(self.device.torch_device) for array in arrays]

    def _autocast(self) -> AbstractContextManager[Any]:
        """Lets torch compute in the device's precision, layer by layer where that is safe."""
        if self.device.precision == "32":
            return nullcontext()
        return torch.autocast(self.device.kind, dtype=self.device.dtype)

    def _stop_if_asked(self, *_: object) -> None:
        if self._should_stop():
            raise PredictionCancelled("Cancelled; nothing was written.")

    def _explain(self, error: BaseException) -> str:
        """What torch said, as a sentence: the first line of it, which is the only one for people."""
        lines = str(error).strip().splitlines() or [type(error).__name__]
        message = f"{self.name} failed on {self.device.name}: {lines[0]}."
        if self.device.kind == "cuda" and "device-side assert" in str(error):
            message += " The GPU cannot be used again before napari (or Python) is restarted."
        return message
