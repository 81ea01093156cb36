"""A small report of each kind, made of numbers that nobody computed: nothing is predicted, trained or measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_mito_predict.evaluation import BASELINES, Flicker, PartScores, Scaling, Scores, ShiftCheck
from napari_mito_predict.evaluation.baselines import BlurredInput, LocalContrast
from napari_mito_predict.evaluation.cases import Case
from napari_mito_predict.evaluation.compare import HIGHER_IS_BETTER, compare
from napari_mito_predict.evaluation.results import OTHERS, Report, Result, values_of
from napari_mito_predict.evaluation.views import Views
from napari_mito_predict.image import Finding, Level, open_image, write_ome_tiff
from napari_mito_predict.image.predicted import Evidence, PredictionMark
from napari_mito_predict.measurement import (
    MeasuredChannel,
    Measurements,
    MitochondriaSettings,
    PunctaSettings,
    SegmentedPlane,
    Structure,
)
from napari_mito_predict.models import Architecture, Input, ModelCard, Target, Training
from napari_mito_predict.models.record import ModelRecord, PredictionRecord

DISCLAIMER = "Trained on simulated cells, not validated on real ones."
NASTY = "<b>two</b> & \"2\" 'x'"
"""Name of a field."""
CARD = ModelCard(
    name="better",
    title="TMRM from transmitted light",
    targets=(Target(name="mitochondria", stain="TMRM"),),
    architecture=Architecture(kind="unet"),
    input=Input(voxel_size_um=(None, 0.1, 0.1), third_axes=("z", "t")),
    training=Training(data="six fields", pairs=6, iterations=100, notes="Trained at night."),
    simulated=False,
)


def scores(pcc: float, voxels: int = 192) -> Scores:
    """Scores of which each differs from the others, and goes with `pcc`."""
    return Scores(
        pcc=pcc, ssim_global=pcc / 2, ssim_windowed=pcc / 3, r2=pcc**2, nrmse=1 - pcc, voxels=voxels, mae=100 - pcc,
        psnr=20 + pcc, fine_pcc=pcc - 0.1, spectral_pcc=pcc - 0.05, resolution_um=float("nan"),
    )  # fmt: skip


def views(level: float) -> Views:
    """A picture of 4 x 6 pixels."""
    plane = np.linspace(0, 1, 24, dtype=np.float32).reshape(4, 6)
    edges = np.linspace(0.0, 1.0, 5)
    return Views(
        t=0, z=1, light=plane[::-1], truth=plane, fitted=plane * level, residual=plane * (1 - level),
        truth_range=(0.0, 1.0), truth_std=0.3, binning=2, counts=np.ones((4, 4)), prediction_edges=edges,
        truth_edges=edges,
    )  # fmt: skip


@pytest.fixture
def evaluation_report(tmp_path: Path) -> Report:
    """Two fields of one target by two models, and one field of another target by a third, of which nothing is known."""
    results = [*_stacks(tmp_path), *_series(tmp_path), _single_plane(tmp_path)]
    comparisons = (compare("mitochondria", metric, _values(results, metric)) for metric in HIGHER_IS_BETTER)
    return Report(
        results=tuple(results),
        comparisons=tuple(comparison for comparison in comparisons if comparison is not None),
        skipped=("third.tif: no truth <beside> it.",),
        created="2026-02-03T04:05:06+00:00",
        versions={"napari-mito-predict": "1.2.3", "numpy": "2.0"},
    )


def _values(results: list[Result], metric: str) -> dict[str, dict[str, float]]:
    """Those of the measure, in one of which the other model is better."""
    values = values_of(results, "mitochondria", metric)
    if metric == "nrmse":
        return {"better": values["worse"], "worse": values["better"]}
    return values


def _stacks(folder: Path) -> list[Result]:
    truth = _image(folder / "one.ome.tif", (3, 8, 8), "ZYX", (0.25, 0.1, 0.1), "TMRM")
    record = PredictionRecord(
        target="mitochondria",
        model=ModelRecord(name="better", title="TMRM & co", weights_sha256="ab12", licence="MIT", attribution="Us."),
        findings=(Finding(Level.INFO, "coarse", "The voxels are coarse."),),
    )
    better = Result(
        case=_case("one", "better", truth, record=record),
        scaling=Scaling((0.0, 1.0), (0.0, 1.0), 0.1, 2.0),
        scores=scores(0.8),
        regions={"foreground": scores(0.5, 90), "mask": scores(0.4, 60)},
        threshold=123.456,
        planes=tuple(PartScores(None, z, scores(0.7 + z / 100, 64)) for z in range(3)),
        baselines={name: scores(0.2) for name in BASELINES} | {OTHERS: scores(0.1)},
        baseline_planes=dict.fromkeys(BASELINES, (0.1, 0.2, 0.3)),
        fitted={"blurred input": BlurredInput(2.0, -1), "local contrast": LocalContrast(9, 1)},
        ceiling=0.9,
        recordings=2,
        not_finite=1234,
        shift=ShiftCheck((0, 0, 0), (0.0, 0.0, 0.0), False, True, 0.8, 0.8),
        views=views(0.9),
        card=CARD,
    )
    worse = replace(
        better,
        case=_case("one", "worse", truth, disclaimer=DISCLAIMER, notes=(f"{DISCLAIMER} Again.", "A <note>.")),
        scores=scores(0.6),
        regions={"foreground": scores(0.55, 90)},
        shift=ShiftCheck((0, -2, 3), (None, -0.2, None), True, True, 0.3, 0.45),
        views=views(0.5),
        card=None,
    )
    return [better, worse]


def _series(folder: Path) -> list[Result]:
    truth = _image(folder / "two.ome.tif", (2, 8, 8), "TYX", (None, 0.1, 0.1), "TMRM")
    results = []
    for model, pcc in (("better", 0.75), ("worse", 0.7)):
        case = _case(NASTY, model, truth)
        mark = PredictionMark("mito-<z>", Evidence.RECORD)
        results.append(
            Result(
                case=replace(case, channel=replace(case.channel, prediction=mark)),
                scaling=Scaling((0.0, 1.0), (0.0, 1.0), 0.1, 2.0),
                scores=scores(pcc, 128),
                regions={"foreground": scores(pcc / 2, 40)},
                threshold=5.0,
                planes=tuple(PartScores(t, 0, scores(0.6, 64)) for t in range(2)),
                time_points=tuple(PartScores(t, None, scores(0.6, 64)) for t in range(2)),
                baselines={"blurred input": scores(0.2)},
                flicker=Flicker(prediction=0.25, light=float("nan"), truth=0.1),
                shift=ShiftCheck((0, 0, 0), (None, 0.0, 0.0), False, model == "better", 0.7, 0.7),
            )
        )
    return results


def _single_plane(folder: Path) -> Result:
    truth = _image(folder / "three.ome.tif", (8, 8), "YX", (None, None, None), None)
    case = _case("three", "unknown model", truth)
    return Result(
        case=replace(case, target="dna"),
        scaling=Scaling((0.0, 1.0), (0.0, 1.0), 0.1, 2.0),
        scores=replace(scores(0.5, 64), psnr=float("inf")),
        threshold=7.0,
        planes=(PartScores(None, 0, scores(0.5, 64)),),
        shift=ShiftCheck((0, 0, 0), (None, None, None), False, False, 0.5, 0.5),
    )


def _case(field: str, model: str, truth: Path, **known: object) -> Case:
    image = open_image(truth)
    return Case(
        field=field,
        target="mitochondria",
        model=model,
        prediction=image,
        prediction_name=f"predicted/{model}/<{truth.name}>",
        truth=image,
        channel=image.channels[0],
        **known,
    )


def _image(
    path: Path, shape: tuple[int, ...], axes: str, voxel_size_um: tuple[float | None, ...], channel: str | None
) -> Path:
    names = None if channel is None else (channel,)
    write_ome_tiff(
        path, np.ones(shape, np.uint16), axes=axes, channel_names=names, voxel_size_um=voxel_size_um, overwrite=True
    )
    return path


@pytest.fixture
def measured() -> Callable[..., Measurements]:
    """Makes measurements of numbers that nobody measured."""
    return _measured


_TESTED = "twelve stacks, 12 fields, concordance 0.91, bias -4%"
_ROWS = (
    ("mitochondria", "count", "", "supported", _TESTED),
    ("mitochondria", "total_length", "µm", "with care", "real cells, 4 fields, concordance 0.85, bias +3%"),
    ("mitochondria", "branch_points", "", "not supported", "twelve stacks, 12 fields, concordance 0.31, bias -37%"),
    ("nucleoids", "count", "", "not tested", "nobody tested this measure on predictions of dna"),
    ("nucleoids", "mean_intensity", "", "not supported", "brightness in a prediction is relative"),
)


def _measured(
    field: str = "cell",
    *,
    model: str = "",
    times: int = 1,
    size_um: float | None = 0.1,
    level: float = 1.0,
    channel: str = "TMRM",
    reason: str | None = None,
) -> Measurements:
    """A field of mitochondria and nucleoids, recorded or predicted."""
    unit = "px" if size_um is None else "um"
    unit_words = {"um": "µm", "px": "px"}[unit]
    rows = []
    for t in range(times):
        for number, (structure, measure, length, verdict, why) in enumerate(_ROWS):
            head = {"image": field, "scene": "Scene:0", "t": t, "structure": structure, "measure": measure}
            row = {"value": level * (10 + number) + t, "unit": unit_words if length else "", "predicted_by": model}
            judged = {"verdict": "recorded", "why": ""}
            if model:
                judged = {"verdict": verdict, "why": reason or why}
            rows.append(head | row | judged)
    found = []
    if model:
        found.append(Finding(Level.WARNING, "predicted", f"{field}: measured on a prediction.", model=model))
    if size_um is None:
        found.append(Finding(Level.WARNING, "size-unknown", f"{field}: no size."))
    found.append(Finding(Level.INFO, "other", f"{field}: something else."))
    return Measurements(
        fields=pd.DataFrame(rows),
        objects={structure: _objects(structure, times, level, model) for structure in _KINDS},
        distances=pd.DataFrame({"t": [0, 0], "from": [0.0, 2.0], "density": [0.3, 0.1]}),
        unit=unit,
        findings=tuple(found),
        channels=tuple(_channel(structure, field, channel, model, times, unit) for structure in _KINDS),
        planes={Structure.MITOCHONDRIA: _plane()},
        voxel_size_um=(None, size_um, size_um),
        time_step_s=5.0 if times > 1 else None,
    )


_KINDS = {Structure.MITOCHONDRIA: MitochondriaSettings, Structure.NUCLEOIDS: PunctaSettings}


def _channel(structure: Structure, field: str, channel: str, model: str, times: int, unit: str) -> MeasuredChannel:
    kind = _KINDS[structure]
    return MeasuredChannel(
        structure=structure,
        field=field,
        scene="Scene:0",
        file=f"{field}.czi",
        channel=channel,
        predicted_by=model,
        simulated_model=model == "mito-z",
        dimensions=2,
        time_points=times,
        default_settings=True,
        settings=kind() if unit == "um" else kind.in_pixels(),
    )


def _objects(structure: Structure, times: int, level: float, model: str) -> pd.DataFrame:
    sizes = np.array([1.0, 2.0, 4.0]) * level
    table = pd.DataFrame({"t": np.repeat(np.arange(times), 3), "area": np.tile(sizes, times)})
    table["verdict"] = "not supported" if model else "recorded"
    if structure is Structure.NUCLEOIDS:
        table["inside_mitochondria"] = 1
        table["nearest_neighbour"] = np.nan
    return table


def _plane() -> SegmentedPlane:
    pixels = np.zeros((12, 16), np.uint8)
    pixels[4:6, 2:9] = 200
    return SegmentedPlane(None, pixels, pixels > 0, 0.1)
