"""``mito-predict models import``, ``export``, ``rename``, ``remove`` and ``folders``."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_mito_predict.cli import _model_import
from napari_mito_predict.errors import ForeignModelError, UntrustedModelError
from napari_mito_predict.models import Told, read_card, save_model


@pytest.fixture
def models(_no_models_of_the_user: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the user's own models; the settings of shared folders are nobody's."""
    monkeypatch.setattr("platformdirs.user_config_path", lambda *_, **__: tmp_path / "settings")
    return _no_models_of_the_user


@pytest.fixture
def package(tmp_path: Path, plane_card, plane_network) -> Path:
    folder = tmp_path / "package"
    save_model(folder, plane_card, plane_network, np.ones((1, 16, 16), np.float32))
    return folder


def test_out_and_in_again(mito_predict, models, package, tmp_path):
    outcome = mito_predict("models", "export", package, "-o", tmp_path)
    assert outcome.code == 0
    archive = tmp_path / "mito-2d.zip"
    assert outcome.out == f"Written: {archive}\n"
    sha256 = re.search("SHA-256: ([0-9a-f]{64})", outcome.err)[1]
    outcome = mito_predict("models", "import", archive, "--sha256", sha256, "--name", "lab")
    assert outcome.code == 0
    assert outcome.out == f"Imported as lab: mitochondria (OMP25). It lies in {models / 'lab'}\n"
    assert "mito-predict predict IMAGE -o DIR -m lab" in outcome.err
    assert mito_predict("models", "verify", "lab").code == 0
    again = json.loads(mito_predict("models", "import", archive, "--name", "lab", "--json").out)
    assert (again["name"], again["source"]) == ("lab-2", "own")


def test_what_exists_is_replaced_when_asked(mito_predict, models, package, tmp_path):
    (tmp_path / "m.zip").write_text("mine")
    outcome = mito_predict("models", "export", package, "-o", tmp_path / "m.zip")
    assert outcome.code == 1
    assert outcome.err.rstrip().endswith("(--overwrite)")
    assert mito_predict("models", "export", package, "-o", tmp_path / "m.zip", "--overwrite").code == 0


def test_a_simulated_model_says_so_when_it_comes(mito_predict, installed):
    outcome = mito_predict("models", "import", installed)
    assert outcome.out.startswith("Imported as tiny-2")
    assert "not validated on real ones" in outcome.err


def test_a_model_without_a_self_test_says_so(mito_predict, models, package):
    (package / "sample.npz").unlink()
    assert "without a self-test" in mito_predict("models", "import", package).err
    assert "none: its weights alone can be verified" in mito_predict("models", "show", "mito-2d").out


def test_damage_is_one_line(mito_predict, models, package):
    (package / "weights.safetensors").write_bytes(b"")
    outcome = mito_predict("models", "import", package)
    assert outcome.code == 1
    assert outcome.err.count("\n") == 1
    assert not list(models.iterdir())


def test_an_address_needs_a_sha256(mito_predict, models):
    outcome = mito_predict("models", "import", "https://example.invalid/m.zip")
    assert outcome.code == 1
    assert outcome.err.rstrip().endswith("(--sha256)")


def test_rename_and_remove(mito_predict, models, package):
    mito_predict("models", "import", package)
    assert mito_predict("models", "rename", "mito-2d", "lab").out == f"mito-2d is lab now, in {models / 'lab'}\n"
    assert mito_predict("models", "rename", "lab", "mito-z").code == 1
    assert mito_predict("models", "rename", "lab", "a/b").code == 1
    refused = mito_predict("models", "remove", "mito-z", "--yes")
    assert refused.code == 1
    assert "a part of napari-mito-predict" in refused.err
    assert mito_predict("models", "remove", "lab", "--yes").out == f"Removed: {models / 'lab'}\n"
    assert not list(models.iterdir())


def test_nothing_is_removed_silently(mito_predict, models, package, monkeypatch):
    mito_predict("models", "import", package)
    with open(os.devnull) as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        outcome = mito_predict("models", "remove", "mito-2d")
    assert outcome.code == 2
    assert "--yes" in outcome.err
    assert (models / "mito-2d").is_dir()


@pytest.mark.parametrize(("answer", "code"), [("n", 1), ("", 1), ("y", 0)])
def test_at_a_terminal_it_is_asked(mito_predict, models, package, monkeypatch, answer, code):
    mito_predict("models", "import", package)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.confirm", lambda text: answer == "y")
    assert mito_predict("models", "remove", "mito-2d").code == code
    assert (models / "mito-2d").exists() == bool(code)


def test_folders(mito_predict, models, package, tmp_path):
    assert mito_predict("models", "folders", "add", tmp_path / "nowhere").code == 1
    assert mito_predict("models", "folders", "add", tmp_path).code == 0
    listed = json.loads(mito_predict("models", "folders", "list", "--json").out)
    assert [entry["folder"] for entry in listed] == [str(models), str(tmp_path)]
    assert f"shared: {tmp_path.name}" in mito_predict("models", "list").out
    assert mito_predict("models", "folders", "forget", tmp_path).code == 0
    assert "shared" not in mito_predict("models", "folders", "list").out


def test_show_says_where_a_model_is_from(mito_predict, models, tmp_path, plane_card, plane_network):
    from napari_mito_predict.models.card import Origin

    origin = Origin(format="pytorch_fnet", source="model.p", sha256="a" * 64)
    card = plane_card.model_copy(update={"origin": origin, "picture": "cover.png"})
    save_model(models / "mito-2d", card, plane_network, np.ones((1, 16, 16), np.float32))
    out = mito_predict("models", "show", "mito-2d").out
    for line in (
        f"Folder:    {models / 'mito-2d'}",
        "Where:     own",
        "Licence:   GPL-3.0-only",
        "Origin:    pytorch_fnet, model.p",
        f"SHA-256:   {'a' * 64}",
        f"Picture:   {models / 'mito-2d' / 'cover.png'}",
        "Self-test: yes",
    ):
        assert line in out.splitlines()


# ---------------------------------------------------------------- models of other programs
@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Told]:
    """What an importer would be told; none is asked."""
    heard: list[Told] = []

    def refuse(source, told, **_):
        heard.append(told)
        raise UntrustedModelError("it holds code.", file=source)

    monkeypatch.setattr("napari_mito_predict.models.import_model", refuse)
    return heard


def test_all_that_can_be_said_is_passed_on(mito_predict, told):
    options = (
        "--preset P --name N --title T --licence MIT --trained-on HeLa --target dna=Hoechst --target mito=TMRM "
        "--voxel-size none 0.1 0.2 --third-axis z --third-axis t --normalisation range:1,99 "
        "--modality DIC --real --trust"
    )
    outcome = mito_predict("models", "import", "model.p", *options.split())
    assert outcome.code == 1
    assert outcome.err.rstrip().endswith("it holds code. (--trust)")
    (heard,) = told
    assert (heard.preset, heard.name, heard.title, heard.licence) == ("P", "N", "T", "MIT")
    assert [(target.name, target.stain) for target in heard.targets] == [("dna", "Hoechst"), ("mito", "TMRM")]
    assert (heard.voxel_size_um, heard.third_axes) == ((None, 0.1, 0.2), ("z", "t"))
    assert (heard.normalisation.kind, heard.normalisation.percentiles) == ("range", (1, 99))
    assert (heard.modality, heard.trained_on, heard.simulated, heard.trust) == ("DIC", "HeLa", False, True)


def test_what_is_not_said_is_not_made_up(mito_predict, told):
    mito_predict("models", "import", "model.p")
    assert told == [Told()]


@pytest.mark.parametrize(
    ("options", "voxel", "axes"),
    [
        ("--voxel-size - 0.1 0.1 --third-axis none", (None, 0.1, 0.1), ()),
        ("--voxel-size none none none --third-axis t", (None, None, None), ("t",)),
    ],
)
def test_what_is_unknown_can_be_said(mito_predict, told, options, voxel, axes):
    mito_predict("models", "import", "model.p", *options.split())
    assert (told[0].voxel_size_um, told[0].third_axes) == (voxel, axes)


@pytest.mark.parametrize(
    ("text", "kind", "values"),
    [
        ("zscore", "zscore", {"clip_percentiles": None}),
        ("zscore:0.1,99.9", "zscore", {"clip_percentiles": (0.1, 99.9)}),
        ("robust", "robust", {}),
        ("range:0.5,99.5", "range", {"percentiles": (0.5, 99.5)}),
        ("fixed:100,65535", "fixed", {"offset": 100, "scale": 65535}),
        ("none", "fixed", {"offset": 0, "scale": 1}),
    ],
)
def test_normalisations(mito_predict, told, text, kind, values):
    mito_predict("models", "import", "model.p", "--normalisation", text)
    found = told[0].normalisation
    assert found.kind == kind
    assert {name: getattr(found, name) for name in values} == values


@pytest.mark.parametrize(
    "options",
    [
        "--target dna",
        "--target =x",
        "--target a/b=x",
        "--voxel-size 1 2",
        "--voxel-size a 1 1",
        "--voxel-size 0 1 1",
        "--voxel-size nan 1 1",
        "--third-axis y",
        "--third-axis z --third-axis none",
        "--normalisation minmax",
        "--normalisation range",
        "--normalisation range:99,1",
        "--normalisation range:a,b",
        "--normalisation fixed:0,0",
        "--normalisation robust:1,2",
    ],
)
def test_mistakes_in_the_command_end_with_2(mito_predict, told, options):
    assert mito_predict("models", "import", "model.p", *options.split()).code == 2
    assert not told


def test_what_is_missing_is_named_by_its_options(mito_predict, monkeypatch):
    def refuse(source, told, **_):
        error = ForeignModelError("the file does not say what it was trained with.", file=source)
        error.missing = ("voxel_size_um", "targets")
        raise error

    monkeypatch.setattr("napari_mito_predict.models.import_model", refuse)
    outcome = mito_predict("models", "import", "model.p")
    assert outcome.err.rstrip().endswith("(--voxel-size, --target)")
    assert _model_import._OPTIONS.keys() == Told.__dataclass_fields__.keys()


def test_the_card_is_not_contradicted(mito_predict, models, package):
    outcome = mito_predict("models", "import", package, "--licence", "MIT")
    assert outcome.code == 1
    assert "Leave out: licence" in outcome.err
    assert read_card(package).licence == "GPL-3.0-only"


@pytest.mark.parametrize("command", ["list", "show", "verify", "import", "export", "rename", "remove", "folders"])
def test_every_command_explains_itself(mito_predict, command):
    outcome = mito_predict("models", command, "--help")
    assert outcome.code == 0
    assert len(outcome.out.split()) > 30


@pytest.mark.parametrize("columns", [80, 120])
def test_the_list_fits_a_terminal(mito_predict, models, package, monkeypatch, columns):
    mito_predict("models", "import", package)
    (models / "odd.zip").write_bytes(b"PK\x03\x04")
    monkeypatch.setattr("napari_mito_predict.cli._console._WIDTH_IN_A_PIPE", columns)
    lines = mito_predict("models", "list").out.splitlines()
    assert max(map(len, map(str.rstrip, lines))) <= columns
    assert any("mitochondria (OMP25)" in line for line in lines)
    assert "1 cannot be used:" in lines
