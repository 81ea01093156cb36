"""A graph as a network of ours: any image size in, one image of each target out."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor

from napari_mito_predict.errors import InvalidModelError
from napari_mito_predict.models.graphs.arguments import AxisSize, GraphArguments, Step, check_graph
from napari_mito_predict.models.graphs.onnx_file import open_onnx
from napari_mito_predict.models.graphs.torchscript_file import open_torchscript
from napari_mito_predict.networks import Network

if TYPE_CHECKING:
    from napari_mito_predict.models.card import ModelCard, WeightsFile

Run = Callable[[Tensor], Sequence[Tensor]]
"""One pass of a graph."""

OPENERS: Final[dict[WeightsFile, Callable[[bytes, torch.device, str], Run]]] = {
    "network.torchscript": open_torchscript,
    "network.onnx": open_onnx,
}

_ASSUMED_CONTEXT = {"z": 32, "y": 96, "x": 96}
"""Voxels at each side that a tile gets where nobody says how far a network sees: the reach of a usual U-Net."""
_BYTES_PER_VOXEL = 2048.0
"""Some 128 features of each voxel at a time in float32, and their copies: what usual U-Nets need, and more."""


class GraphNetwork(Network):
    """A graph that takes and gives images.

    Parameters
    ----------
    arguments : GraphArguments
        How to give it images.
    file : str
        Which kind of file `content` is.
    content : bytes
        The graph with its weights. It is checked and opened when it is first used on a device.
    source : str
        Where it is from, for messages.

    Notes
    -----
    Input ``(N, 1, *spatial)``, output ``(N, out_channels, *spatial)``, both float32. Sizes that the graph does not take
    are extended by reflection; graphs of a fixed size get an image window by window. There is nothing to train in it.
    """

    in_channels = 1
    single_precision = True

    def __init__(self, arguments: GraphArguments, file: WeightsFile, content: bytes, source: str) -> None:
        super().__init__()
        self.arguments = arguments
        self.ndim = len(arguments.sizes)
        self.out_channels = sum(output.channels for output in arguments.outputs)
        self._stored = (file, content)
        self._source = source
        self._opened: tuple[torch.device, Run] | None = None
        # Moved by torch with the network, and tells where it is: what the graph holds may be out of torch's reach.
        self.register_buffer("_place", torch.zeros(0), persistent=False)

    def __deepcopy__(self, memo: dict[int, Any]) -> GraphNetwork:
        """Open the same graph again, when it is used: what runs it cannot be copied."""
        return GraphNetwork(self.arguments, *self._stored, self._source).train(self.training)

    @property
    def stored(self) -> tuple[WeightsFile, bytes]:
        """The file it is in a package, and its content."""
        return self._stored

    @property
    def stride(self) -> tuple[int, ...]:
        """What is new in each window; one number per axis."""
        return tuple(size.stride for size in self.arguments.sizes)

    @property
    def receptive_field(self) -> tuple[int, ...]:
        """As its author says it, or by what a usual network sees."""
        if self.arguments.reach is not None:
            return self.arguments.reach
        letters = "zyx"[-self.ndim :]
        return tuple(
            _receptive_field(size, _ASSUMED_CONTEXT[letter], unknown=self.arguments.whole_field)
            for size, letter in zip(self.arguments.sizes, letters, strict=True)
        )

    @property
    def contexts(self) -> int | None:
        """None where the whole field may matter."""
        return None if self.arguments.whole_field else 0

    @property
    def bytes_per_voxel(self) -> float:
        """Memory of one pass: an estimate, since what a graph allocates is out of sight."""
        return _BYTES_PER_VOXEL

    def open(self) -> None:
        """Check the graph and open it now; raises what `load_graph` does."""
        self._run()

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``(N, 1, *spatial)`` to predictions ``(N, out_channels, *spatial)``."""
        with torch.autocast(x.device.type, enabled=False):
            # One by one: a graph may have been made for a batch of one.
            return torch.cat([self._image(image) for image in torch.split(x.float(), 1)])

    def _image(self, image: Tensor) -> Tensor:
        """One image ``(1, 1, *spatial)``, window by window where it has to be."""
        for step in self.arguments.before:
            image = _apply(step, image)
        result = image.new_empty((1, self.out_channels, *image.shape[2:]))
        spans = [list(_windows(size, n)) for size, n in zip(self.arguments.sizes, image.shape[2:], strict=True)]
        for window in itertools.product(*spans):
            given = image
            for axis, along in enumerate(window, start=2):
                given = given.index_select(axis, torch.tensor(along.read, device=image.device))
            kept = tuple(slice(*along.kept) for along in window)
            inner = tuple(slice(*along.kept_of_read) for along in window)
            result[:, :, *kept] = self._pass(given)[:, :, *inner]
        return result

    def _pass(self, window: Tensor) -> Tensor:
        """What the graph gives for a window ``(1, 1, *spatial)`` of a size that it takes."""
        arguments = self.arguments
        given = window.to(getattr(torch, arguments.dtype))
        given = from_ours(given, arguments.input_axes).contiguous()
        found = self._run()(given)
        if len(found) != len(arguments.outputs):
            raise RuntimeError(f"the network gave {len(found)} tensors, not {len(arguments.outputs)}")
        images = []
        for tensor, output in zip(found, arguments.outputs, strict=True):
            image = _to_ours(tensor.to(window.device), output.axes, self.ndim).float()
            wanted = (1, output.channels, *window.shape[2:])
            if image.shape != wanted:
                raise RuntimeError(f"the network gave an image of {tuple(image.shape)}, not of {wanted}")
            for step in output.after:
                image = _apply(step, image)
            images.append(image)
        return torch.cat(images, dim=1)

    def _run(self) -> Run:
        """The graph, on the device where the network is."""
        place: torch.device = self.get_buffer("_place").device
        if self._opened is None or self._opened[0] != place:
            file, content = self._stored
            self._opened = (place, OPENERS[file](content, place, self._source))
        return self._opened[1]


def load_graph(card: ModelCard, content: bytes, source: str) -> GraphNetwork:
    """Make the network of a card from the file that holds it.

    Parameters
    ----------
    card : ModelCard
        With an architecture of the kind `GRAPH`.
    content : bytes
        The weights file that the card names.
    source : str
        Where it is from, for messages.

    Raises
    ------
    InvalidModelError
        Card and graph do not fit together, or the graph may not be used.
    DamagedModelError
        The graph cannot be read.
    MissingExtraError
        An optional package is needed to run it.
    """
    file = card.weights.file
    if file not in OPENERS:
        raise InvalidModelError(f"'{file}' holds no graph: expected one of {', '.join(OPENERS)}.", file=source)
    arguments = check_graph(card.architecture.arguments)  # as when the card was made
    network = GraphNetwork(arguments, file, content, source).eval()
    if network.out_channels != len(card.targets):
        raise InvalidModelError(
            f"{network.out_channels} outputs but {len(card.targets)} targets on the card.", file=source
        )
    network.open()  # whatever is wrong with the graph is said now
    return network


@dataclass(frozen=True)
class _Along:
    """One window along one axis: the voxels it is made of, which of the image it gives, and where these are in it."""

    read: list[int]
    kept: tuple[int, int]
    kept_of_read: tuple[int, int]


def _windows(size: AxisSize, voxels: int) -> Iterator[_Along]:
    """Divide an axis of an image: one window with all of it, or windows of a fixed size, each with its halo."""
    valid = size.valid(voxels)
    if voxels <= valid:
        yield _Along(_reflected(range(valid), voxels), (0, voxels), (0, voxels))
        return
    for start in range(0, voxels, size.stride):
        stop = min(start + size.stride, voxels)
        first = start - size.halo
        read = _reflected(range(first, first + size.min), voxels)
        yield _Along(read, (start, stop), (size.halo, size.halo + stop - start))


def _reflected(positions: range, voxels: int) -> list[int]:
    """Voxels of an axis that stand at `positions` where it is mirrored at its ends for ever, edges not repeated."""
    last = voxels - 1
    period = max(2 * last, 1)
    return [last - abs(last - position % period) for position in positions]


def _receptive_field(size: AxisSize, assumed: int, *, unknown: bool) -> int:
    context = size.halo or (assumed if unknown else 0)
    return size.stride + 2 * context


def from_ours(image: Tensor, axes: str) -> Tensor:
    """Bring ``(1, 1, *spatial)`` into the order of `axes`."""
    spatial = image[0, 0]
    order = [letter for letter in axes if letter in "zyx"]
    given = spatial.permute(["zyx"[-spatial.ndim :].index(letter) for letter in order])
    for position, letter in enumerate(axes):
        if letter not in "zyx":
            given = given.unsqueeze(position)
    return given


def _to_ours(tensor: Tensor, axes: str, ndim: int) -> Tensor:
    """Bring a tensor with `axes` into ``(1, C, *spatial)``."""
    if tensor.ndim != len(axes):
        raise RuntimeError(f"the network gave a tensor with {tensor.ndim} axes, not {len(axes)}")
    for position in reversed(range(len(axes))):
        if axes[position] not in "czyx":
            if tensor.shape[position] != 1:
                raise RuntimeError(f"the network gave {tensor.shape[position]} entries along an axis of one")
            tensor = tensor.squeeze(position)
    left = [letter for letter in axes if letter in "czyx"]
    if "c" not in left:
        tensor = tensor.unsqueeze(0)
        left.insert(0, "c")
    return tensor.permute([left.index(letter) for letter in "c" + "zyx"[-ndim:]]).unsqueeze(0)


def _apply(step: Step, image: Tensor) -> Tensor:
    """One operation on ``(1, C, *spatial)``."""
    if step.kind == "sigmoid":
        return image.sigmoid()
    if step.kind == "softmax":
        return image.softmax(dim=1)
    if step.kind == "clip":
        return image.clamp(step.low, step.high)
    shape = (1, -1, *[1] * (image.ndim - 2))
    gain = torch.tensor(step.gain, device=image.device).reshape(shape)
    return image * gain + torch.tensor(step.offset, device=image.device).reshape(shape)
