"""``mito-predict measure``: mitochondria, nuclei and nucleoids in numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from napari_mito_predict.cli._console import print_json, print_table, progress, say
from napari_mito_predict.cli._outcomes import option_that_helps

if TYPE_CHECKING:
    from napari_mito_predict.errors import MitoPredictError
    from napari_mito_predict.measurement import Measurements, MeasureSettings
    from napari_mito_predict.measurement.inputs import FieldFiles

Method = Literal["local", "ridge"]
_SHOWN = ("image", "t", "structure", "measure", "value", "unit", "verdict")


def measure(
    inputs: Annotated[
        list[Path],
        typer.Argument(metavar="IMAGE|FOLDER...", help="Recorded fluorescence or predictions, or folders of them."),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="CSV",
            help="Table of all fields; those of single objects go beside it: `table_mitochondria.csv` and so on.",
        ),
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="HTML", help="Write a report with figures, in one file.")
    ] = None,
    structures: Annotated[
        list[str] | None,
        typer.Option("--structure", help="mitochondria, nuclei or nucleoids; repeat for more. Default: all there are."),
    ] = None,
    channels: Annotated[
        list[str] | None,
        typer.Option(
            "--channel",
            metavar="STRUCTURE=CHANNEL",
            help="Channel that shows a structure, by name or number from 0, where the file does not tell.",
        ),
    ] = None,
    method: Annotated[
        Method, typer.Option("--method", help="How mitochondria are found: local threshold, or ridge filter.")
    ] = "local",
    scene: Annotated[
        str | None,
        typer.Option("--scene", help="Scene by name or number from 0, or `all`. Default: the first, of a plate all."),
    ] = None,
    axes: Annotated[
        str | None, typer.Option("--axes", help="Axes of a TIFF or OME-Zarr that does not say them, like ZYX or TYX.")
    ] = None,
    voxel_size: Annotated[
        tuple[float, float, float] | None,
        typer.Option(
            "--voxel-size",
            metavar="Z Y X",
            help="Voxel size in micrometres, where the file does not know it or is wrong.",
        ),
    ] = None,
    dynamics: Annotated[
        bool,
        typer.Option(
            "--dynamics",
            help="Of a series also: fissions, fusions and speed of mitochondria, in `table_series.csv`, "
            "`table_frames.csv` and `table_events.csv`.",
        ),
    ] = False,
    time_step: Annotated[
        float | None,
        typer.Option(
            "--time-step", metavar="SECONDS", help="Between time points, where the file does not know it or is wrong."
        ),
    ] = None,
    objects: Annotated[
        bool, typer.Option("--objects/--fields-only", help="Whether to write tables of single objects too.")
    ] = True,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts: the table of fields.")] = False,
) -> None:
    """Measure mitochondria, nuclei and nucleoids: counts, sizes, lengths, branches, distances.

    Stacks are measured in 3-D, single planes in 2-D, series frame by frame; in pixels where no voxel size is known.
    Predictions of one image, by the records beside them, are one field. Beside each number from a prediction stands
    whether that measure may be taken from predictions of its model: supported, with care, not supported, not tested.
    An existing table or report is replaced.

    Examples: `mito-predict measure cells.czi -o table.csv`, `mito-predict measure predicted/ -o table.csv`,
    `mito-predict measure stain.tif --channel mitochondria=0 --report report.html`.
    """
    chosen = _channels(channels or [])
    wanted = structures or (list(chosen) or None)
    _check_structures([*(wanted or []), *chosen])
    _check_outputs(output, report)
    if time_step is not None and not time_step > 0:
        raise typer.BadParameter(f"{time_step:g} is not larger than 0", param_hint="--time-step")
    if dynamics and output is None and report is None:
        raise typer.BadParameter("say where its tables go (-o), or write a report (--report)", param_hint="--dynamics")
    from napari_mito_predict.measurement.inputs import find_fields

    fields = find_fields(inputs)
    from napari_mito_predict.measurement import measure as measure_images

    one = partial(
        measure_images,
        structures=wanted,
        channels=chosen,
        settings=_settings(method),
        voxel_size_um=voxel_size,
        dynamics=dynamics,
        time_step_s=time_step,
    )
    found, skipped = _measure(fields, one, scene, axes)
    if output is not None and found:
        from napari_mito_predict.measurement import write_tables

        for path in write_tables(found, output, objects=objects):
            say(f"Wrote {path}")
    if report is not None and found:
        from napari_mito_predict.report.measurement.page import write_measurement_report

        say(f"Wrote {write_measurement_report(found, report, skipped=skipped)}")
    if json:
        print_json(_rows(found))
    elif output is None:
        _print(found)
    if skipped:
        raise typer.Exit(1)


def _measure(
    fields: Sequence[FieldFiles],
    measure_one: Callable[..., Measurements],
    scene: str | None,
    axes: str | None,
) -> tuple[list[Measurements], list[str]]:
    """All that can be measured; and what could not, with the reason."""
    from napari_mito_predict.measurement import Progress
    from napari_mito_predict.measurement.inputs import measure_fields

    found = []
    skipped = []
    with progress("Measuring") as on_progress:
        one = partial(measure_one, progress=Progress(on_progress))
        for each in measure_fields(fields, one, scene=scene, axes=axes):
            if each.found is None:
                reason = _reason(each.files, each.error)
                skipped.append(f"{each.files.name}: {reason}")
                say(f"Skipped {each.files.name}: {reason} {_option(each.error)}".rstrip())
                continue
            found.append(each.found)
            for finding in each.found.findings:
                option = " (--time-step)" if finding.code == "time-step-unknown" else ""
                say(f"{finding.advice}{option}")
    return found, skipped


def _reason(files: FieldFiles, error: MitoPredictError | None) -> str:
    return "" if error is None else error.reason_about(files.paths[0])


def _option(error: MitoPredictError | None) -> str:
    """The option that helps."""
    if error is None:
        return ""
    from napari_mito_predict.errors import AmbiguousChannelError, MeasurementError, NoSeriesError

    if isinstance(error, NoSeriesError):
        return "(--dynamics)"
    if isinstance(error, MeasurementError | AmbiguousChannelError):
        return "(--channel)"
    return option_that_helps(error)


def _channels(given: Sequence[str]) -> dict[str, int | str]:
    chosen: dict[str, int | str] = {}
    for text in given:
        parts = text.split("=", 1)
        if len(parts) < 2 or not all(parts):
            raise typer.BadParameter(f"'{text}' is not like mitochondria=0 or nuclei=DAPI", param_hint="--channel")
        structure, channel = parts
        chosen[structure] = int(channel) if channel.isdecimal() else channel
    return chosen


def _check_structures(names: Sequence[str]) -> None:
    known = ("mitochondria", "nuclei", "nucleoids")
    for name in names:
        if name not in known:
            raise typer.BadParameter(f"'{name}' is none of {', '.join(known)}")


def _check_outputs(*outputs: Path | None) -> None:
    """Refuse a table or report that cannot be written, before anything is measured for it."""
    from napari_mito_predict.image import check_output

    for output in outputs:
        if output is not None:
            check_output(output, overwrite=True)


def _settings(method: Method) -> MeasureSettings:
    from napari_mito_predict.measurement import MeasureSettings, MitochondriaSettings

    if method == "local":
        return MeasureSettings()
    return MeasureSettings(mitochondria=MitochondriaSettings(method=method))


def _print(found: Sequence[Measurements]) -> None:
    rows = [[_text(row[name]) for name in _SHOWN] for row in _rows(found)]
    print_table([name.upper() for name in _SHOWN], rows)


def _rows(found: Sequence[Measurements]) -> list[dict[str, object]]:
    """All rows of the tables of fields."""
    return list(chain.from_iterable(each.fields.to_dict("records") for each in found))


def _text(value: object) -> str:
    if isinstance(value, float):
        return "" if value != value else f"{value:.5g}"
    return str(value)
