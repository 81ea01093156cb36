"""Checkpoints of VisCy: which network they hold, what has to be told beside it, and which are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_mito_predict.errors import ForeignModelError, UnsupportedModelError
from napari_mito_predict.models import Normalisation, Target, load_model
from napari_mito_predict.models.importers import ForeignModel, Told, read_foreign
from napari_mito_predict.models.library import import_model
from napari_mito_predict.networks import build_network

SMALL: dict[str, Any] = {"widths": (4, 8), "depths": (1, 2), "decoder_blocks": 1}
TOLD = Told(
    preset="UNeXt2-pooled",
    targets=(Target(name="nuclei", stain="Hoechst"), Target(name="membrane", stain="CellMask")),
    voxel_size_um=(None, None, None),
    normalisation=Normalisation(kind="robust"),
)
CONFIGURATIONS: list[tuple[str, dict[str, Any]]] = [
    ("unext2", {}),
    ("unext2", {"head_expansion": 3, "version": 1}),
    ("unext2", {"in_stack_depth": 4, "stem_depth": 2, "upsampling_convolution": True, "decoder_blocks": 3}),
    ("unext2", {"in_stack_depth": 1, "stem_depth": 1, "widths": (4, 8, 16, 32), "depths": (1, 1, 3, 1)}),
    ("fcmae", {}),
    ("fcmae", {"in_stack_depth": 10, "depths": (2, 1)}),
    ("fcmae", {"in_stack_depth": 1, "stem_depth": 1, "stem_size": 2}),
    ("fcmae", {"head": "convolution", "head_expansion": 2}),
]


@pytest.fixture
def checkpoint(tmp_path: Path) -> Callable[..., Path]:
    """Write the checkpoint of a network with random weights, as theirs are: ``checkpoint(kind, arguments, ...)``."""

    def write(kind: str = "unext2", prefix: str = "model.", **arguments: Any) -> Path:
        content = arguments.pop("content", {})
        torch.manual_seed(0)
        network = build_network(kind, SMALL | arguments)
        state = {f"{prefix}{name}": _as_theirs(name, weight) for name, weight in network.state_dict().items()}
        torch.save({"state_dict": state, "hyper_parameters": {}, "global_step": 12} | content, tmp_path / "their.ckpt")
        return tmp_path / "their.ckpt"

    return write


def _as_theirs(name: str, weight: Tensor) -> Tensor:
    """Their decoders mix channels by 1x1 convolutions."""
    weight = weight + 0.1 * torch.randn(weight.shape)
    if name.startswith("decoder") and ".mlp.fc" in name and weight.ndim == 2:
        return weight[:, :, None, None]
    return weight


@pytest.mark.parametrize(("kind", "arguments"), CONFIGURATIONS)
def test_the_network_is_told_from_the_shapes_of_its_weights(
    checkpoint: Callable[..., Path], kind: str, arguments: dict[str, Any]
) -> None:
    path = checkpoint(kind, **arguments)
    foreign = read_foreign(path, TOLD)
    found = foreign.card.architecture
    wanted = {name: list(value) if isinstance(value, tuple) else value for name, value in (SMALL | arguments).items()}
    assert (found.kind, found.arguments | wanted) == (kind, found.arguments)
    state = torch.load(path, weights_only=True)["state_dict"]
    for name, weight in foreign.network.state_dict().items():
        torch.testing.assert_close(weight, state[f"model.{name}"].reshape(weight.shape))
    assert foreign.card.input.third_axes == (("z",) if foreign.network.ndim == 3 else ())
    with torch.inference_mode():
        assert foreign.network(torch.from_numpy(foreign.sample_input)[None]).isfinite().all()


@pytest.mark.parametrize("prefix", ["model.", "", "model._orig_mod.", "module.model.", "_orig_mod.model.", "net."])
def test_any_prefix_is_taken_off(checkpoint: Callable[..., Path], prefix: str) -> None:
    assert read_foreign(checkpoint(prefix=prefix), TOLD).card.architecture.kind == "unext2"


def test_what_lies_beside_the_network_is_left_out(checkpoint: Callable[..., Path]) -> None:
    path = checkpoint()
    content = torch.load(path, weights_only=True)
    content["state_dict"]["loss_function.window"] = torch.zeros(3)
    torch.save(content, path)
    assert read_foreign(path, TOLD).card.architecture.kind == "unext2"


def test_half_precision_becomes_single(checkpoint: Callable[..., Path]) -> None:
    path = checkpoint()
    content = torch.load(path, weights_only=True)
    content["state_dict"] = {name: weight.half() for name, weight in content["state_dict"].items()}
    torch.save(content, path)
    assert {weight.dtype for weight in read_foreign(path, TOLD).network.parameters()} == {torch.float32}


@pytest.mark.parametrize("name", ["VSCyto3D", "vscyto3d", "VSNEUROMAST"])
def test_a_preset_says_all_that_the_file_does_not(checkpoint: Callable[..., Path], name: str) -> None:
    card = read_foreign(checkpoint(), Told(preset=name)).card
    assert card.name.casefold() == name.casefold()
    assert [target.name for target in card.targets] == ["nuclei", "membrane"]
    assert card.input.normalisation == Normalisation(kind="robust")
    assert card.input.modality == "quantitative phase"
    assert (card.licence, card.simulated, card.training.pairs) == ("BSD-3-Clause", False, None)
    assert card.training.iterations == 12
    assert card.origin is not None
    assert (card.origin.source, len(card.origin.sha256)) == ("their.ckpt", 64)
    assert "doi:10.1038" in card.attribution


def test_what_the_user_says_goes_before_the_preset(checkpoint: Callable[..., Path]) -> None:
    told = Told(preset="VSCyto3D", name="mine", voxel_size_um=(0.5, 0.2, 0.2), licence="", trained_on="HeLa cells")
    card = read_foreign(checkpoint(), told).card
    assert (card.name, card.input.voxel_size_um, card.licence) == ("mine", (0.5, 0.2, 0.2), "")
    assert card.trained_on == "HeLa cells"


def test_all_that_is_missing_is_said_at_once(checkpoint: Callable[..., Path]) -> None:
    with pytest.raises(ForeignModelError) as caught:
        read_foreign(checkpoint(), Told())
    for part in ("2 outputs", "voxel size", "normalised", "head pools", "UNeXt2-unpooled", "VSCyto2D"):
        assert part in str(caught.value)
    assert "their.ckpt" in str(caught.value)
    assert caught.value.missing == ("targets", "voxel_size_um", "normalisation", "preset")


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (Told(preset="VSCyto5D"), "no preset 'VSCyto5D'.*VSCyto3D, VSCyto2D, VSNeuromast"),
        (Told(preset="VSCyto2D"), "this network takes 5 planes at a time"),
        (Told(preset="VSCyto3D", third_axes=()), "this network takes 5 planes at a time"),
        (Told(preset="VSCyto3D", targets=(Target(name="nuclei", stain="x"),)), "2 outputs, and the targets nuclei"),
        (Told(preset="VSCyto3D", voxel_size_um=(0.2, -1.0, 0.1)), "cannot be"),
        (Told(preset="VSCyto3D", targets=(Target(name="a", stain=""), Target(name="A", stain=""))), "cannot be"),
    ],
)
def test_what_does_not_fit_is_said(checkpoint: Callable[..., Path], told: Told, message: str) -> None:
    with pytest.raises(ForeignModelError, match=message):
        read_foreign(checkpoint(), told)


@pytest.mark.parametrize(
    ("said", "expected"), [({}, False), ({"head_pool": True}, True), ({"head_pool": False}, False)]
)
def test_the_file_goes_before_the_preset_where_it_says_whether_it_pools(
    checkpoint: Callable[..., Path], said: dict[str, bool], expected: bool
) -> None:
    settings = {"model_config": {"backbone": "convnextv2_tiny"} | said, "architecture": "UNeXt2"}
    foreign = read_foreign(checkpoint(content={"hyper_parameters": settings}), TOLD)
    assert foreign.card.architecture.arguments["head_pool"] is expected


def test_a_head_that_always_pools_needs_no_word_about_it(checkpoint: Callable[..., Path]) -> None:
    told = Told(targets=TOLD.targets, voxel_size_um=(None, None, None), normalisation=Normalisation(kind="robust"))
    assert read_foreign(checkpoint("fcmae"), told).card.architecture.arguments["head"] == "shuffle"


def _altered(path: Path, alter: Callable[[dict[str, Any]], None]) -> Path:
    content = torch.load(path, weights_only=True)
    alter(content)
    torch.save(content, path)
    return path


def _nan(content: dict[str, Any]) -> None:
    content["state_dict"]["model.stem.conv.bias"][0] = float("nan")


def _several_channels(content: dict[str, Any]) -> None:
    state = content["state_dict"]
    state["model.stem.conv.weight"] = state["model.stem.conv.weight"].repeat(1, 3, 1, 1, 1)


def _one_plane(content: dict[str, Any]) -> None:
    """A head that gives 3 planes: as many channels of the decoder are left."""
    state = content["state_dict"]
    name = "model.decoder.decoder_stages.0.conv.blocks.0.conv_dw.weight"
    state[name] = state[name][: 4 * 5 * 2 * 4]


def _without(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda content: content["state_dict"].pop(name)


def _with(name: str, *shape: int) -> Callable[[dict[str, Any]], None]:
    return lambda content: content["state_dict"].update({name: torch.zeros(shape)})


@pytest.mark.parametrize(
    ("alter", "message"),
    [
        (_nan, "NaN or infinite"),
        (_several_channels, "3 channels at once, and only one can be given"),
        (_one_plane, "gives 3 of the 5 planes that it takes"),
        (_without("model.stem.conv.weight"), "no 'stem.conv.weight'"),
        (_without("model.stem.conv.bias"), r"stem.conv.bias \(missing\)"),
        (_with("model.norm_pre.weight", 8), r"norm_pre.weight \(unknown\)"),
        (_with("model.stem.conv.weight", 4, 1, 5, 4), "4, 1, 5, 4.*5 axes were expected"),
        (_with("model.stem.conv.weight", 0, 1, 5, 4, 4), "none of them empty"),
        (_with("model.stem.conv.weight", 3, 1, 5, 4, 4), "3 channels, and a divisor of"),
        (_with("model.stem.conv.weight", 4, 1, 5, 2, 2), "its stem is 2 x 2 pixels, and 4 x 4 expected"),
        (_with("model.head.conv.0.adn.A.weight", 2), r"head.conv.0.adn.A.weight \(2,\) instead of \(1,\)"),
        (_with("model.decoder.decoder_stages.0.conv.0.conv.unit0.conv.weight", 1), "deconv"),
    ],
)
def test_networks_of_another_kind_are_refused_by_name(
    checkpoint: Callable[..., Path], alter: Callable[[dict[str, Any]], None], message: str
) -> None:
    with pytest.raises(UnsupportedModelError, match=message):
        read_foreign(_altered(checkpoint(), alter), TOLD)


def test_many_names_of_blocks_build_nothing(checkpoint: Callable[..., Path]) -> None:
    def alter(content: dict[str, Any]) -> None:
        empty = torch.zeros(1)
        names = (f"model.encoder_stages.stages_0.blocks.{block}.conv_dw.weight" for block in range(1, 5000))
        content["state_dict"].update(dict.fromkeys(names, empty))

    with pytest.raises(UnsupportedModelError, match="depths has to be"):
        read_foreign(_altered(checkpoint(), alter), TOLD)


def test_pre_training_is_refused(checkpoint: Callable[..., Path]) -> None:
    path = checkpoint("fcmae", content={"hyper_parameters": {"fit_mask_ratio": 0.5}})
    with pytest.raises(UnsupportedModelError, match=r"masked pre-training \(fit_mask_ratio 0.5\)"):
        read_foreign(path, TOLD)


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (["model.down_conv_block_0.Conv3d_0.weight", "model.terminal_block.Conv3d_0.weight"], "a 2.5-D U-Net"),
        (["model.down_conv_block_0.Conv2d_0.weight"], "a 2-D U-Net"),
        (["model.inconv.weight", "model._downsamples.0.weight", "model.outconv.weight"], "a 3-D U-Net"),
    ],
)
def test_other_networks_of_viscy_are_refused_by_name(tmp_path: Path, names: list[str], what: str) -> None:
    path = tmp_path / "other.ckpt"
    torch.save({"state_dict": {name: torch.zeros(2, 2) for name in names}, "hyper_parameters": {}}, path)
    with pytest.raises(UnsupportedModelError, match=f"this is {what}"):
        read_foreign(path, TOLD)


def test_a_backbone_alone_is_not_taken_for_one(tmp_path: Path) -> None:
    path = tmp_path / "contrastive.ckpt"
    torch.save({"state_dict": {"model.encoder_stages.stem_1.weight": torch.zeros(4)}}, path)
    with pytest.raises(UnsupportedModelError, match="of no program that is known here"):
        read_foreign(path, TOLD)


def test_an_imported_model_is_one_like_any_other(checkpoint: Callable[..., Path]) -> None:
    path = checkpoint()
    foreign: ForeignModel = read_foreign(path, Told(preset="VSCyto3D"))
    info = import_model(path, Told(preset="VSCyto3D"))
    model = load_model(info.name)
    given = torch.from_numpy(np.random.default_rng(1).standard_normal((1, 1, 7, 16, 24)).astype(np.float32))
    with torch.inference_mode():
        torch.testing.assert_close(model.network(given), foreign.network(given))
