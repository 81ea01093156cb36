"""Step 2: which model to start from, how thoroughly to train, and how long that will take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QButtonGroup, QGridLayout, QHBoxLayout, QLabel, QRadioButton, QToolButton, QWidget
from superqt.utils import signals_blocked

from napari_mito_predict._widgets.common.controls import Combo, words
from napari_mito_predict._widgets.common.layouts import form
from napari_mito_predict._widgets.common.model_words import why_not_trained_further
from napari_mito_predict._widgets.common.steps import Step
from napari_mito_predict._widgets.common.wording import duration
from napari_mito_predict._widgets.train.options import Options
from napari_mito_predict.image import ChannelRole
from napari_mito_predict.models.licence import is_binding
from napari_mito_predict.models.registry import ModelInfo, list_models

if TYPE_CHECKING:
    from napari_mito_predict._widgets.common.worker import Failure
    from napari_mito_predict.models import ModelCard

_PRESETS = {
    "general": (
        "General",
        "Also learns from turned, resized, blurred and noisier versions of your fields, and averages what it learnt: "
        "best on fields it has not seen. A small network; two to three times as long as Quick.",
    ),
    "quick": ("Quick, CPU", "A small network and few iterations: for a first look, also without a graphics card."),
    "paper": ("Paper", "As in Hsu, Lee & Wei 2021. Wants a graphics card."),
    "fnet": ("fnet", "As in Ounkomol et al. 2018: many iterations with many pieces each. Wants a graphics card."),
    "robust": ("Robust", "As Quick, with many more iterations, and pieces that are noisier and blurrier only."),
}
_DEFAULT = "general"
_SCRATCH = "from scratch"
_TARGETS = {"mitochondria": "mitochondria", "dna": "DNA"}
_AXES = {"z": "z-stacks", "t": "time series"}


class StartStep(Step):
    """Where to start and how to train.

    `changed` tells any change, `start_changed` one after which the fields have to be checked anew.
    """

    changed = Signal()
    start_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("2  Start from", parent)
        self._third_axis: str | None = None
        self._role: ChannelRole | None = None
        self._user_chose = False
        self._duration = ""
        self._build_choice()
        self._build_presets()
        self._build_advanced()
        self.refresh()
        self.options.use_preset(self.preset)
        self._show_choice()

    # ------------------------------------------------------------------ building

    def _build_choice(self) -> None:
        rows = form()
        self.model, self.target_box = Combo(), Combo()
        self.model.setToolTip("A model that knows similar images needs fewer fields and less time.")
        self.target_box.setEditable(True)
        self.target_box.setToolTip("What the truth shows. Type another name where it is neither.")
        for key, text in _TARGETS.items():
            self.target_box.addItem(text, key)
        for text, field in (("Start from", self.model), ("Predict", self.target_box)):
            field.setAccessibleName(text)
            rows.addRow(QLabel(text), field)
        self.model.activated.connect(self._model_chosen)
        self.model.currentIndexChanged.connect(lambda _: self._start_has_changed())
        self.target_box.currentTextChanged.connect(lambda _: self._start_has_changed())
        self.body.addLayout(rows)
        self.note = words(quiet=True)
        self.body.addWidget(self.note)

    def _build_presets(self) -> None:
        self._presets = QButtonGroup(self)
        grid = QGridLayout()
        grid.setVerticalSpacing(2)
        self.presets: dict[str, QRadioButton] = {}
        for i, (key, (text, tooltip)) in enumerate(_PRESETS.items()):
            button = QRadioButton(text)
            button.setToolTip(tooltip)
            button.setChecked(key == _DEFAULT)
            button.toggled.connect(self._preset_toggled)
            self._presets.addButton(button)
            self.presets[key] = button
            grid.addWidget(button, i // 2, i % 2)
        self.body.addLayout(grid)

    def _build_advanced(self) -> None:
        self.more = QToolButton()
        self.more.setText("Advanced")
        self.more.setCheckable(True)
        self.more.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.more.setArrowType(Qt.ArrowType.RightArrow)
        self.more.setToolTip("Iterations, minutes, batch, learning rate, loss, precision, seed, output folder")
        self.more.toggled.connect(self._show_advanced)
        self.cost = words(quiet=True)
        row = QHBoxLayout()
        row.addWidget(self.cost, 1)
        row.addWidget(self.more, 0, Qt.AlignmentFlag.AlignTop)
        self.body.addLayout(row)
        self.options = Options()
        self.options.changed.connect(self._has_changed)
        self.options.sampling_changed.connect(self._start_has_changed)
        self.options.hide()
        self.body.addWidget(self.options)

    # ------------------------------------------------------------------ what was chosen

    @property
    def preset(self) -> str:
        """Name of the preset, as a training configuration spells it."""
        return next(key for key, button in self.presets.items() if button.isChecked())

    @property
    def start_from(self) -> str | None:
        """Name of the start model, None for from scratch."""
        name: str | None = self.model.currentData()
        return name

    @property
    def target(self) -> str:
        """Name of what is predicted."""
        text = self.target_box.currentText().strip()
        return next((key for key, shown in _TARGETS.items() if text.lower() == shown.lower()), text)

    @property
    def settings(self) -> dict[str, Any]:
        """Everything but data, name and output, as a training configuration takes it."""
        settings = {"preset": self.preset, **self.options.settings}
        if self.start_from is not None:
            settings["start_from"] = self.start_from
        return settings

    def refresh(self) -> None:
        """Read the list of models anew; those for this kind of data come first, and the choice stays."""
        before = self.start_from
        with signals_blocked(self.model):
            self.model.clear()
            for info in sorted(filter(_can_be_trained, list_models()), key=self._fits_badly):
                self.model.addItem(self._words_for(info), info.name)
                if info.card is not None:
                    tip = Qt.ItemDataRole.ToolTipRole
                    self.model.setItemData(self.model.count() - 1, info.card.disclaimer, tip)
            self.model.addItem(_SCRATCH, None)
            index = 0
            if self._user_chose:
                index = self._index_of(before)
            self.model.setCurrentIndex(index)
        if self.start_from != before:
            self._start_has_changed()

    def choose(self, name: str) -> None:
        """Take this model of the list, as if the user had chosen it."""
        self._user_chose = True
        self.refresh()
        self.model.setCurrentIndex(self._index_of(name))

    def _index_of(self, name: str | None) -> int:
        """Where a model stands in the list, "from scratch" for None; the first where it is not there."""
        if name is None:
            return self.model.count() - 1
        return max(0, self.model.findData(name))

    def suggest_for(self, role: ChannelRole | None, third_axis: str | None) -> None:
        """Choose what fits the fields, until the user has chosen."""
        self._role, self._third_axis = role, third_axis
        if role in (ChannelRole.MITOCHONDRIA, ChannelRole.DNA):
            self.target_box.setCurrentIndex(self.target_box.findData(str(role)))
        self.refresh()

    def _model_chosen(self, index: int) -> None:
        self._user_chose = True

    def _fits_badly(self, info: ModelInfo) -> tuple[bool, bool, bool, str]:
        """For sorting: models for this kind of planes first, then those for this target, then the bundled ones.

        For single planes every model is a start. A bundled one is under a licence that binds nobody.
        """
        card = info.card
        other_axis = card is None or (self._third_axis is not None and self._third_axis not in card.input.third_axes)
        other_target = card is None or card.targets[0].name != (self._role or "mitochondria")
        return other_axis, other_target, not info.bundled, info.name

    def _words_for(self, info: ModelInfo) -> str:
        """The model's name, which cells it knows, and what it is for where that is not these fields."""
        text = info.name
        if info.card is None:
            return text
        text += f" ({info.card.cells})"
        axes = info.card.input.third_axes
        if axes and self._third_axis is not None and self._third_axis not in axes:
            text += f" · for {' and '.join(_AXES[axis] for axis in axes)}"
        return text

    # ------------------------------------------------------------------ saying

    def show_seconds(self, seconds: float | None, *, measuring: bool = False, failure: Failure | None = None) -> None:
        """Say how long it will take, from the time of one iteration."""
        self._duration = ""
        self.cost.setText("")
        if failure is not None:
            self.cost.setText(failure.what)
        elif seconds is not None:
            iterations, minutes = self.options.iterations.value, self.options.minutes.value
            total = seconds * iterations
            if minutes:
                total = min(total, 60 * minutes)
            self._duration = duration(total)
            self.cost.setText(f"about {self._duration} on this computer")
            self.cost.setToolTip(f"{iterations} iterations, each timed at {seconds:.2g} s")
        elif measuring:
            self.cost.setText("measuring how long it will take…")
        self._show_choice()

    def _preset_toggled(self, on: bool) -> None:
        if on:
            self.options.use_preset(self.preset)

    def _has_changed(self) -> None:
        self._show_choice()
        self.changed.emit()

    def _start_has_changed(self) -> None:
        self._has_changed()
        self.start_changed.emit()

    def _show_advanced(self, on: bool) -> None:
        arrow = Qt.ArrowType.RightArrow
        if on:
            arrow = Qt.ArrowType.DownArrow
        self.more.setArrowType(arrow)
        self.options.setVisible(on)

    def _show_choice(self) -> None:
        """The note below the start model, and the summary in the header."""
        start = self._start_card()
        notes = []
        if start is None:
            notes.append("Without a start model, expect to need more fields and more time.")
        else:
            known = start.targets[0].name
            if known != self.target:
                shown = _TARGETS.get(known, known)
                notes.append(f"{start.name} predicts {shown} so far: it has to learn {self.target} anew.")
            if is_binding(start.licence):
                notes.append(f"{start.name} is under {start.licence}, and so will be what is trained from it.")
        self.note.setText(" ".join(notes))
        self.note.setVisible(bool(notes))
        parts = (self.start_from or _SCRATCH, self.preset, self._duration)
        self.set_summary(" · ".join(filter(None, parts)), chosen=True)

    def _start_card(self) -> ModelCard | None:
        """The card of the start model; None for from scratch."""
        return next((info.card for info in list_models() if info.name == self.start_from), None)


def _can_be_trained(info: ModelInfo) -> bool:
    return info.card is not None and not why_not_trained_further(info.card)
