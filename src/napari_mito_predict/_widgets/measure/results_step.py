"""Step 4: the numbers of the field, and how its objects are spread."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Final

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QPushButton, QWidget
from superqt.utils import signals_blocked

from napari_mito_predict._widgets.common.controls import Combo
from napari_mito_predict._widgets.common.layouts import column, form
from napari_mito_predict._widgets.common.steps import Step
from napari_mito_predict._widgets.common.wrapped import WarningLine, Wrapped
from napari_mito_predict._widgets.measure.event_layer import words_of
from napari_mito_predict._widgets.measure.field_table import FieldTable
from napari_mito_predict._widgets.measure.plots import Histogram, OverTime
from napari_mito_predict._widgets.measure.rows import FieldRow, Numbers, name_of, number, with_unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from napari_mito_predict.image import Finding
    from napari_mito_predict.measurement.measures import Measure, Structure

_SERIES: Final = "series"
"""In the place of a structure: fissions, fusions and speed."""
_SAID_ELSEWHERE: Final = ("size-unknown", "predicted")
"""Findings that step 1, and the sentence on predictions here, say."""


class ResultsStep(Step):
    """A table, a histogram, and for a series a line over time; they follow the slider."""

    selected = Signal(object, object)
    """A structure, and labels of some of its objects in the layer."""
    time_chosen = Signal(int)
    save_pressed = Signal(object)
    """Where the tables go, a `Path`."""
    event_chosen = Signal(object)
    """A row of the table of fissions and fusions."""
    report_pressed = Signal(object)
    """Where the report goes, a `Path`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("4  Numbers", parent)
        self._numbers: Numbers | None = None
        self._t = 0
        self._labels: NDArray[np.int64] | None = None
        self.warning = WarningLine()
        self.structure = Combo()
        self.table = FieldTable()
        self.over_time = OverTime()
        self.event_list = Combo()
        self.measure = Combo()
        self.histogram = Histogram()
        self.selection = Wrapped(quiet=True)
        self.save = QPushButton("Save &tables…")
        self.report = QPushButton("Save r&eport…")
        self.saved = Wrapped(quiet=True)
        self._build()
        self.show_numbers(None, ())

    def _build(self) -> None:
        self.structure.setAccessibleName("Which numbers are shown")
        self.event_list.setAccessibleName("Fissions and fusions")
        self.event_list.setToolTip(
            "Choose one to go to its time point and plane; a click on it in the canvas does the same"
        )
        self.measure.setAccessibleName("Measure of objects")
        self.save.setToolTip("Measures of the field and of each object, as CSV; each with its unit and verdict (Alt+T)")
        self.report.setToolTip("A page with figures, in one file, which any browser opens (Alt+E)")
        above, between = form(), form()
        self._structure_label = QLabel("Show")
        above.addRow(self._structure_label, self.structure)
        between.addRow(QLabel("Objects"), self.measure)
        self.body.addWidget(self.warning)
        self.body.addLayout(above)
        self.body.addWidget(self.table)
        self.body.addWidget(self.over_time)
        self._events = QWidget()
        events = form()
        events.addRow(QLabel("Events"), self.event_list)
        self._events.setLayout(events)
        self.body.addWidget(self._events)
        self._objects = QWidget()
        objects = column(6)
        objects.addLayout(between)
        objects.addWidget(self.histogram)
        self._objects.setLayout(objects)
        self.body.addWidget(self._objects)
        buttons = QHBoxLayout()
        buttons.addWidget(self.save)
        buttons.addWidget(self.report)
        self.body.addWidget(self.selection)
        self.body.addLayout(buttons)
        self.body.addWidget(self.saved)
        self.structure.currentIndexChanged.connect(lambda _: self._structure_chosen())
        self.table.picked.connect(lambda _: self._show_series())
        self.measure.currentIndexChanged.connect(lambda _: self._show_objects())
        self.histogram.clicked.connect(self._bin_clicked)
        self.over_time.clicked.connect(self.time_chosen)
        self.event_list.activated.connect(lambda _: self._event_chosen())
        self.save.clicked.connect(self._ask_where_to_save)
        self.report.clicked.connect(self._ask_where_to_report)

    @property
    def shown(self) -> Structure | None:
        """The structure whose numbers are shown; None for those of a series, and without any."""
        structure: Structure | None = None if self._shows_series else self.structure.currentData()
        return structure

    @property
    def _shows_series(self) -> bool:
        return bool(self.structure.currentData() == _SERIES)

    @property
    def chosen(self) -> Measure | None:
        """The measure of objects that the histogram shows."""
        measure: Measure | None = self.measure.currentData()
        return measure

    def show_numbers(self, numbers: Numbers | None, findings: Sequence[Finding], t: int = 0) -> None:
        """Show what was found, at a time point; None for nothing."""
        self._numbers = numbers
        self._t = t
        self.warning.say(_warning_words(findings))
        for text in (self.selection, self.saved):
            text.say("")
        self._show_widgets(numbers)
        before = self.structure.currentData()
        with signals_blocked(self.structure):
            self.structure.clear()
            for structure in () if numbers is None else numbers.structures:
                self.structure.addItem(structure.capitalize(), structure)
            if numbers is not None and numbers.series_rows:
                self.structure.addItem("Fissions, fusions and speed", _SERIES)
            self.structure.setCurrentIndex(max(0, self.structure.findData(before)))
        self._list_events(numbers)
        self._structure_chosen()
        if numbers is None:
            self.set_summary("nothing measured yet", "idle")
        elif numbers.is_predicted:
            self.set_summary("see verdicts", "info", chosen=True)
        else:
            self.set_summary("recorded", "ok")

    def show_time(self, t: int) -> None:
        """Show the numbers of another time point."""
        if self._numbers is not None and t != self._t and t < self._numbers.frames:
            self._t = t
            self._show_rows()
            self._show_objects()

    def show_object(self, structure: Structure, label: int) -> None:
        """Mark the value of an object, and say it; of label 0 nothing."""
        if self._numbers is None or structure not in self._numbers.structures:
            return
        if structure != self.shown:
            self.structure.setCurrentIndex(self.structure.findData(structure))
        measure = self.chosen
        if not label or measure is None:
            self.histogram.mark(math.nan)
            self.selection.say("")
            return
        value = self._numbers.value_of(measure, label)
        self.histogram.mark(value)
        self.selection.say(f"Object {label}: {name_of(measure)} {number(value)} {self._unit}".rstrip())

    def show_event(self, event: pd.Series) -> None:
        """Say what a fission or fusion is."""
        if not self._shows_series:
            self.structure.setCurrentIndex(self.structure.findData(_SERIES))
        self.event_list.setCurrentIndex(self.event_list.findText(words_of(event)))

    def show_saved(self, paths: Sequence[Path]) -> None:
        """Say where the tables are."""
        names = ", ".join(path.name for path in paths)
        self.saved.say(f"Saved in {paths[0].parent}: {names}")

    def restyle(self, theme: str) -> None:
        """Follow napari's theme."""
        for part in (self.table, self.histogram, self.over_time):
            part.restyle(theme)

    # ------------------------------------------------------------------ showing

    def _show_widgets(self, numbers: Numbers | None) -> None:
        widgets: tuple[QWidget, ...] = (self.table, self.save, self.report, self._objects)
        for widget in widgets:
            widget.setVisible(numbers is not None)
        several = numbers is not None and len(numbers.structures) + bool(numbers.series_rows) > 1
        for widget in (self._structure_label, self.structure):
            widget.setVisible(several)
        self.over_time.setVisible(numbers is not None and numbers.frames > 1)
        self._events.hide()

    def _structure_chosen(self) -> None:
        structure = self.shown
        if self._numbers is None:
            return
        self._objects.setVisible(structure is not None)
        self._events.setVisible(structure is None)
        if structure is None:
            self.selection.say("")
            self._show_rows()
            return
        before = self.chosen
        with signals_blocked(self.measure):
            self.measure.clear()
            for measure in self._numbers.measures(structure):
                self.measure.addItem(name_of(measure), measure)
                if before is not None and measure.name == before.name:
                    self.measure.setCurrentIndex(self.measure.count() - 1)
        self._show_rows()
        self._show_objects()

    @property
    def _rows(self) -> list[FieldRow]:
        if self._numbers is None:
            return []
        if self._shows_series:
            return self._numbers.series_rows
        return [row for row in self._numbers.rows[self._t] if row.structure == self.shown]

    def _list_events(self, numbers: Numbers | None) -> None:
        self.event_list.clear()
        events = None if numbers is None else numbers.events
        if events is None:
            self.event_list.addItem("none")
        else:
            self.event_list.addItem(f"{len(events)}: choose one…")
            for _, event in events.iterrows():
                self.event_list.addItem(words_of(event), event)
        self.event_list.setEnabled(events is not None)

    def _event_chosen(self) -> None:
        event = self.event_list.currentData()
        if event is not None:
            self.event_chosen.emit(event)

    def _show_rows(self) -> None:
        self.table.show_rows(self._rows)
        self._show_series()

    def _show_series(self) -> None:
        if self._numbers is None or self._numbers.frames < 2:
            return
        rows = self._rows
        chosen = self.table.chosen
        row = next((row for row in rows if row.measure == chosen), rows[0])
        course = self._numbers.over_time(row)
        self.over_time.set_values(course.values, course.title)
        self.over_time.set_now(self._t)

    @property
    def _unit(self) -> str:
        if self._numbers is None or self.chosen is None:
            return ""
        return self._numbers.unit_of(self.chosen)

    def _show_objects(self) -> None:
        """Draw the histogram; what was selected by a bin of another is no more."""
        measure = self.chosen
        if self._numbers is None or measure is None or self._shows_series:
            return
        self._labels, values = self._numbers.objects(measure, self._t)
        self.histogram.set_values(values, with_unit(name_of(measure), self._unit))
        self.selection.say("")
        for structure in self._numbers.structures:
            self.selected.emit(structure, ())

    def _bin_clicked(self, inside: NDArray[np.bool_] | None) -> None:
        measure = self.chosen
        if measure is None or self._labels is None:
            return
        chosen = () if inside is None else tuple(self._labels[inside])
        self.selection.say(f"{len(chosen)} of {len(self._labels)} {measure.structure} selected" if chosen else "")
        self.selected.emit(measure.structure, chosen)

    def _ask_where_to_save(self) -> None:
        chosen, _ = QFileDialog.getSaveFileName(self, "Save the tables", "measures.csv", "Tables (*.csv)")
        if chosen:
            self.save_pressed.emit(Path(chosen).with_suffix(".csv"))

    def _ask_where_to_report(self) -> None:
        chosen, _ = QFileDialog.getSaveFileName(self, "Save the report", "measures.html", "Pages (*.html)")
        if chosen:
            self.report_pressed.emit(Path(chosen).with_suffix(".html"))


def _warning_words(findings: Sequence[Finding]) -> str:
    """What has to be known of the numbers: that they are of predictions, and all else that was found."""
    models = [finding.model for finding in findings if finding.code == "predicted"]
    words = []
    if models:
        words.append(f"Measured on predictions ({', '.join(models)}). See the verdict before you take a number.")
    words += [finding.message for finding in findings if finding.code not in _SAID_ELSEWHERE]
    return " ".join(words)
