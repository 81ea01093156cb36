"""The settings of a training that most people leave as they are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QDoubleSpinBox,
    QFileDialog,
    QGridLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QWidget,
)

from napari_mito_predict._widgets._parts import Combo

_LOSSES = {"mse": "squared error", "l1": "absolute error", "mse+dssim": "squared error + structure"}
_PRECISIONS = {"auto": "Automatic", "32": "32 bits, exact", "bf16": "bf16, faster", "16": "16 bits, faster"}
_PICTURES = 20
"""A run that validates more rarely than this many times shows too little of how it improves."""


class Options(QWidget):
    """Everything under "Advanced"; `sampling_changed` tells that fields have to be read anew."""

    changed = Signal()
    sampling_changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.folder: Path | None = None
        self._validate_every = 0
        self.iterations = _whole(1, 10_000_000, 100)
        self.minutes = _whole(0, 100_000, 5)
        self.minutes.setSpecialValueText("no limit")
        self.batch = _whole(1, 512, 1)
        self.rate = QDoubleSpinBox()
        self.rate.setDecimals(6)
        self.rate.setRange(1e-6, 0.1)
        self.rate.setSingleStep(1e-4)
        self.loss, self.precision = _choice(_LOSSES), _choice(_PRECISIONS)
        self.seed = _whole(0, 2**31 - 1, 1)
        self.voxel = QLineEdit()
        self.voxel.setPlaceholderText("from the images")
        self.folder_button = QPushButton("default")
        self.folder_button.clicked.connect(self._ask_for_folder)
        self._build()
        for box in (self.iterations, self.minutes, self.batch, self.rate, self.seed):
            box.setKeyboardTracking(False)
            box.valueChanged.connect(lambda _: self.changed.emit())
        for combo in (self.loss, self.precision):
            combo.currentIndexChanged.connect(lambda _: self.changed.emit())
        self.voxel.editingFinished.connect(self.sampling_changed)

    def _build(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setColumnStretch(1, 1)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(4)
        fields = (
            ("Iterations", self.iterations, "How often the network is corrected."),
            ("At most, minutes", self.minutes, "Ends in time with the best model so far."),
            (
                "Pieces at once",
                self.batch,
                "Batch size: how many pieces of your fields each correction is made from. More is steadier, and needs "
                "more memory and time.",
            ),
            (
                "Learning rate",
                self.rate,
                "How large each correction is. Too large: the loss jumps about. Too small: it hardly falls.",
            ),
            ("Loss", self.loss, "What counts as an error between prediction and truth."),
            ("Precision", self.precision, "bf16 and 16 bits are faster on newer graphics cards."),
            ("Seed", self.seed, "Another number draws another split of the fields, and other pieces of them."),
            (
                "Voxel size, µm",
                self.voxel,
                "Z step, row, column, such as 0.29, 0.11, 0.11: where the images do not say it, or to train at "
                "another sampling.",
            ),
            ("Output folder", self.folder_button, "Where the folder of the run is made."),
        )
        for row, (text, field, tooltip) in enumerate(fields):
            label = QLabel(text)
            for widget in (label, field):
                widget.setToolTip(tooltip)
            field.setAccessibleName(text)
            field.setMinimumWidth(60)
            grid.addWidget(label, row, 0)
            grid.addWidget(field, row, 1)

    @property
    def settings(self) -> dict[str, Any]:
        """As a training configuration takes them."""
        iterations = self.iterations.value()
        settings: dict[str, Any] = {
            "iterations": iterations,
            "max_minutes": self.minutes.value() or None,
            "batch_size": self.batch.value(),
            "learning_rate": round(self.rate.value(), 6),
            "loss": self.loss.currentData(),
            "precision": self.precision.currentData(),
            "seed": self.seed.value(),
            "split": {"seed": self.seed.value()},
            "validate_every": max(1, min(self._validate_every, iterations // _PICTURES)),
        }
        if (size := self._voxel_size()) is not None:
            settings["voxel_size_um"] = size
        return settings

    def use_preset(self, name: str) -> None:
        """Fill in what a preset says."""
        from napari_mito_predict.training.config import TrainingConfig
        from napari_mito_predict.training.presets import PRESETS

        def default(key: str) -> Any:
            return PRESETS[name].get(key, TrainingConfig.model_fields[key].default)

        self.blockSignals(True)
        self._validate_every = default("validate_every")
        self.iterations.setValue(default("iterations"))
        self.batch.setValue(default("batch_size"))
        self.rate.setValue(default("learning_rate"))
        self.loss.setCurrentIndex(self.loss.findData(default("loss")))
        self.blockSignals(False)
        self.changed.emit()

    def set_folder(self, folder: Path | None) -> None:
        """Make run folders there; None for the default place."""
        self.folder = folder
        text = (folder.name or str(folder)) if folder else "default"
        self.folder_button.setText(self.folder_button.fontMetrics().elidedText(text, Qt.TextElideMode.ElideMiddle, 140))
        self.changed.emit()

    def _ask_for_folder(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Make the folder of the run in", str(self.folder or ""))
        self.set_folder(Path(chosen) if chosen else None)

    def _voxel_size(self) -> tuple[float | None, float, float] | None:
        numbers = [float(n) for n in re.findall(r"\d*\.?\d+", self.voxel.text()) if float(n) > 0]
        match numbers:
            case [z, y, x]:
                return z, y, x
            case [y, x]:
                return None, y, x
            case [x]:
                return None, x, x
            case _:
                return None


def _whole(low: int, high: int, step: int) -> QSpinBox:
    box = QSpinBox()
    box.setRange(low, high)
    box.setSingleStep(step)
    return box


def _choice(entries: dict[str, str]) -> Combo:
    combo = Combo()
    for value, text in entries.items():
        combo.addItem(text, value)
    return combo
