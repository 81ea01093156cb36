"""Tables, figures and the one page of a study, made of whatever runs are finished; needs no training."""

from __future__ import annotations

import datetime
from importlib import metadata
from operator import attrgetter
from typing import TYPE_CHECKING

from napari_mito_predict._files import atomic_write_text
from napari_mito_predict.errors import StudyError
from napari_mito_predict.evaluation.markup import count, picture, row, section, table, text
from napari_mito_predict.evaluation.page import PAGE
from napari_mito_predict.study.experiments import STUDIES, TIME, TITLES, Study, Z
from napari_mito_predict.study.figures import NAMES, save_figure
from napari_mito_predict.study.findings import findings
from napari_mito_predict.study.paper import CITATION, COMBINED_PCC, FINDINGS, TABLE_2
from napari_mito_predict.study.recipes import LETTERS, RECIPES
from napari_mito_predict.study.results import (
    Row,
    Summary,
    collect,
    read_rows,
    scored_on_all,
    summarise,
    table_file,
    write_rows,
    write_runs,
    write_summary,
)

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
    sections = [_study(plan, study, rows, cells) for study, rows in found.items()]
    path = plan.folder / "index.html"
    atomic_write_text(
        path,
        PAGE.substitute(
            title=_TITLE,
            heading=_TITLE,
            subtitle=text(
                f"After {CITATION}. Scale {plan.scale.name}: {plan.scale.words}. "
                f"{datetime.date.today().isoformat()}, napari-mito-predict {metadata.version('napari-mito-predict')}."
            ),
            body="\n".join([_warning(plan), *sections, _recipes(), _tracing()]),
        ),
    )
    return path


def _warning(plan: Plan) -> str:
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
    return f'<div class="warn" role="note"><b>{text(first)}</b>{text(" ".join(parts))}</div>'


def _study(plan: Plan, study: Study, rows: Sequence[Row], cells: str) -> str:
    figure = save_figure(study, rows, plan.folder / "figures", cells)
    found = findings(study, rows) or ["Too few trainings are finished yet to compare anything."]
    here = "".join(f"<li>{text(line)}</li>" for line in found)
    return section(
        [
            f"<h2>{text(TITLES[study])}</h2>",
            f'<p class="soft">{text(_what_ran(plan, study, rows))}</p>',
            '<div class="sides"><div><h3>The paper, real cells</h3>',
            f"<p>{text(FINDINGS[study])}</p></div>",
            f"<div><h3>Here, {text(cells)}</h3><ul>{here}</ul></div></div>",
            picture(figure.read_bytes(), _CAPTIONS[study]),
            _numbers(study, rows),
            f'<p class="soft">Every number: <code>results/{study}.csv</code>; means: '
            f"<code>results/{study}-summary.csv</code>; figure: <code>figures/{study}.svg</code>.</p>",
        ]
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


def _numbers(study: Study, rows: Sequence[Row]) -> str:
    if study == "architecture":
        return _table_2(rows)
    if study == "combined":
        return _combined_table(rows)
    return _plain_table(study, rows)


def _table_2(rows: Sequence[Row]) -> str:
    """Table 2 with our numbers beside the paper's."""
    lines = []
    for letter in (Z, TIME):
        recipe = RECIPES[f"{letter}1"]
        tested = [row for row in rows if row.tested_on == letter]
        pcc = summarise(tested, lambda row: row.network, "pcc")
        ssim = summarise(tested, lambda row: row.network, "ssim_global")
        for network in ("unet", "gvtnet"):
            reported = TABLE_2[recipe.third_axis, network]
            cells = [f"{reported.pcc:.4f}", f"{reported.ssim_global:.4f}", _cell(pcc, network), _cell(ssim, network)]
            lines.append(_line([f"{recipe.images} ({recipe.name}), {NAMES[network]}"], cells))
    head = ["", "the paper: PCC", "the paper: SSIM, global", "here: PCC", "here: SSIM, global"]
    return table(head, lines)


def _combined_table(rows: Sequence[Row]) -> str:
    """Specific and combined models of each target, and one network of both, on either kind of input."""
    found = summarise(rows, lambda r: (r.recipe, r.target, r.tested_on))
    both = summarise(scored_on_all(rows, Z + TIME), lambda r: (r.recipe, r.target))
    trained = {(r.recipe, r.target) for r in rows}
    lines = []
    for index, target in (("1", "mitochondria"), ("2", "dna"), ("12", "mitochondria"), ("12", "dna")):
        for letters in (Z, TIME, Z + TIME):
            recipe = f"{letters}{index}"
            if (recipe, target) not in trained:
                continue
            cells = [_cell(found, (recipe, target, letter)) for letter in (Z, TIME)]
            cells.append(_cell(both, (recipe, target)))
            name = f"{NAMES[target]}: {NAMES[letters]}"
            if index == "12":
                name += ", one network of both targets"
            lines.append(_line([name], cells))
    head = ["here: PCC", "tested on z-stacks", "tested on time series", "on both"]
    return table(head, lines) + _reported_pairs()


def _reported_pairs() -> str:
    pairs = []
    for letter in (Z, TIME):
        recipe = RECIPES[f"{letter}1"]
        first, second = COMBINED_PCC[recipe.third_axis]
        pairs.append(f"{recipe.axis_word} {first:.4f} and {second:.4f}")
    reported = f"In the paper's text: {text('; '.join(pairs))}."
    return f'<p class="soft">{reported} Their order is ambiguous and not asserted here.</p>'


def _plain_table(study: Study, rows: Sequence[Row]) -> str:
    """A line for each model."""
    key = attrgetter("recipe", "target", "training_fields", "patch")
    pcc = summarise(rows, key, "pcc")
    ssim = summarise(rows, key, "ssim_global")
    lines = []
    for model in sorted(pcc):
        of_model = [row for row in rows if key(row) == model]
        example = of_model[0]
        name = f"{example.recipe}, {NAMES[example.target]}"
        if study == "models":
            name += f": {RECIPES[example.recipe].words}"
        fields = len({row.field for row in of_model})
        numbers = [str(number) for number in (example.training_fields, example.patch, fields)]
        lines.append(_line([name], [*numbers, _cell(pcc, model), _cell(ssim, model)]))
    head = ["recipe", "training sets", "patch", "test fields", "here: PCC", "here: SSIM, global"]
    shown = table(head, lines)
    if len(lines) > _MANY_LINES:
        return f"<details><summary>All numbers</summary>{shown}</details>"
    return shown


def _cell(found: dict[object, Summary], key: object) -> str:
    summary = found.get(key)
    if summary is None:
        return "–"
    return summary.words.replace("-", "−")


def _line(heads: Sequence[str], cells: Sequence[str]) -> str:
    """A line of a table in which no cell is the best of its column."""
    return row(heads, [(cell, False) for cell in cells])


def _recipes() -> str:
    lines = []
    for letter in LETTERS:
        recipe = RECIPES[f"{letter}1"]
        size = f"{recipe.size} x {recipe.size}"
        if recipe.downscaled_from:
            size += f" (downscaled from {recipe.downscaled_from})"
        heads = [f"{letter}1, {letter}2", recipe.detector, recipe.axis_word, recipe.step_words]
        sets = f"{recipe.training_sets}/{recipe.test_sets}"
        lines.append(_line(heads, [sets, size, str(recipe.slices), f"{recipe.pixel_um:.3f} µm"]))
    head = ["recipe", "detector", "third axis", "step", "sets", "XY pixels", "slices", "pixel size (our reading)"]
    return section(
        [
            "<h2>The recipes: Table 1 of the paper</h2>",
            '<p class="soft">1: mitochondria, 2: DNA; sets: training/test. The paper does not give the pixel size; our '
            "reading is one field of about 101 µm.</p>",
            table(head, lines),
        ]
    )


def _tracing() -> str:
    return section(
        [
            "<h2>Where every number is from</h2>",
            "<p>Each line of <code>results/STUDY.csv</code> is one run on one test field and names the run folder, its "
            "seed and the field. The run folder holds its configuration (<code>config.yaml</code>), log, learning "
            "curve and model, with the model's own scores in <code>test.csv</code> and those of each data set in "
            "<code>scores/</code>. <code>results/runs.csv</code> lists all runs with the SHA-256 of their weights. "
            "Simulated fields carry their seed and their conditions in the CZI file.</p>",
        ]
    )
