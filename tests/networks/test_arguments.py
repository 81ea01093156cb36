"""What a network is built from is checked before it is built, in words that people understand."""

from __future__ import annotations

import inspect

import pytest

from napari_mito_predict.networks import KINDS, build_network, check_arguments
from napari_mito_predict.networks.arguments import ARGUMENTS
from napari_mito_predict.networks.gvtnet import GVTNet
from napari_mito_predict.networks.unet import UNet
from napari_mito_predict.training.config_parts import NetworkConfig


@pytest.mark.parametrize(("kind", "network"), [("unet", UNet), ("gvtnet", GVTNet)])
def test_each_argument_has_bounds_that_its_default_keeps(kind: str, network: type) -> None:
    parameters = inspect.signature(network).parameters
    assert ARGUMENTS[kind].keys() == parameters.keys()
    check_arguments(kind, {name: parameter.default for name, parameter in parameters.items()})


@pytest.mark.parametrize("kind", ["unet", "gvtnet"])
def test_whatever_can_be_trained_can_be_built(kind: str) -> None:
    for sizes in ({"depth": 1, "base_channels": 2}, {"depth": 6, "base_channels": 128}):
        check_arguments(kind, NetworkConfig(kind=kind, **sizes).arguments(3, 2))
    with pytest.raises(ValueError, match="less than or equal to"):
        NetworkConfig(kind=kind, depth=7)


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(ValueError, match=r"depth has to be .*; a unet has no 'x'; .*; ndim has to be 2 or 3, not 4"):
        check_arguments("unet", {"depth": -1, "x": 1, "ndim": 4})


def test_only_what_is_in_the_table_can_be_built() -> None:
    assert ARGUMENTS.keys() == set(KINDS)
    for kind in ("unet", "gvtnet"):
        assert build_network(kind, {"ndim": 2, "depth": 1, "base_channels": 2}).ndim == 2
