"""Step 4: the numbers of the field, and how its objects are spread."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QLabel, QPushButton, QWidget
from superqt.utils import signals_blocked

from napari_mito_predict._widgets.common.controls import Combo
from napari_mito_predict._widgets.common.layouts import form
from napari_mito_predict._widgets.common.steps import Step
from napari_mito_predict._widgets.common.wrapped import Wrapped
from napari_mito_predict._widgets.measure.field_table import FieldTable
from napari_mito_predict._widgets.measure.plots import Histogram, OverTime
from napari_mito_predict._widgets.measure.rows import Numbers, name_of, number

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from napari_mito_predict.image import Finding
    from napari_mito_predict.measurement.measures import Measure, Structure


class ResultsStep(Step):
    """A table, a histogram, and for a series a line over time; they follow the slider."""

    selected = Signal(object, object)
    """A structure, and labels of some of its objects in the layer."""
    time_chosen = Signal(int)
    save_pressed = Signal(object)
    """Where the tables go, a `Path`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("4  Numbers", parent)
        self._numbers: Numbers | None = None
        self._t = 0
        self._labels: NDArray[np.int64] | None = None
        self.findings = Wrapped(quiet=True)
        self.table = FieldTable()
        self.over_time = OverTime()
        self.measure = Combo()
        self.histogram = Histogram()
        self.selection = Wrapped(quiet=True)
        self.save = QPushButton("Save &tables…")
        self.saved = Wrapped(quiet=True)
        self._build()
        self.show_numbers(None, ())

    def _build(self) -> None:
        self.measure.setAccessibleName("Measure of objects")
        self.save.setToolTip("Measures of the field and of each object, as CSV; each with its unit and verdict (Alt+T)")
        rows = form()
        self._label = QLabel("Objects")
        rows.addRow(self._label, self.measure)
        self.body.addWidget(self.findings)
        self.body.addWidget(self.table)
        self.body.addWidget(self.over_time)
        self.body.addLayout(rows)
        for widget in (self.histogram, self.selection, self.save, self.saved):
            self.body.addWidget(widget)
        for text in (self.selection, self.saved):
            text.say("")
        self.table.picked.connect(lambda _: self._show_series())
        self.measure.currentIndexChanged.connect(lambda _: self._show_objects())
        self.histogram.clicked.connect(self._bin_clicked)
        self.over_time.clicked.connect(self.time_chosen)
        self.save.clicked.connect(self._ask_where_to_save)

    @property
    def chosen(self) -> Measure | None:
        """The measure of objects that the histogram shows."""
        measure: Measure | None = self.measure.currentData()
        return measure

    def show_numbers(self, numbers: Numbers | None, findings: Sequence[Finding]) -> None:
        """Show what was found; None for nothing."""
        self._numbers = numbers
        self.findings.say(" ".join(finding.message for finding in findings))
        self.saved.say("")
        self._offer_measures()
        for widget in (self.table, self._label, self.measure, self.histogram, self.save):
            widget.setVisible(numbers is not None)
        self.over_time.setVisible(numbers is not None and numbers.frames > 1)
        if numbers is None:
            self.selection.say("")
            self.set_summary("nothing measured yet", "idle")
            return
        doubtful = any(row.verdict not in ("recorded", "supported") for row in numbers.rows[0])
        self.set_summary("see verdicts" if doubtful else "measured", "info" if doubtful else "ok", chosen=True)
        self.show_time(min(self._t, numbers.frames - 1))

    def show_time(self, t: int) -> None:
        """Show the numbers of a time point."""
        self._t = t
        if self._numbers is None or t >= self._numbers.frames:
            return
        self.table.show_rows(self._numbers.rows[t])
        self.over_time.set_now(t)
        self._show_series()
        self._show_objects()

    def show_object(self, structure: Structure, label: int) -> None:
        """Mark the value of an object, and say it; of label 0 nothing."""
        if self._numbers is None or structure not in self._numbers.structures:
            return
        if not label:
            self.histogram.mark(math.nan)
            self.selection.say("")
            return
        if self.chosen is None or self.chosen.structure != structure:
            self.measure.setCurrentIndex(self._first_of(structure))
        measure = self.chosen
        if measure is None:
            return
        value = self._numbers.value_of(measure, label)
        self.histogram.mark(value)
        unit = self._numbers.unit_of(measure)
        self.selection.say(f"Object {label}: {name_of(measure)} {number(value)} {unit}".rstrip())

    def show_saved(self, paths: Sequence[Path]) -> None:
        """Say where the tables are."""
        names = ", ".join(path.name for path in paths)
        self.saved.say(f"Saved in {paths[0].parent}: {names}")

    def restyle(self, theme: str) -> None:
        """Follow napari's theme."""
        self.table.restyle()
        for plot in (self.histogram, self.over_time):
            plot.restyle(theme)
        self._show_series()
        self._show_objects()

    # ------------------------------------------------------------------ plots

    def _offer_measures(self) -> None:
        before = self.chosen
        with signals_blocked(self.measure):
            self.measure.clear()
            if self._numbers is None:
                return
            for structure in self._numbers.structures:
                for measure in self._numbers.measures(structure):
                    self.measure.addItem(f"{structure}: {name_of(measure)}", measure)
            self.measure.setCurrentIndex(max(0, self.measure.findData(before)))

    def _first_of(self, structure: Structure) -> int:
        items = (self.measure.itemData(i) for i in range(self.measure.count()))
        return next(i for i, measure in enumerate(items) if measure.structure == structure)

    def _show_series(self) -> None:
        if self._numbers is None or self._numbers.frames < 2:
            return
        chosen = self.table.chosen
        row = next((row for row in self._numbers.rows[0] if row.measure == chosen), self._numbers.rows[0][0])
        name = f"{row.name}, {row.unit}" if row.unit else row.name
        self.over_time.set_values(self._numbers.over_time(row.measure), name)

    def _show_objects(self) -> None:
        measure = self.chosen
        if self._numbers is None or measure is None:
            return
        labels, values = self._numbers.objects(measure, self._t)
        self._labels = labels
        unit = self._numbers.unit_of(measure)
        self.histogram.set_values(values, f"{name_of(measure)}, {unit}" if unit else name_of(measure))
        self.selection.say("")
        self.selected.emit(measure.structure, ())

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
