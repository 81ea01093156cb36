"""Measures of fields and objects as tables."""

from __future__ import annotations

import math
from itertools import chain
from typing import TYPE_CHECKING, Final

from napari_mito_predict.measurement import DYNAMICS_MEASURES, measures_of
from napari_mito_predict.report.pieces import Cell, Row, Table
from napari_mito_predict.report.words import count, listed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Literal

    import pandas as pd

    from napari_mito_predict.measurement import Measure, MeasuredChannel, Measurements
    from napari_mito_predict.report.measurement.groups import Group

NONE: Final = "–"
UNSUPPORTED: Final = "not supported"
_KINDS: Final[Mapping[str, Literal["name", "good", "caution", "bad"]]] = {
    "recorded": "name",
    "supported": "good",
    "with care": "caution",
    "not tested": "caution",
    UNSUPPORTED: "bad",
}
_SAME_ROW: Final = ["measure", "unit", "verdict", "why"]
"""What the numbers of a row have in common."""
_QUARTILES: Final = (0.25, 0.5, 0.75)


def measured_from(found: Sequence[Measurements]) -> Table:
    """Which channel of which file each structure was measured in."""
    head: list[str | Cell] = ["image", *(Cell(name, "name") for name in ("channel", "structure", "origin", "size"))]
    rows = []
    for each in found:
        by_channel: dict[tuple[str, str], list[MeasuredChannel]] = {}
        for channel in each.channels:
            by_channel.setdefault((channel.file, channel.channel), []).append(channel)
        for (file, name), channels in by_channel.items():
            first = channels[0]
            structures = listed([str(channel.structure) for channel in channels])
            origin = f"predicted by {first.predicted_by}" if first.predicted_by else "recorded"
            cells = (name, structures, origin, _size(each, first))
            rows.append(Row([file, *(Cell(text, "name") for text in cells)]))
    return Table(head, rows)


def field_table(group: Group) -> Table:
    """All measures of fields, with what is known of each; values of several fields or time points as their mean."""
    values = _of_fields(group)
    numbers = _number_columns(group, values)
    with_reason = values["why"].nunique() > 1
    head: list[str | Cell] = ["measure", *numbers, "unit", Cell("verdict", "name")]
    if with_reason:
        head.append(Cell("why", "reason"))
    rows = []
    for (name, unit, verdict, why), rows_of in values.groupby(_SAME_ROW, sort=False):
        cells = [words_of(name), *_numbers(rows_of, numbers), unit, Cell(verdict, _KINDS[verdict])]
        if with_reason:
            cells.append(Cell(why, "reason"))
        rows.append(Row(cells, "unusable" if verdict == UNSUPPORTED else ""))
    return Table(head, rows)


def dynamics_table(group: Group) -> Table:
    """How the mitochondria of each series change, with what is known of each measure; no rows without any."""
    rows = []
    for member in group.members:
        if member.dynamics is None:
            continue
        for row in member.dynamics.series.to_dict("records"):
            verdict = row["verdict"]
            cells = [member.field, Cell(words_of(row["measure"]), "name"), number(row["value"]), row["unit"]]
            cells += [Cell(verdict, _KINDS[verdict]), Cell(row["why"], "reason")]
            rows.append(Row(cells, "unusable" if verdict == UNSUPPORTED else ""))
    named = [Cell("verdict", "name"), Cell("why", "reason")]
    return Table(["series", Cell("measure", "name"), "value", "unit", *named], rows)


def _number_columns(group: Group, values: pd.DataFrame) -> list[str]:
    """A value; of a series how it varies over time, of several fields how they vary, and how many have it."""
    if len(group.fields) > 1:
        fields = values.dropna(subset="value").groupby(_SAME_ROW)["field"].nunique()
        numbers = ["mean", "SD", "least", "largest"]
        return numbers if (fields == len(group.fields)).all() else ["fields", *numbers]
    return ["mean over time", "least", "largest"] if group.is_series else ["value"]


def verdicts_in_words(group: Group) -> str:
    """How many measures may be taken from predictions; and why, where one reason holds for all."""
    if not group.predicted_by:
        return ""
    table = _of_fields(group).drop_duplicates(_SAME_ROW)
    counts = table["verdict"].value_counts()
    said = listed([f"{counts[verdict]} {verdict}" for verdict in _KINDS if verdict in counts])
    reason = f" ({table['why'].iloc[0]})" if table["why"].nunique() == 1 else ""
    return f"Verdicts on {count(len(table), 'measure')} of a prediction: {said}{reason}."


def table_of_each_field(group: Group) -> Table:
    """A row for each field; of a series its mean over time."""
    values = _of_fields(group)
    columns = list(dict.fromkeys(zip(values["measure"], values["unit"], strict=True)))
    by_field = {key: rows["value"].mean() for key, rows in values.groupby(["field", "measure", "unit"])}
    rows = []
    for field in group.fields:
        rows.append(Row([field, *(number(by_field.get((field, *column), math.nan)) for column in columns)]))
    return Table(["field", *(with_unit(words_of(name), unit) for name, unit in columns)], rows)


def object_table(group: Group) -> Table:
    """Median and quartiles of the measures of all objects."""
    rows = []
    for measure, unit, values in measured_objects(group):
        known = values.dropna()
        if not len(known):
            continue
        quartiles = [number(float(value)) for value in known.quantile(list(_QUARTILES))]
        rows.append(Row([words_of(measure.name), str(len(known)), *quartiles, unit]))
    return Table(["measure", "objects", "25 %", "median", "75 %", "unit"], rows)


def measured_objects(group: Group) -> list[tuple[Measure, str, pd.Series]]:
    """Measures of objects with their unit and the values of all objects of the group."""
    import pandas as pd

    found: dict[tuple[Measure, str], list[pd.Series]] = {}
    for member in group.members:
        for measure in measures_of(group.structure, "object", member.channel.dimensions):
            if measure.name in member.objects and len(member.objects):
                key = (measure, measure.unit(member.of.unit))
                found.setdefault(key, []).append(member.objects[measure.name].astype(float))
    return [(measure, unit, pd.concat(parts, ignore_index=True)) for (measure, unit), parts in found.items()]


def definitions(groups: Sequence[Group]) -> Table:
    """What the measures of one structure are that the page shows, and where their formulas come from."""
    rows = []
    for measure in _shown_measures(groups):
        rows.append(Row([words_of(measure.name), Cell(measure.meaning, "reason"), Cell(measure.source, "reason")]))
    if any(member.dynamics is not None for member in chain.from_iterable(group.members for group in groups)):
        for dynamic in DYNAMICS_MEASURES:
            cells = [Cell(dynamic.meaning, "reason"), Cell(dynamic.source, "reason")]
            rows.append(Row([words_of(dynamic.name), *cells]))
    return Table(["measure", Cell("what it is", "reason"), Cell("after", "reason")], rows)


def _shown_measures(groups: Sequence[Group]) -> list[Measure]:
    """Of fields and objects, each name once."""
    found: dict[str, Measure] = {}
    for group in groups:
        of_fields = set(_of_fields(group)["measure"])
        for member in group.members:
            for measure in measures_of(group.structure, "field", member.channel.dimensions):
                if measure.name in of_fields:
                    found.setdefault(measure.name, measure)
        for measure, _, _ in measured_objects(group):
            found.setdefault(measure.name, measure)
    return list(found.values())


def words_of(name: str) -> str:
    """Name of a measure for people: ``total length``."""
    return name.replace("_", " ")


def with_unit(name: str, unit: str) -> str:
    """A name, and its unit where it has one."""
    return f"{name}, {unit}" if unit else name


def number(value: float) -> str:
    """A value for people, with three digits, or all before the point."""
    if not math.isfinite(value):
        return NONE
    if abs(value) >= 100 or value == round(value):
        return f"{value:.0f}"
    return f"{value:.3g}"


def _of_fields(group: Group) -> pd.DataFrame:
    """The measures of all fields, with the name of each."""
    import pandas as pd

    tables = [member.measures.assign(field=member.field) for member in group.members]
    return pd.concat(tables, ignore_index=True)


def _numbers(rows: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """One measure, as the columns of the table want it."""
    values = rows["value"]
    if columns == ["value"]:
        return [number(value) for value in values]
    if "SD" not in columns:
        return [number(values.mean()), number(values.min()), number(values.max())]
    means = rows.groupby("field", sort=False)["value"].mean().dropna()
    shown = [number(each) for each in (means.mean(), means.std(), means.min(), means.max())]
    return [str(len(means)), *shown] if "fields" in columns else shown


def _size(found: Measurements, channel: MeasuredChannel) -> str:
    """Size of a voxel, or that it is not known, and how many time points there are."""
    size = "pixels of unknown size"
    if found.unit == "um":
        lengths = " × ".join(f"{length:.3g}" for length in found.voxel_size_um[-channel.dimensions :] if length)
        size = f"{lengths} µm"
    series = "" if channel.time_points == 1 else f", {channel.time_points} time points"
    return f"{size}{series}"
