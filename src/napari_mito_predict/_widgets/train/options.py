"""The settings of a training that most people leave as they are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magicgui.types import FileDialogMode
from magicgui.widgets import ComboBox, FileEdit, FloatSpinBox, LineEdit, SpinBox
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QLabel, QWidget
from superqt.utils import signals_blocked

from napari_mito_predict._widgets.common.layouts import form

if TYPE_CHECKING:
    from magicgui.widgets.bases import ValueWidget

_LOSSES = [
    ("squared error", "mse"),
    ("absolute error", "l1"),
    ("squared + SSIM", "mse+dssim"),
    ("squared + correlation", "mse+pcc"),
]
_PRECISIONS = [("Automatic", "auto"), ("32 bits, exact", "32"), ("bf16, faster", "bf16"), ("16 bits, faster", "16")]
_FEWEST_VALIDATIONS = 20
"""A run that validates more rarely than this many times shows too little of how it improves."""


class Options(QWidget):
    """Everything under "Advanced"; `sampling_changed` tells that fields have to be read anew."""

    changed = Signal()
    sampling_changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._validate_every = 0
        self.iterations = SpinBox(
            min=1, max=10_000_000, step=100, label="Iterations", tooltip="How often the network is corrected."
        )
        self.minutes = SpinBox(
            max=100_000,
            step=5,
            label="At most, minutes",
            tooltip="Ends in time with the best model so far; 0: no limit.",
        )
        self.batch = SpinBox(
            min=1,
            max=512,
            label="Pieces at once",
            tooltip="Batch size: how many pieces of your fields each correction is made from. More is steadier, and "
            "needs more memory and time.",
        )
        self.rate = FloatSpinBox(
            value=1e-3,
            min=1e-6,
            max=0.1,
            step=1e-4,
            label="Learning rate",
            tooltip="How large each correction is. Too large: the loss jumps about. Too small: it hardly falls.",
        )
        self.loss = ComboBox(
            choices=_LOSSES, label="Loss", tooltip="What counts as an error between prediction and truth."
        )
        self.precision = ComboBox(
            choices=_PRECISIONS, label="Precision", tooltip="bf16 and 16 bits are faster on newer graphics cards."
        )
        self.seed = SpinBox(
            max=2**31 - 1,
            label="Seed",
            tooltip="Another number draws another split of the fields, and other pieces of them.",
        )
        self.voxel = LineEdit(
            label="Voxel size, µm",
            tooltip="Z step, row, column, such as 0.29, 0.11, 0.11: where the images do not say it, or to train at "
            "another sampling.",
        )
        self.output = FileEdit(
            mode=FileDialogMode.EXISTING_DIRECTORY,
            nullable=True,
            label="Output folder",
            tooltip="Where the folder of the run is made.",
        )
        self._build()

    def _build(self) -> None:
        self.voxel.native.setPlaceholderText("from the images")
        self.output.line_edit.native.setPlaceholderText("default")
        self.output.choose_btn.text = "…"
        self.rate.native.setDecimals(6)
        numbers = (self.iterations, self.minutes, self.batch, self.rate, self.seed)
        settings: tuple[ValueWidget[Any], ...] = (*numbers, self.loss, self.precision)
        rows = form()
        self.setLayout(rows)
        for widget in (*settings, self.voxel, self.output):
            label = QLabel(widget.label)
            label.setToolTip(widget.tooltip)
            widget.native.setAccessibleName(widget.label)
            widget.native.setMinimumWidth(60)
            rows.addRow(label, widget.native)
        for widget in (*settings, self.output):
            widget.changed.connect(lambda _: self.changed.emit())
        for spin in numbers:
            spin.native.setKeyboardTracking(False)
        self.voxel.native.editingFinished.connect(self.sampling_changed)

    @property
    def folder(self) -> Path | None:
        """Where run folders are made; None for the default place."""
        chosen = self.output.value
        if isinstance(chosen, Path):
            return chosen
        return None

    @property
    def settings(self) -> dict[str, Any]:
        """What was chosen, by the names of a training configuration."""
        iterations, seed = int(self.iterations.value), int(self.seed.value)
        settings: dict[str, Any] = {
            "iterations": iterations,
            "max_minutes": self.minutes.value or None,
            "batch_size": self.batch.value,
            "learning_rate": round(self.rate.value, 6),
            "loss": self.loss.value,
            "precision": self.precision.value,
            "seed": seed,
            "split": {"seed": seed},
            "validate_every": max(1, min(self._validate_every, iterations // _FEWEST_VALIDATIONS)),
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

        with signals_blocked(self):
            self._validate_every = default("validate_every")
            self.iterations.value = default("iterations")
            self.batch.value = default("batch_size")
            self.rate.value = default("learning_rate")
            self.loss.value = default("loss")
        self.changed.emit()

    def _voxel_size(self) -> tuple[float | None, float, float] | None:
        numbers = [float(n) for n in re.findall(r"\d*\.?\d+", self.voxel.value) if float(n) > 0]
        match numbers:
            case [z, y, x]:
                return z, y, x
            case [y, x]:
                return None, y, x
            case [x]:
                return None, x, x
            case _:
                return None
