"""Measures of a field as rows for people, and values of objects as numbers to plot."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_mito_predict._widgets.measure.event_layer import events_of
from napari_mito_predict.measurement.measures import (
    DYNAMICS_MEASURES,
    FIELD_MEASURES,
    DynamicsMeasure,
    Measure,
    Structure,
    measures_of,
)
from napari_mito_predict.measurement.verdicts import RECORDED

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from napari_mito_predict._widgets.measure.work import Found
    from napari_mito_predict.measurement.voxels import Unit

ICONS: Final[Mapping[str, str]] = {
    "supported": "ok",
    "with care": "warning",
    "not tested": "info",
    "not supported": "error",
}
"""State of a verdict; what was recorded has none."""


@dataclass(frozen=True)
class FieldRow:
    """A measure of a field at one time point, or of a whole series.

    Attributes
    ----------
    measure : Measure or DynamicsMeasure
    value : float
        NaN where it has no meaning.
    unit : str
        For people.
    verdict, why : str
        See `Judgement`.
    """

    measure: Measure | DynamicsMeasure
    value: float
    unit: str
    verdict: str
    why: str

    @property
    def name(self) -> str:
        """Of the measure, for people."""
        return name_of(self.measure)

    @property
    def structure(self) -> str:
        """That is measured."""
        return str(self.measure.structure if isinstance(self.measure, Measure) else Structure.MITOCHONDRIA)

    @property
    def is_usable(self) -> bool:
        """Whether the number may be taken."""
        return self.verdict != "not supported"


def name_of(measure: Measure | DynamicsMeasure) -> str:
    """Name of a measure for people: ``total length``."""
    return measure.name.replace("_", " ")


@dataclass(frozen=True)
class Course:
    """A number at each time point, and what it is called with its unit."""

    values: NDArray[np.float64]
    title: str


def number(value: float) -> str:
    """A value for people, with four digits."""
    if math.isnan(value):
        return "–"
    if value == round(value) and abs(value) < 1e6:
        return f"{value:.0f}"
    return f"{value:.4g}"


def with_unit(name: str, unit: str) -> str:
    """Title of an axis: ``total length, µm``."""
    return f"{name}, {unit}" if unit else name


class Numbers:
    """What was found, as the dock asks for it: by time point, structure and measure."""

    def __init__(self, found: Found, dimensions: int, unit: Unit) -> None:
        self._found = found
        self._objects = found.measurements.objects
        self._dimensions = dimensions
        self._unit: Unit = unit
        self.structures = tuple(structure for structure in Structure if structure in self._objects)
        self.rows = self._rows()
        """Of each time point."""
        self.series_rows = self._series_rows()
        """Fissions, fusions and speed of the whole series; none where it was not followed."""

    @property
    def events(self) -> pd.DataFrame | None:
        """Fissions and fusions; None where there are none."""
        return events_of(self._found)

    @property
    def is_predicted(self) -> bool:
        """Whether any number is from a prediction."""
        return any(row.verdict != RECORDED for row in self.rows[0])

    @property
    def frames(self) -> int:
        """How many time points there are."""
        return len(self.rows)

    def _rows(self) -> list[list[FieldRow]]:
        declared = {
            (str(measure.structure), measure.name): measure
            for measure in FIELD_MEASURES
            if self._dimensions in measure.dimensions
        }
        frames: dict[int, list[FieldRow]] = {}
        for row in self._found.measurements.fields.itertuples():
            measure = declared[row.structure, row.measure]
            frames.setdefault(row.t, []).append(FieldRow(measure, row.value, row.unit, row.verdict, row.why))
        return [frames[t] for t in sorted(frames)]

    def _series_rows(self) -> list[FieldRow]:
        dynamics = self._found.measurements.dynamics
        if dynamics is None:
            return []
        declared = {measure.name: measure for measure in DYNAMICS_MEASURES}
        rows = dynamics.series.itertuples()
        return [FieldRow(declared[row.measure], row.value, row.unit, row.verdict, row.why) for row in rows]

    def over_time(self, row: FieldRow) -> Course:
        """The values of a measure, one for each time point; of fissions and fusions how many there were so far."""
        if isinstance(row.measure, DynamicsMeasure):
            return self._course(row.measure)
        values = [next(each.value for each in rows if each.measure == row.measure) for rows in self.rows]
        return Course(np.array(values), with_unit(row.name, row.unit))

    def _course(self, measure: DynamicsMeasure) -> Course:
        dynamics = self._found.measurements.dynamics
        if dynamics is None or measure.course is None:
            return Course(np.zeros(0), "")
        table = dynamics.frames[dynamics.frames["measure"] == measure.course]
        values = table["value"].to_numpy(float)
        name = measure.course.replace("_", " ")
        if measure.course == measure.name and not measure.unit:  # a number of events
            return Course(values.cumsum(), f"{name} so far")
        return Course(values, with_unit(name, str(table["unit"].iloc[0])))

    def measures(self, structure: Structure) -> tuple[Measure, ...]:
        """Measures of objects that there are values of."""
        table = self._objects[structure]
        return tuple(each for each in measures_of(structure, "object", self._dimensions) if each.name in table)

    def objects(self, measure: Measure, t: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Labels in the layer and values of the objects of a time point; those without a value are left out."""
        table = self._objects[measure.structure]
        table = table[table["t"] == t]
        values = table[measure.name].to_numpy(float)
        labels = table["label"].to_numpy() + self._found.added[measure.structure][t]
        known = np.isfinite(values)
        return labels[known], values[known]

    def value_of(self, measure: Measure, label: int) -> float:
        """Value of the object with this label in the layer; NaN where there is none."""
        added = np.asarray(self._found.added[measure.structure])
        t = int(np.searchsorted(added[1:], label))
        if t >= self.frames:
            return math.nan
        labels, values = self.objects(measure, t)
        at = np.flatnonzero(labels == label)
        return float(values[at[0]]) if at.size else math.nan

    def unit_of(self, measure: Measure) -> str:
        """Unit of a measure, for people."""
        return measure.unit(self._unit)
