"""Bringing models in and out, renaming and removing them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from napari_mito_predict.errors import (
    DamagedModelError,
    ForeignModelError,
    InvalidModelError,
    ModelError,
    ModelExistsError,
    OutputExistsError,
    ProtectedModelError,
    UnknownModelError,
    UnwritableOutputError,
)
from napari_mito_predict.models import (
    Source,
    Target,
    Told,
    add_shared_folder,
    export_model,
    find_model,
    has_self_test,
    import_model,
    list_models,
    load_model,
    read_card,
    remove_model,
    rename_model,
    save_model,
    verify_model,
)

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x10\x00\x00\x00\x10\x08\x00\x00\x00\x00"


@pytest.fixture
def models(_no_models_of_the_user: Path) -> Path:
    """The folder of the user's own models."""
    return _no_models_of_the_user


@pytest.fixture
def package(tmp_path: Path, plane_card, plane_network) -> Path:
    """A package somewhere else, with pictures and a file that does not belong to it."""
    folder = tmp_path / "from a colleague"
    sample = np.random.default_rng(0).standard_normal((1, 16, 16), dtype=np.float32)
    card = plane_card.model_copy(update={"picture": "cover.png"})
    save_model(folder, card, plane_network, sample, pictures={"cover.png": PNG, "curve.png": PNG})
    (folder / "notes.txt").write_text("not for others")
    return folder


def zip_by_hand(package: Path, final: Path, *, inside: str = "") -> Path:
    """Zip a folder as people do, with what their systems leave in it."""
    with zipfile.ZipFile(final, "w", zipfile.ZIP_DEFLATED) as archive:
        if inside:
            archive.writestr(f"{inside}/", "")
        for file in package.iterdir():
            archive.write(file, f"{inside}/{file.name}" if inside else file.name)
        archive.writestr(f"__MACOSX/{inside}/._model.json", "resource fork")
        archive.writestr(f"{inside}/.DS_Store" if inside else ".DS_Store", "x")
    return final


PARTS = ["README.md", "cover.png", "curve.png", "model.json", "sample.npz", "weights.safetensors"]


# ---------------------------------------------------------------- import
@pytest.mark.parametrize("kind", ["folder", "zip", "zipped folder"])
def test_a_package_is_imported_as_it_is(package: Path, models: Path, tmp_path: Path, kind: str) -> None:
    source = package
    if kind != "folder":
        source = zip_by_hand(package, tmp_path / "any name.zip", inside="a folder" if kind != "zip" else "")
    info = import_model(source)
    assert (info.name, info.path, info.source) == ("mito-2d", models / "mito-2d", Source.OWN)
    assert sorted(path.name for path in info.path.iterdir()) == PARTS
    for part in PARTS:
        assert (info.path / part).read_bytes() == (package / part).read_bytes()
    assert verify_model(info.path).passed
    assert [path.name for path in models.iterdir()] == ["mito-2d"], "nothing else is left"


def test_a_zip_file_is_a_model_wherever_it_lies(package: Path, models: Path, tmp_path: Path) -> None:
    archive = zip_by_hand(package, tmp_path / "far away.ZIP", inside="x")
    assert load_model(archive).name == "mito-2d"
    assert find_model(str(archive)) == archive
    shutil.copy(archive, models / "mine.zip")
    assert find_model("mito-2d") == models / "mine.zip"
    assert verify_model(models / "mine.zip").passed


def test_a_name_that_is_taken_gets_a_number(package: Path) -> None:
    assert [import_model(package).name for _ in range(3)] == ["mito-2d", "mito-2d-2", "mito-2d-3"]
    assert import_model(package, Told(name="MITO-2D")).name == "MITO-2D-4", "some systems do not tell capitals apart"
    assert import_model(package, Told(name="mito-z")).name == "mito-z-2", "bundled"
    long = "m" * 64
    assert [len(import_model(package, Told(name=long)).name) for _ in range(2)] == [64, 64]


def test_a_name_can_be_given(package: Path) -> None:
    info = import_model(package, Told(name="Zellen ü"))
    assert read_card(info.path).name == info.name == "Zellen ü"
    assert read_card(info.path).weights == read_card(package).weights
    with pytest.raises(InvalidModelError, match="not a model name"):
        import_model(package, Told(name="../evil"))


def test_what_the_card_says_itself_is_not_said_again(package: Path) -> None:
    told = Told(licence="MIT", targets=(Target(name="dna", stain="x"),))
    with pytest.raises(ForeignModelError, match="Leave out: licence, targets"):
        import_model(package, told)


def test_the_sha256_of_a_file_is_compared(package: Path, tmp_path: Path) -> None:
    archive = export_model(package, tmp_path / "m.zip")
    with pytest.raises(DamagedModelError, match=r"its SHA-256 is .* was expected"):
        import_model(archive, sha256="0" * 64)
    with pytest.raises(DamagedModelError, match="a folder has no SHA-256"):
        import_model(package, sha256="0" * 64)


def test_a_wrong_self_test_keeps_a_model_out(package: Path, models: Path) -> None:
    wrong = np.ones((1, 16, 16), np.float32)
    np.savez(package / "sample.npz", input=wrong, output=wrong)
    with pytest.raises(DamagedModelError, match=r"fails its self-test: mito-2d gives another output.* It is not added"):
        import_model(package)
    assert not list(models.iterdir())


def test_a_model_without_a_self_test_is_taken(package: Path) -> None:
    (package / "sample.npz").unlink()
    info = import_model(package)
    assert not has_self_test(info.path)
    assert load_model(info.name).sample is None


@pytest.mark.parametrize("source", ["nothing", "text", "picture"])
def test_what_is_no_model_is_named(tmp_path: Path, models: Path, source: str) -> None:
    path = tmp_path / source
    if source == "text":
        path.write_text("hello")
    elif source == "picture":
        path.write_bytes(PNG)
    with pytest.raises(ModelError, match=source):
        import_model(path)
    assert not list(models.iterdir())


def test_links_bring_no_other_files_along(package: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("password")
    (package / "README.md").unlink()
    (package / "README.md").symlink_to(secret)
    (package / "odd.png").symlink_to(secret)
    weights = tmp_path / "blob"
    (package / "weights.safetensors").rename(weights)  # as caches of downloads do it
    (package / "weights.safetensors").symlink_to(weights)
    info = import_model(package)
    assert sorted(path.name for path in info.path.iterdir()) == [part for part in PARTS if part != "README.md"]
    assert not any(path.is_symlink() for path in info.path.iterdir())


def test_a_picture_that_is_none_is_refused(package: Path, models: Path) -> None:
    (package / "curve.png").write_bytes(b"<script>")
    with pytest.raises(DamagedModelError, match=r"'curve\.png' is no PNG picture"):
        import_model(package)
    assert not list(models.iterdir())


IMPORT_WHEN_ALL_ARE_READY = """
import sys, time
from pathlib import Path
from napari_mito_predict.models import import_model
from napari_mito_predict.models.package import read_package
package, ready, go = map(Path, sys.argv[1:])
read_package(package)  # torch is loaded
ready.touch()
while not go.exists():
    time.sleep(0.001)
print(import_model(package).name)
"""


def test_several_processes_import_the_same_model_at_once(package: Path, models: Path, tmp_path: Path) -> None:
    ready = [tmp_path / f"ready{number}" for number in range(3)]
    go = tmp_path / "go"
    command = [sys.executable, "-c", IMPORT_WHEN_ALL_ARE_READY, str(package)]
    environment = os.environ | {"MITO_PREDICT_MODELS": str(models)}
    processes = [
        subprocess.Popen([*command, str(file), str(go)], env=environment, stdout=subprocess.PIPE, text=True)
        for file in ready
    ]
    while not all(file.exists() for file in ready):
        assert all(process.poll() is None for process in processes), "each waits for the others"
        time.sleep(0.01)
    go.touch()
    names = sorted(process.communicate(timeout=120)[0].strip() for process in processes)
    assert names == ["mito-2d", "mito-2d-2", "mito-2d-3"]
    assert sorted(path.name for path in models.iterdir()) == names
    assert all(verify_model(models / name).passed and read_card(models / name).name == name for name in names)


# ---------------------------------------------------------------- export
def test_a_zip_file_is_the_same_after_a_round_trip(package: Path, tmp_path: Path) -> None:
    first = export_model(package, tmp_path / "first.zip")
    imported = import_model(first)
    os.utime(imported.path / "model.json", (0, 0))
    second = export_model(imported.name, tmp_path / "second.zip")
    assert first.read_bytes() == second.read_bytes()
    assert verify_model(second).passed
    with zipfile.ZipFile(first) as archive:
        assert archive.namelist() == PARTS
        assert archive.testzip() is None


def test_a_folder_is_the_same_after_a_round_trip(package: Path, tmp_path: Path) -> None:
    written = export_model(package, tmp_path / "new" / "place" / "mito", file_format="folder")
    assert sorted(path.name for path in written.iterdir()) == PARTS
    assert all((written / part).read_bytes() == (package / part).read_bytes() for part in PARTS)


def test_a_bundled_model_goes_out_and_in(tmp_path: Path) -> None:
    info = import_model(export_model("mito-z", tmp_path))
    assert info.name == "mito-z-2"
    assert read_card(info.path).simulated


def test_a_folder_is_where_to_write_and_a_file_what(package: Path, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    assert export_model(package, place) == place / "mito-2d.zip"
    assert export_model(package, place, file_format="folder") == place / "mito-2d"
    assert export_model(package, tmp_path / "a" / "b.zip") == tmp_path / "a" / "b.zip"
    assert export_model(package, tmp_path / "version 1.2") == tmp_path / "version 1.2.zip"


def test_nothing_is_replaced_without_being_asked(package: Path, tmp_path: Path) -> None:
    taken = tmp_path / "taken.zip"
    taken.write_text("mine")
    with pytest.raises(OutputExistsError, match=r"taken\.zip: is there already"):
        export_model(package, taken)
    assert taken.read_text() == "mine"
    export_model(package, taken, overwrite=True)
    assert verify_model(taken).passed


def test_a_folder_that_is_no_model_is_never_replaced(package: Path, tmp_path: Path) -> None:
    place = tmp_path / "place"
    (place / "mito-2d").mkdir(parents=True)
    (place / "mito-2d" / "thesis.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match="is a folder, and no model"):
        export_model(package, place, file_format="folder", overwrite=True)
    assert (place / "mito-2d" / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize("where", [".", "inside.zip", "inside/mito.zip", ".."])
def test_a_model_is_never_written_into_itself(package: Path, models: Path, where: str) -> None:
    info = import_model(package)
    before = sorted(models.rglob("*"))
    file_format = "folder" if where == ".." else "zip"
    with pytest.raises(UnwritableOutputError, match="where the model itself lies"):
        export_model(info.name, info.path / where, file_format=file_format, overwrite=True)
    assert sorted(models.rglob("*")) == before


def test_what_cannot_be_written_is_named(package: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for file_format in ("zip", "folder"):
        with pytest.raises(UnwritableOutputError):
            export_model(package, tmp_path / "file" / "m", file_format=file_format)
    with pytest.raises(ForeignModelError, match="not exported as 'exe'"):
        export_model(package, tmp_path / "m", file_format="exe")  # type: ignore[arg-type]


# ---------------------------------------------------------------- rename and remove
@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_renaming_changes_the_name_alone(package: Path, models: Path, tmp_path: Path, kind: str) -> None:
    if kind == "folder":
        import_model(package)
    else:
        zip_by_hand(package, models / "mito-2d.zip", inside="x")
    info = rename_model("mito-2d", "Zellen")
    assert info.path == models / ("Zellen" if kind == "folder" else "Zellen.zip")
    assert [path.name for path in models.iterdir()] == [info.path.name]
    before, after = read_card(package), read_card(info.path)
    assert after.model_copy(update={"name": "mito-2d"}) == before
    assert verify_model(info.path).passed
    assert [row.name for row in list_models() if row.source is Source.OWN] == ["Zellen"]


def test_capitals_of_a_name_can_be_changed(package: Path, models: Path) -> None:
    import_model(package)
    assert rename_model("mito-2d", "Mito-2D").path == models / "Mito-2D"


@pytest.mark.parametrize("new", ["mito-z", "MITO-Z", "mito-2d", "other"])
def test_a_name_that_is_taken_is_refused(package: Path, models: Path, new: str) -> None:
    import_model(package)
    import_model(package, Told(name="other"))
    with pytest.raises(ModelExistsError, match="already"):
        rename_model("mito-2d", new)
    assert sorted(path.name for path in models.iterdir()) == ["mito-2d", "other"]


def test_what_is_no_model_keeps_its_name(package: Path, models: Path) -> None:
    import_model(package)
    (models / "thesis").mkdir()
    with pytest.raises(ModelExistsError, match="thesis: is there already"):
        rename_model("mito-2d", "thesis")
    with pytest.raises(InvalidModelError, match="not a model name"):
        rename_model("mito-2d", "a/b")


def test_a_failed_renaming_leaves_all_as_it_was(package: Path, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import_model(package)

    def fail(path: Path, text: str) -> None:
        raise UnwritableOutputError("the disk is full.", file=path)

    monkeypatch.setattr("napari_mito_predict.models.own.atomic_write_text", fail)
    with pytest.raises(UnwritableOutputError, match="full"):
        rename_model("mito-2d", "new")
    assert [path.name for path in models.iterdir()] == ["mito-2d"]
    assert read_card(models / "mito-2d").name == "mito-2d"


def test_models_of_others_are_protected(
    package: Path, real_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plane_card
) -> None:
    shared = tmp_path / "lab"
    export_model(package, shared / "m", file_format="folder")
    (shared / "m" / "model.json").write_text(plane_card.model_copy(update={"name": "lab"}).to_json())
    monkeypatch.setenv("MITO_PREDICT_SHARED_MODELS", str(shared))
    reasons = {
        "mito-z": "a part of napari-mito-predict",
        "mito-2d": "came with the package napari-mito-predict-real-models",
        "lab": "in the shared folder",
    }
    for name, reason in reasons.items():
        with pytest.raises(ProtectedModelError, match=reason):
            remove_model(name)
        with pytest.raises(ProtectedModelError, match=reason):
            rename_model(name, "new")
    with pytest.raises(UnknownModelError, match=r"No model is called 'nobody'. Your own models: you have none"):
        remove_model("nobody")
    assert {*reasons} <= {info.name for info in list_models()}


def test_one_of_the_own_models_that_hides_a_bundled_one_can_be_removed(package: Path, models: Path) -> None:
    shutil.copytree(package, models / "x")
    content = json.loads((models / "x" / "model.json").read_text())
    (models / "x" / "model.json").write_text(json.dumps(content | {"name": "mito-z"}))
    assert find_model("mito-z") == models / "x"
    assert remove_model("mito-z") == models / "x"
    assert next(info for info in list_models() if info.name == "mito-z").bundled
    with pytest.raises(ProtectedModelError):
        remove_model("mito-z")


def test_two_models_of_one_name_are_told_apart_by_their_files(package: Path, models: Path) -> None:
    import_model(package)
    shutil.copytree(package, models / "mito-2d copy")
    copy = next(info for info in list_models() if info.path.name == "mito-2d copy")
    assert copy.card is None
    assert "the name on its card is 'mito-2d'" in (copy.problem or "")
    assert rename_model("mito-2d copy", "second").path == models / "second"
    assert {info.name for info in list_models() if info.card and info.source is Source.OWN} == {"mito-2d", "second"}


def test_read_only_models_can_be_renamed_and_removed(package: Path, models: Path) -> None:
    info = import_model(package)
    for path in [*info.path.iterdir(), info.path]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        info = rename_model("mito-2d", "new")
        remove_model("new")
    finally:
        for path in models.rglob("*"):
            path.chmod(0o755)
    assert not list(models.iterdir())


@pytest.mark.parametrize("kind", ["zip", "damaged", "link to nowhere"])
def test_all_kinds_are_removed(package: Path, models: Path, kind: str) -> None:
    if kind == "zip":
        zip_by_hand(package, models / "odd.zip")
    elif kind == "damaged":
        (models / "odd").mkdir()
        (models / "odd" / "model.json").write_text("{")
    else:
        (models / "odd").symlink_to(package / "nowhere")
    remove_model("mito-2d" if kind == "zip" else "odd")
    assert not list(models.iterdir())


def test_of_a_link_nothing_is_changed_but_the_link(package: Path, models: Path) -> None:
    (models / "linked").symlink_to(package, target_is_directory=True)
    before = {path: path.read_bytes() for path in package.iterdir()}
    with pytest.raises(ProtectedModelError, match="is a link to"):
        rename_model("mito-2d", "new")
    remove_model("mito-2d")
    assert not list(models.iterdir())
    assert {path: path.read_bytes() for path in package.iterdir()} == before


def test_folders_are_shared(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platformdirs.user_config_path", lambda *_, **__: tmp_path / "settings")
    export_model(package, tmp_path / "lab" / "mito.zip")
    add_shared_folder(tmp_path / "lab")
    info = next(info for info in list_models() if info.name == "mito-2d")
    assert (info.source, info.path) == (Source.SHARED, tmp_path / "lab" / "mito.zip")
    assert import_model(info.path).source is Source.OWN
    assert find_model("mito-2d-2").name == "mito-2d-2"
