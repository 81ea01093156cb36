"""Verdicts on a model as one HTML file that needs nothing else."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from itertools import product
from typing import TYPE_CHECKING, Final

from napari_mito_predict._versions import versions_of
from napari_mito_predict.measurement.measures import Structure
from napari_mito_predict.report.drawing import COLOURS, GREY, as_png, new_figure, plain, plain_axis
from napari_mito_predict.report.measurement.tables import NONE, number, words_of
from napari_mito_predict.report.pieces import Caution, Cell, Picture, Row, Table
from napari_mito_predict.report.sheet import Section, Sheet, write_sheet
from napari_mito_predict.report.words import capitalised, count

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Literal

    from matplotlib.axes import Axes

    from napari_mito_predict.judging.model_verdicts import JudgedMeasure, ModelVerdicts

_PACKAGES: Final = ("napari-mito-predict", "numpy", "scipy", "scikit-image", "skan", "pandas")
_KINDS: Final[Mapping[str, Literal["good", "caution", "bad"]]] = {
    "supported": "good",
    "with care": "caution",
    "not supported": "bad",
}
_ABOUT: Final = (
    "The same measure was taken of the recorded fluorescence and of its prediction, with the same settings, field by "
    "field. Bias and limits of agreement (Bland & Altman 1986) are relative to the mean of the recordings; concordance "
    "is Lin's coefficient (1989). Supported: at least 8 independent fields, concordance at least 0.8, bias at most "
    "10 %; with care: the same on fewer fields."
)
_IN_A_LINE: Final = 4
_WIDTH: Final = 10.0
_HEIGHT: Final = 2.3
_MARGIN: Final = 0.05
"""Of what is between the least and the largest value, on both sides."""


def write_page(found: ModelVerdicts, path: Path, *, created: datetime | None = None) -> Path:
    """Write what was found out as a page, completely or not at all; `path` is replaced where it exists.

    Parameters
    ----------
    found : ModelVerdicts
    path : Path
        Of the file, such as ``page.html``.
    created : datetime, optional
        When it was found out; now by default.

    Raises
    ------
    UnwritableOutputError
        The folder is missing, read-only or full.
    """
    return write_sheet(_sheet(found, created or datetime.now(UTC)), path)


def _sheet(found: ModelVerdicts, created: datetime) -> Sheet:
    sections = [_section(found, structure, dimensions) for structure, dimensions in product(Structure, (2, 3))]
    if found.skipped:
        sections.append(Section("What does not count", notes=found.skipped))
    fields = f"{count(len(found.fields), 'independent field')}: {found.on}"
    return Sheet(
        title=f"Measures of {found.model}",
        heading=f"What may be measured on predictions by {found.model}",
        subtitle=f"{fields}. {created.day} {created:%B %Y, %H:%M} UTC.",
        about=_ABOUT,
        cautions=_cautions(found),
        sections=[section for section in sections if section.table is None or section.table.rows],
        versions=versions_of(_PACKAGES),
    )


def _cautions(found: ModelVerdicts) -> list[Caution]:
    cautions = []
    if found.simulated:
        cautions.append(Caution("Fields of simulated cells.", "Nothing is said of real ones."))
    if not found.training_known:
        cautions.append(
            Caution(
                f"It is not known which fields {found.model} was trained on.",
                "On those everything agrees better than elsewhere.",
            )
        )
    return cautions


def _section(found: ModelVerdicts, structure: Structure, dimensions: int) -> Section:
    of_dimensions = (measure for measure in found.measures if measure.dimensions == dimensions)
    judged = [measure for measure in of_dimensions if measure.measure.structure == structure]
    pictures = []
    drawn = [measure for measure in judged if measure.tested is not None]
    if drawn:
        caption = "Each point is a field. On the line, prediction and recording agree. Grey: not supported."
        pictures.append(Picture(_draw(drawn), caption))
    where = {2: "planes", 3: "stacks"}[dimensions]
    return Section(f"{capitalised(str(structure))} in {where}", table=_table(judged), pictures=pictures)


def _table(judged: Sequence[JudgedMeasure]) -> Table:
    head: list[str | Cell] = ["measure", "fields", "recorded", "bias", "limits", "concordance"]
    head += [Cell("verdict", "name"), Cell("why", "reason")]
    rows = []
    for each in judged:
        found = each.agreement
        limits = NONE if found.limits is None else f"{found.limits[0]:+.0%} to {found.limits[1]:+.0%}"
        cells: list[str | Cell] = [
            words_of(each.measure.name),
            str(found.fields),
            _range(each),
            NONE if found.bias is None else f"{found.bias:+.0%}",
            limits,
            NONE if found.concordance is None else f"{found.concordance:.2f}",
            Cell(found.verdict, _KINDS[found.verdict]),
            Cell(found.why, "reason"),
        ]
        rows.append(Row(cells))
    return Table(head, rows)


def _range(judged: JudgedMeasure) -> str:
    if judged.tested is None:
        return NONE
    numbers = f"{number(judged.tested.least)} to {number(judged.tested.largest)}"
    return f"{numbers} {judged.measure.unit(judged.unit)}".strip()


def _draw(judged: Sequence[JudgedMeasure]) -> bytes:
    """Predicted against recorded, a panel for each measure."""
    lines = math.ceil(len(judged) / _IN_A_LINE)
    figure = new_figure(_WIDTH, lines * _HEIGHT)
    panels = figure.subplots(lines, _IN_A_LINE, squeeze=False)
    for axis in panels.flat[len(judged) :]:
        axis.set_visible(False)
    for axis, each in zip(panels.flat, judged, strict=False):
        _draw_panel(axis, each)
    figure.supxlabel("recorded", fontsize=8)
    figure.supylabel("predicted", fontsize=8)
    return as_png(figure)


def _draw_panel(axis: Axes, judged: JudgedMeasure) -> None:
    plain_axis(axis)
    colour = GREY if judged.agreement.verdict == "not supported" else COLOURS[0]
    axis.set_title(plain(words_of(judged.measure.name)), fontsize=8)
    known = [pair for pair in judged.pairs if pair.is_known]
    recorded = [pair.recorded for pair in known]
    predicted = [pair.predicted for pair in known]
    low = min(*recorded, *predicted)
    high = max(*recorded, *predicted)
    margin = _MARGIN * (high - low) or 1.0
    shown = (low - margin, high + margin)
    axis.plot(shown, shown, color=GREY, linewidth=0.8)
    axis.plot(recorded, predicted, "o", color=colour, markersize=4)
    axis.set(xlim=shown, ylim=shown, aspect="equal")
