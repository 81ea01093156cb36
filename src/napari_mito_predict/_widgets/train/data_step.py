"""Step 1: which fields to train on, and what is wrong with them before a minute is spent."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox
from superqt.utils import signals_blocked

from napari_mito_predict._widgets.common.controls import FailurePanel, FindingLine, words
from napari_mito_predict._widgets.common.layouts import clear, column
from napari_mito_predict._widgets.common.steps import Step
from napari_mito_predict._widgets.common.worker import Failure, Job, JobState
from napari_mito_predict._widgets.train.check import Checked, Listed, Peek, peeking
from napari_mito_predict._widgets.train.fields_table import FieldsTable
from napari_mito_predict._widgets.train.grouping import KeepTogether
from napari_mito_predict._widgets.train.sources import ChannelRows, SourceForm, role_of_truth
from napari_mito_predict.errors import TrainingDataError
from napari_mito_predict.image import Level

if TYPE_CHECKING:
    from napari.viewer import Viewer
    from qtpy.QtWidgets import QWidget

    from napari_mito_predict.image import ChannelRole, Finding
    from napari_mito_predict.training.checks import FieldReport
    from napari_mito_predict.training.fields import Field
    from napari_mito_predict.training.overlap import Overlap
    from napari_mito_predict.training.split import Fields

_DROP_HINT = "Choose the fields to learn from, or drop files here. A dozen is a start."


class DataStep(Step):
    """Choose fields and look at what was found in them; the reading itself is the dock's.

    `chosen` tells that there is something to check, `state_changed` that other fields take part or more is known.
    """

    chosen = Signal()
    state_changed = Signal()

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__("1  Data", parent)
        self.setAcceptDrops(True)
        self.peek: Peek | None = None
        self._fields: tuple[Field, ...] = ()
        self._seed = 0
        self._checked = False
        self._of_all: tuple[Finding, ...] = ()
        self._overlaps: tuple[Overlap, ...] = ()
        self.source = SourceForm(viewer)
        self.channels = ChannelRows()
        self.table = FieldsTable()
        self.together = KeepTogether()
        self.hint = words(_DROP_HINT, quiet=True)
        self.found, self.split = words(), words(quiet=True)
        self.learn_from_predictions = QCheckBox("Learn from predictions all the same")
        self.learn_from_predictions.setToolTip(
            "The model then learns what another model does, with its errors; its card will say so"
        )
        self._findings = column()
        self.failure = FailurePanel()
        for widget in (self.source, self.channels, self.hint, self.table, self.found, self.together, self.split):
            self.body.addWidget(widget)
        self.body.addWidget(self.learn_from_predictions)
        self.body.addLayout(self._findings)
        self.body.addWidget(self.failure)
        self._peeking = Job(self)
        self._peeking.yielded.connect(self._peeked)
        self._peeking.failed.connect(self.show_failure)
        self.source.changed.connect(self._look_into)
        self.source.layers.failed.connect(self.show_failure)
        self.channels.changed.connect(self.chosen)
        self.learn_from_predictions.toggled.connect(lambda _: self.chosen.emit())
        self.table.ticked.connect(self._show_state)
        self.together.changed.connect(self._show_state)
        self._show_state()

    # ------------------------------------------------------------------ what was chosen

    @property
    def data(self) -> dict[str, Any] | None:
        """What was chosen, as the ``data`` of a training configuration, with the channel but without `exclude`."""
        data = self.source.data
        if data is None or self.peek is None:
            return None
        if "files" in data:
            data["transmitted"] = self.channels.transmitted.currentData()
        if self.learn_from_predictions.isChecked():
            data["allow_prediction_as_truth"] = True
        return data

    @property
    def truth(self) -> str | int | None:
        """The truth channel, where the files hold it beside the transmitted light."""
        if not self._in_files:
            return None
        channel: str | int | None = self.channels.truth.currentData()
        return channel

    @property
    def _in_files(self) -> bool:
        """Whether the files hold the truth beside the transmitted light."""
        return self.peek is not None and "files" in (self.source.data or {})

    @property
    def role(self) -> ChannelRole | None:
        """What the truth shows, as far as names say."""
        if self.peek is None:
            return None
        return role_of_truth(self.peek, self.channels)

    @property
    def excluded(self) -> list[str]:
        """Names of the fields without a tick."""
        included = set(self.table.included)
        return [name for name in self.table.names if name not in included]

    @property
    def ready(self) -> bool:
        """Whether all fields were read and enough of them take part."""
        return self._checked and self.parts is not None

    @property
    def parts(self) -> Fields | None:
        """Which field goes where; None where there are too few, or what belongs together cannot be told."""
        from napari_mito_predict.training.config_parts import Split
        from napari_mito_predict.training.split import split_fields

        kept = self._kept
        if not kept or self.together.problem:
            return None
        try:
            return split_fields(kept, Split(by=self.together.by, seed=self._seed))
        except TrainingDataError:
            return None

    @property
    def _kept(self) -> list[Field]:
        """The fields with a tick."""
        included = set(self.table.included)
        return [field for field in self._fields if field.name in included]

    def set_files(self, paths: Sequence[Path]) -> None:
        """Take these files, or all images of a folder."""
        self.source.set_files(paths)

    def set_seed(self, seed: int) -> None:
        """Draw the split with this seed."""
        self._seed = seed
        self._show_state()

    def dragEnterEvent(self, event) -> None:  # type: ignore[no-untyped-def]
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event) -> None:  # type: ignore[no-untyped-def]
        event.acceptProposedAction()
        self.set_files([Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()])

    # ------------------------------------------------------------------ looking into the first file

    def _look_into(self) -> None:
        self.peek = None
        self._forget()
        data = self.source.data
        if data is None:
            self._peeking.reset()
            self.chosen.emit()
        else:
            self._peeking.start(peeking(data))
        self._show_state()

    def _peeked(self, peek: Peek) -> None:
        self.peek = peek
        self.channels.set_channels(peek.channels)
        self.source.show_matches(peek.matches)
        self.chosen.emit()
        self._show_state()

    def _forget(self) -> None:
        with signals_blocked(self.learn_from_predictions):
            self.learn_from_predictions.setChecked(False)  # that was about other fields
        self._fields, self._checked = (), False
        self.table.set_fields(())
        self.source.show_matches(())
        self.failure.show_failure(None)

    # ------------------------------------------------------------------ what the check says

    def show_listed(self, listed: Listed) -> None:
        """List the fields; the check of each comes later."""
        self._fields, self._checked = listed.fields, False
        self.failure.show_failure(None)
        self.table.set_fields(field.name for field in listed.fields)
        self._show_state()

    def show_report(self, report: FieldReport) -> None:
        """Say what was found in one field."""
        self.table.set_report(report)
        self._show_state()

    def show_checked(self, checked: Checked) -> None:
        """All fields were read."""
        self._checked = True
        self._of_all = checked.findings
        self._overlaps = checked.overlaps
        self.table.show_problem()
        self._show_state()

    def show_failure(self, failure: Failure | None) -> None:
        """Say why the fields cannot be read at all."""
        self.failure.show_failure(failure)
        self._show_state()

    def _show_state(self) -> None:
        self.hint.setVisible(self.source.data is None)
        self.channels.setVisible(self._in_files)
        kept = self._kept
        self.together.setVisible(bool(kept))
        self.together.show_groups(kept)
        parts = self.parts
        self.found.setText(self._found())
        if parts is None:
            self.split.setText("")
            self.split.setToolTip("")
        else:
            self.split.setText(_split_line(parts, self._seed))
            self.split.setToolTip(_names_of(parts))
        for label in (self.found, self.split):
            label.setVisible(bool(label.text()))
        findings = chain.from_iterable(report.findings for report in self.table.reports)
        codes = {finding.code for finding in findings}
        asked = self.learn_from_predictions.isChecked()
        self.learn_from_predictions.setVisible(asked or "prediction-as-truth" in codes)
        self._show_common_findings(parts)
        self._summarise(parts)
        self.state_changed.emit()

    def _found(self) -> str:
        """How many fields there are, and what was found in them."""
        found = self.table.summary()
        if not found:
            return ""
        if len(self._fields) == 1:
            return f"1 field: {found}"
        return f"{len(self._fields)} fields: {found}"

    def _show_common_findings(self, parts: Fields | None) -> None:
        """What only shows when all fields that take part are seen."""
        clear(self._findings)
        if not self._checked or self.together.problem:
            return
        if parts is None:
            fix = "Add fields, or tick some of these."
            self._findings.addWidget(FindingLine("error", "There are no fields to learn from.", fix))
            return
        from napari_mito_predict.training.checks import check_together

        included = set(self.table.included)
        reports = [
            dataclasses.replace(report, part=parts.part_of(report.name), group=parts.groups[report.name])
            for report in self.table.reports
            if report.name in included
        ]
        for finding in (*self._of_all, *check_together(reports, self._overlaps)):
            self._findings.addWidget(FindingLine(str(finding.level), finding.message, finding.fix))

    def _summarise(self, parts: Fields | None) -> None:
        if not self.failure.isHidden():
            self.set_summary("cannot be read", "error")
        elif self._peeking.state in (JobState.PREPARING, JobState.RUNNING) and self.peek is None:
            self.set_summary("looking…", "info")
        elif self.source.data is None:
            self.set_summary("choose fields")
        elif not self._checked:
            self.set_summary(self._progress(), "info")
        elif self.together.problem:
            self.set_summary("pattern does not fit", "error")
        elif parts is None:
            self.set_summary("no fields", "error")
        else:
            self._summarise_checked()

    def _progress(self) -> str:
        if not self._fields:
            return "checking…"
        return f"checking {len(self.table.reports)} of {len(self._fields)}…"

    def _summarise_checked(self) -> None:
        total, taking_part = len(self._fields), len(self.table.included)
        text = "1 field"
        if total > 1:
            text = f"{taking_part} of {total} fields"
        findings = chain.from_iterable(report.findings for report in self.table.reports)
        state = "ok"
        if taking_part < total or any(finding.level is Level.WARNING for finding in findings):
            state = "warning"
        self.set_summary(text, state)


def _names_of(parts: Fields) -> str:
    named = (("train", parts.training), ("validate", parts.validation), ("test", parts.test))
    return "\n".join(f"{what}: {', '.join(field.name for field in fields)}" for what, fields in named if fields)


def _split_line(parts: Fields, seed: int) -> str:
    validated = "validated on a strip of these"
    if parts.validation:
        validated = f"{len(parts.validation)} validate"
    return f"{len(parts.training)} train · {validated} · {len(parts.test)} test · seed {seed}"
