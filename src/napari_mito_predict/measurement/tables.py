"""Measurements as CSV files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari_mito_predict._tables import write_table
from napari_mito_predict.measurement.measures import Structure

if TYPE_CHECKING:
    import pandas as pd

    from napari_mito_predict.measurement.measured import Measurements


_OF_DYNAMICS = ("series", "frames", "events")


def table_files(path: Path) -> dict[str, Path]:
    """Where the tables of `write_tables` go, by what they hold.

    That is ``fields``, each structure, ``distances``, and of dynamics ``series``, ``frames`` and ``events``.
    """
    others = [*map(str, Structure), "distances", *_OF_DYNAMICS]
    return {"fields": path} | {name: path.with_name(f"{path.stem}_{name}{path.suffix}") for name in others}


def write_tables(found: Sequence[Measurements], path: Path, *, objects: bool = True) -> list[Path]:
    """Write the measures of fields; beside them, named after them, those of objects, the density, and dynamics.

    Parameters
    ----------
    found : sequence of Measurements
        One for each field.
    path : Path
        Such as ``table.csv``: the fields go there, mitochondria into ``table_mitochondria.csv`` and so on. UTF-8;
        an empty cell means that the number has no meaning there.
    objects : bool
        Whether to write those of objects and the density by distance too.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    UnwritableOutputError
        The folder is missing, read-only or full.
    """
    import pandas as pd

    tables = {"fields": [each.fields for each in found]}
    if objects:
        for structure in Structure:
            tables[str(structure)] = [each.objects[structure] for each in found if structure in each.objects]
        tables["distances"] = [each.distances for each in found if len(each.distances)]
    for name in _OF_DYNAMICS:
        parts = [getattr(each.dynamics, name) for each in found if each.dynamics is not None]
        tables[name] = [part for part in parts if len(part)] or parts[:1]
    written = []
    for name, parts in tables.items():
        if parts:
            target = table_files(path)[name]
            _write(pd.concat(parts, ignore_index=True), target)
            written.append(target)
    return written


def _write(table: pd.DataFrame, path: Path) -> None:
    rows = ({name: _cell(value) for name, value in row.items()} for row in table.to_dict("records"))
    write_table(path, list(table.columns), rows)


def _cell(value: object) -> object:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.9g}"
    return value
