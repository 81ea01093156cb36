"""Step 2: which models, and whether they fit this image."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QLabel,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from superqt.utils import QSignalDebouncer

from napari_mito_predict._widgets.common.card_browser import CardBrowser, readme_of
from napari_mito_predict._widgets.common.controls import FailurePanel, FindingLine
from napari_mito_predict._widgets.common.layouts import clear, column
from napari_mito_predict._widgets.common.model_words import (
    cells_explained,
    cells_kind,
    problem_of,
    sampling_explained,
    target_title,
    third_axes,
    voxel_size,
)
from napari_mito_predict._widgets.common.steps import Step
from napari_mito_predict._widgets.common.wrapped import Wrapped
from napari_mito_predict.errors import ModelError
from napari_mito_predict.image import Level
from napari_mito_predict.models import read_card
from napari_mito_predict.models.folders import user_models_folder
from napari_mito_predict.models.registry import ModelInfo, Source, list_models
from napari_mito_predict.prediction.choice import choose_models

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_mito_predict._widgets.common.worker import Failure
    from napari_mito_predict._widgets.predict.choosing import Input
    from napari_mito_predict.image import Finding
    from napari_mito_predict.models.card import ModelCard
    from napari_mito_predict.prediction import PredictionPlan

_LAST_BOX_MS = 150
"""Several boxes are often checked in a row: plan once, after the last."""


class ModelsStep(Step):
    """A checklist of models; tells by `changed` whenever another set is checked."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("2  Models", parent)
        self._rows = column(6)
        self.body.addLayout(self._rows)
        self._findings = column()
        self.body.addLayout(self._findings)
        self.failure = FailurePanel()
        self.body.addWidget(self.failure)
        self.fine_tune = QPushButton("Fine-&tune on my cells…")
        self.fine_tune.setToolTip("Where no model fits: train one on your own pairs of images")
        self.all_models = QPushButton("Models…")
        self.all_models.setToolTip("All models with what is known of them; bring in others, and pass yours on")
        # Beside each other they would be wider than a dock with large letters.
        self.body.addWidget(self.all_models)
        self.body.addWidget(self.fine_tune)
        self._boxes: dict[str, QCheckBox] = {}
        self._models: list[ModelInfo] = []
        self._offered: dict[str, ModelInfo] = {}
        self._titles: dict[str, str] = {}
        self._user_chose = False
        self._said_of_choice: tuple[Finding, ...] = ()
        self._debouncer = QSignalDebouncer(parent=self)
        self._debouncer.setTimeout(_LAST_BOX_MS)
        self._debouncer.triggered.connect(self.changed)
        self.refresh()

    @property
    def checked(self) -> tuple[str, ...]:
        """Names of the checked models (of those that are not in the list, paths), in the order of the list."""
        return tuple(name for name, box in self._boxes.items() if box.isChecked())

    def refresh(self) -> None:
        """Read the list of models anew, keeping what is checked."""
        before = self.checked
        self._models = [*self._offered.values(), *sorted(list_models(), key=_mitochondria_first)]
        clear(self._rows)
        self._boxes = {}
        for info in self._models:
            self._rows.addWidget(self._row(info, info.name in before))
        if not self._models:
            self._rows.addWidget(Wrapped(f"No models found. Your own models belong into {user_models_folder()}."))
        if self.checked != before:
            self._debouncer.throttle()  # one of them is gone
        self._update_summary()

    def choose(self, name: str) -> None:
        """Check only this model, as if the user had."""
        self._user_chose = True
        for other, box in self._boxes.items():
            box.setChecked(other == name and box.isEnabled())
        self._update_summary()
        self._debouncer.throttle()

    def offer(self, path: Path, title: str) -> None:
        """Show a model that is not in the list as a row of its own, and check only that one."""
        key = str(path)
        try:
            self._offered[key] = ModelInfo(key, path, read_card(path), Source.OWN)
        except ModelError as error:
            self._offered[key] = ModelInfo(key, path, None, Source.OWN, problem=str(error))
        self._titles[key] = title
        self.refresh()
        self.choose(key)

    def suggest_for(self, chosen: Input | None) -> None:
        """Check the models that `choose_models` takes for an image, until the user has chosen; none says nothing."""
        self._said_of_choice = ()
        if self._user_chose or chosen is None:
            return
        choice = choose_models(chosen.source, chosen.channel, chosen.voxel_size_um)
        self._said_of_choice = choice.findings
        if not choice.models:
            return
        for name, box in self._boxes.items():
            box.setChecked(name in choice.models)

    def show_plan(self, plan: PredictionPlan | None, failure: Failure | None = None) -> None:
        """Say what the plan found, or why there is none."""
        clear(self._findings)
        self.failure.show_failure(failure)
        if not self._user_chose:
            self._show((finding.level, finding.message, finding.fix) for finding in self._said_of_choice)
        if plan is not None:
            self._show(_without_repetition(plan))
        self._update_summary(plan, failure)

    def _show(self, lines: Iterable[tuple[Level, str, str]]) -> None:
        for level, message, fix in lines:
            self._findings.addWidget(FindingLine(level, message, fix))

    def _clicked(self) -> None:
        self._user_chose = True

    def _toggled(self) -> None:
        self._update_summary()
        self._debouncer.throttle()

    def _update_summary(self, plan: PredictionPlan | None = None, failure: Failure | None = None) -> None:
        count = f"{len(self.checked)} of {len(self._boxes)}"
        levels: set[Level] = set()
        if plan is not None:
            levels = {finding.level for finding in plan.findings}
        if failure or Level.ERROR in levels:
            self.set_summary(f"{count} · does not fit", "error")
        elif not self.checked:
            self.set_summary("choose a model", "warning")
        elif Level.WARNING in levels:
            self.set_summary(f"{count} · see notes", "warning")
        else:
            names = (self._titles.get(name, name) for name in self.checked)
            self.set_summary(", ".join(names), "ok" if plan else "idle", chosen=True)

    def _row(self, info: ModelInfo, checked: bool) -> QWidget:
        row = QWidget()
        grid = QGridLayout(row)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(6)
        grid.setVerticalSpacing(0)
        grid.setColumnStretch(1, 1)
        box = QCheckBox()
        box.setChecked(checked and info.card is not None)
        box.setEnabled(info.card is not None)
        box.setAccessibleName(self._titles.get(info.name, info.name))
        box.clicked.connect(self._clicked)
        box.toggled.connect(self._toggled)
        self._boxes[info.name] = box
        title = Wrapped(self._titles.get(info.name, info.name))
        details = Wrapped(_details(info), quiet=True)
        if info.card is not None:
            details.setToolTip(sampling_explained(info.card))
        top = Qt.AlignmentFlag.AlignTop  # a long name takes several lines
        grid.addWidget(box, 0, 0, top)
        grid.addWidget(title, 0, 1)
        grid.addWidget(details, 1, 1, 1, 3)
        if info.card is not None:
            grid.addWidget(_cells_badge(info.card), 0, 2, top)
            grid.addWidget(self._card_button(info.card, info.path), 0, 3, top)
        return row

    def _card_button(self, card: ModelCard, package: Path) -> QToolButton:
        button = QToolButton()
        button.setText("i")
        button.setToolTip(f"What {card.name} is, and how far to trust it")
        button.setAccessibleName(f"About {card.name}")
        button.clicked.connect(lambda: show_card(card, self, package))
        return button


def show_card(card: ModelCard, parent: QWidget, package: Path | None = None) -> QDialog:
    """Open the model card beside the work; it blocks nothing.

    Where the package is a folder, its README is shown, with its pictures.
    """
    dialog = QDialog(parent)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setWindowTitle(f"Model card: {card.name}")
    dialog.resize(520, 480)
    text = CardBrowser()
    content = None
    if package is not None:
        content = readme_of(package)
    text.show_card(content or card.to_markdown(), package)
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    buttons.rejected.connect(dialog.close)
    box = QVBoxLayout(dialog)
    box.addWidget(text)
    box.addWidget(buttons)
    dialog.show()
    return dialog


def _without_repetition(plan: PredictionPlan) -> list[tuple[Level, str, str]]:
    """Level, message and fix of each finding; a disclaimer that models share is said once, after their names."""
    disclaimer_of = {output.model_name: output.disclaimer for output in plan.outputs.values()}
    lines = []
    for finding in plan.findings:
        message = finding.message
        if finding.code == "simulated-model":
            disclaimer = disclaimer_of[finding.model]
            models = [name for name, text in disclaimer_of.items() if text == disclaimer]
            message = f"{', '.join(models)}: {disclaimer}"
        lines.append((finding.level, message, finding.fix))
    return list(dict.fromkeys(lines))


def _cells_badge(card: ModelCard) -> QLabel:
    """Whether it knows simulated or real cells; which ones stands below."""
    badge = QLabel(cells_kind(card))
    badge.setProperty("badge", True)
    badge.setToolTip(cells_explained(card))
    return badge


def _mitochondria_first(info: ModelInfo) -> tuple[int, str]:
    """Order of the list: models for mitochondria, others, and at the end those that cannot be used."""
    if info.card is None:
        return 2, info.name
    if info.card.targets[0].name == "mitochondria":
        return 0, info.name
    return 1, info.name


def _details(info: ModelInfo) -> str:
    """Below the name: what it predicts from what, or why it cannot be used."""
    if info.card is None:
        return problem_of(info)
    targets = " + ".join(target_title(target.name) for target in info.card.targets)
    parts = [targets, third_axes(info.card), voxel_size(info.card)]
    if info.card.trained_on:
        parts.append(info.card.cells)
    return " · ".join(parts)
