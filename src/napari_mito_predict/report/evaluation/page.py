"""An evaluation report as one HTML file that needs nothing else: no scripts, no network."""

from __future__ import annotations

from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING

from napari_mito_predict._files import atomic_write_text
from napari_mito_predict.evaluation.results import Report, targets_of
from napari_mito_predict.models import SIMULATED_DISCLAIMER
from napari_mito_predict.report import rendering
from napari_mito_predict.report.evaluation.fields import field_part
from napari_mito_predict.report.evaluation.models import facts_of_models
from napari_mito_predict.report.evaluation.summary import target_part
from napari_mito_predict.report.pieces import Caution
from napari_mito_predict.report.words import count

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_HEADING = "Truth beside prediction"
_LONGEST_TITLE = 120
_WHAT_SIMULATED_MEANS = (
    "The model never saw a real microscope image. On real cells its output is a demonstration and a start for "
    "fine-tuning, not a measurement; scores on simulated cells say nothing of real ones."
)


def write_html(report: Report, path: Path, *, on_step: Callable[[], object] = lambda: None) -> Path:
    """Write the report, completely or not at all; `path` is replaced where it exists.

    Parameters
    ----------
    report : Report
        What `gather` gave.
    path : Path
        Of the file.
    on_step : callable
        Called now and then, the last time when all but the writing is done; what it raises ends it all.

    Raises
    ------
    UnwritableOutputError
        The folder is missing, read-only or full.
    """
    page = render(report, on_step=on_step)
    on_step()
    atomic_write_text(path, page)
    return path


def render(report: Report, *, on_step: Callable[[], object] = lambda: None) -> str:
    """The report as HTML. Every name and text of a file is escaped; pictures are inline PNG."""
    fields = []
    for _, group in groupby(report.results, key=lambda result: (result.case.field, result.case.target)):
        on_step()
        fields.append(field_part(list(group)))
    names = ", ".join(dict.fromkeys(result.case.field for result in report.results))
    return rendering.render(
        "evaluation/page.html.j2",
        title=f"{_HEADING}: {names[:_LONGEST_TITLE]}",
        heading=_HEADING,
        subtitle=_subtitle(report),
        disclaimers=[_disclaimer(words) for words in (*report.about_truths, *report.disclaimers)],
        targets=[target_part(report, target) for target in targets_of(report.results)],
        fields=fields,
        models=facts_of_models(report.results),
        skipped=report.skipped,
        versions=report.versions,
    )


def _subtitle(report: Report) -> str:
    fields = len({result.case.field for result in report.results})
    models = len({result.case.model for result in report.results})
    return (
        f"{count(len(report.results), 'prediction')} of {count(fields, 'field')} by {count(models, 'model')}, "
        f"compared with the fluorescence of the same fields. {_when(report.created)}."
    )


def _when(created: str) -> str:
    moment = datetime.fromisoformat(created)
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"


def _disclaimer(words: str) -> Caution:
    return Caution(words, _WHAT_SIMULATED_MEANS if SIMULATED_DISCLAIMER in words else "")
