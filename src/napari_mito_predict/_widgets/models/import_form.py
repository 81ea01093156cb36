"""What a model file of another program does not say of itself, asked from the user."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import ValidationError
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFrame, QLabel, QLineEdit, QPushButton, QWidget

from napari_mito_predict._widgets.common.controls import Combo
from napari_mito_predict._widgets.common.layouts import column, form, row
from napari_mito_predict._widgets.common.wrapped import WarningLine, Wrapped
from napari_mito_predict._widgets.models.normalisation_field import NormalisationField
from napari_mito_predict._widgets.models.numbers_row import NumbersRow
from napari_mito_predict._widgets.models.target_rows import TargetRows
from napari_mito_predict.image.metadata import LARGEST_VOXEL_UM, SMALLEST_VOXEL_UM
from napari_mito_predict.models.card_values import check_name
from napari_mito_predict.models.importers.foreign import Told
from napari_mito_predict.models.importers.recognise import presets

if TYPE_CHECKING:
    from napari_mito_predict._widgets.models.importing import Wish
    from napari_mito_predict.models.card import ThirdAxis

_THIRD_AXES: dict[str, tuple[ThirdAxis, ...] | None] = {
    "as the file says": None,
    "z-stacks": ("z",),
    "time series": ("t",),
    "z-stacks and time series": ("z", "t"),
    "single planes": (),
}
_MARK = " *"
_CELLS = {"not stated": None, "real cells": False, "simulated cells": True}


class ImportForm(QFrame):
    """Hidden while nothing is asked. `wished` gives the same wish with what was said; `skipped` gives it up."""

    wished = Signal(object)
    skipped = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.wish: Wish | None = None
        self.setProperty("form_card", True)
        lines = column(6)
        lines.setContentsMargins(6, 6, 6, 6)
        self.setLayout(lines)
        self.title = Wrapped()
        self.title.setProperty("title", True)
        self.reason = Wrapped()
        lines.addWidget(self.title)
        lines.addWidget(self.reason)
        self._make_fields()
        rows = form()
        self._labels: dict[str, QLabel] = {}
        for key, (text, field) in self._rows().items():
            if not field.accessibleName():
                field.setAccessibleName(text)
            self._labels[key] = QLabel(text)
            if field is self.targets:  # two fields in a row need all of its width
                rows.addRow(self._labels[key])
                rows.addRow(field)
            else:
                rows.addRow(self._labels[key], field)
        lines.addLayout(rows)
        self.problem = WarningLine()
        lines.addWidget(self.problem)
        self.start = QPushButton("Import")
        self.skip = QPushButton("Leave it out")
        buttons = row()
        buttons.addWidget(self.start)
        buttons.addWidget(self.skip)
        lines.addLayout(buttons)
        self.start.clicked.connect(self._say_it)
        self.skip.clicked.connect(self.skipped)
        self.hide()

    def _make_fields(self) -> None:
        self.preset = Combo()
        self.preset.setToolTip("A published model, or a way of training, that the rest is known from")
        self.name = QLineEdit()
        self.name.setPlaceholderText("as the file is called")
        self.targets = TargetRows()
        self.third_axis = Combo()
        self.third_axis.addItems(_THIRD_AXES)
        axes = ("z", "y", "x")
        self.voxel = NumbersRow(axes, [f"voxel size in {axis}, in micrometres" for axis in axes], "?")
        self.voxel.setToolTip("In micrometres, as the images that it was trained on; left empty it is unknown")
        self.normalisation = NormalisationField()
        self.licence = QLineEdit()
        self.licence.setPlaceholderText("not stated")
        self.cells = Combo()
        self.cells.addItems(_CELLS)
        self.preset.activated.connect(lambda _: self._use_preset())

    def _rows(self) -> dict[str, tuple[str, QWidget]]:
        """The fields with their labels, by what `Told` calls them."""
        return {
            "preset": ("Known as", self.preset),
            "name": ("Name", self.name),
            "targets": ("Predicts · stain", self.targets),
            "third_axes": ("Trained on", self.third_axis),
            "voxel_size_um": ("Voxel, µm", self.voxel),
            "normalisation": ("Normalised", self.normalisation),
            "licence": ("Licence", self.licence),
            "simulated": ("Cells", self.cells),
        }

    # ------------------------------------------------------------------ asking

    def ask(self, wish: Wish, reason: str, missing: Sequence[str] = ()) -> None:
        """Ask about a file: why stands above, what is `missing` is marked, and what was said before is still there."""
        self.wish = wish
        self.title.setText(f"More has to be said about {wish.name}")
        self.reason.setText(reason[:1].upper() + reason[1:])
        self._fill_presets(wish.told.preset)
        self._show_told(wish.told)
        self.problem.say("")
        for key, (text, _) in self._rows().items():
            if key in missing:
                text += _MARK
            self._labels[key].setText(text)
        self.show()
        self.preset.setFocus()

    def close_form(self) -> None:
        """Ask no more."""
        self.wish = None
        self.hide()

    def _fill_presets(self, chosen: str | None) -> None:
        self.preset.clear()
        names = list(presets())
        self.preset.addItems(["none of these", *names])
        if chosen in names:
            self.preset.setCurrentIndex(1 + names.index(chosen))

    @property
    def _chosen_preset(self) -> str | None:
        if self.preset.currentIndex() <= 0:
            return None
        return self.preset.currentText()

    def _use_preset(self) -> None:
        """Show all that the preset knows; a name that was typed stays."""
        preset = presets().get(self._chosen_preset or "", Told())
        self._show_told(replace(preset, name=self.name.text().strip() or preset.name))

    def _show_told(self, told: Told) -> None:
        self.name.setText(told.name or "")
        self.targets.show_targets(told.targets or ())
        self.third_axis.setCurrentIndex(list(_THIRD_AXES.values()).index(told.third_axes))
        self.voxel.set_values(told.voxel_size_um or (None, None, None))
        self.normalisation.show_value(told.normalisation)
        self.licence.setText(told.licence or "")
        self.cells.setCurrentIndex(list(_CELLS.values()).index(told.simulated))

    # ------------------------------------------------------------------ what is said

    def told(self) -> Told:
        """What is said in the form; what is not asked there is as before.

        Raises
        ------
        ValueError
            Something cannot be.
        """
        before = Told() if self.wish is None else self.wish.told
        name = self.name.text().strip() or None
        if name is not None:
            check_name(name)
        licence = self.licence.text().strip()  # emptied, it is not that of the preset
        return replace(
            before,
            preset=self._chosen_preset,
            name=name,
            targets=self.targets.targets(),
            third_axes=_THIRD_AXES[self.third_axis.currentText()],
            voxel_size_um=self._voxel_size(),
            normalisation=self.normalisation.value(),
            licence=licence if self._chosen_preset else licence or None,
            simulated=_CELLS[self.cells.currentText()],
        )

    def _voxel_size(self) -> tuple[float | None, float | None, float | None]:
        z, *plane = self.voxel.values()
        y, x = plane
        if (y is None) != (x is None) or (z is not None and y is None):
            raise ValueError("Voxel size: say y and x, or leave all three empty.")
        for size in (z, y, x):
            if size is not None and not SMALLEST_VOXEL_UM <= size <= LARGEST_VOXEL_UM:
                raise ValueError(
                    f"Voxel size: {size:g} µm cannot be; it is between {SMALLEST_VOXEL_UM:g} and {LARGEST_VOXEL_UM:g}."
                )
        return z, y, x

    def _say_it(self) -> None:
        if self.wish is None:
            return
        try:
            told = self.told()
        except ValidationError as error:
            self.problem.say(error.errors()[0]["msg"].removeprefix("Value error, "))
            return
        except ValueError as error:
            self.problem.say(str(error))
            return
        self.wished.emit(replace(self.wish, told=told))
