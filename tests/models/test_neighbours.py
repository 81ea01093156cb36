"""Whatever lies in a folder with models: the models are found, and what cannot be used says why."""

from __future__ import annotations

import json
import os
import shutil
import socket
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_mito_predict.errors import DamagedModelError, ModelError
from napari_mito_predict.models import (
    ModelInfo,
    Source,
    add_shared_folder,
    find_model,
    forget_shared_folder,
    list_models,
    load_model,
    neighbours,
    patience,
    save_model,
    shared_folders,
)


@pytest.fixture
def models(_no_models_of_the_user: Path, tiny_card, tiny_network) -> Path:
    """The folder of the user's own models, with `tiny` in it."""
    folder = _no_models_of_the_user
    save_model(folder / "tiny", tiny_card, tiny_network, np.zeros((1, 8, 16, 16), np.float32))
    return folder


def locked(path: Path) -> None:
    """Write a zip file whose card is encrypted, as far as it says itself."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model.json", "{}")
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(raw)


def pipe(path: Path) -> None:
    os.mkfifo(path)


def bound_socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # names of sockets are short
    try:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(path.name)
    finally:
        os.chdir(here)


def card_is(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def build(path: Path) -> None:
        path.mkdir()
        make(path / "model.json")

    return build


def text(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


ODD: dict[str, tuple[Callable[[Path], object], str]] = {
    "mito-z.zip": (locked, "is encrypted"),
    "cut.zip": (text(b"PK\x03\x04 and no more"), "cut short"),
    "photos.zip": (lambda path: zipfile.ZipFile(path, "w").close(), "neither a model folder nor a zipped one|missing"),
    "pipe.zip": (pipe, "is a pipe"),
    "pipe": (pipe, "is a pipe"),
    "socket.zip": (bound_socket, "is a socket"),
    "gone": (lambda path: path.symlink_to("/nowhere/at/all"), "link to something that is not there"),
    "gone.zip": (lambda path: path.symlink_to("/nowhere/at/all.zip"), "link to something that is not there"),
    "loop": (lambda path: path.symlink_to(path), "link to something that is not there, or to itself"),
    "card-pipe": (card_is(pipe), "'model.json' is no file but a pipe"),
    "card-folder": (card_is(Path.mkdir), "'model.json' is no file but a folder"),
    "card-link": (card_is(lambda path: path.symlink_to("/nowhere")), "'model.json' cannot be read .is a link"),
    "card-deep": (card_is(text(b"[" * 200_000)), "nested far too deep|no JSON"),
    "card-nan": (card_is(text(b'{"schema_version": NaN}')), "no whole number"),
    "card-bytes": (card_is(text(b"\xff\xfe\x00\xd8")), "no JSON"),
    "new\nline": (card_is(text(b"{")), "no JSON"),
    "colour\x1b[31m": (card_is(text(b"{")), "no JSON"),
    os.fsdecode(b"no text \xff"): (card_is(text(b"{")), "no JSON"),
}
IGNORED = {
    "notes.txt": text(b"x"),
    ".DS_Store": text(b"x"),
    "cell.png": text(b"x"),
    "photos": Path.mkdir,
    ".1234.partial.mito": Path.mkdir,
    ".hidden.zip": text(b"x"),
    "weights.safetensors": text(b"x"),
}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")
def test_odd_neighbours_are_rows_with_the_reason(models: Path) -> None:
    for name, (make, _) in ODD.items():
        make(models / name)
    for name, make in IGNORED.items():
        make(models / name)
    begin = time.monotonic()
    rows = list_models()
    assert time.monotonic() - begin < 5
    found = {row.path.name: row for row in rows if row.source is Source.OWN}
    assert found.keys() == {"tiny", *ODD}
    for name, (_, said) in ODD.items():
        row = found[name]
        assert row.card is None
        assert row.problem is not None
        with pytest.raises(ModelError, match=said):
            raise ModelError(row.problem)
        assert (row.name + row.problem).isprintable(), "it can be shown"
        json.dumps([row.name, row.problem]).encode()
    assert load_model("tiny").name == "tiny"
    assert load_model("mito-z").name == "mito-z", "hidden by nothing that cannot be used"
    with pytest.raises(DamagedModelError, match="is a pipe"):
        find_model("pipe")


def test_a_folder_that_may_not_be_looked_into_is_a_row(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (models / "private").mkdir()
    look = Path.lstat

    def refuse(path: Path) -> os.stat_result:
        if path.parent.name == "private":
            raise PermissionError(13, "Permission denied")
        return look(path)

    monkeypatch.setattr(Path, "lstat", refuse)
    row = next(row for row in list_models() if row.name == "private")
    assert "Permission denied" in (row.problem or "")
    assert any(row.name == "tiny" and row.card for row in list_models())


def test_of_two_models_of_one_name_the_one_in_the_folder_of_this_name_counts(models: Path) -> None:
    shutil.copytree(models / "tiny", models / "a copy")
    rows = {row.path.name: row for row in list_models() if row.source is Source.OWN}
    assert rows["tiny"].card is not None
    assert rows["a copy"].name == "a copy"
    assert "the name on its card is 'tiny', as that of 'tiny' in the same folder" in (rows["a copy"].problem or "")
    assert find_model("tiny") == models / "tiny"


def test_a_card_that_changed_is_read_again(models: Path) -> None:
    assert any(row.name == "tiny" for row in list_models())
    card = models / "tiny" / "model.json"
    card.write_text(card.read_text(encoding="utf-8").replace('"Tiny"', '"Vast"'), encoding="utf-8")
    assert next(row.card.title for row in list_models() if row.name == "tiny" and row.card) == "Vast"


# ---------------------------------------------------------------- shared folders
@pytest.fixture
def lab(tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A shared folder with the model `tiny` under another name."""
    monkeypatch.setattr("platformdirs.user_config_path", lambda *_, **__: tmp_path / "settings")
    folder = tmp_path / "lab"
    shutil.copytree(models / "tiny", folder / "shared")
    card = folder / "shared" / "model.json"
    card.write_text(card.read_text(encoding="utf-8").replace('"tiny"', '"shared"'), encoding="utf-8")
    add_shared_folder(folder)
    return folder


def _shared() -> list[ModelInfo]:
    return [row for row in list_models() if row.source is Source.SHARED]


def test_models_of_shared_folders_are_found(lab: Path) -> None:
    assert [(row.name, row.path) for row in _shared()] == [("shared", lab / "shared")]
    forget_shared_folder(lab)
    assert not _shared()
    with pytest.raises(ModelError, match="not looked for there"):
        forget_shared_folder(lab)


@pytest.mark.parametrize("content", ["{", "[1, 2]", "null", "[" * 100_000])
def test_damaged_settings_hide_no_model(lab: Path, content: str) -> None:
    (lab.parent / "settings" / "shared-models.json").write_text(content)
    assert not _shared()
    add_shared_folder(lab)
    assert shared_folders() == [lab]


def test_folders_that_cannot_be_shared_are_refused(lab: Path, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match="no such folder"):
        add_shared_folder(lab / "nowhere")
    with pytest.raises(ModelError, match="the folder of your own models"):
        add_shared_folder(models)
    monkeypatch.setenv("MITO_PREDICT_SHARED_MODELS", str(lab.parent))
    with pytest.raises(ModelError, match="named by MITO_PREDICT_SHARED_MODELS"):
        forget_shared_folder(lab.parent)


def test_a_shared_folder_that_is_gone_is_a_row(lab: Path, tmp_path: Path) -> None:
    lab.rename(tmp_path / "elsewhere")
    (row,) = _shared()
    assert row.card is None
    assert "lab: there is no such folder. Is its drive connected?" in (row.problem or "")
    assert load_model("tiny").name == "tiny"


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(5, "Input/output error")])
def test_a_shared_folder_that_cannot_be_listed_is_a_row(
    lab: Path, error: OSError, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = os.scandir

    def refuse(folder: Path) -> object:
        if Path(folder) == lab:
            raise error
        return scan(folder)

    monkeypatch.setattr(neighbours.os, "scandir", refuse)
    (row,) = _shared()
    assert row.card is None
    assert str(error.strerror) in (row.problem or "")


def test_a_shared_folder_that_does_not_answer_is_given_up_and_asked_again(
    lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = threading.Event()
    looks = []
    look = neighbours.models_in

    def hang(folder: Path, source: Source) -> list[ModelInfo]:
        if folder == lab:
            looks.append(folder)
            answers.wait(30)
        return look(folder, source)

    monkeypatch.setattr(patience, "models_in", hang)
    monkeypatch.setattr(patience, "PATIENCE_S", 0.2)
    try:
        for _ in range(3):
            (row,) = _shared()
            assert row.card is None
            assert "does not answer" in (row.problem or "")
            assert load_model("tiny").name == "tiny"
        assert len(looks) == 1, "no second look is begun while one hangs"
    finally:
        answers.set()
    deadline = time.monotonic() + 10
    while not any(row.card for row in _shared()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [row.name for row in _shared()] == ["shared"]


def test_two_hundred_models_are_listed_quickly(models: Path, tiny_card) -> None:
    for number in range(200):
        folder = models / f"model-{number}"
        folder.mkdir()
        (folder / "model.json").write_text(tiny_card.model_copy(update={"name": folder.name}).to_json())
    begin = time.process_time()
    assert sum(row.name.startswith("model-") for row in list_models()) == 200
    first = time.process_time() - begin
    list_models()
    again = time.process_time() - begin - first
    assert first < 2
    assert again < first
