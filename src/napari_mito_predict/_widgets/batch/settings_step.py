"""Step 2: by which models, and where the predictions go; remembered from one session to the next."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QFileDialog, QLabel, QWidget

from napari_mito_predict._widgets.batch.told import Told
from napari_mito_predict._widgets.common.controls import Combo
from napari_mito_predict._widgets.common.layouts import clear, column, form, row
from napari_mito_predict._widgets.common.model_words import cells_kind, target_title, third_axes
from napari_mito_predict._widgets.common.settings import preference, remember, remembered
from napari_mito_predict._widgets.common.steps import Step
from napari_mito_predict._widgets.common.wrapped import Elided, ElidedButton, Wrapped
from napari_mito_predict.models.registry import list_models
from napari_mito_predict.prediction.batch.settings import BatchSettings, FileFormat

if TYPE_CHECKING:
    from napari_mito_predict.models.card import ModelCard

_MEMORY: Final = "many-images"
_FITTING: Final = "fitting"
_CHOSEN: Final = "chosen"
_KINDS: Final = {_FITTING: "Those that fit each image", _CHOSEN: "Chosen here"}
_INTO_PLATE: Final = "into-plate"
_NEW_PLATE: Final = "new-plate"
_FORMATS: Final = {str(FileFormat.OME_TIFF): "OME-TIFF", str(FileFormat.OME_ZARR): "OME-Zarr, for large images"}
_PLATES: Final = {_INTO_PLATE: "Into the plate", _NEW_PLATE: "A new plate"}
_PLATE_TIPS: Final = {
    _INTO_PLATE: "Each well gets one image more for each of its fields, with all targets as channels",
    _NEW_PLATE: "An OME-Zarr plate with the same wells and fields, in the folder above",
}
_NO_FOLDER: Final = "choose…"
_DEFAULT_FOLDER: Final = "predicted"


class SettingsStep(Step):
    """What is done with each image; tells by `changed` when that is something else."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("2  Predictions", parent)
        self._folder: Path | None = None
        self._is_folder_chosen = False
        self.watched: Path | None = None
        self._build_models()
        self._build_output()
        self._remember_choices()
        self.refresh_models()
        self._update()

    # ------------------------------------------------------------------ building

    def _build_models(self) -> None:
        self._rows = form()
        self.body.addLayout(self._rows)
        self.kind = Combo()
        for key, text in _KINDS.items():
            self.kind.addItem(text, key)
        self.kind.setAccessibleName("Models")
        self.kind.setToolTip("Of each image is known what was recorded and how: models are compared with that")
        self._rows.addRow(QLabel("Models"), self.kind)
        self.models: dict[str, QCheckBox] = {}
        self._models = QWidget()
        self._model_rows = column(4)
        self._models.setLayout(self._model_rows)
        self._rows.addRow(self._models)

    def _build_output(self) -> None:
        self.folder = ElidedButton(_NO_FOLDER)
        self.folder.setAccessibleName("Save to")
        self.folder.clicked.connect(self._ask_for_folder)
        self.format = Combo()
        for key, text in _FORMATS.items():
            self.format.addItem(text, key)
        self.format.setAccessibleName("Format")
        self.format.setToolTip("OME-Zarr is written while it is computed: for results larger than memory")
        self.one_file = QCheckBox("All targets in one file")
        self.one_file.setToolTip("As channels that open in their colours; without it a file for each target")
        self.again = QCheckBox("Predict again what is there")
        self.again.setToolTip(
            "Also replaces predictions that are there of something else.\n"
            "Without it, what is there of the same image, model and parameters stays, and others are named."
        )
        self.watch = QCheckBox("Watch the folder")
        self.watch.setToolTip(
            "Predict what a microscope writes into the folder that was added last, until you press Cancel.\n"
            "A file is taken when it did not change for 6 seconds and can be opened."
        )
        self.watched_label = Elided("")
        self.watched_label.setProperty("quiet", True)
        self._rows.addRow(QLabel("Save to"), self.folder)
        self._rows.addRow(QLabel("Format"), self.format)
        self.told = Told()
        for box in (self.one_file, self.again, self.watch, self.watched_label, self.told):
            self.body.addWidget(box)

    # ------------------------------------------------------------------ remembering

    def _remember_choices(self) -> None:
        """Take what was chosen last time, and keep what is chosen from now on.

        Predicting again, watching and what is told of the files are for one run: nobody wants to lose a night to what
        was chosen last week.
        """
        before = remembered(_MEMORY)
        self._chosen_before = {str(name) for name in _list_in(before, "models")}
        self.kind.setCurrentIndex(max(0, self.kind.findData(before.get("kind"))))
        self.format.setCurrentIndex(max(0, self.format.findData(before.get("format"))))
        self.one_file.setChecked(before.get("one_file") is True)
        if isinstance(before.get("folder"), str):
            self._show_folder(Path(before["folder"]))
            self._is_folder_chosen = True
        self.kind.currentIndexChanged.connect(lambda _: self._choose())
        self.format.currentIndexChanged.connect(lambda _: self._choose())
        for box in (self.one_file, self.again, self.watch):
            box.toggled.connect(lambda _: self._choose())
        self.told.changed.connect(self._update)

    def _choose(self) -> None:
        self._chosen_before = set(self.checked)
        choices: dict[str, Any] = {
            "kind": self.kind.currentData(),
            "models": list(self.checked),
            "format": self.format.currentData(),
            "one_file": self.one_file.isChecked(),
        }
        if self._is_folder_chosen:
            choices["folder"] = str(self._folder)
        remember(_MEMORY, choices)
        self._update()

    # ------------------------------------------------------------------ models

    def refresh_models(self) -> None:
        """Read the list of models anew, keeping what is chosen."""
        clear(self._model_rows)
        self.models = {}
        for info in list_models():
            if info.card is not None:
                self._add_model(info.name, info.card)
        self._update()

    def _add_model(self, name: str, card: ModelCard) -> None:
        targets = " + ".join(target_title(target.name) for target in card.targets)
        box = QCheckBox()
        box.setAccessibleName(name)
        box.setChecked(name in self._chosen_before)
        box.toggled.connect(lambda _: self._choose())
        self.models[name] = box
        words = column(0)
        words.addWidget(Elided(name))
        words.addWidget(Wrapped(f"{targets} · {third_axes(card)} · {cells_kind(card)} cells", quiet=True))
        line = row()
        line.addWidget(box, 0, Qt.AlignmentFlag.AlignTop)
        line.addLayout(words, 1)
        holder = QWidget()
        holder.setLayout(line)
        self._model_rows.addWidget(holder)

    @property
    def checked(self) -> tuple[str, ...]:
        """Names of the models with a tick, in the order of the list."""
        return tuple(name for name, box in self.models.items() if box.isChecked())

    # ------------------------------------------------------------------ what was chosen

    @property
    def settings(self) -> BatchSettings | None:
        """What to do with each image; None as long as something is `missing`."""
        if self.missing:
            return None
        plan = {
            "device": preference("device"),
            "precision": preference("precision"),
            "tta": preference("tta") == str(True),
            **self.told.plan,
        }
        return BatchSettings(
            self.output_folder,
            self.checked if self.kind.currentData() == _CHOSEN else (),
            FileFormat.OME_ZARR if self._is_plate else FileFormat(self.format.currentData()),
            composite=bool(self.one_file.isChecked()),
            into_plate=self._is_plate,
            overwrite=bool(self.again.isChecked()),
            plan=plan,
        )

    @property
    def missing(self) -> str:
        """What is still to be chosen."""
        if self.kind.currentData() == _CHOSEN and not self.checked:
            return "choose a model"
        if self._folder is None and not self._is_into_plate:
            return "choose a folder"
        return self.told.missing

    @property
    def output_folder(self) -> Path | None:
        """Gets the predictions; None where the plate that they are made from gets them."""
        return None if self._is_into_plate else self._folder

    @property
    def _is_into_plate(self) -> bool:
        return bool(self.format.currentData() == _INTO_PLATE)

    @property
    def _is_plate(self) -> bool:
        return self.format.currentData() in _PLATES

    @property
    def watched_folder(self) -> Path | None:
        """The folder to watch; None for none."""
        return self.watched if self.watch.isChecked() else None

    def suggest_folder(self, beside: Path) -> None:
        """Save into a folder beside an image, as long as nobody has chosen one."""
        if self._folder is None:
            self._show_folder(beside.parent / _DEFAULT_FOLDER)
            self._update()

    def set_output_folder(self, folder: Path) -> None:
        """Save there."""
        self._is_folder_chosen = True
        self._show_folder(folder)
        self._choose()

    def offer_to_watch(self, folder: Path) -> None:
        """Watch this folder, if one is to be watched."""
        self.watched = folder
        self._update()

    def offer_plates(self) -> None:
        """Let predictions go into plates: some of the images are of one."""
        if self.format.findData(_INTO_PLATE) >= 0:
            return
        for key, text in _PLATES.items():
            self.format.addItem(text, key)
            self.format.setItemData(self.format.count() - 1, _PLATE_TIPS[key], Qt.ItemDataRole.ToolTipRole)

    def _ask_for_folder(self) -> None:
        if chosen := QFileDialog.getExistingDirectory(self, "Save predictions to", str(self._folder or "")):
            self.set_output_folder(Path(chosen))

    def _show_folder(self, folder: Path) -> None:
        self._folder = folder
        self.folder.setText(folder.name or str(folder))
        self.folder.setToolTip(f"{folder}\nMade if it is not there")

    # ------------------------------------------------------------------ saying

    def set_busy(self, busy: bool) -> None:
        """Nothing changes under way."""
        self.content().setEnabled(not busy)

    def _update(self) -> None:
        self._rows.setRowVisible(self._models, self.kind.currentData() == _CHOSEN)
        self._rows.setRowVisible(self.folder, not self._is_into_plate)
        self.one_file.setVisible(not self._is_plate)
        self.watch.setEnabled(self.watched is not None)
        self.watched_label.setVisible(self.watched is not None)
        if self.watched is not None:
            self.watched_label.setText(self.watched.name or str(self.watched))
            self.watched_label.setToolTip(str(self.watched))
        if self.missing:
            self.set_summary(self.missing, "idle")
        elif self._is_into_plate:
            self.set_summary("into the plate", "ok", chosen=True)
        elif self._folder is not None:
            self.set_summary(f"to {self._folder.name}", "ok", chosen=True)
        self.changed.emit()


def _list_in(found: dict[str, Any], key: str) -> list[Any]:
    value = found.get(key)
    return value if isinstance(value, list) else []
