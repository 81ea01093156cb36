"""Architectures in plain torch, one per file, built by name from a model card or a training configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from napari_mito_predict.errors import InvalidModelError
from napari_mito_predict.networks.arguments import ARGUMENTS, check_arguments

if TYPE_CHECKING:
    from torch import nn

    from napari_mito_predict.networks._network import FieldNetwork, Network

__all__ = ["KINDS", "FieldNetwork", "Network", "build_network", "check_arguments", "count_parameters"]

KINDS = tuple(ARGUMENTS)


def __getattr__(name: str) -> object:
    """Import the base classes, and torch with them, when they are first asked for: cards are read without."""
    if name in ("FieldNetwork", "Network"):
        from napari_mito_predict.networks import _network

        return getattr(_network, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def build_network(kind: str, arguments: Mapping[str, Any]) -> Network:
    """Make a network with fresh weights.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    arguments : mapping
        Keyword arguments of the architecture, for example ``{"ndim": 3, "depth": 4, "base_channels": 32}``.

    Raises
    ------
    InvalidModelError
        The architecture is unknown, or arguments are unknown or out of bounds, see `check_arguments`.
    """
    try:
        check_arguments(kind, arguments)
    except ValueError as error:
        raise InvalidModelError(f"The network cannot be built: {error}.") from error
    from napari_mito_predict.networks.fcmae import FCMAE
    from napari_mito_predict.networks.gvtnet import GVTNet
    from napari_mito_predict.networks.unet import UNet
    from napari_mito_predict.networks.unext2 import UNeXt2

    classes: dict[str, type[Network]] = {"unet": UNet, "gvtnet": GVTNet, "unext2": UNeXt2, "fcmae": FCMAE}
    try:
        return classes[kind](**arguments)
    except ValueError as error:  # what one argument asks of another
        raise InvalidModelError(f"The network cannot be built: {error}.") from error


def count_parameters(network: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)
