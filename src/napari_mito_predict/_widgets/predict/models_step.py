"""Step 2: which models, and whether they fit this image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QPushButton, QWidget
from superqt.utils import QSignalDebouncer

from napari_mito_predict._widgets.common.controls import FailurePanel, FindingLine
from napari_mito_predict._widgets.common.layouts import clear, column
from napari_mito_predict._widgets.common.light_words import is_impossible, word_of, worst
from napari_mito_predict._widgets.common.steps import Step
from napari_mito_predict._widgets.common.wrapped import Wrapped
from napari_mito_predict._widgets.predict.light_view import LOOKING
from napari_mito_predict._widgets.predict.model_row import ModelRow
from napari_mito_predict._widgets.predict.reasons import Reasons
from napari_mito_predict._widgets.predict.sharing import share
from napari_mito_predict.errors import ModelError
from napari_mito_predict.models import read_card
from napari_mito_predict.models.folders import user_models_folder
from napari_mito_predict.models.registry import ModelInfo, Source, list_models
from napari_mito_predict.prediction.choice import choose_models
from napari_mito_predict.prediction.traffic_light import Colour

if TYPE_CHECKING:
    from napari_mito_predict._widgets.common.worker import Failure
    from napari_mito_predict._widgets.predict.choosing import Input
    from napari_mito_predict.image import Finding
    from napari_mito_predict.prediction import PredictionPlan

_LAST_BOX_MS = 150
"""Several boxes are often checked in a row: plan once, after the last."""


class ModelsStep(Step):
    """A checklist of models with a traffic light each; tells by `changed` whenever another set is checked."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("2  Models", parent)
        self._list = column(6)
        self.body.addLayout(self._list)
        self._notes = column()
        self.body.addLayout(self._notes)
        self.shared = Reasons(icons=True)
        self.body.addWidget(self.shared)
        self.failure = FailurePanel()
        self.body.addWidget(self.failure)
        self.fine_tune = QPushButton("Fine-&tune on my cells…")
        self.fine_tune.setToolTip("Where no model fits: train one on your own pairs of images")
        self.all_models = QPushButton("Models…")
        self.all_models.setToolTip("All models with what is known of them; bring in others, and pass yours on")
        # Beside each other they would be wider than a dock with large letters.
        self.body.addWidget(self.all_models)
        self.body.addWidget(self.fine_tune)
        self.rows: dict[str, ModelRow] = {}
        self._models: list[ModelInfo] = []
        self._offered: dict[str, ModelInfo] = {}
        self._titles: dict[str, str] = {}
        self._user_chose = False
        self._said_of_choice: tuple[Finding, ...] = ()
        self._looked_at: object = None
        self._is_other_image = True
        self._debouncer = QSignalDebouncer(parent=self)
        self._debouncer.setTimeout(_LAST_BOX_MS)
        self._debouncer.triggered.connect(self.changed)
        self.refresh()

    @property
    def _boxes(self) -> dict[str, QCheckBox]:
        return {name: row.box for name, row in self.rows.items()}

    @property
    def checked(self) -> tuple[str, ...]:
        """Names of the checked models (of those that are not in the list, paths), in the order of the list."""
        return tuple(name for name, row in self.rows.items() if row.box.isChecked())

    def refresh(self) -> None:
        """Read the list of models anew, keeping what is checked."""
        before = self.checked
        self._models = [*self._offered.values(), *sorted(list_models(), key=_mitochondria_first)]
        clear(self._list)
        self.rows = {}
        for info in self._models:
            self._list.addWidget(self._row(info, info.name in before))
        if not self._models:
            self._list.addWidget(Wrapped(f"No models found. Your own models belong into {user_models_folder()}."))
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

    # ------------------------------------------------------------------ lights

    def look(self, at: object) -> None:
        """Say that the image is being looked at; lights of the same image stay until there are new ones.

        Parameters
        ----------
        at : object
            Stands for the image, its channel and its voxel size.
        """
        self._is_other_image = at != self._looked_at
        self._looked_at = at
        checked = self._checked_rows
        for row in self.rows.values():
            if row not in checked:
                row.light.forget()
            elif self._is_other_image or row.light.light is None:
                row.light.look()
        if self._is_other_image:
            self.shared.wait()
        self._update_summary()

    def show_plan(self, plan: PredictionPlan | None, failure: Failure | None = None) -> None:
        """Say what was found, or why there is no plan; neither where nothing is chosen.

        Before the pixels are looked at it is said what the file tells, and no light.
        """
        clear(self._notes)
        self.failure.show_failure(failure)
        if not self._user_chose:
            self._show_notes(self._said_of_choice)
        if plan is None:
            self._looked_at = None
            self.shared.say(())
            for row in self.rows.values():
                row.light.forget()
        else:
            self._show_findings(plan)
        self._update_summary(failure)

    def _show_notes(self, findings: Sequence[Finding]) -> None:
        for finding in findings:
            self._notes.addWidget(FindingLine(finding.level, finding.message, finding.fix))

    def _show_findings(self, plan: PredictionPlan) -> None:
        lights = plan.lights
        disclaimers = {output.model_name: output.disclaimer for output in plan.outputs.values()}
        shared = share(plan.findings, list(lights), disclaimers)
        if plan.looked or self._is_other_image:
            self.shared.say(shared.once)
        for row in self._checked_rows:
            if row.model not in lights:
                continue  # checked since this was planned
            reasons, same_as = shared.of_model[row.model], shared.same_as.get(row.model, "")
            if plan.looked:
                row.light.show_light(lights[row.model], reasons, same_as)
            elif row.light.is_looking:
                row.light.show_reasons(reasons, same_as)

    @property
    def _checked_rows(self) -> list[ModelRow]:
        return [row for row in self.rows.values() if row.box.isChecked()]

    # ------------------------------------------------------------------ rows and summary

    def _clicked(self) -> None:
        self._user_chose = True

    def _toggled(self) -> None:
        self._update_summary()
        self._debouncer.throttle()

    def _update_summary(self, failure: Failure | None = None) -> None:
        checked = self._checked_rows
        count = f"{len(checked)} of {len(self.rows)}"
        names = ", ".join(self._titles.get(name, name) for name in self.checked)
        light = worst(row.light.light for row in checked if row.light.light is not None)
        if failure is not None:
            self.set_summary(f"{count} · does not fit", "error")
        elif not checked:
            self.set_summary("choose a model", "warning")
        elif light is not None and is_impossible(light):
            self.set_summary(f"{count} · {word_of(light)}", "error")
        elif any(row.light.is_looking for row in checked):
            self.set_summary(f"{count} · {LOOKING}", "looking", chosen=True)
        elif light is None:
            self.set_summary(names, chosen=True)
        elif light.colour is Colour.GREEN:
            self.set_summary(names, str(light.colour), chosen=True)
        else:
            self.set_summary(f"{count} · {word_of(light)}", str(light.colour))

    def _row(self, info: ModelInfo, checked: bool) -> ModelRow:
        row = ModelRow(info, self._titles.get(info.name, info.name))
        row.box.setChecked(checked and info.card is not None)
        row.box.clicked.connect(self._clicked)
        row.box.toggled.connect(self._toggled)
        self.rows[info.name] = row
        return row


def _mitochondria_first(info: ModelInfo) -> tuple[int, str]:
    """Order of the list: models for mitochondria, others, and at the end those that cannot be used."""
    if info.card is None:
        return 2, info.name
    if info.card.targets[0].name == "mitochondria":
        return 0, info.name
    return 1, info.name
