"""Architectures in plain torch, one per file, built by name from a model card or a training configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from napari_mito_predict.errors import InvalidModelError
from napari_mito_predict.networks._network import FieldNetwork, Network

if TYPE_CHECKING:
    from torch import nn

__all__ = ["KINDS", "FieldNetwork", "Network", "build_network", "count_parameters"]

KINDS = ("unet", "gvtnet")


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
        The architecture or one of its arguments is unknown.
    """
    from napari_mito_predict.networks.gvtnet import GVTNet
    from napari_mito_predict.networks.unet import UNet

    classes: dict[str, type[Network]] = {"unet": UNet, "gvtnet": GVTNet}
    if kind not in classes:
        raise InvalidModelError(f"Unknown network '{kind}': expected one of {', '.join(KINDS)}.")
    try:
        return classes[kind](**arguments)
    except (TypeError, KeyError, ValueError) as error:
        raise InvalidModelError(f"Network '{kind}' cannot be built from {dict(arguments)}: {error}") from error


def count_parameters(network: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)
