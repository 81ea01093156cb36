"""Networks as the engine applies them: one way to ask, whatever it is that computes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol, cast

import torch
from torch import Tensor

from napari_mito_predict.networks.unet import UNet
from napari_mito_predict.prediction.unet import FoldedUNet, channels_last

if TYPE_CHECKING:
    from napari_mito_predict.networks import FieldNetwork, Network
    from napari_mito_predict.prediction.device import Device
    from napari_mito_predict.prediction.tiles import Box, Span
    from napari_mito_predict.prediction.unet import UNetStream


class StripRunner(Protocol):
    """Takes a volume in strips along one of its axes, and gives the answer in strips."""

    def push(self, strip: Tensor, *, last: bool) -> Tensor:
        """Take the next strip (D, Y, X); give (targets, D, Y, X) of what is complete now, float32, maybe nothing."""


class Runner(Protocol):
    """A network in evaluation mode on its device, in its precision."""

    def __call__(self, window: Tensor, kept: Box, contexts: Sequence[Tensor]) -> Tensor:
        """Predict a part of a window.

        Parameters
        ----------
        window : Tensor, (D, Y, X)
            On the device; a 2-D network takes the planes one by one.
        kept : Box
            What is wanted of it.
        contexts : sequence of Tensor, (planes or 1, ...)
            The network's averages over the field, where the window is only a part of it.

        Returns
        -------
        Tensor, float32, (targets, D, Y, X)
            Of what is kept.
        """

    def context(self, window: Tensor, core: tuple[slice, ...], given: Sequence[Tensor]) -> Tensor:
        """Give what the part `core` of a window adds to the next average, float32; of a `FieldNetwork` alone."""

    def strips(self, axis: int) -> StripRunner:
        """Begin to take a volume in strips along `axis` of (D, Y, X); of networks that `can_stream` alone."""


def can_stream(network: Network) -> bool:
    """Whether `network` can be computed strip by strip: a U-Net, whose arithmetic is known."""
    return isinstance(network, UNet)


def most_channels(network: Network) -> int:
    """How many channels a voxel of the input has at most, in a network that `can_stream`: at the skip connection."""
    return 2 * cast("UNet", network).base_channels


def make_runner(network: Network, device: Device, before_layer: Callable[..., object]) -> Runner:
    """Make a network ready for a device; the network itself stays where and as it is.

    Parameters
    ----------
    network : Network
        In evaluation mode.
    device : Device
        Where to compute, and in which precision.
    before_layer : callable
        Called before every layer; what it raises ends the pass.
    """
    if isinstance(network, UNet):
        return UNetRunner(network, device, before_layer)
    return ModuleRunner(network, device, before_layer)


class UNetRunner:
    """A U-Net by `FoldedUNet`, of whose answer no more is computed than is kept; takes what `make_runner` takes."""

    def __init__(self, network: UNet, device: Device, before_layer: Callable[..., object]) -> None:
        self._axes = _Axes(network.ndim)
        self._targets = network.out_channels
        self._layout = _layout(network.ndim, device)
        self._folded = FoldedUNet(network, device.dtype, device.torch_device, self._layout)
        self._before_layer = before_layer

    def __call__(self, window: Tensor, kept: Box, contexts: Sequence[Tensor] = ()) -> Tensor:
        window = window[self._axes.planes(kept)]
        output = self._folded(self._batch(window), self._axes.spatial(kept), self._before_layer)
        return self._axes.volume(output).float()

    def context(self, window: Tensor, core: tuple[slice, ...], given: Sequence[Tensor]) -> Tensor:
        raise TypeError("A U-Net is convolutions alone, and takes no averages of the field.")

    def strips(self, axis: int) -> StripRunner:
        stream = self._folded.stream(self._axes.spatial_index(axis), self._before_layer)
        return _UNetStrips(stream, axis, self._targets, self._batch, self._axes)

    def _batch(self, window: Tensor) -> Tensor:
        return self._axes.batch(window).to(self._folded.dtype, memory_format=self._layout)


class _UNetStrips:
    """The strips of a volume as those of a `UNetStream`."""

    def __init__(
        self, stream: UNetStream, axis: int, targets: int, batch: Callable[[Tensor], Tensor], axes: _Axes
    ) -> None:
        self._stream = stream
        self._axis = axis
        self._targets = targets
        self._batch = batch
        self._axes = axes

    def push(self, strip: Tensor, *, last: bool) -> Tensor:
        rows = self._stream.push(self._batch(strip), last=last)
        if rows is not None:
            return self._axes.volume(rows).float()
        shape = [self._targets, *strip.shape]
        shape[self._axis + 1] = 0  # behind the targets
        return torch.empty(shape, dtype=torch.float32, device=strip.device)


class ModuleRunner:
    """Any other network, by a private copy that stays in float32, and torch casts; takes what `make_runner` takes."""

    def __init__(self, network: Network, device: Device, before_layer: Callable[..., object]) -> None:
        self._axes = _Axes(network.ndim)
        self._layout = _layout(network.ndim, device)
        self._device = device
        self._module: Any = copy.deepcopy(network).eval().requires_grad_(False).to(device.torch_device)
        for parameter in self._module.parameters():
            if parameter.ndim in (4, 5):  # of a convolution in as many dimensions, less two: not those of the network
                parameter.data = parameter.data.to(memory_format=_layout(parameter.ndim - 2, device))
        for layer in self._module.modules():
            if not any(layer.children()):
                layer.register_forward_pre_hook(lambda *_: before_layer())

    def __call__(self, window: Tensor, kept: Box, contexts: Sequence[Tensor] = ()) -> Tensor:
        batch = self._batch(window)
        with self._autocast():
            output = self._module(batch, contexts) if contexts else self._module(batch)
        return self._axes.volume(output)[:, *(span.slice for span in kept)].float()

    def context(self, window: Tensor, core: tuple[slice, ...], given: Sequence[Tensor]) -> Tensor:
        network = cast("FieldNetwork", self._module)
        with self._autocast():
            return network.context(self._batch(window), core, given).float()

    def strips(self, axis: int) -> StripRunner:
        raise TypeError("Only a U-Net can be computed strip by strip.")

    def _batch(self, window: Tensor) -> Tensor:
        return self._axes.batch(window).to(torch.float32, memory_format=self._layout)

    def _autocast(self) -> AbstractContextManager[Any]:
        """Lets torch compute in the device's precision, layer by layer where that is safe."""
        if self._device.precision == "32":
            return nullcontext()
        return torch.autocast(self._device.kind, dtype=self._device.dtype)


class _Axes:
    """Between the axes (D, Y, X) of a volume and those of a network: a 2-D one takes the planes as a batch."""

    def __init__(self, ndim: int) -> None:
        self._volumetric = ndim == 3

    def batch(self, window: Tensor) -> Tensor:
        """(1, 1, D, Y, X), or (D, 1, Y, X)."""
        return window[None, None] if self._volumetric else window[:, None]

    def volume(self, output: Tensor) -> Tensor:
        """(targets, D, Y, X) of what the network gives."""
        return output[0] if self._volumetric else output.transpose(0, 1)

    def planes(self, kept: Box) -> slice:
        """The planes that the network has to be given for those that are kept."""
        return slice(None) if self._volumetric else kept[0].slice

    def spatial(self, kept: Box) -> Sequence[Span]:
        """What is kept, along the axes that the network knows."""
        return kept if self._volumetric else kept[1:]

    def spatial_index(self, axis: int) -> int:
        """Which of the axes that the network knows `axis` of (D, Y, X) is."""
        return axis if self._volumetric else axis - 1


def _layout(ndim: int, device: Device) -> torch.memory_format:
    """Order of the features in memory; MPS gains nothing from channels last."""
    if device.kind == "mps":
        return torch.contiguous_format
    return channels_last(ndim)
