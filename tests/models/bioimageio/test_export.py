"""Models of ours as packages of bioimage.io: its own library runs them to what we predict."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from napari_mito_predict.errors import ForeignModelError, OutputExistsError
from napari_mito_predict.models import (
    Architecture,
    ModelCard,
    Normalisation,
    Target,
    load_model,
    read_card,
    save_model,
    user_models_folder,
)
from napari_mito_predict.models.importers import Told
from napari_mito_predict.models.library import export_model, import_model
from napari_mito_predict.networks import build_network
from napari_mito_predict.prediction import predict

NORMALISATIONS = {
    "clipped": Normalisation(),
    "plain": Normalisation(clip_percentiles=None),
    "robust": Normalisation(kind="robust"),
    "range": Normalisation(kind="range", percentiles=(1, 99)),
    "fixed": Normalisation(kind="fixed", offset=1000.0, scale=250.0),
}
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "unet": {"depth": 2, "base_channels": 4},
    "gvtnet": {"depth": 3, "base_channels": 4},
}


@pytest.fixture
def make(tiny_card: ModelCard, plane_card: ModelCard) -> Callable[..., Path]:
    """Save a tiny model with random weights; gives its package."""

    def made(
        kind: str = "unet", third: str = "z", targets: int = 1, normalisation: str = "clipped", **facts: Any
    ) -> Path:
        card = plane_card if third == "" else tiny_card
        ndim = 2 if third == "" else 3
        arguments = ARCHITECTURES[kind] | {"ndim": ndim, "out_channels": targets}
        torch.manual_seed(0)
        network = build_network(kind, arguments).eval()
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d | torch.nn.BatchNorm3d):
                module.running_mean.normal_(0, 0.2)
                module.running_var.uniform_(0.5, 1.5)
        changed = {"normalisation": NORMALISATIONS[normalisation]}
        if third == "t":
            changed |= {"third_axes": ("t",), "third_axis_step": {"t": 30.0}, "voxel_size_um": (None, 0.11, 0.11)}
        card = card.model_copy(
            update={
                "name": "model",
                "architecture": Architecture(kind=kind, arguments=arguments),
                "targets": tuple(Target(name=f"target-{i}", stain="TMRM") for i in range(targets)),
                "input": card.input.model_copy(update=changed),
                "training": card.training.model_copy(update={"date": "2026-01-02"}),
            }
            | facts
        )
        shape = (1, 16, 24) if ndim == 2 else (1, 8, 16, 24)
        sample = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
        folder = user_models_folder() / "model"
        save_model(folder, card, network, sample)
        return folder

    return made


@pytest.mark.filterwarnings("ignore")  # of the other library
@pytest.mark.parametrize(
    "asked",
    [
        pytest.param({}, id="z"),
        pytest.param({"third": "t"}, id="t"),
        pytest.param({"third": ""}, id="planes"),
        pytest.param({"targets": 2, "third": ""}, id="two-targets"),
        pytest.param({"kind": "gvtnet"}, id="gvtnet"),
        pytest.param({"normalisation": "plain", "third": ""}, id="plain"),
        pytest.param({"normalisation": "robust", "third": ""}, id="robust"),
        pytest.param({"normalisation": "range", "third": ""}, id="range"),
        pytest.param({"normalisation": "fixed", "third": ""}, id="fixed"),
    ],
)
def test_its_own_library_runs_it_to_what_we_predict(
    make: Any, tools: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any]
) -> None:
    core = pytest.importorskip("bioimageio.core", reason="runs packages of bioimage.io: pip install bioimageio.core")
    monkeypatch.setattr("gc.collect", lambda: 0)  # four times in each test of that library: most of the time it takes
    package = make(**asked)
    path = export_model("model", tmp_path, file_format="bioimageio")
    assert path.name == "model.bioimageio.zip"
    summary = core.test_model(path)
    assert summary.status == "passed", summary.format()

    model = load_model(package)
    shape = (8, 32, 40) if model.network.ndim == 3 else (32, 40)
    raw = tools.noise(shape, seed=4).astype(np.uint16)
    raw.flat[:3] = 60_000
    result = predict(raw, model, device="cpu", precision="32")
    ours = np.stack([prediction.data for prediction in result.values()])
    description = core.load_model_description(path, perform_io_checks=False)
    names = [str(axis.id) for axis in description.inputs[0].axes]
    with core.create_prediction_pipeline(description) as pipeline:
        image = core.Tensor.from_numpy(raw[None, None].astype(np.float32), dims=names)
        sample = core.Sample(members={"transmitted": image}, stat={}, id=None)
        theirs = pipeline.predict_sample_without_blocking(sample).members["prediction"].data.to_numpy()[0]
    assert np.abs(theirs - ours).max() <= 1e-4 * ours.std()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["mito-z", "dna-t"])
def test_bundled_models_pass_its_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    core = pytest.importorskip("bioimageio.core", reason="runs packages of bioimage.io: pip install bioimageio.core")
    monkeypatch.setattr("gc.collect", lambda: 0)
    summary = core.test_model(export_model(name, tmp_path, file_format="bioimageio"))
    assert summary.status == "passed", summary.format()


def _description(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        found: dict[str, Any] = yaml.safe_load(archive.read("rdf.yaml"))
    return found


def _exported(tmp_path: Path) -> Path:
    return export_model("model", tmp_path / "out.zip", file_format="bioimageio", overwrite=True)


def test_axes_have_units_and_scales_as_far_as_they_are_known(make: Any, tmp_path: Path) -> None:
    make(third="t")
    axes = {axis.get("id"): axis for axis in _description(_exported(tmp_path))["inputs"][0]["axes"]}
    assert (axes["time"]["type"], axes["time"]["unit"], axes["time"]["scale"]) == ("time", "second", 30.0)
    assert (axes["x"]["unit"], axes["x"]["scale"]) == ("micrometer", 0.11)
    assert axes["x"]["size"] == {"min": 8, "step": 4}
    make(third="")
    axes = {axis.get("id"): axis for axis in _description(_exported(tmp_path))["inputs"][0]["axes"]}
    assert "unit" not in axes["x"]
    assert "z" not in axes


def test_a_simulated_model_says_so_first(make: Any, tmp_path: Path) -> None:
    make(simulated=True)
    path = _exported(tmp_path)
    assert _description(path)["description"].startswith("Trained on simulated cells")
    with zipfile.ZipFile(path) as archive:
        assert archive.read("README.md").decode().startswith("**Trained on simulated cells")


def test_nothing_is_claimed_that_nobody_stated(make: Any, tmp_path: Path) -> None:
    make(licence="", authors=(), attribution="")
    path = _exported(tmp_path)
    description = _description(path)
    assert description["authors"] == []
    assert not {"license", "cite", "git_repo", "maintainers"} & set(description)
    with zipfile.ZipFile(path) as archive:
        assert "The licence is not stated" in archive.read("README.md").decode()


def test_what_is_stated_goes_with_it(make: Any, tmp_path: Path) -> None:
    make(licence="GPL-3.0-only", authors=("A. N. Other",), attribution="Data of Doe, doi:10.1364/BOE.464177; GPL-3.")
    description = _description(_exported(tmp_path))
    assert (description["license"], description["authors"]) == ("GPL-3.0-only", [{"name": "A. N. Other"}])
    assert description["cite"][0]["doi"] == "10.1364/BOE.464177"
    assert description["timestamp"].startswith("2026-01-02")
    make(licence="LicenseRef-ours")
    path = _exported(tmp_path)
    assert _description(path)["license"]["source"] == "LICENSE.txt"
    with zipfile.ZipFile(path) as archive:
        assert b"LicenseRef-ours" in archive.read("LICENSE.txt")


@pytest.mark.parametrize("title", ["Mitochondrien in H9c2, Hellfeld: größer/kleiner", "ミト", "a"])
def test_any_title_becomes_a_name_that_is_allowed(make: Any, tmp_path: Path, title: str) -> None:
    make(title=title)
    name = _description(_exported(tmp_path))["name"]
    assert len(name) >= 5
    assert name.isascii()


def test_the_cover_is_the_models_own_or_made(make: Any, tmp_path: Path) -> None:
    from PIL import Image

    make()
    with zipfile.ZipFile(_exported(tmp_path)) as archive:
        assert Image.open(io.BytesIO(archive.read("cover.png"))).size == (512, 256)
    package = make(picture="cover.png")
    (package / "cover.png").write_bytes(b"\x89PNG our own")
    with zipfile.ZipFile(_exported(tmp_path)) as archive:
        assert archive.read("cover.png") == b"\x89PNG our own"


def test_the_same_model_gives_the_same_file(make: Any, tmp_path: Path) -> None:
    make()
    first = _exported(tmp_path).read_bytes()
    assert _exported(tmp_path).read_bytes() == first
    assert b"/napari_mito_predict/" not in first  # nor where it was written
    with pytest.raises(OutputExistsError):
        export_model("model", tmp_path / "out.zip", file_format="bioimageio")
    assert [path.name for path in tmp_path.iterdir()] == ["out.zip"]


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_there_and_back_it_is_the_same_model(make: Any, tools: Any, tmp_path: Path, kind: str) -> None:
    package = make(kind=kind)
    info = import_model(_exported(tmp_path), Told(name="back"))
    card = read_card(package)
    assert info.card.architecture == card.architecture
    assert (info.card.targets, info.card.training) == (card.targets, card.training)
    assert info.card.origin.format == "bioimage.io"
    raw = tools.noise((8, 40, 40))
    here = predict(raw, "model", device="cpu", precision="32")["target-0"].data
    back = predict(raw, "back", device="cpu", precision="32")["target-0"].data
    np.testing.assert_array_equal(here, back)


def test_back_as_other_programs_read_it(make: Any, tools: Any, tmp_path: Path) -> None:
    """By its graph and its preprocessing alone, as if somebody had written the package anew."""
    make(third="")
    path = _exported(tmp_path)
    bare = tmp_path / "bare.zip"
    with zipfile.ZipFile(path) as given, zipfile.ZipFile(bare, "w") as written:
        for name in given.namelist():
            content = given.read(name)
            if name == "rdf.yaml":
                description = yaml.safe_load(content)
                del description["config"], description["attachments"]
                content = yaml.safe_dump(description).encode()
            written.writestr(name, content)
    info = import_model(bare, Told(name="bare"))
    assert info.card.weights.file == "network.torchscript"
    raw = tools.noise((32, 40))
    here = predict(raw, "model", device="cpu", precision="32")["target-0"].data
    back = predict(raw, "bare", device="cpu", precision="32")["target-0"].data
    assert np.abs(here - back).max() <= 1e-4 * here.std()


def test_graphs_are_not_written_anew(packages: Any, tmp_path: Path) -> None:
    import_model(packages.make(), Told(name="graph"))
    with pytest.raises(ForeignModelError, match="came as a finished graph"):
        export_model("graph", tmp_path / "out.zip", file_format="bioimageio")
    assert not (tmp_path / "out.zip").exists()
