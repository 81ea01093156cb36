"""The tiles that ZEN gives a network: which models can do with them, and what they are."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Final

from napari_mito_predict.errors import ForeignModelError, ModelMismatchError

if TYPE_CHECKING:
    from napari_mito_predict.models.card import Target
    from napari_mito_predict.models.czann.fixed import FixedInput
    from napari_mito_predict.models.package import Model
    from napari_mito_predict.networks import Network
    from napari_mito_predict.networks.tile import TileNetwork

TILE: Final = 1024
"""Pixels along y and x of the tiles that ZEN cuts, as in the examples of the specification."""
_LONGEST_OVERLAP = 512


def require_tiles(model: Model) -> None:
    """Refuse a model that cannot do with tiles of single planes.

    Raises
    ------
    ModelMismatchError
        It takes stacks or several channels, or looks at the whole field at once.
    ForeignModelError
        It is the finished graph of another program.
    """
    network = model.network
    if model.card.weights.file != "weights.safetensors":
        raise ForeignModelError(
            f"{model.name} is a finished graph of another program, which is not written anew for ZEN. Export it for "
            "ZEN with the program it is from."
        )
    if network.ndim != 2 or model.third_axes:
        raise ModelMismatchError(
            f"{model.name} predicts from stacks, and ZEN is given models of single planes. Train a model of single "
            "planes for ZEN; or predict with this one here, and open the prediction, an OME-TIFF, in ZEN."
        )
    if network.in_channels != 1:
        raise ModelMismatchError(
            f"{model.name} takes {network.in_channels} channels, and only models of one can be exported for ZEN."
        )
    if network.contexts != 0:
        raise ModelMismatchError(
            f"{model.name} looks at the whole field at once, and ZEN gives a network tiles, of which each would get "
            "another answer. Train a U-Net of single planes for ZEN; or predict with this one here, and open the "
            "prediction, an OME-TIFF, in ZEN."
        )


def tile_network(model: Model, fixed: FixedInput) -> TileNetwork:
    """Make the network as ZEN runs it, on the CPU: ``(N, Y, X, 1)`` to ``(N, Y, X, targets)``, float32 from 0 to 1."""
    from napari_mito_predict.networks.tile import TileNetwork

    ranges = [output_range(target) for target in model.card.targets]
    return TileNetwork(model.network, fixed.offset, fixed.scale, ranges).eval()


def output_range(target: Target) -> tuple[float, float]:
    """Which z-scores become 0 and 1: the display range, and as much again on either side of it.

    So the display range is the middle third. At the display range itself, predictions would be clipped.
    """
    low, high = target.contrast_limits
    width = (high - low) or 1.0
    return low - width, high + width


def overlap_of(network: Network) -> tuple[int, int]:
    """By how much tiles have to overlap along y and x so that no seam is seen; even numbers.

    A border of half the receptive field, in whole steps of the network's stride, on both sides of a seam; at most half
    a tile, as what is further away counts for little.
    """
    borders = [
        ceil(field / 2 / stride) * stride for field, stride in zip(network.receptive_field, network.stride, strict=True)
    ]
    y, x = (min(2 * border, _LONGEST_OVERLAP) for border in borders)
    return y, x


def tile_of(network: Network) -> tuple[int, int]:
    """Size of the tiles along y and x, which the network's stride divides."""
    y, x = (ceil(TILE / stride) * stride for stride in network.stride)
    return y, x
