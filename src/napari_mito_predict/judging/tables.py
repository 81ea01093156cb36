"""Verdicts on a model, and the values behind them, as tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_mito_predict._tables import write_table

if TYPE_CHECKING:
    from napari_mito_predict.judging.model_verdicts import JudgedMeasure, ModelVerdicts

COLUMNS = (
    "measure", "dimensions", "verdict", "why", "fields", "bias", "lower_limit", "upper_limit", "concordance", "least",
    "largest", "unit",
)  # fmt: skip
_VALUES = ("field", "measure", "dimensions", "recorded", "predicted", "unit")


def record_of(judged: JudgedMeasure) -> dict[str, object]:
    """A measure as a row of `COLUMNS`; what does not exist is None.

    Bias and limits are relative to the mean of the recordings; least and largest are those of the recordings.
    """
    found = judged.agreement
    low, high = found.limits or (None, None)
    tested = judged.tested
    return {
        "measure": judged.name,
        "dimensions": judged.dimensions,
        "verdict": found.verdict,
        "why": found.why,
        "fields": found.fields,
        "bias": found.bias,
        "lower_limit": low,
        "upper_limit": high,
        "concordance": found.concordance,
        "least": None if tested is None else tested.least,
        "largest": None if tested is None else tested.largest,
        "unit": judged.measure.unit(judged.unit),
    }


def write_verdicts(found: ModelVerdicts, path: Path) -> list[Path]:
    """Write the verdicts as CSV, and beside them the values of each field; what is there is replaced.

    Parameters
    ----------
    found : ModelVerdicts
    path : Path
        Such as ``verdicts.csv``; the values go into ``verdicts_fields.csv``.

    Raises
    ------
    UnwritableOutputError
        The folder is missing, read-only or full.
    """
    values = path.with_name(f"{path.stem}_fields{path.suffix}")
    write_table(path, COLUMNS, map(record_of, found.measures))
    rows: list[dict[str, object]] = []
    for judged in found.measures:
        head = {"measure": judged.name, "dimensions": judged.dimensions}
        rows += [pair._asdict() | head | {"unit": judged.measure.unit(judged.unit)} for pair in judged.pairs]
    write_table(values, _VALUES, rows)
    return [path, values]
