"""The dock Models: what is listed, brought in, passed on, renamed and removed; the library is the real one."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
from qtpy.compat import isalive
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QThreadPool, QUrl
from qtpy.QtGui import QDropEvent, QGuiApplication
from qtpy.QtWidgets import QAbstractButton, QApplication, QComboBox, QFileDialog, QLabel, QLineEdit, QMessageBox

from napari_mito_predict._widgets.common.model_words import why_not_trained_further
from napari_mito_predict._widgets.common.worker import JobState
from napari_mito_predict._widgets.common.wrapped import Wrapped
from napari_mito_predict._widgets.models import dragging, import_form
from napari_mito_predict._widgets.models.card_actions import EXPORTS
from napari_mito_predict._widgets.models.importing import Wish
from napari_mito_predict.errors import (
    DamagedModelError,
    ForeignModelError,
    MissingExtraError,
    OutputExistsError,
    UntrustedModelError,
)
from napari_mito_predict.models import (
    Architecture,
    Input,
    Normalisation,
    Target,
    library,
    list_models,
    read_card,
    save_model,
)
from napari_mito_predict.models.importers import ForeignModel, Told
from napari_mito_predict.networks import build_network

PATIENCE = 60_000


@pytest.fixture
def dock(make_models_dock):
    return make_models_dock()


@pytest.fixture
def mine(tmp_path):
    """The user's own folder of models."""
    return tmp_path / "models"


@pytest.fixture
def package(models_folder, tmp_path):
    """A package of a colleague, as a folder that is not in the list."""
    folder = tmp_path / "mails" / "colleague"
    shutil.copytree(models_folder / "mito-z", folder)
    change_card(folder, name="colleague")
    return folder


def change_card(folder, **fields):
    card = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    (folder / "model.json").write_text(json.dumps(card | fields), encoding="utf-8")


def zipped(folder):
    path = folder.with_name(f"{folder.name}.zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.iterdir():
            archive.write(file, file.name)
    return path


def refresh(dock, qtbot):
    dock.refresh.click()
    settled(dock, qtbot)


def settled(dock, qtbot):
    qtbot.waitUntil(lambda: dock.job.state is JobState.DONE and not dock.imports.queue.busy, timeout=PATIENCE)


def names(dock):
    return [view.info.name for view in dock.cards.shown]


def card_of(dock, name):
    """The unfolded card of a model."""
    view = dock.cards.card_of(name)
    view.unfold()
    return view


def done(view, qtbot):
    qtbot.waitUntil(lambda: not view.busy, timeout=PATIENCE)


def texts(widget):
    """All that is said, whether or not it is scrolled out of sight."""
    QApplication.processEvents()  # what a layout has just been given is shown by an event of its own
    labels = [label for label in widget.findChildren(QLabel) if label.isVisibleTo(widget)]
    return "\n".join(label.text() for label in labels)


def drop(dock, *paths):
    data = QMimeData()
    data.setUrls([path if isinstance(path, QUrl) else QUrl.fromLocalFile(str(path)) for path in paths])
    action, button = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    event = QDropEvent(QPointF(QPoint(5, 5)), action, data, button, Qt.KeyboardModifier.NoModifier)
    dock.dropEvent(event)


def answer(qtbot, word):
    """Press a button of the question that is open."""
    found = []

    def asked():
        found[:] = [box for box in QApplication.topLevelWidgets() if isinstance(box, QMessageBox) and box.isVisible()]
        return bool(found)

    qtbot.waitUntil(asked, timeout=PATIENCE)
    box = found[0]
    assert box.defaultButton().text() in ("No", "Keep it"), "what changes nothing is the default"
    said = f"{box.text()} {box.informativeText()}"
    next(button for button in box.buttons() if button.text() == word).click()
    QApplication.processEvents()
    return said


# ------------------------------------------------------------------ the list


def test_the_users_own_models_come_first_and_those_that_cannot_be_used_last(dock, mine, qtbot):
    (mine / "a-cut.zip").write_bytes(b"PK\x03\x04 cut")
    refresh(dock, qtbot)
    found = names(dock)
    assert found[:2] == ["dna-z", "mito-z"]
    assert found[-1] == "a-cut"
    assert {"mito-t", "dna-t"} <= set(found), "the bundled ones"
    assert dock.count.text() == f"{len(found)} models, 1 cannot be used"
    cut = card_of(dock, "a-cut")
    assert "Cannot be used" in texts(cut.head)
    assert "Get it again" in texts(cut)
    assert cut.tools.remove.isEnabled()
    assert not cut.tools.use.isVisibleTo(cut)


def test_a_card_says_it_all_at_a_glance(dock, mine, qtbot):
    agreement = {"pcc": 0.6, "fine_pcc": 0.2}
    test = {"target": "mitochondria", "on": "test fields", "model": agreement}
    test["baselines"] = {"blurred input": {"pcc": 0.1}, "local contrast": {"pcc": 0.47}}
    facts = {"simulated": False, "trained_on": "H9c2, one microscope", "licence": "CC-BY-4.0", "tests": [test]}
    change_card(mine / "mito-z", **facts)
    refresh(dock, qtbot)
    head = dock.cards.card_of("mito-z").head
    said = texts(head).replace("\u200b", "").replace("\u2011", "-")
    for fact in (
        "mito-z",
        "Mitochondria · TMRM",
        "from transmitted light, z-stacks, 0.29 × 0.11 µm",
        "PCC 0.60 · without a network 0.47 (local contrast)",
        "real: H9c2, one microscope",
        "Licence CC-BY-4.0 · yours",
    ):
        assert fact in said
        assert fact in head.accessibleName() or "Licence" in fact
    assert "simulated" in texts(dock.cards.card_of("dna-z").head)
    test["model"]["pcc"] = 0.4
    change_card(mine / "mito-z", tests=[test], simulated=None, trained_on="")
    refresh(dock, qtbot)
    said = texts(dock.cards.card_of("mito-z").head)
    assert "no better than that" in said
    assert "not stated" in said


def test_the_filter_looks_in_all_that_a_card_says(dock, mine, qtbot):
    dock.filter.setText("bundled-by-nobody")
    assert names(dock) == []
    assert "No model has" in texts(dock.cards)
    dock.filter.setText("yours DNA")
    assert names(dock) == ["dna-z"]
    assert dock.count.text().startswith("1 of ")
    dock.filter.setText("time series")
    assert set(names(dock)) == {"dna-t", "mito-t"}


def test_the_list_is_read_again_when_asked_and_when_shown(dock, models_folder, mine, qtbot):
    shutil.copytree(models_folder / "mito-z", mine / "late")
    change_card(mine / "late", name="late")
    assert "late" not in names(dock)
    refresh(dock, qtbot)
    assert "late" in names(dock)
    shutil.rmtree(mine / "late")
    dock.hide()
    dock.show()
    qtbot.waitUntil(lambda: "late" not in names(dock), timeout=PATIENCE)


def test_a_card_that_did_not_change_keeps_what_it_says(dock, qtbot):
    view = card_of(dock, "mito-z")
    view.tools.verify.click()
    done(view, qtbot)
    refresh(dock, qtbot)
    assert dock.cards.card_of("mito-z") is view
    assert view.is_unfolded
    assert "Verified" in texts(view)
    card_of(dock, "dna-z")
    assert not view.is_unfolded, "one at a time"


def test_pictures_are_drawn_from_samples_of_folders_and_zips(dock, package, mine, qtbot):
    shutil.copy(zipped(package), mine)
    shutil.rmtree(mine / "dna-z")
    (mine / "mito-z" / "sample.npz").unlink()
    refresh(dock, qtbot)
    in_zip, without = dock.cards.card_of("colleague"), dock.cards.card_of("mito-t")
    qtbot.waitUntil(lambda: not in_zip.head.picture.is_empty, timeout=PATIENCE)
    qtbot.waitUntil(lambda: not without.head.picture.is_empty, timeout=PATIENCE)


def test_a_model_without_a_sample_has_no_picture_and_more_room_for_words(places, mine, make_models_dock, qtbot):
    (mine / "mito-z" / "sample.npz").unlink()
    dock = make_models_dock()
    head = dock.cards.card_of("mito-z").head
    qtbot.waitUntil(lambda: head.picture.isHidden(), timeout=PATIENCE)
    assert not dock.cards.card_of("dna-z").head.picture.isHidden()


def test_the_picture_of_a_package_goes_before_its_sample(dock, mine, tmp_path):
    from imageio.v3 import imwrite

    from napari_mito_predict._widgets.models.thumbnails import picture_of

    red = np.zeros((40, 80, 3), np.uint8)
    red[..., 0] = 255
    imwrite(mine / "mito-z" / "cover.png", red)
    change_card(mine / "mito-z", picture="cover.png")
    card = read_card(mine / "mito-z")
    shown = picture_of(mine / "mito-z", card)
    assert shown.pixelColor(5, 5).getRgb()[:3] == (255, 0, 0)
    (mine / "mito-z" / "cover.png").write_bytes(b"no picture")
    assert picture_of(mine / "mito-z", card) is not None, "then that of the sample"


def test_a_card_from_anywhere_is_shown_and_not_obeyed(dock, mine, qtbot, monkeypatch):
    opened = []
    monkeypatch.setattr("qtpy.QtGui.QDesktopServices.openUrl", opened.append)
    hostile = (
        "<img src='file:///etc/passwd'><b>bold</b> ![x](/etc/passwd) [click](file:///etc/passwd) https://a.example"
    )
    change_card(mine / "mito-z", attribution=hostile, title="<h1>huge</h1>")
    refresh(dock, qtbot)
    view = card_of(dock, "mito-z")
    browser = text_of(view)
    assert "<b>bold</b>" in browser.toPlainText()
    assert not opened
    assert browser.loadResource(2, QUrl("file:///etc/passwd")) is None
    browser.anchorClicked.emit(QUrl("file:///etc/passwd"))
    assert not opened
    browser.anchorClicked.emit(QUrl("https://a.example"))
    assert [url.toString() for url in opened] == ["https://a.example"]


def text_of(view):
    from napari_mito_predict._widgets.models.card_view import CardText

    return view.findChild(CardText)


def test_an_unfolded_card_has_fingerprint_and_folder(dock, mine, qtbot, monkeypatch):
    opened = []
    monkeypatch.setattr("qtpy.QtGui.QDesktopServices.openUrl", opened.append)
    view = card_of(dock, "mito-z")
    buttons = {button.accessibleName(): button for button in view.findChildren(QAbstractButton)}
    buttons["Copy the SHA-256 of the weights"].click()
    assert QGuiApplication.clipboard().text() == view.info.card.weights.sha256
    buttons["Open the model's folder in the file manager"].click()
    assert [Path(url.toLocalFile()) for url in opened] == [mine / "mito-z"]


# ------------------------------------------------------------------ importing


def test_what_is_dropped_is_imported_and_one_bad_file_stops_no_other(dock, package, tmp_path, qtbot, monkeypatch):
    other = tmp_path / "mails" / "other"
    shutil.copytree(package, other)
    change_card(other, name="other")
    bad = tmp_path / "mails" / "bad.zip"
    bad.write_bytes(b"PK\x03\x04 cut")
    text = tmp_path / "mails" / "letter.txt"
    text.write_text("dear colleague", encoding="utf-8")
    drop(dock, zipped(package), bad, text, other)
    settled(dock, qtbot)
    qtbot.waitUntil(lambda: {"colleague", "other"} <= set(names(dock)), timeout=PATIENCE)
    said = texts(dock.imports)
    assert "colleague.zip is imported as colleague." in said
    assert "other is imported." in said
    assert "bad.zip: " in said
    assert "letter.txt: this is no model of a known format" in said
    assert str(text) not in said, "the line begins with its name"
    assert not dock.imports.form.isVisibleTo(dock), "nothing that could be said would help"
    assert card_of(dock, "other").info.path.parent == tmp_path / "models"
    dock.imports.dismiss.click()
    QApplication.processEvents()
    assert "imported" not in texts(dock.imports)


def test_the_model_that_came_in_is_shown_even_if_the_filter_hides_it(dock, package, qtbot):
    dock.filter.setText("DNA")
    drop(dock, package)
    settled(dock, qtbot)
    qtbot.waitUntil(lambda: "colleague" in names(dock), timeout=PATIENCE)
    assert dock.cards.card_of("colleague").is_unfolded


def test_files_and_folders_are_chosen_in_a_dialog(dock, package, qtbot, monkeypatch):
    files, folder, address = dock.imports.button.menu().actions()
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *args, **kwargs: ([str(zipped(package))], ""))
    files.trigger()
    settled(dock, qtbot)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *args, **kwargs: str(package))
    folder.trigger()
    settled(dock, qtbot)
    qtbot.waitUntil(lambda: {"colleague", "colleague-2"} <= set(names(dock)), timeout=PATIENCE)
    address.trigger()
    assert dock.imports.address.isVisibleTo(dock)


def test_an_address_needs_its_fingerprint(dock, qtbot, monkeypatch):
    asked = []

    def refuse(source, told=None, *, sha256=None, on_progress=None):
        asked.append((source, sha256))
        raise DamagedModelError("the file is another one than was announced.")

    monkeypatch.setattr(library, "import_model", refuse)
    drop(dock, QUrl("https://lab.example/model.zip"))
    address = dock.imports.address
    assert address.address.text() == "https://lab.example/model.zip"
    assert not address.start.isEnabled()
    address.sha256.setText("abc")
    assert not address.start.isEnabled()
    address.sha256.setText(f" SHA256:{'AB' * 32} ")
    address.start.click()
    settled(dock, qtbot)
    assert asked == [("https://lab.example/model.zip", "ab" * 32)]
    assert "https://lab.example/model.zip: the file is another one" in texts(dock.imports)


@pytest.fixture
def foreign(monkeypatch, tiny_card, tiny_network):
    """A format that says nothing: it is imported once it is said what it predicts. Gives all that was told."""
    heard = []

    def read(path, told):
        heard.append(told)
        if not told.targets:
            error = ForeignModelError("this checkpoint does not say what it predicts. Say its targets.", file=path)
            error.missing = ("targets",)
            raise error
        card = tiny_card.model_copy(update={"name": told.name or "foreign", "targets": told.targets})
        return ForeignModel(card, tiny_network, np.zeros((1, 8, 16, 16), np.float32))

    monkeypatch.setattr(library, "read_foreign", read)
    return heard


@pytest.fixture
def presets(monkeypatch):
    target = Target(name="nuclei", stain="Hoechst", colormap="blue")
    told = Told(
        targets=(target,),
        third_axes=("z",),
        voxel_size_um=(0.29, 0.108, 0.108),
        normalisation=Normalisation(kind="range", percentiles=(1, 99)),
        licence="BSD-3-Clause",
        simulated=False,
        modality="bright-field",
    )
    monkeypatch.setattr(import_form, "presets", lambda: {"Allen 100x": told})
    return {"Allen 100x": told}


def test_what_a_checkpoint_does_not_say_is_asked_in_a_form(dock, foreign, presets, tmp_path, qtbot):
    files = [tmp_path / "first.p", tmp_path / "second.p"]
    for file in files:
        file.write_bytes(b"weights")
    drop(dock, *files)
    settled(dock, qtbot)
    form = dock.imports.form
    assert form.isVisibleTo(dock)
    assert "first.p" in form.title.text()
    assert form.reason.text() == "This checkpoint does not say what it predicts. Say its targets."
    form.start.click()
    settled(dock, qtbot)
    assert "first.p" in form.title.text(), "which still lacks it"
    form.targets.rows[0].name.setText("Mito / dots")
    form.start.click()
    assert "is not a model name" in form.problem.text
    form.targets.rows[0].name.setText("mitochondria")
    form.targets.rows[0].stain.setText("TMRM")
    form.name.setText("mine")
    form.voxel.fields[1].setText("0,108")
    form.start.click()
    assert "say y and x" in form.problem.text
    form.voxel.fields[2].setText("0.108")
    form.third_axis.setCurrentText("single planes")
    form.normalisation.kind.setCurrentText("median and IQR")
    form.cells.setCurrentText("real cells")
    form.start.click()
    settled(dock, qtbot)
    qtbot.waitUntil(lambda: "mine" in names(dock), timeout=PATIENCE)
    assert "second.p" in form.title.text(), "one after another"
    assert not form.name.text()
    form.skip.click()
    assert not form.isVisibleTo(dock)
    assert "second.p is left out" in texts(dock.imports)
    assert foreign[-1] == Told(
        name="mine",
        targets=(Target(name="mitochondria", stain="TMRM", colormap="magenta"),),
        third_axes=(),
        voxel_size_um=(None, 0.108, 0.108),
        normalisation=Normalisation(kind="robust"),
        simulated=False,
    )


def test_a_preset_fills_the_form(dock, foreign, presets, tmp_path, qtbot):
    (tmp_path / "model.p").write_bytes(b"weights")
    drop(dock, tmp_path / "model.p")
    settled(dock, qtbot)
    form = dock.imports.form
    form.preset.setCurrentText("Allen 100x")
    form.preset.activated.emit(1)
    assert [field.text() for field in form.voxel.fields] == ["0.29", "0.108", "0.108"]
    assert form.licence.text() == "BSD-3-Clause"
    form.targets.add.click()
    form.targets.rows[1].name.setText("membrane")
    form.start.click()
    settled(dock, qtbot)
    told = foreign[-1]
    assert told.preset == "Allen 100x"
    assert told.targets[0] == presets["Allen 100x"].targets[0], "with its colour"
    assert [target.name for target in told.targets] == ["nuclei", "membrane"]
    assert told.normalisation == Normalisation(kind="range", percentiles=(1, 99))


def test_code_is_run_only_after_a_yes(dock, tmp_path, qtbot, monkeypatch, tiny_card, tiny_network):
    heard = []

    def read(path, told):
        heard.append(told.trust)
        if not told.trust:
            raise UntrustedModelError("it holds the code of its network (model.py).", file=path)
        return ForeignModel(tiny_card, tiny_network, np.zeros((1, 8, 16, 16), np.float32))

    monkeypatch.setattr(library, "read_foreign", read)
    file = tmp_path / "model.pt"
    file.write_bytes(b"weights")
    drop(dock, file)
    said = answer(qtbot, "No")
    assert "model.py" in said
    assert "with all your rights" in said
    assert heard == [False]
    assert "nothing of it was run" in texts(dock.imports)
    drop(dock, file)
    answer(qtbot, "Yes, run it")
    settled(dock, qtbot)
    qtbot.waitUntil(lambda: "tiny" in names(dock), timeout=PATIENCE)
    assert heard == [False, False, True]


def test_a_fault_nobody_foresaw_stops_no_other_file(dock, package, tmp_path, qtbot, monkeypatch):
    def fail(path, told):
        raise ZeroDivisionError("of a reader")

    monkeypatch.setattr(library, "read_foreign", fail)
    (tmp_path / "odd.p").write_bytes(b"weights")
    drop(dock, tmp_path / "odd.p", package)
    settled(dock, qtbot)
    qtbot.waitUntil(lambda: "colleague" in names(dock), timeout=PATIENCE)
    assert "odd.p: Unexpected fault" in texts(dock.imports)


# ------------------------------------------------------------------ what is done with a model


def test_verify_says_in_words_what_it_found(dock, mine, qtbot):
    view = card_of(dock, "mito-z")
    view.tools.verify.click()
    done(view, qtbot)
    assert "Verified: mito-z gives the stored output" in texts(view)
    weights = mine / "mito-z" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\1")
    view.tools.verify.click()
    done(view, qtbot)
    assert "Verified" not in texts(view.tools)
    assert view.tools.failure.isVisibleTo(view)
    assert "damaged" in view.tools.failure.what.text()


def test_another_output_than_the_stored_one_is_no_pass(dock, mine, qtbot):
    sample = dict(np.load(mine / "mito-z" / "sample.npz"))
    np.savez(mine / "mito-z" / "sample.npz", input=sample["input"], output=sample["output"] + 1)
    view = card_of(dock, "mito-z")
    view.tools.verify.click()
    done(view, qtbot)
    assert "another output" in texts(view.tools)
    assert "Verified" not in texts(view.tools)


def test_export_says_where_it_went(dock, tmp_path, qtbot, monkeypatch):
    view = card_of(dock, "mito-z")
    zip_action, folder_action, *_ = view.tools.formats.actions()
    proposed = []

    def choose(parent, title, start, files):
        proposed.append(Path(start).name)
        return str(tmp_path / "for you"), ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", choose)
    zip_action.trigger()
    done(view, qtbot)
    assert proposed == ["mito-z.zip"]
    assert f"Written to {tmp_path / 'for you.zip'}" in texts(view)
    assert read_card(tmp_path / "for you.zip").name == "mito-z"
    (tmp_path / "out").mkdir()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *args, **kwargs: str(tmp_path / "out"))
    folder_action.trigger()
    done(view, qtbot)
    assert read_card(tmp_path / "out" / "mito-z").name == "mito-z"
    folder_action.trigger()
    done(view, qtbot)
    assert view.tools.failure.isVisibleTo(view), "nothing is replaced that no dialog asked about"
    assert "there already" in view.tools.failure.what.text()
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *args, **kwargs: ("", ""))
    zip_action.trigger()
    assert not view.busy


@pytest.mark.parametrize("export", EXPORTS, ids=[export.key for export in EXPORTS])
def test_every_format_reaches_the_library(export, dock, tmp_path, qtbot, monkeypatch):
    asked = []

    def refuse(name, destination, *, file_format, overwrite):
        asked.append((Path(name).name, destination.name, file_format, overwrite))
        raise MissingExtraError("for this format pip install something.")

    monkeypatch.setattr(library, "export_model", refuse)
    view = card_of(dock, "mito-z")
    view.tools.write(export, tmp_path / "out")
    done(view, qtbot)
    assert asked == [("mito-z", "out", export.key, bool(export.ending))]
    assert "pip install something" in view.tools.failure.what.text()
    assert "not foreseen" not in texts(view.tools.failure)


def test_images_are_asked_for_before_a_model_goes_to_zen(dock, mine, tmp_path, qtbot, monkeypatch, tiny_card):
    """Their constants stand in for the statistics of the whole image; what that costs is said."""
    card = tiny_card.model_copy(
        update={
            "name": "plane",
            "architecture": Architecture(kind="unet", arguments={"ndim": 2, "depth": 1, "base_channels": 2}),
            "input": Input(voxel_size_um=(None, 0.1, 0.1), third_axes=()),
        }
    )
    network = build_network("unet", card.architecture.arguments).eval()
    save_model(mine / "plane", card, network, np.zeros((1, 16, 16), np.float32))
    dock.refresh.click()
    settled(dock, qtbot)
    images = []
    for number in range(2):
        images.append(tmp_path / f"{number}.tif")
        pixels = np.random.default_rng(number).integers(100, 200, (64, 64), np.uint16)
        tifffile.imwrite(images[-1], pixels, metadata={"axes": "YX"})
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *args, **kwargs: (list(map(str, images)), ""))
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *args, **kwargs: (str(tmp_path / "plane"), ""))
    view = card_of(dock, "plane")
    view.tools.formats.actions()[-1].trigger()
    done(view, qtbot)
    assert (tmp_path / "plane.czann").is_file()
    assert "Fixed constants of 2 images" in texts(view)
    assert not card_of(dock, "mito-z").tools.formats.actions()[-1].isEnabled()


def test_rename_and_the_other_docks_know(dock, mine, qtbot, request):
    from napari_mito_predict._widgets.common import docks

    view = card_of(dock, "mito-z")
    view.tools.rename.click()
    row = view.tools.name_row
    row.field.setText("no/name")
    assert not row.save.isEnabled()
    assert "is not a model name" in row.problem.text
    row.field.setText("mine")
    row.save.click()
    qtbot.waitUntil(lambda: "mine" in names(dock), timeout=PATIENCE)
    settled(dock, qtbot)
    assert "mito-z is called mine now." in texts(dock)
    assert dock.cards.card_of("mine").is_unfolded
    assert dock.cards.card_of("mine").info.path == mine / "mine"
    assert not (mine / "mito-z").exists()
    assert docks._docks_of(dock.viewer, docks.MODELS) == [dock]


def test_a_name_that_is_taken_is_refused_in_words(dock, qtbot):
    view = card_of(dock, "mito-z")
    view.tools.rename.click()
    view.tools.name_row.field.setText("dna-z")
    view.tools.name_row.save.click()
    done(view, qtbot)
    assert "There is a model 'dna-z' already" in view.tools.failure.what.text()
    assert "mito-z" in names(dock)


def test_remove_asks_first_and_says_what_is_lost(dock, mine, qtbot):
    view = card_of(dock, "mito-z")
    view.tools.remove.click()
    said = answer(qtbot, "Keep it")
    assert str(mine / "mito-z") in said
    assert "no way back" in said
    assert (mine / "mito-z").is_dir()
    view.tools.remove.click()
    answer(qtbot, "Remove")
    # The bundled one of the same name was hidden behind it.
    qtbot.waitUntil(lambda: dock.cards.card_of("mito-z").info.bundled, timeout=PATIENCE)
    assert not (mine / "mito-z").exists()
    assert "mito-z is removed." in texts(dock)


def test_models_of_others_are_protected_and_say_why(dock, package, tmp_path, qtbot):
    dock.folders.add_folder(package.parent)
    qtbot.waitUntil(lambda: "colleague" in names(dock), timeout=PATIENCE)
    for name, place in (("mito-t", "built in"), ("colleague", "shared folder mails")):
        tools = card_of(dock, name).tools
        for button in (tools.rename, tools.remove):
            assert not button.isEnabled()
            assert place in button.toolTip()
        assert tools.export.isEnabled()


def test_shared_folders_are_added_and_forgotten(dock, package, tmp_path, qtbot, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *args, **kwargs: str(package.parent))
    dock.folders.add.click()
    qtbot.waitUntil(lambda: "colleague" in names(dock), timeout=PATIENCE)
    assert dock.folders.summary == "yours and 1 shared one"
    dock.folders.forget_buttons[package.parent].click()
    qtbot.waitUntil(lambda: "colleague" not in names(dock), timeout=PATIENCE)
    assert (package / "model.json").is_file()
    dock.folders.add_folder(tmp_path / "nowhere")
    qtbot.waitUntil(lambda: bool(dock.folders.problem.text), timeout=PATIENCE)
    assert "no such folder" in dock.folders.problem.text


def test_a_shared_folder_that_the_environment_names_is_not_forgotten_here(dock, package, qtbot, monkeypatch):
    monkeypatch.setenv("MITO_PREDICT_SHARED_MODELS", str(package.parent))
    refresh(dock, qtbot)
    button = dock.folders.forget_buttons[package.parent]
    assert not button.isEnabled()
    assert "MITO_PREDICT_SHARED_MODELS" in button.toolTip()


def test_a_card_is_pulled_out_as_a_zip(dock, qtbot, monkeypatch):
    handed = []
    monkeypatch.setattr(dragging.QGuiApplication, "mouseButtons", lambda: Qt.MouseButton.LeftButton)
    monkeypatch.setattr(dragging.QDrag, "exec", lambda self, action: handed.append((self.mimeData().urls(), action)))
    head = dock.cards.card_of("mito-t").head
    middle = head.rect().center()
    qtbot.mousePress(head, Qt.MouseButton.LeftButton, pos=middle)
    qtbot.mouseMove(head, middle + QPoint(0, 60))
    dock.dragging.begin(dock.cards.card_of("mito-t").info)
    qtbot.waitUntil(lambda: bool(handed), timeout=PATIENCE)
    [[url], action] = handed[0]
    assert action == Qt.DropAction.CopyAction
    assert read_card(Path(url.toLocalFile())).name == "mito-t"
    qtbot.mouseRelease(head, Qt.MouseButton.LeftButton, pos=middle)


# ------------------------------------------------------------------ other docks


def test_use_for_prediction_checks_that_model_alone(models_dock, request, qtbot):
    predict = open_predict(models_dock, request)
    card_of(models_dock, "mito-t").tools.use.click()
    assert predict.models.checked == ("mito-t",)
    assert predict.job.state is JobState.IDLE, "nothing is predicted yet"


def open_predict(dock, request):
    from napari.utils._proxies import PublicOnlyProxy

    from napari_mito_predict._widgets.contributions.predict_dock import MitoPredict

    viewer = request.getfixturevalue("viewer")
    predict = MitoPredict(PublicOnlyProxy(viewer))
    viewer.window.add_dock_widget(predict, name="Mito Predict", area="right")
    return predict


def test_the_other_docks_follow(models_dock, train_dock, request, package, qtbot):
    predict = open_predict(models_dock, request)
    predict.choose_model("mito-z")
    drop(models_dock, package)
    settled(models_dock, qtbot)
    assert "colleague" in predict.models._boxes
    assert train_dock.start.model.findData("colleague") >= 0
    view = card_of(models_dock, "colleague")
    predict.choose_model("colleague")
    view.tools.remove.click()
    answer(qtbot, "Remove")
    qtbot.waitUntil(lambda: "colleague" not in names(models_dock), timeout=PATIENCE)
    assert predict.models.checked == ()
    assert train_dock.start.model.findData("colleague") < 0


def test_a_finished_training_is_in_the_list(dock, models_folder, mine, qtbot):
    from napari_mito_predict._widgets.common.docks import tell_models_changed

    shutil.copytree(models_folder / "mito-z", mine / "trained")
    change_card(mine / "trained", name="trained")
    tell_models_changed(dock.viewer)  # as the dock Fine-tune does
    qtbot.waitUntil(lambda: "trained" in names(dock), timeout=PATIENCE)


def test_start_fine_tuning_from(models_dock, train_dock, mine, qtbot):
    card_of(models_dock, "dna-z").tools.train.click()
    assert train_dock.start.start_from == "dna-z"


def test_what_cannot_be_trained_says_why(dock, mine, qtbot):
    from napari_mito_predict.models import save_model
    from napari_mito_predict.networks.unet import UNet

    card = read_card(mine / "mito-z")
    arguments = {"ndim": 3, "depth": 1, "base_channels": 2, "out_channels": 2}
    facts = {"name": "both", "targets": (*card.targets, *read_card(mine / "dna-z").targets)}
    facts["architecture"] = Architecture(kind="unet", arguments=arguments)
    sample = np.zeros((1, 8, 16, 16), np.float32)
    save_model(mine / "both", card.model_copy(update=facts), UNet(**arguments), sample)
    refresh(dock, qtbot)
    button = card_of(dock, "both").tools.train
    assert not button.isEnabled()
    assert "2 targets" in button.toolTip()
    foreign = card.model_copy(update={"architecture": Architecture.model_construct(kind="unext2", arguments={})})
    assert "unext2" in why_not_trained_further(foreign)


def test_the_predict_dock_opens_this_one(request, viewer, places, qtbot, monkeypatch):
    from napari_mito_predict._widgets.predict import widget

    opened = []
    monkeypatch.setattr(widget, "open_dock", lambda viewer, name: opened.append(name))
    predict = open_predict(None, request)
    predict.models.all_models.click()
    assert opened == ["Models"]


# ------------------------------------------------------------------ coming and going


@pytest.mark.parametrize("end", ["close", "delete"])
def test_closing_while_working_is_safe(end, models_dock, viewer, package, qtbot, monkeypatch):
    go_on = threading.Event()
    original = library.import_model

    def slowly(*args, **kwargs):
        go_on.wait(20)
        return original(*args, **kwargs)

    monkeypatch.setattr(library, "import_model", slowly)
    drop(models_dock, package, package)
    card_of(models_dock, "mito-z").tools.verify.click()
    assert models_dock.imports.queue.busy
    viewer.window.remove_dock_widget(models_dock.parentWidget())
    if end == "delete":
        models_dock.deleteLater()
        QApplication.processEvents()
    go_on.set()
    qtbot.waitUntil(lambda: QThreadPool.globalInstance().activeThreadCount() == 0, timeout=PATIENCE)
    QApplication.processEvents()
    assert "colleague-2" not in [info.name for info in list_models()], "what waited is not begun"
    assert not isalive(models_dock) or not models_dock.imports.queue.busy


def test_cancel_gives_up_what_waits(dock, package, qtbot, monkeypatch):
    go_on = threading.Event()
    begun = []

    def slowly(source, *args, **kwargs):
        begun.append(source)
        go_on.wait(20)
        raise OutputExistsError("late")

    monkeypatch.setattr(library, "import_model", slowly)
    drop(dock, package, package, package)
    qtbot.waitUntil(lambda: bool(begun), timeout=PATIENCE)
    assert "2 more to come" in dock.imports.progress.text()
    dock.imports.cancel.click()
    go_on.set()
    qtbot.waitUntil(lambda: QThreadPool.globalInstance().activeThreadCount() == 0, timeout=PATIENCE)
    QApplication.processEvents()
    assert len(begun) == 1
    assert "late" not in texts(dock.imports)
    assert not dock.imports.progress.isVisibleTo(dock)


def test_it_is_said_how_much_of_an_address_has_come_and_cancel_ends_it(dock, qtbot, monkeypatch):
    ended = threading.Event()

    def fetch(source, told=None, *, sha256=None, on_progress=None):
        try:
            while True:
                on_progress(3_000_000, 12_000_000)
                ended.wait(0.01)
        finally:
            ended.set()

    monkeypatch.setattr(library, "import_model", fetch)
    dock.imports.queue.add([Wish("https://lab.example/model.zip", sha256="ab" * 32)])
    qtbot.waitUntil(lambda: "3 of 12 MB" in dock.imports.progress.text(), timeout=PATIENCE)
    dock.imports.cancel.click()
    assert ended.wait(20)
    qtbot.waitUntil(lambda: QThreadPool.globalInstance().activeThreadCount() == 0, timeout=PATIENCE)
    assert "lab.example" not in texts(dock.imports)


def test_a_list_that_cannot_be_read_is_said(dock, qtbot, monkeypatch):
    def fail():
        raise OSError("the share is gone")

    monkeypatch.setattr("napari_mito_predict._widgets.models.work.list_models", fail)
    before = names(dock)
    dock.refresh.click()
    qtbot.waitUntil(lambda: dock.job.state is JobState.FAILED, timeout=PATIENCE)
    assert "the share is gone" in dock.failure.what.text()
    assert names(dock) == before


# ------------------------------------------------------------------ for everybody


def test_every_control_is_reached_by_the_keyboard_and_has_a_name(dock, qtbot, foreign, tmp_path):
    (tmp_path / "model.p").write_bytes(b"weights")
    drop(dock, tmp_path / "model.p")
    settled(dock, qtbot)
    dock.imports.address.open()
    card_of(dock, "mito-z").tools.rename.click()
    dock.folders.expand(animate=False)
    QApplication.processEvents()
    kinds = (QAbstractButton, QComboBox, QLineEdit)
    controls = [control for kind in kinds for control in dock.findChildren(kind) if control.isVisible()]
    assert len(controls) > 25
    for control in controls:
        inside = isinstance(control.parentWidget(), QLineEdit | QComboBox)
        if control.isEnabled() and not inside:
            assert control.focusPolicy() & Qt.FocusPolicy.TabFocus, control
            named = control.accessibleName() or (isinstance(control, QAbstractButton) and control.text())
            assert named, control


@pytest.mark.parametrize("key", [Qt.Key.Key_Space, Qt.Key.Key_Return])
def test_a_card_unfolds_by_keyboard(key, dock, qtbot):
    view = dock.cards.card_of("mito-z")
    qtbot.keyClick(view.head, key)
    assert view.is_unfolded
    qtbot.keyClick(view.head, key)
    assert not view.is_unfolded


def test_a_click_on_any_word_of_a_card_unfolds_it(dock, qtbot):
    head = dock.cards.card_of("mito-z").head
    for label in head.findChildren(Wrapped):
        assert label.testAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
    qtbot.mouseClick(head, Qt.MouseButton.LeftButton)
    assert dock.cards.card_of("mito-z").is_unfolded


def test_themes_change_with_napari(dock):
    before = dock.styleSheet()
    dock.viewer.theme = "light"
    assert dock.styleSheet() != before


def test_opening_the_module_imports_no_torch():
    code = "import sys, napari_mito_predict._widgets.models.widget; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)


def test_a_wish_is_called_by_its_name():
    assert Wish(Path("/data/model.zip")).name == "model.zip"
    assert Wish("https://lab.example/model.zip").name == "https://lab.example/model.zip"
