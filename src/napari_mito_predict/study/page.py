"""Tables, figures and the one page of a study, made of whatever runs are finished; needs no training."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING

from napari_mito_predict._files import atomic_write_text
from napari_mito_predict.errors import StudyError
from napari_mito_predict.report.pieces import Caution, Picture, Table
from napari_mito_predict.report.rendering import render
from napari_mito_predict.report.words import count
from napari_mito_predict.study.experiments import STUDIES, TITLES, Study
from napari_mito_predict.study.figures import save_figure
from napari_mito_predict.study.findings import findings
from napari_mito_predict.study.paper import CITATION, FINDINGS
from napari_mito_predict.study.results import Row, collect, read_rows, table_file, write_rows, write_runs, write_summary
from napari_mito_predict.study.tables import numbers_of, recipes_table, reported_pairs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_mito_predict.study.plan import Plan

_TITLE = "The paper's experiments, repeated"
_MANY_LINES = 10
"""A longer table is folded away at first."""
_CAPTIONS: dict[Study, str] = {
    "models": (
        "Bars: mean over test fields; grey lines: the blurred transmitted light, no network. Stars: the data sets that "
        "do best in the paper."
    ),
    "training-size": "Dots: test fields, the same for all runs.",
    "patch-size": "Dots: test fields, the same for all runs.",
    "architecture": (
        "Tinted panels: Table 2 of the paper. Here: mean over test fields and seeds, dots for seeds, error bars for "
        "their standard deviation; grey lines: the blurred transmitted light, no network."
    ),
    "combined": (
        "Mean over test fields and seeds, dots for seeds, error bars for their standard deviation; grey lines: the "
        "blurred transmitted light of the fields a model was made for, no network (blur and sign fitted to the targets "
        "and fields it was trained on)."
    ),
}


def write_page(plan: Plan) -> Path:
    """Write tables and figures of the plan's studies, then the page of all studies that the folder has tables of.

    Parameters
    ----------
    plan : Plan
        With all runs of its studies, not a choice of them: those that are not finished are left out.

    Raises
    ------
    StudyError
        Nothing is finished yet.
    """
    for study in plan.studies:
        rows = collect(plan, study)
        if rows:
            path = table_file(plan.folder, study)
            write_rows(path, rows)
            write_summary(path.with_name(f"{study}-summary.csv"), rows)
    write_runs(plan)
    tables = {study: table_file(plan.folder, study) for study in STUDIES}
    found = {study: read_rows(path) for study, path in tables.items() if path.exists()}
    if not found:
        raise StudyError("no training is finished yet, so there is nothing to show.", file=plan.folder)
    cells = "own pairs" if plan.own else "simulated cells"
    subtitle = (
        f"After {CITATION}. Scale {plan.scale.name}: {plan.scale.words}. {datetime.date.today().isoformat()}, "
        f"napari-mito-predict {metadata.version('napari-mito-predict')}."
    )
    page = render(
        "study.html.j2",
        package="napari_mito_predict.study",
        title=_TITLE,
        heading=_TITLE,
        subtitle=subtitle,
        warning=_caution(plan),
        cells=cells,
        studies=[_study(plan, study, rows, cells) for study, rows in found.items()],
        recipes=recipes_table(),
    )
    path = plan.folder / "index.html"
    atomic_write_text(path, page)
    return path


def _caution(plan: Plan) -> Caution:
    """What the numbers do not say."""
    parts = []
    if plan.own:
        first = "Our numbers are on the pairs given, the paper's on its own."
    else:
        first = "Our numbers are on simulated cells, the paper's on real ones: do not compare them as equals."
        parts.append(
            "A simulated cell is drawn by a program and imaged by a physical model; how well a network does there says "
            "nothing of real cells. What can be compared is the direction of an effect, and even that only where the "
            "simulation has what causes it."
        )
    if plan.scale.name == "smoke":
        parts.append("The scale smoke only shows that everything runs: its numbers mean nothing.")
    if plan.scale.name == "cpu":
        parts.append("Networks, fields and trainings are far smaller than the paper's.")
    return Caution(first, " ".join(parts))


@dataclass(frozen=True)
class _StudyPart:
    """What the template shows of one study."""

    name: Study
    title: str
    what_ran: str
    reported: str
    findings: list[str]
    figure: Picture
    numbers: Table
    remark: str = ""

    @property
    def is_long(self) -> bool:
        """Whether the numbers are folded away at first."""
        return len(self.numbers.rows) > _MANY_LINES


def _study(plan: Plan, study: Study, rows: Sequence[Row], cells: str) -> _StudyPart:
    figure = save_figure(study, rows, plan.folder / "figures", cells)
    return _StudyPart(
        name=study,
        title=TITLES[study],
        what_ran=_what_ran(plan, study, rows),
        reported=FINDINGS[study],
        findings=findings(study, rows) or ["Too few trainings are finished yet to compare anything."],
        figure=Picture(figure.read_bytes(), _CAPTIONS[study]),
        numbers=numbers_of(study, rows),
        remark=reported_pairs() if study == "combined" else "",
    )


def _what_ran(plan: Plan, study: Study, rows: Sequence[Row]) -> str:
    runs = {row.run for row in rows}
    planned = len(plan.studies.get(study, ()))
    unfinished = ""
    if planned > len(runs):
        unfinished = f" of {planned} planned"
    fields = {(row.tested_on, row.field) for row in rows}
    iterations = sorted({row.iterations for row in rows})
    span = str(iterations[0])
    if len(iterations) > 1:
        span = f"{iterations[0]} to {iterations[-1]}"
    return (
        f"{count(len(runs), 'run')}{unfinished} of {span} iterations, {count(len({r.seed for r in rows}), 'seed')}, "
        f"scored on {count(len(fields), 'test field')}."
    )
