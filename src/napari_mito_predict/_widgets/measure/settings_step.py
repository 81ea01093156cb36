"""Step 2: how objects are found, shown live in the plane on screen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QPushButton, QWidget
from superqt.utils import signals_blocked

from napari_mito_predict._widgets.common.controls import Combo
from napari_mito_predict._widgets.common.layouts import SideBySide, form
from napari_mito_predict._widgets.common.steps import Step
from napari_mito_predict._widgets.common.wrapped import Wrapped
from napari_mito_predict._widgets.measure.settings_form import SettingsForm, form_label
from napari_mito_predict.measurement.measures import Structure

if TYPE_CHECKING:
    from napari_mito_predict._widgets.measure.field import Field
    from napari_mito_predict.measurement import MeasureSettings

AROUND_NOTE: Final = "Looking at the planes around it…"


class SettingsStep(Step):
    """A form for each structure that is measured; the one that is shown is the one that is previewed."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("2  Segmentation", parent)
        self.structure = Combo()
        self.structure.setAccessibleName("Structure")
        self.structure.setToolTip("Whose settings are shown, and whose outlines")
        self.forms = {structure: SettingsForm(structure) for structure in Structure}
        self.live = QCheckBox("Outlines in this plane")
        self.live.setToolTip("What is found in the plane on screen, while you change values and planes")
        self.live.setChecked(True)
        self.reset = QPushButton("Defaults")
        self.reset.setToolTip("Take back what was changed, for this structure")
        self.found = Wrapped(quiet=True)
        self._build()
        self.show_field(None)

    def _build(self) -> None:
        rows = form()
        self._label = form_label("Structure")
        rows.addRow(self._label, self.structure)
        self.body.addLayout(rows)
        for settings in self.forms.values():
            self.body.addWidget(settings)
            settings.changed.connect(self._changed)
        self.body.addWidget(SideBySide(self.live, self.reset))
        self.body.addWidget(self.found)
        self.structure.currentIndexChanged.connect(lambda _: self._changed())
        self.live.toggled.connect(lambda _: self._changed())
        self.reset.clicked.connect(self._take_defaults)
        self.found.say("")

    @property
    def shown(self) -> Structure | None:
        """The structure whose settings are shown; None where nothing is measured."""
        structure: Structure | None = self.structure.currentData()
        return structure

    @property
    def settings(self) -> MeasureSettings:
        """What is chosen."""
        from napari_mito_predict.measurement import MeasureSettings

        chosen: dict[str, Any] = {str(structure): form.settings for structure, form in self.forms.items()}
        return MeasureSettings(**chosen)

    def show_field(self, field: Field | None) -> None:
        """Offer the structures of a field, with lengths in its unit."""
        structures: Iterable[Structure] = () if field is None else field.layers
        if field is not None:
            for settings in self.forms.values():
                with signals_blocked(settings):
                    settings.use_unit(field.voxels.unit)
        before = self.shown
        with signals_blocked(self.structure):
            self.structure.clear()
            for structure in structures:
                self.structure.addItem(structure.capitalize(), structure)
            self.structure.setCurrentIndex(max(0, self.structure.findData(before)))
        self._show()

    def say_found(self, text: str) -> None:
        """Say what the preview found, or why it shows nothing."""
        self.found.say(text)

    def _take_defaults(self) -> None:
        if self.shown is not None:
            self.forms[self.shown].reset()

    def _changed(self) -> None:
        self._show()
        self.changed.emit()

    def _show(self) -> None:
        for structure, settings in self.forms.items():
            settings.setVisible(structure == self.shown)
        several = self.structure.count() > 1
        for widget in (self._label, self.structure):
            widget.setVisible(several)
        changed = [structure for structure, settings in self.forms.items() if not settings.is_default]
        self.reset.setEnabled(self.shown in changed)
        self.live.setEnabled(self.shown is not None)
        if self.shown is None:
            self.set_summary("choose a layer first", "idle")
        elif changed:
            self.set_summary("changed", "info", chosen=True)
        else:
            self.set_summary("defaults", "ok")
