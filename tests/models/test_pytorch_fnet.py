"""Models of pytorch_fnet and of what descends from it become ours, with the same answers, or are refused with a reason.

The files are written here in the formats of others, from networks of ours; genuine ones are in `tests/real`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_mito_predict._files import sha256_file
from napari_mito_predict.errors import DamagedModelError, ForeignModelError, UnsupportedModelError
from napari_mito_predict.models import Normalisation, Target
from napari_mito_predict.models.importers import Told, read_foreign
from napari_mito_predict.models.importers.allen import PRESETS
from napari_mito_predict.models.weights import forward
from napari_mito_predict.networks import build_network

TOM20 = Target(name="mitochondria", stain="TOM20")
DNA = Target(name="dna", stain="Hoechst")
ALL_TOLD = Told(targets=(TOM20,), voxel_size_um=(0.3, 0.1, 0.1), normalisation=Normalisation(kind="robust"))
State = dict[str, torch.Tensor]


def trained(**arguments: Any) -> torch.nn.Module:
    """A network whose statistics are not those of an untrained one."""
    torch.manual_seed(3)
    network = build_network("unet", {"ndim": 3, "depth": 2, "base_channels": 2} | arguments)
    for name, value in network.state_dict().items():
        if name.endswith(("running_mean", "running_var")):
            value.uniform_(0.5, 1.5)
    return network.eval()


def release_1(state: State, **settings: Any) -> dict[str, Any]:
    kept = {"nn_module": "fnet_nn_3d", "nn_state": state, "optimizer_state": {}, "count_iter": 50_000}
    return kept | settings


def early_release_1(state: State) -> dict[str, Any]:
    """Of torch 0.4: no counters in batch normalisation, no arguments of the network."""
    return release_1({name: value for name, value in state.items() if not name.endswith("num_batches_tracked")})


def master(state: State, **settings: Any) -> dict[str, Any]:
    settings = {"criterion_class": "fnet.losses.WeightedMSE", "nn_class": "fnet.nn_modules.fnet_nn_3d.Net"} | settings
    kept = {"fnet_model_class": "fnet.fnet_model.Model", "fnet_model_kwargs": settings, "fnet_model_posargs": []}
    return kept | {"nn_state": state, "optimizer_state": {}, "count_iter": 50_000}


def lightning(state: State, prefix: str = "net.") -> dict[str, Any]:
    named = {prefix + name: value for name, value in state.items()}
    return {"epoch": 1, "global_step": 50_000, "state_dict": named | {"criterion.weight": torch.ones(1)}}


def with_prefix(state: State) -> dict[str, Any]:
    return release_1({f"module.{name}": value for name, value in state.items()})


def of_dtype(dtype: torch.dtype) -> Callable[[State], dict[str, Any]]:
    def write(state: State) -> dict[str, Any]:
        return master({name: value.to(dtype) if value.is_floating_point() else value for name, value in state.items()})

    return write


def saved(path: Path, content: Any, *, zipped: bool = True) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    return path


FORMATS: dict[str, Callable[[State], Any]] = {
    "release_1": release_1,
    "early release_1": early_release_1,
    "master": master,
    "several GPUs": with_prefix,
    "lightning": lightning,
    "lightning of several GPUs": lambda state: lightning(state, "model.module."),
    "only weights": lambda state: state,
    "double": of_dtype(torch.float64),
}
NETWORKS = [
    {"depth": 1, "base_channels": 3},
    {"depth": 3, "base_channels": 1},
    {"ndim": 2, "depth": 4},
    {"ndim": 2, "depth": 5, "base_channels": 1, "out_channels": 2},
    {"convs_per_level": 3},
]


# --------------------------------------------------------------------------------------- same answers
@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_every_format_gives_the_same_network(tmp_path: Path, file_format: str, zipped: bool) -> None:
    network = trained()
    path = saved(tmp_path / "model.p", FORMATS[file_format](network.state_dict()), zipped=zipped)
    model = read_foreign(path, ALL_TOLD)
    assert_same_answers(model.network, network, model.sample_input)


@pytest.mark.parametrize("arguments", NETWORKS, ids=str)
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_every_architecture_is_found_in_the_weights(tmp_path: Path, arguments: dict[str, int], zipped: bool) -> None:
    network = trained(**arguments)
    path = saved(tmp_path / "model.p", release_1(network.state_dict()), zipped=zipped)
    told = Told(targets=(TOM20, DNA)[: network.out_channels], voxel_size_um=(None,) * 3, normalisation=Normalisation())
    model = read_foreign(path, told)
    found = model.card.architecture.arguments
    assert {name: found[name] for name in arguments} == arguments
    assert model.card.input.third_axes == (("z",) if network.ndim == 3 else ())
    assert_same_answers(model.network, network, model.sample_input)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_halved_weights_are_taken_as_they_are(tmp_path: Path, dtype: torch.dtype) -> None:
    network = trained()
    model = read_foreign(saved(tmp_path / "model.p", of_dtype(dtype)(network.state_dict())), ALL_TOLD)
    for name, value in network.state_dict().items():
        rounded = value.to(dtype).float() if value.is_floating_point() else value
        assert torch.equal(model.network.state_dict()[name], rounded)


def assert_same_answers(found: torch.nn.Module, expected: Any, given: np.ndarray) -> None:
    assert all(size % stride == 0 for size, stride in zip(given.shape[1:], expected.stride, strict=True))
    np.testing.assert_allclose(forward(found, given), forward(expected, given), rtol=0, atol=1e-6)


# ------------------------------------------------------------------------------------------- the card
def test_the_card_says_what_was_told_and_no_more(tmp_path: Path) -> None:
    run = tmp_path / "run_mito"
    run.mkdir()
    path = saved(run / "model.p", master(trained().state_dict()))
    card = read_foreign(path, ALL_TOLD).card
    assert card.name == "run_mito"
    assert card.targets == (TOM20,)
    assert card.input.voxel_size_um == (0.3, 0.1, 0.1)
    assert card.input.normalisation == Normalisation(kind="robust")
    assert card.training.iterations == 50_000
    assert card.training.pairs is None
    assert card.simulated is None
    assert card.licence == ""
    assert "no commercial use" in card.training.notes
    assert card.origin is not None
    assert card.origin.format == "pytorch_fnet (master)"
    assert card.origin.source == "model.p"
    assert card.origin.sha256 == sha256_file(path)


def test_a_folder_of_a_run_is_its_model(tmp_path: Path) -> None:
    run = tmp_path / "2018_run"
    run.mkdir()
    saved(run / "model.p", release_1(trained().state_dict()))
    card = read_foreign(run, ALL_TOLD).card
    assert card.name == "2018_run"
    assert card.origin is not None
    assert card.origin.format == "pytorch_fnet (release_1)"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tom20.p", "tom20"),
        ("epoch=49-step=5000.ckpt", "epoch=49-step=5000"),
        ("_-odd: name?.p", "odd_ name_"),
        ("粒線体.p", "粒線体"),
        ("---.p", "imported-model"),
        ("x" * 90 + ".p", "x" * 60),
        ("model_050000.p", "run"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="some of these are no names there")
def test_any_file_name_becomes_a_name(tmp_path: Path, name: str, expected: str) -> None:
    folder = tmp_path / "run" / "checkpoints"
    folder.mkdir(parents=True)
    path = saved(folder / name, release_1(trained().state_dict()))
    assert read_foreign(path, ALL_TOLD).card.name == expected


def test_what_is_told_goes_first(tmp_path: Path) -> None:
    told = Told(
        preset="allen-100x",
        name="tom20",
        title="Mitochondria",
        licence="MIT",
        trained_on="HeLa",
        targets=(TOM20,),
        voxel_size_um=(1, 0.2, 0.2),
        third_axes=("t",),
        modality="DIC",
        simulated=True,
    )
    card = read_foreign(saved(tmp_path / "model.p", release_1(trained().state_dict())), told).card
    assert (card.name, card.title, card.licence, card.trained_on) == ("tom20", "Mitochondria", "MIT", "HeLa")
    assert card.input.third_axes == ("t",)
    assert card.input.voxel_size_um == (None, 0.2, 0.2)  # a step of z has no meaning in time
    assert card.input.modality == "DIC"
    assert card.simulated is True
    assert card.input.normalisation == PRESETS["allen-100x"].normalisation
    assert card.training.notes == ""


def test_the_preset_says_how_the_institute_prepared_its_stacks(tmp_path: Path) -> None:
    path = saved(tmp_path / "model.p", release_1(trained().state_dict()))
    card = read_foreign(path, Told(preset="allen-100x", targets=(TOM20,))).card
    assert card.input.voxel_size_um == (0.29, 0.29, 0.29)
    assert card.input.normalisation == Normalisation(clip_percentiles=None)
    assert card.input.modality == "bright-field"
    assert card.simulated is False


# ------------------------------------------------------------------------------- what is still to be said
def refused(path: Path, told: Told, kind: type[ForeignModelError] = ForeignModelError) -> str:
    with pytest.raises(ForeignModelError) as error:
        read_foreign(path, told)
    assert type(error.value) is kind
    assert error.value.file == path
    return error.value.reason_about(path)


def test_all_that_is_missing_is_listed_at_once(tmp_path: Path) -> None:
    path = saved(tmp_path / "model.p", release_1(trained(out_channels=2).state_dict()))
    message = refused(path, Told())
    for words in ("each of its 2 outputs", "TOM20", "0.29 x 0.29 x 0.29 um", "z-scores", "'allen-100x'"):
        assert words in message
    assert "pixel" not in message
    assert "normalised" not in refused(path, Told(normalisation=Normalisation()))
    with pytest.raises(ForeignModelError) as error:
        read_foreign(path, Told(normalisation=Normalisation()))
    assert error.value.missing == ("targets", "voxel_size_um"), "which fields to fill in, for forms"


def test_planes_have_no_preset(tmp_path: Path) -> None:
    path = saved(tmp_path / "model.p", release_1(trained(ndim=2).state_dict()))
    assert "allen" not in refused(path, Told(targets=(TOM20,)))
    assert "pixel size" in refused(path, Told(targets=(TOM20,)))
    assert "for stacks" in refused(path, Told(preset="allen-100x", targets=(TOM20,)))


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (Told(preset="VSCyto3D"), "no preset 'VSCyto3D' .*: allen-100x"),
        (Told(targets=(TOM20, DNA)), "one output, and 2 targets were named: mitochondria, dna"),
        (Told(third_axes=()), "three-dimensional"),
        (Told(voxel_size_um=(0.3, -1, -1)), "greater than or equal"),
        (Told(voxel_size_um=(0.3, None, 0.1)), "y and x"),
        (Told(name="../outside"), "not a model name"),
    ],
)
def test_what_was_told_wrongly_is_named(tmp_path: Path, told: Told, words: str) -> None:
    path = saved(tmp_path / "model.p", release_1(trained().state_dict()))
    full = Told(**{name: value for name, value in vars(told).items() if value is not None})
    for name in ("targets", "voxel_size_um", "normalisation"):
        if getattr(full, name) is None:
            full = Told(**vars(full) | {name: getattr(ALL_TOLD, name)})
    with pytest.raises(ForeignModelError, match=words):
        read_foreign(path, full)


# ------------------------------------------------------------------------------ options beside the model
RELEASE_1_OPTIONS = {
    "nn_module": "fnet_nn_3d",
    "transform_signal": ["fnet.transforms.normalize", "fnet.transforms.Resizer((1, 0.37241, 0.37241))"],
}


def with_options(folder: Path, options: Any) -> Path:
    (folder / "train_options.json").write_text(options if isinstance(options, str) else json.dumps(options))
    return saved(folder / "model.p", release_1(trained().state_dict()))


def test_options_tell_the_normalisation_and_the_scaling(tmp_path: Path) -> None:
    path = with_options(tmp_path, RELEASE_1_OPTIONS)
    message = refused(path, Told(targets=(TOM20,)))
    assert "normalised" not in message
    assert "scaled by 0.37241 in the plane, which makes 0.29 um of 0.108 um" in message
    card = read_foreign(path, Told(targets=(TOM20,), voxel_size_um=(0.29, 0.29, 0.29))).card
    assert card.input.normalisation == Normalisation(clip_percentiles=None)


@pytest.mark.parametrize("holder", ["dataset_kwargs", "dataset_train_kwargs"])
def test_options_of_later_versions(tmp_path: Path, holder: str) -> None:
    path = with_options(tmp_path, {holder: {"transform_signal": ["fnet.transforms.norm_around_center"]}})
    card = read_foreign(path, Told(targets=(TOM20,), voxel_size_um=(None,) * 3)).card
    assert card.input.normalisation == Normalisation(clip_percentiles=None)
    assert "central 32 planes" in card.training.notes


def test_options_of_images_that_were_not_normalised(tmp_path: Path) -> None:
    path = with_options(tmp_path, {"transform_signal": ["fnet.transforms.do_nothing", "Cropper('-', by=16)"]})
    card = read_foreign(path, Told(targets=(TOM20,), voxel_size_um=(None,) * 3)).card
    assert card.input.normalisation == Normalisation(kind="fixed", offset=0, scale=1)


def test_options_are_found_beside_the_folder_of_checkpoints(tmp_path: Path) -> None:
    with_options(tmp_path, RELEASE_1_OPTIONS)
    (tmp_path / "checkpoints").mkdir()
    path = saved(tmp_path / "checkpoints" / "model_000500.p", release_1(trained().state_dict()))
    assert "normalised" not in refused(path, Told(targets=(TOM20,)))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"transform_signal": ["fnet.transforms.normalize", "my.own.Step(3)"]}, "my.own.Step"),
        ({"transform_signal": ["__import__('os').system('touch RAN')"]}, "not understood"),
        ({"transform_signal": ["fnet.transforms.normalize", "fnet.transforms.normalize"]}, "not understood"),
        ({"transform_signal": [{"name": "normalize"}]}, "not understood"),
        ({"transform_signal": 3}, "not understood"),
        ({"dataset_train_kwargs": {"train": True}}, "does not say"),
        ({"dataset_train_kwargs": None}, "does not say"),
        ([], "cannot be read"),
        ("{", "cannot be read"),
        ("[" * 100_000, "cannot be read"),
        (" " * (2 << 20), "cannot be read"),
    ],
)
def test_options_that_are_not_understood_are_named(tmp_path: Path, options: Any, words: str) -> None:
    path = with_options(tmp_path, options)
    message = refused(path, Told(targets=(TOM20,), voxel_size_um=(None,) * 3))
    assert "how its images were normalised" in message
    assert words in message
    assert len(message) < 1000
    assert read_foreign(path, ALL_TOLD).card.input.normalisation == ALL_TOLD.normalisation


@pytest.mark.skipif(sys.platform == "win32", reason="needs pipes and links")
@pytest.mark.parametrize("kind", ["pipe", "device", "binary"])
def test_options_that_are_no_text_file(tmp_path: Path, kind: str) -> None:
    path = with_options(tmp_path, "")
    options = tmp_path / "train_options.json"
    options.unlink()
    if kind == "pipe":
        os.mkfifo(options)
    elif kind == "device":
        options.symlink_to("/dev/zero")
    else:
        options.write_bytes(b"\xff\xfe\x00{")
    assert "cannot be read" in refused(path, Told(targets=(TOM20,), voxel_size_um=(None,) * 3))


# -------------------------------------------------------------------------------- what cannot be imported
def changed(**changes: Any) -> State:
    return trained().state_dict() | changes


def prefixed(prefix: str) -> State:
    return {prefix + name: value for name, value in changed().items()}


FIRST = "net_recurse.sub_2conv_more.conv1.weight"
OTHERS: dict[str, tuple[Any, str]] = {
    "ensemble": ({"fnet_model_class": "f.Ensemble", "fnet_model_kwargs": {"paths_model": ["/a"]}}, "each member"),
    "two inputs": (release_1(trained(in_channels=2).state_dict()), "2 channels"),
    "toy": (release_1({"conv.weight": torch.ones(1, 1, 3)}), "'conv.weight'"),
    "no weights": (release_1({}), "no weights"),
    "weights that are text": ({"nn_state": "weights"}, "no weights"),
    "one missing": (
        release_1({name: value for name, value in changed().items() if name != "conv_out.bias"}),
        "missing: 'conv_out.bias'",
    ),
    "one more": (release_1(changed(attention=torch.ones(1))), "too many: 'attention'"),
    "another shape": (release_1(changed(**{"conv_out.bias": torch.ones(7)})), "another shape: 'conv_out.bias'"),
    "one-dimensional": (release_1({FIRST: torch.ones(2, 1, 3), "conv_out.weight": torch.ones(1, 2, 3)}), "volumes"),
    "no last layer": (release_1({FIRST: torch.ones(2, 1, 3, 3)}), "volumes"),
    "scalars": (release_1({FIRST: torch.ones(()), "conv_out.weight": torch.ones(())}), "volumes"),
    "empty": (
        release_1({FIRST: torch.ones(0, 0, 3, 3), "conv_out.weight": torch.ones(0, 0, 3, 3)}),
        "base_channels has to be",
    ),
    "too deep": (release_1(changed(**{"net_recurse." + "sub_u." * 90 + "x": torch.ones(1)})), "not 90"),
    "parts beside it": (
        {"state_dict": lightning(changed())["state_dict"] | {"refine.weight": torch.ones(1)}},
        "refine",
    ),
    "two of them": (
        {"state_dict": {p + name: value for p in ("a.", "b.") for name, value in changed().items()}},
        "2 such networks",
    ),
    "numbered": (release_1({**changed(), 5: torch.ones(1)}), "number instead of a name"),
    "whole numbers": (release_1(changed(**{"conv_out.bias": torch.ones(1, dtype=torch.int32)})), "int32"),
    "complex": (release_1(changed(**{"conv_out.bias": torch.ones(1, dtype=torch.complex64)})), "complex64"),
    "sparse": (release_1(changed(**{"conv_out.bias": torch.ones(1).to_sparse()})), "sparse"),
    "nested": (release_1(changed(**{"conv_out.bias": {"a": torch.ones(1)}})), "no plain weights"),
    "nan": (release_1(changed(**{"conv_out.bias": torch.tensor([float("nan")])})), "NaN"),
    "infinite as single": (
        release_1(changed(**{"conv_out.bias": torch.tensor([1e300], dtype=torch.float64)})),
        "infinite",
    ),
    "another program": ({"state_dict": {"encoder.weight": torch.ones(1)}}, "no program"),
    "nothing": ({}, "no program"),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_what_cannot_be_imported_is_refused_with_the_reason(tmp_path: Path, kind: str) -> None:
    content, reason = OTHERS[kind]
    message = refused(saved(tmp_path / "model.p", content), ALL_TOLD, UnsupportedModelError)
    assert reason in message
    assert len(message) < 600


def test_a_claim_of_a_huge_network_takes_no_memory(tmp_path: Path) -> None:
    """Of 9 * 10**9 weights; names and shapes are compared before a network is built."""
    state = {FIRST: torch.ones(512, 1, 3, 3, 3), "conv_out.weight": torch.ones(1, 512, 3, 3, 3)}
    state["net_recurse." + "sub_u." * 6 + "bn1.bias"] = torch.ones(1)
    assert "missing" in refused(saved(tmp_path / "model.p", release_1(state)), ALL_TOLD, UnsupportedModelError)


def test_the_logarithm_of_a_variance_is_no_image(tmp_path: Path) -> None:
    network = trained(out_channels=2)
    content = master(network.state_dict(), criterion_class="fnet.losses.HeteroscedasticLoss")
    model = read_foreign(saved(tmp_path / "model.p", content), ALL_TOLD)
    assert model.card.architecture.arguments["out_channels"] == 1
    assert "variance" in model.card.training.notes
    both = forward(network, model.sample_input)
    np.testing.assert_allclose(forward(model.network, model.sample_input), both[:1], rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["empty", "words", "folder", "missing"])
def test_what_is_no_model_file_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "words").write_text("not a model")
    (tmp_path / "folder").mkdir()
    assert "no model of a known format" in refused(tmp_path / name, Told(), UnsupportedModelError)


def test_code_in_a_model_is_never_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "RAN",)

    path = saved(tmp_path / "model.p", release_1(trained().state_dict(), hook=Evil()))
    with pytest.raises(DamagedModelError, match="code"):
        read_foreign(path, ALL_TOLD)
    assert not (tmp_path / "RAN").exists()
