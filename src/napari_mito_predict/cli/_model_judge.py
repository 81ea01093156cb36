"""``mito-predict models judge``: which measures may be taken from predictions of a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_mito_predict.cli._console import print_json, print_table, progress, say

if TYPE_CHECKING:
    from napari_mito_predict.judging import JudgedMeasure, ModelVerdicts

_STRUCTURES = ("mitochondria", "nuclei", "nucleoids")


def judge(
    model: Annotated[str, typer.Argument(help="Name of a model, or path of a package.")],
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="[PREDICTION...] TRUTH",
            help="Folder of images with transmitted light and recorded fluorescence. Before it, where they are there "
            "already, predictions by this model, or folders of them.",
        ),
    ],
    save: Annotated[bool, typer.Option("--save", help="Write the verdicts into the card of the model.")] = False,
    unseen: Annotated[
        bool,
        typer.Option(
            "--unseen",
            help="For --save, where the card does not tell which fields the model was trained on: none of these.",
        ),
    ] = False,
    on: Annotated[
        str,
        typer.Option("--on", metavar="TEXT", help="Which fields, for the card: `fields of HeLa, 63x, three dishes`."),
    ] = "",
    by: Annotated[
        str | None,
        typer.Option(
            "--by",
            metavar="PATTERN",
            help="What belongs together, such as a dish or a well, counts as one field: a regular expression for the "
            "part of the names of files that says it, like `^[^_]+`. Default: each file is a field.",
        ),
    ] = None,
    structures: Annotated[
        list[str] | None,
        typer.Option("--structure", help="mitochondria, nuclei or nucleoids; repeat for more. Default: all there are."),
    ] = None,
    truth_channel: Annotated[
        str | None,
        typer.Option("--truth-channel", help="Channel of TRUTH: name, number from 0, or role (mitochondria, dna)."),
    ] = None,
    scene: Annotated[str | None, typer.Option("--scene", help="Scene of TRUTH: name or number from 0.")] = None,
    csv: Annotated[
        Path | None,
        typer.Option("--csv", metavar="CSV", help="Write a table; the values of each field go beside it."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="HTML", help="Write a page with figures, in one file.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Find out which measures may be taken from predictions of a model: lengths, counts, areas and so on.

    Fields with recorded fluorescence are predicted; prediction and recording are measured in the same way and compared.
    A measure is supported with 8 independent fields, a concordance of at least 0.8 and a bias of at most 10 %; with
    fewer fields it is to be taken with care. A file is one field, whatever time points and scenes it has.
    Fields that the model was trained on do not count. With --save the verdicts stand beside every number that
    `mito-predict measure` takes from a prediction of this model.

    Examples: `mito-predict models judge mine stained/`, `mito-predict models judge mine stained/ --by '^[^_]+' --on
    'fields of HeLa, 63x' --save`, `mito-predict models judge mine predicted/ stained/ --csv verdicts.csv`.
    """
    _check(structures or [], save, model, csv, report)
    from napari_mito_predict.judging import judge_model

    with progress("Judging") as on_progress:
        found = judge_model(
            model,
            paths[-1],
            paths[:-1],
            structures=structures,
            by=by,
            on=on,
            truth_channel=truth_channel,
            scene=scene,
            on_progress=on_progress,
        )
    _write(found, csv, report)
    if json:
        print_json(_record(found))
    else:
        _print(found)
    for reason in found.skipped:
        say(f"Does not count: {reason}")
    if save:
        _save(found, unseen)
    elif not found.training_known:
        say(_unknown(found))


def _check(structures: list[str], save: bool, model: str, *outputs: Path | None) -> None:
    """Refuse what cannot be done, before hours are spent on it."""
    from napari_mito_predict.errors import ProtectedModelError
    from napari_mito_predict.image import check_output
    from napari_mito_predict.models import judgeable_model

    for name in structures:
        if name not in _STRUCTURES:
            raise typer.BadParameter(f"'{name}' is none of {', '.join(_STRUCTURES)}", param_hint="--structure")
    for output in outputs:
        if output is not None:
            check_output(output, overwrite=True)
    if save:
        try:
            judgeable_model(model)
        except ProtectedModelError as error:
            error.add_note(
                "Leave --save out to see the verdicts alone, or make it one of your own: `mito-predict models export`, "
                "then `mito-predict models import --name`."
            )
            raise


def _save(found: ModelVerdicts, unseen: bool) -> None:
    from napari_mito_predict.errors import MeasurementError

    try:
        path = found.save(unseen=unseen)
    except MeasurementError as error:
        error.add_note("(--unseen)")
        raise
    say(f"Wrote {len(found.measures)} verdicts into {path}")


def _write(found: ModelVerdicts, csv: Path | None, report: Path | None) -> None:
    if csv is not None:
        from napari_mito_predict.judging.tables import write_verdicts

        for path in write_verdicts(found, csv):
            say(f"Wrote {path}")
    if report is not None:
        from napari_mito_predict.judging.page import write_page

        say(f"Wrote {write_page(found, report)}")


def _record(found: ModelVerdicts) -> dict[str, object]:
    from napari_mito_predict.judging.tables import record_of

    return {
        "model": found.model,
        "on": found.on,
        "simulated": found.simulated,
        "training_known": found.training_known,
        "fields": [field.name for field in found.fields],
        "measures": [record_of(measure) for measure in found.measures],
        "skipped": found.skipped,
    }


def _print(found: ModelVerdicts) -> None:
    columns = ["MEASURE", "IN", "FIELDS", "BIAS", "LIMITS", "CONCORDANCE", "VERDICT", "WHY"]
    print_table(columns, [_row(measure) for measure in found.measures])
    cells = "simulated cells: nothing is said of real ones" if found.simulated else "recorded cells"
    say(f"{found.model} on {len(found.fields)} independent fields of {cells}. Bias and limits: of the mean recorded.")


def _row(judged: JudgedMeasure) -> list[str]:
    found = judged.agreement
    limits = "" if found.limits is None else f"{found.limits[0]:+.0%} to {found.limits[1]:+.0%}"
    bias = "" if found.bias is None else f"{found.bias:+.0%}"
    concordance = "" if found.concordance is None else f"{found.concordance:.2f}"
    where = f"{judged.dimensions}-D"
    return [judged.name, where, str(found.fields), bias, limits, concordance, found.verdict, found.why]


def _unknown(found: ModelVerdicts) -> str:
    return (
        f"The card of {found.model} does not tell which fields it was trained on. Verdicts found on those are too good."
    )
