"""Measures of fields and objects as tables."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from napari_mito_predict.measurement import DYNAMICS_MEASURES, measures_of
from napari_mito_predict.report.pieces import Cell, Row, Table
from napari_mito_predict.report.words import count, listed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Literal

    import pandas as pd

    from napari_mito_predict.measurement import Measure, Measurements
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
_FOUND_BY: Final = {
    "events": "labels that overlap along the optical flow",
    "movement": "TV-L1 optical flow (Zach et al. 2007)",
    "correlation": "Pearson",
}
_QUARTILES: Final = (0.25, 0.5, 0.75)


def measured_from(found: Sequence[Measurements]) -> Table:
    """Which channel of which file each structure was measured in."""
    head: list[str | Cell] = ["image", *(Cell(name, "name") for name in ("channel", "structure", "origin", "size"))]
    rows = []
    for each in found:
        for channel in each.channels:
            origin = f"predicted by {channel.predicted_by}" if channel.predicted_by else "recorded"
            cells = (channel.channel, str(channel.structure), origin, _size(each, channel.time_points))
            rows.append(Row([channel.file, *(Cell(text, "name") for text in cells)]))
    return Table(head, rows)


def field_table(group: Group) -> Table:
    """All measures of fields, with what is known of each; values of several fields or time points as their mean."""
    values = _of_fields(group)
    single = len(group.fields) == 1
    numbers = ["value"]
    if not single:
        numbers = ["fields", "mean", "SD", "least", "largest"]
    elif group.is_series:
        numbers = ["mean over time", "least", "largest"]
    whys = {why for why in values["why"] if why}
    with_reason = len(whys) > 1
    head: list[str | Cell] = ["measure", *numbers, "unit", Cell("verdict", "name")]
    if with_reason:
        head.append(Cell("why", "reason"))
    rows = []
    for (name, unit, verdict, why), rows_of in values.groupby(["measure", "unit", "verdict", "why"], sort=False):
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


def verdicts_in_words(group: Group) -> str:
    """How many measures may be taken from predictions; and why, where one reason holds for all."""
    if not group.predicted_by:
        return ""
    table = _of_fields(group).drop_duplicates(["measure", "unit", "verdict", "why"])
    counts = table["verdict"].value_counts()
    said = listed([f"{counts[verdict]} {verdict}" for verdict in _KINDS if verdict in counts])
    whys = sorted({why for why in table["why"] if why})
    reason = f" ({whys[0]})" if len(whys) == 1 else ""
    return f"{count(len(table), 'measure')} of a prediction: {said}{reason}."


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


def definitions(group: Group) -> Table:
    """What each measure is, and where its formula comes from."""
    declared: dict[str, Measure] = {}
    for member in group.members:
        for level in ("field", "object"):
            for measure in measures_of(group.structure, level, member.channel.dimensions):
                declared.setdefault(measure.name, measure)
    rows = [
        Row([words_of(name), Cell(measure.meaning, "reason"), Cell(measure.source, "reason")])
        for name, measure in declared.items()
    ]
    if any(member.dynamics is not None for member in group.members):
        for dynamic in DYNAMICS_MEASURES:
            cells = [Cell(dynamic.meaning, "reason"), Cell(_FOUND_BY[dynamic.kind], "reason")]
            rows.append(Row([words_of(dynamic.name), *cells]))
    return Table(["measure", Cell("what it is", "reason"), Cell("after", "reason")], rows)


def words_of(name: str) -> str:
    """Name of a measure for people: ``total length``."""
    return name.replace("_", " ")


def with_unit(name: str, unit: str) -> str:
    """A name, and its unit where it has one."""
    return f"{name}, {unit}" if unit else name


def number(value: float) -> str:
    """A value for people, with four digits."""
    if not math.isfinite(value):
        return NONE
    if abs(value) >= 1000 or value == round(value):
        return f"{value:.0f}"
    return f"{value:.4g}"


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
    if columns[0] != "fields":
        return [number(values.mean()), number(values.min()), number(values.max())]
    means = rows.groupby("field", sort=False)["value"].mean().dropna()
    return [str(len(means)), *(number(each) for each in (means.mean(), means.std(), means.min(), means.max()))]


def _size(found: Measurements, time_points: int) -> str:
    """Size of a voxel, or that it is not known, and how many time points there are."""
    dimensions = found.channels[0].dimensions
    size = "pixels of unknown size"
    if found.unit == "um":
        lengths = " × ".join(f"{length:.3g}" for length in found.voxel_size_um[-dimensions:] if length)
        size = f"{lengths} µm"
    series = "" if time_points == 1 else f", {time_points} time points"
    return f"{size}{series}"
