"""``mito-predict evaluate``: how well predictions match the truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_mito_predict.cli._console import (
    OnProgress,
    channel_choice,
    index_or_name,
    print_json,
    print_table,
    progress,
    say,
)
from napari_mito_predict.errors import MitoPredictError, PredictionCancelled

if TYPE_CHECKING:
    from napari_mito_predict.evaluation.cases import Case
    from napari_mito_predict.evaluation.compare import Comparison
    from napari_mito_predict.evaluation.report import Report, Result
    from napari_mito_predict.image import ImageSource

_IN_A_LINE = {
    "pcc": "PCC",
    "ssim_global": "SSIM global",
    "ssim_windowed": "SSIM windowed",
    "r2": "R2",
    "nrmse": "NRMSE",
}
"""What fits beside names on a terminal of 80 columns."""
_MEASURES = ("pcc", "ssim_global", "ssim_windowed", "r2", "nrmse", "psnr", "mae", "voxels")


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
    pcc_only: Annotated[
        bool, typer.Option("--pcc-only", help="Only the PCC, plane by plane: for images larger than memory.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Compare predictions with the fluorescence of the same fields: PCC, SSIM, R2, NRMSE, PSNR, MAE.

    PCC is the Pearson correlation over all voxels; 1 is perfect, 0 is no relation. SSIM comes in the global form and
    in the usual windowed form (the two are different numbers). Predicted brightness is relative: for R2, NRMSE, PSNR
    and MAE the prediction is first fitted to the truth by least squares.

    Predictions find their truth by the JSON file beside them, or by name. Several folders, or several -m, are several
    models: the report compares them field by field. An existing report or table is replaced.

    Examples: `mito-predict evaluate predicted/cells_mitochondria.ome.tif cells.czi`, `mito-predict evaluate
    model_a/ model_b/ scans/ --report report.html`, `mito-predict evaluate scans/ -m mito-z -m mine --csv scores.csv`.
    """
    if len(paths) < (1 if models else 2):
        raise typer.BadParameter("give predictions and then the truth, or the truth and -m MODEL")
    _check_outputs(report, csv)
    work = _Work(paths[:-1], paths[-1], tuple(models or ()), channel_choice(truth_channel), index_or_name(scene))
    if pcc_only:
        _print_pcc(work, json)
        skipped = tuple(work.skipped)
    else:
        found = work.gather(mask, repeats or [], thorough=report is not None)
        skipped = found.skipped
        _write(found, report, csv)
        if work.single:
            _print_one(found.results[0], planes, json)
        else:
            _print_all(found, planes, json)
    for reason in skipped:
        say(f"Not compared: {reason}")
    if skipped:
        raise typer.Exit(1)


@dataclass
class _Work:
    """What is compared with what."""

    predictions: list[Path]
    truth: Path
    models: tuple[str, ...]
    truth_channel: int | str | None
    scene: int | str | None
    skipped: list[str] = field(default_factory=list)

    @property
    def single(self) -> bool:
        """One file against one file: what cannot be compared is an error, not left out."""
        from napari_mito_predict.evaluation.matching import is_image

        return len(self.predictions) == 1 and not self.models and is_image(self.predictions[0])

    def gather(self, mask: Path | None, repeats: list[Path], *, thorough: bool) -> Report:
        """Score everything."""
        from napari_mito_predict.evaluation.matching import match_repeats
        from napari_mito_predict.evaluation.report import gather
        from napari_mito_predict.image import open_image

        total = [0]
        again, unmatched = match_repeats(repeats, self.truth) if repeats else ({}, [])
        self.skipped += unmatched
        with progress("Comparing") as on_progress:

            def tell(case: Case) -> None:
                on_progress(total[0], total[0] + 1, case.field)
                total[0] += 1

            return gather(
                self.cases(on_progress),
                mask=None if mask is None else open_image(mask),
                repeats=again,
                thorough=thorough,
                skipped=self.skipped,
                on_case=tell,
            )

    def cases(self, on_progress: OnProgress) -> Iterator[Case]:
        """Predictions on disk, ordered by field so that each truth is read once; then those made now."""
        found = chain.from_iterable(self._on_disk(prediction) for prediction in self.predictions)
        yield from sorted(found, key=lambda case: (case.field, case.target != "mitochondria", case.target))
        if self.models:
            yield from self._predicted_now(on_progress)

    def _on_disk(self, prediction: Path) -> Iterator[Case]:
        from napari_mito_predict.evaluation.cases import open_case
        from napari_mito_predict.evaluation.matching import match

        pairs, skipped = match(prediction, self.truth)
        self.skipped += skipped
        for path, truth in pairs:
            try:
                yield open_case(path, truth, truth_channel=self.truth_channel, scene=self.scene)
            except MitoPredictError as error:
                self._skip(path, error)

    def _predicted_now(self, on_progress: OnProgress) -> Iterator[Case]:
        from napari_mito_predict.evaluation.matching import is_image, truths_in
        from napari_mito_predict.image import open_image
        from napari_mito_predict.models import load_model

        loaded = [load_model(name) for name in self.models]
        for path in [self.truth] if is_image(self.truth) else truths_in(self.truth):
            try:
                image = open_image(path, scene=self.scene)
                yield from _predict(image, loaded, self.truth_channel, on_progress)
            except PredictionCancelled:
                raise
            except MitoPredictError as error:
                self._skip(path, error)

    def _skip(self, path: Path, error: MitoPredictError) -> None:
        if self.single:
            raise error
        self.skipped.append(f"{path}: {str(error).removeprefix(f'{path}: ')}")


def _predict(
    image: ImageSource, models: list[Any], truth_channel: int | str | None, on_progress: OnProgress
) -> Iterator[Case]:
    """Predict `image` and set each result beside its truth."""
    from napari_mito_predict.evaluation.cases import Case, field_name, find_truth
    from napari_mito_predict.image import from_array
    from napari_mito_predict.prediction import predict

    for made in predict(image, models, on_progress=on_progress).values():
        output = made.output
        predicted = from_array(
            made.data,
            axes=output.axes,
            channel_names=[output.title],
            voxel_size_um=output.voxel_size_um,
            time_step_s=output.time_step_s,
            name=output.title,
        )
        channel = find_truth(predicted, image, made.record) if truth_channel is None else image.channel(truth_channel)
        yield Case(
            field=field_name(image),
            target=made.target,
            model=made.model,
            prediction=predicted,
            prediction_name=f"{image.path}, predicted now with {made.model}",
            truth=image,
            channel=channel,
            light=image,
            light_channel=made.record.input.channel.index if made.record.input.channel else 0,
            record=made.record,
            disclaimer=output.disclaimer,
        )


def _check_outputs(*outputs: Path | None) -> None:
    """Before hours are spent on what goes into them."""
    from napari_mito_predict.image import check_output

    for output in outputs:
        if output is not None:
            check_output(output, overwrite=True)


def _write(found: Report, report: Path | None, csv: Path | None) -> None:
    if report is not None:
        from napari_mito_predict.evaluation.html import write_html

        say(f"Wrote {write_html(found, report)}")
    if csv is not None:
        from napari_mito_predict.evaluation.tables import write_csv

        say(f"Wrote {write_csv(found, csv)}")


def _print_pcc(work: _Work, json: bool) -> None:
    from napari_mito_predict.evaluation.streaming import stream_pcc

    rows = []
    with progress("Comparing") as on_progress:
        for case in work.cases(on_progress):
            score = stream_pcc(case.prediction, case.truth, case.channel.index)
            names = {"prediction": case.prediction_name, "truth": case.truth.path}
            rows.append({**names, "pcc": score.value, "voxels": score.voxels})
    if json:
        print_json(rows[0] if work.single else rows)
    else:
        print_table(
            ["PREDICTION", "TRUTH", "PCC", "VOXELS"], [[_text(value) for value in row.values()] for row in rows]
        )


def _print_one(result: Result, planes: bool, json: bool) -> None:
    from napari_mito_predict.evaluation.tables import NORMALISATION, result_record

    record = result_record(result)
    if json:
        print_json({name: value for name, value in record.items() if planes or name != "planes"})
        return
    shown = ("prediction", "truth", "truth_channel", *_MEASURES)
    rows = [[name, _text(record[name])] for name in shown]
    rows += [[f"pcc, {name}", _text(scores.pcc)] for name, scores in result.regions.items()]
    if result.case.disclaimer:
        rows.append(["note", result.case.disclaimer])
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
    rows = [
        [r.case.field, r.case.target, r.case.model, *(f"{getattr(r.scores, name):.3f}" for name in _IN_A_LINE)]
        for r in found.results
    ]
    print_table(["FIELD", "TARGET", "MODEL", *_IN_A_LINE.values()], rows)
    if found.comparisons:
        _print_winners(found.comparisons)
    for line in (NORMALISATION, *found.disclaimers):
        say(line)
    if planes:
        for result in found.results:
            _print_planes(result)


def _print_winners(comparisons: tuple[Comparison, ...]) -> None:
    rows = []
    for c in comparisons:
        for d in c.differences:
            known = d.standard_error == d.standard_error
            error = f"{d.standard_error:.4f}" if known else "unknown: one field"
            n = len(c.fields)
            rows.append([c.target, c.metric, c.winner, d.model, f"{d.mean:+.4f}", error, f"{d.better_in} of {n}"])
    columns = ["TARGET", "MEASURE", "WINNER", "AGAINST", "DIFFERENCE", "ERROR", "BETTER IN"]
    print_table(columns, rows)
    say("Differences: mean over fields of winner minus other, and its standard error.")


def _print_planes(result: Result) -> None:
    rows = [
        [_text(part.t), _text(part.z), _text(part.scores.pcc), _text(part.scores.ssim_global)] for part in result.planes
    ]
    print_table(["T", "Z", "PCC", "SSIM (global)"], rows)


def _text(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
