"""``mito-predict evaluate``: how well predictions match the truth."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_mito_predict.cli._console import (
    OnProgress,
    print_json,
    print_table,
    progress,
    say,
)

if TYPE_CHECKING:
    from napari_mito_predict.evaluation.case_files import CaseFiles
    from napari_mito_predict.evaluation.cases import Case
    from napari_mito_predict.evaluation.compare import Comparison
    from napari_mito_predict.evaluation.metrics import Scores
    from napari_mito_predict.evaluation.results import Report, Result

_IN_A_LINE = {
    "pcc": "PCC",
    "fine_pcc": "fine PCC",
    "ssim_global": "SSIM global",
    "ssim_windowed": "SSIM windowed",
    "r2": "R2",
    "nrmse": "NRMSE",
}
"""Columns of the table of several predictions; `--csv` has all scores."""


def evaluate(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="[PREDICTION...] TRUTH",
            help="Predictions, as `mito-predict predict` wrote them, or folders of them; last the image with the "
            "fluorescence, for example the original CZI, or a folder of such images.",
        ),
    ],
    models: Annotated[
        list[str] | None,
        typer.Option("-m", "--model", help="Predict TRUTH with this model first; repeat to compare several."),
    ] = None,
    truth_channel: Annotated[
        str | None,
        typer.Option("--truth-channel", help="Channel of TRUTH: name, number from 0, or role (mitochondria, dna)."),
    ] = None,
    scene: Annotated[str | None, typer.Option("--scene", help="Scene of TRUTH: name or number from 0.")] = None,
    mask: Annotated[
        Path | None, typer.Option("--mask", help="Image on the same grid: also score where it is not 0.")
    ] = None,
    repeats: Annotated[
        list[Path] | None,
        typer.Option(
            "--repeat",
            help="Second recording of TRUTH, for the noise ceiling of the PCC; repeat for more. For a folder of "
            "truths: a folder of files named like them, or beginning with their names (`cells_2.czi`).",
        ),
    ] = None,
    planes: Annotated[bool, typer.Option("--planes", help="Also for each plane.")] = False,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="HTML", help="Write a report with pictures, in one file.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="CSV", help="Write all numbers as a table, one row for each part.")
    ] = None,
    baselines: Annotated[
        bool,
        typer.Option(
            "--baselines", help="Also score what needs no network: blurred input, local contrast. Always in a report."
        ),
    ] = False,
    pcc_only: Annotated[
        bool, typer.Option("--pcc-only", help="Only PCC and fine PCC, plane by plane: for images larger than memory.")
    ] = False,
    allow_prediction_as_truth: Annotated[
        bool,
        typer.Option(
            "--allow-prediction-as-truth",
            help="Compare with a TRUTH that is a prediction itself; else that is refused. The results say so.",
        ),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Compare predictions with the fluorescence of the same fields: PCC, fine PCC, SSIM, R2, NRMSE and more.

    PCC is the Pearson correlation over all voxels; 1 is perfect, 0 is no relation. Fine PCC is the same without coarse
    brightness: a prediction that only tells where the cell is has a low one. SSIM comes in the global form and
    in the usual windowed form (the two are different numbers). Predicted brightness is relative: for R2, NRMSE, PSNR
    and MAE the prediction is first fitted to the truth by least squares.

    Predictions find their truth by the JSON file beside them, or by name. Several folders, or several -m, are several
    models: the report compares them field by field. An existing report or table is replaced.

    Examples: `mito-predict evaluate predicted/cells_mitochondria.ome.tif cells.czi`, `mito-predict evaluate
    model_a/ model_b/ scans/ --report report.html`, `mito-predict evaluate scans/ -m mito-z -m mine --csv scores.csv`.
    """
    if not paths or (len(paths) == 1 and not models):
        raise typer.BadParameter("give predictions and then the truth, or the truth and -m MODEL")
    if pcc_only and any((baselines, report, csv, mask, repeats)):
        raise typer.BadParameter(
            "--pcc-only gives PCC and fine PCC and no more: leave it out, or --baselines, --report, --csv, --mask and "
            "--repeat"
        )
    from napari_mito_predict.evaluation.case_files import CaseFiles

    _check_outputs(report, csv)
    one_pair = not models and _is_one_pair(paths)
    files = CaseFiles(
        paths[:-1],
        paths[-1],
        truth_channel=truth_channel,
        scene=scene,
        allow_prediction_as_truth=allow_prediction_as_truth,
        strict=one_pair,
    )
    skipped: Sequence[str]
    if pcc_only:
        rows = _pcc_rows(files, models or [])
        _print_pcc(rows, one_pair, json)
        skipped = files.skipped
    else:
        found = _compare(files, models or [], mask, repeats or [], baselines, thorough=report is not None)
        _write(found, report, csv)
        if one_pair:
            _print_one(found.results[0], planes, json)
        else:
            _print_all(found, planes, json)
        if baselines:
            _name_those_without_baselines(found)
        skipped = found.skipped
    for reason in skipped:
        say(f"Not compared: {reason}")
    if skipped:
        raise typer.Exit(1)


def _is_one_pair(paths: Sequence[Path]) -> bool:
    """One prediction and one truth, rather than folders."""
    from napari_mito_predict.evaluation.matching import is_image

    return len(paths) == 2 and is_image(paths[0])


def _compare(
    files: CaseFiles,
    models: Sequence[str],
    mask: Path | None,
    repeats: Sequence[Path],
    baselines: bool,
    *,
    thorough: bool,
) -> Report:
    from napari_mito_predict.evaluation.results import gather
    from napari_mito_predict.image import open_image

    repeats_by_truth = files.repeats_by_truth(repeats)
    with progress("Comparing") as on_progress:
        return gather(
            _cases(files, models, on_progress),
            mask=open_image(mask) if mask is not None else None,
            repeats=repeats_by_truth,
            thorough=thorough,
            baselines=thorough or baselines,
            skipped=files.skipped,
            on_case=_counting(on_progress),
        )


def _cases(files: CaseFiles, models: Sequence[str], on_progress: OnProgress) -> Iterator[Case]:
    """Predictions on disk, then those made now."""
    yield from files.cases()
    if models:
        from napari_mito_predict.models import load_model
        from napari_mito_predict.prediction.predicted_cases import predict_cases

        yield from predict_cases(files, [load_model(name) for name in models], on_progress)


def _counting(on_progress: OnProgress) -> Callable[[Case], None]:
    """Progress by cases begun; how many there will be is not known before the last one."""
    numbers = count()

    def on_case(case: Case) -> None:
        done = next(numbers)
        on_progress(done, done + 1, case.field)

    return on_case


def _check_outputs(*outputs: Path | None) -> None:
    """Refuse files that cannot be written, before hours are spent on what goes into them."""
    from napari_mito_predict.image import check_output

    for output in outputs:
        if output is not None:
            check_output(output, overwrite=True)


def _name_those_without_baselines(found: Report) -> None:
    unknown = dict.fromkeys(result.case.prediction_name for result in found.results if result.case.light is None)
    for name in unknown:
        say(f"No baselines for {name}: it is not known from which transmitted light it was predicted.")


def _write(found: Report, report: Path | None, csv: Path | None) -> None:
    if report is not None:
        from napari_mito_predict.report.evaluation.page import write_html

        say(f"Wrote {write_html(found, report)}")
    if csv is not None:
        from napari_mito_predict.evaluation.tables import write_csv

        say(f"Wrote {write_csv(found, csv)}")


def _pcc_rows(files: CaseFiles, models: Sequence[str]) -> list[dict[str, object]]:
    from napari_mito_predict.evaluation.fine import stream_pcc_and_fine

    rows: list[dict[str, object]] = []
    with progress("Comparing") as on_progress:
        for case in _cases(files, models, on_progress):
            score = stream_pcc_and_fine(case.prediction, case.truth, case.channel.index)
            row: dict[str, object] = {"prediction": case.prediction_name, "truth": case.truth.path}
            row |= {"pcc": score.whole.value, "fine_pcc": score.value, "voxels": score.whole.voxels}
            if case.about_truth:
                row["note"] = case.about_truth
            rows.append(row)
    return rows


def _print_pcc(rows: Sequence[dict[str, object]], one_pair: bool, json: bool) -> None:
    if not json:
        columns = ("prediction", "truth", "pcc", "fine_pcc", "voxels")
        print_table([name.upper() for name in columns], [[_text(row[name]) for name in columns] for row in rows])
        for note in dict.fromkeys(str(row["note"]) for row in rows if "note" in row):
            say(note)
    elif one_pair:
        print_json(rows[0])
    else:
        print_json(rows)


def _print_one(result: Result, planes: bool, json: bool) -> None:
    from napari_mito_predict.evaluation.tables import NORMALISATION, SCORES, result_record

    record = result_record(result)
    if json:
        print_json({name: value for name, value in record.items() if planes or name != "planes"})
        return
    shown = ("prediction", "truth", "truth_channel", *SCORES)
    rows = [[name, _text(record[name])] for name in shown]
    for name, scores in (result.regions | result.baselines).items():
        rows += [[f"pcc, {name}", _text(scores.pcc)], [f"fine_pcc, {name}", _text(scores.fine_pcc)]]
    for note in (result.case.about_truth, *result.case.notes, result.case.disclaimer):
        if note:
            rows.append(["note", note])
    print_table(["MEASURE", "VALUE"], rows)
    say(NORMALISATION)
    if planes:
        _print_planes(result)


def _print_all(found: Report, planes: bool, json: bool) -> None:
    from napari_mito_predict.evaluation.tables import NORMALISATION, as_record

    if json:
        record = as_record(found)
        for result in record["results"]:
            if not planes:
                del result["planes"]
        print_json(record)
        return
    by_field: dict[tuple[str, str], dict[str, Scores]] = defaultdict(dict)
    for result in found.results:
        by_field[result.case.field, result.case.target][result.case.model] = result.scores
    for result in found.results:  # below all models; those of one field are the same for each
        by_field[result.case.field, result.case.target] |= result.baselines
    rows = []
    for (field, target), named in by_field.items():
        for name, scores in named.items():
            rows.append([field, target, name, *(f"{getattr(scores, measure):.3f}" for measure in _IN_A_LINE)])
    print_table(["FIELD", "TARGET", "MODEL", *_IN_A_LINE.values()], rows)
    if found.comparisons:
        _print_winners(found.comparisons)
    for line in (NORMALISATION, *found.about_truths, *found.disclaimers):
        say(line)
    if planes:
        for result in found.results:
            _print_planes(result)


def _print_winners(comparisons: tuple[Comparison, ...]) -> None:
    rows = []
    for comparison in comparisons:
        shared = len(comparison.fields)
        for difference in comparison.differences:
            error = f"{difference.standard_error:.4f}"
            if math.isnan(difference.standard_error):
                error = "unknown: one field"
            rows.append(
                [
                    comparison.target,
                    comparison.metric,
                    comparison.winner,
                    difference.model,
                    f"{difference.mean:+.4f}",
                    error,
                    f"{difference.better_in} of {shared}",
                ]
            )
    columns = ["TARGET", "MEASURE", "WINNER", "AGAINST", "DIFFERENCE", "ERROR", "BETTER IN"]
    print_table(columns, rows)
    say("Differences: mean over fields of winner minus other, and its standard error.")


def _print_planes(result: Result) -> None:
    rows = []
    for part in result.planes:
        cells = (part.t, part.z, part.scores.pcc, part.scores.fine_pcc, part.scores.ssim_global)
        rows.append([_text(cell) for cell in cells])
    print_table(["T", "Z", "PCC", "FINE PCC", "SSIM (global)"], rows)


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    return str(value)
