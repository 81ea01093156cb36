"""Step 2: how objects are found, shown live in the plane on screen."""

from __future__ import annotations

from typing import Final

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QLabel, QPushButton, QStackedWidget, QToolButton, QWidget
from superqt.utils import signals_blocked

from napari_mito_predict._widgets.common.controls import Combo
from napari_mito_predict._widgets.common.layouts import SideBySide, form
from napari_mito_predict._widgets.common.steps import Step
from napari_mito_predict._widgets.common.wrapped import Wrapped
from napari_mito_predict._widgets.measure.settings_form import SettingsForm
from napari_mito_predict.measurement.measures import Structure
from napari_mito_predict.measurement.settings import MitochondriaSettings, NucleiSettings, PunctaSettings
from napari_mito_predict.measurement.voxels import Unit

_STACK_NOTE: Final = (
    "Outlines are those of this plane alone. Measure looks at all planes together, with one threshold for the stack."
)


class SettingsStep(Step):
    """A form for each structure that is measured; the one that is shown is the one that is previewed."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("2  Segmentation", parent)
        self.structure = Combo()
        self.structure.setAccessibleName("Structure")
        self.forms = {structure: SettingsForm(structure) for structure in Structure}
        self.live = QCheckBox("Show in this plane")
        self.live.setToolTip("Outlines of what is found in the plane on screen, while you change values and planes")
        self.live.setChecked(True)
        self.reset = QPushButton("Defaults")
        self.reset.setToolTip("Take back what was changed, for this structure")
        self.found = Wrapped(quiet=True)
        self._note = ""
        self._build()
        self.show_structures((), "um", stack=False)

    def _build(self) -> None:
        rows = form()
        self._label = QLabel("Structure")
        rows.addRow(self._label, self.structure)
        self.body.addLayout(rows)
        self.pages = QStackedWidget()
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
        """The structure whose settings are shown."""
        structure: Structure | None = self.structure.currentData()
        return structure

    def mitochondria(self) -> MitochondriaSettings:
        """What is chosen for mitochondria."""
        settings = self.forms[Structure.MITOCHONDRIA].settings
        assert isinstance(settings, MitochondriaSettings)
        return settings
