"""Which UNeXt2 or FCMAE a checkpoint holds, told from the shapes of its weights."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from napari_mito_predict.errors import UnsupportedModelError
from napari_mito_predict.models.card import Architecture
from napari_mito_predict.networks import check_arguments

if TYPE_CHECKING:
    import torch

State = Mapping[str, "torch.Tensor"]
"""Weights by the names that the authors' modules have."""

UNEXT2: Final = "encoder_stages.stem_1.weight"
FCMAE: Final = "encoder.stem.conv3d.weight"
"""Names that only checkpoints of these networks have."""
_DECODER: Final = "decoder.decoder_stages"
_HEAD_STEM: Final = 4
"""By how much the head with a convolution makes pixels finer: the stem has to make them coarser by as much."""


class _Shapes:
    """Shapes of the weights of one checkpoint; what is missing, or cannot be, is said about its file."""

    def __init__(self, state: State, path: Path) -> None:
        self._shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
        self._path = path

    def __contains__(self, name: str) -> bool:
        return name in self._shapes

    def of(self, name: str, ndim: int) -> tuple[int, ...]:
        """Shape of a weight of so many axes, none of them empty."""
        shape = self._shapes.get(name)
        if shape is None:
            raise self.error(f"its network has no '{name}'")
        if len(shape) != ndim or 0 in shape:
            raise self.error(f"'{name}' has the shape {shape}, and {ndim} axes were expected, none of them empty")
        return shape

    def levels(self, name: str) -> list[int]:
        """Channels of each level: first axis of ``name.format(level)`` for as many levels as there are."""
        found: list[int] = []
        for level in count():
            if name.format(level) not in self:
                return found
            found.append(self.of(name.format(level), 4)[0])
        return found

    def blocks(self, name: str) -> int:
        """How many blocks there are, whose depthwise convolutions are called ``name.format(block)``."""
        return next(block for block in count() if name.format(block) not in self)

    def error(self, what: str) -> UnsupportedModelError:
        """The network is of no kind that is known."""
        return self.refusal(f"this is no network of VisCy that is known here: {what}.")

    def refusal(self, why: str) -> UnsupportedModelError:
        """It cannot be imported."""
        return UnsupportedModelError(why, file=self._path)


class _Stem(NamedTuple):
    """Shape of the first convolution."""

    channels: int
    channels_in: int
    depth: int
    height: int
    width: int


class _Head(NamedTuple):
    """What the head with a convolution is made for."""

    targets: int
    channels: int
    """Of each voxel that comes in."""
    planes: int


def read_architecture(state: State, pools: bool, path: Path) -> Architecture:
    """Which network the weights are of.

    Parameters
    ----------
    state : mapping of str to Tensor
        Weights.
    pools : bool
        Whether its head averages neighbouring pixels, of heads that may do so or not.
    path : Path
        For messages.

    Raises
    ------
    UnsupportedModelError
        It is none of those that can be computed here; says what was found.
    """
    shapes = _Shapes(state, path)
    if f"{_DECODER}.0.conv.0.conv.unit0.conv.weight" in shapes:
        raise shapes.refusal(
            "the way up of this network uses transposed convolutions (decoder_mode 'deconv'), which are not computed "
            "here. The published models use 'pixelshuffle'."
        )
    if UNEXT2 in shapes:
        kind, arguments = "unext2", _unext2(shapes, pools)
    else:
        kind, arguments = "fcmae", _fcmae(shapes, pools)
    try:
        check_arguments(kind, arguments)
    except ValueError as error:
        raise shapes.error(str(error)) from error
    return Architecture(kind=kind, arguments=arguments)


def head_may_pool(state: State) -> bool:
    """Whether the network has a head that pools or does not: nothing that a weight shows."""
    return "head.conv.1.weight" in state


def _unext2(shapes: _Shapes, pools: bool) -> dict[str, Any]:
    widths = shapes.levels("encoder_stages.stages_{}.blocks.0.conv_dw.weight")
    stem = _Stem(*shapes.of("stem.conv.weight", 5))
    if (stem.height, stem.width) != (_HEAD_STEM, _HEAD_STEM):
        raise shapes.error(f"its stem is {stem.height} x {stem.width} pixels, and {_HEAD_STEM} x {_HEAD_STEM} expected")
    version = 2 if "encoder_stages.stages_0.blocks.0.mlp.grn.weight" in shapes else 1
    head = _head(shapes, len(widths))
    arguments = {
        "in_stack_depth": _stack_depth(shapes, widths, stem),
        "stem_depth": stem.depth,
        "widths": widths,
        "depths": _depths(shapes, "encoder_stages.stages_{}.blocks.{}.conv_dw.weight", len(widths)),
        "version": version,
        "decoder_blocks": shapes.blocks(_DECODER + ".0.conv.blocks.{}.conv_dw.weight"),
        "upsampling_convolution": f"{_DECODER}.0.upsample.pixelshuffle.conv_block.weight" in shapes,
        "head_expansion": head.channels // max(head.targets, 1),
        "head_pool": pools,
        "in_channels": stem.channels_in,
        "out_channels": head.targets,
    }
    if head.planes < 1:
        raise shapes.error("its head and the way up do not go together")
    if head.planes != arguments["in_stack_depth"]:
        raise shapes.refusal(
            f"this network gives {head.planes} of the {arguments['in_stack_depth']} planes that it takes, and which of "
            "them is not in its file. Networks that give as many as they take can be imported."
        )
    return arguments


def _fcmae(shapes: _Shapes, pools: bool) -> dict[str, Any]:
    widths = shapes.levels("encoder.stages.{}.blocks.0.dwconv.weight")
    stem = _Stem(*shapes.of(FCMAE, 5))
    if stem.height != stem.width:
        raise shapes.error(f"its stem is {stem.height} x {stem.width} pixels, and a square was expected")
    depth = _stack_depth(shapes, widths, stem)
    arguments: dict[str, Any] = {
        "in_stack_depth": depth,
        "stem_depth": stem.depth,
        "stem_size": stem.width,
        "widths": widths,
        "depths": _depths(shapes, "encoder.stages.{}.blocks.{}.dwconv.weight", len(widths)),
        "decoder_blocks": shapes.blocks(_DECODER + ".0.conv.blocks.{}.conv_dw.weight"),
        "in_channels": stem.channels_in,
    }
    if "head.conv.1.weight" not in shapes:
        targets = _answer(shapes, len(widths)) // (depth * stem.width**2)
        return arguments | {"head": "shuffle", "out_channels": targets}
    head = _head(shapes, len(widths))
    return arguments | {
        "head": "convolution",
        "head_expansion": head.channels // stem.channels_in,
        "head_pool": pools,
        "out_channels": head.targets,
    }


def _stack_depth(shapes: _Shapes, widths: list[int], stem: _Stem) -> int:
    """Planes of a window: the stem turns them into features whose channels together are those of the first level."""
    if len(widths) < 2:
        raise shapes.error(f"its way down has {len(widths)} levels, and at least 2 were expected")
    if widths[0] % stem.channels:
        raise shapes.error(f"its stem has {stem.channels} channels, and a divisor of {widths[0]} was expected")
    return stem.depth * (widths[0] // stem.channels)


def _depths(shapes: _Shapes, name: str, levels: int) -> list[int]:
    """Blocks of each level."""
    return [shapes.blocks(name.format(level, "{}")) for level in range(levels)]


def _head(shapes: _Shapes, levels: int) -> _Head:
    """Read the head with a convolution."""
    targets = shapes.of("head.conv.1.weight", 5)[0] // 4
    channels = shapes.of("head.conv.0.conv.weight", 5)[1]
    return _Head(targets, channels, planes=_answer(shapes, levels) // (4 * channels) - 2)


def _answer(shapes: _Shapes, levels: int) -> int:
    """Channels that the decoder gives."""
    return shapes.of(f"{_DECODER}.{levels - 2}.conv.blocks.0.conv_dw.weight", 4)[0]
