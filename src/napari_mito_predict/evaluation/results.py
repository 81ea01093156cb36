"""Everything an evaluation report says, as data: no drawing and no HTML."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_mito_predict._versions import versions_of
from napari_mito_predict.errors import EvaluationError, MitoPredictError, PredictionCancelled
from napari_mito_predict.evaluation.alignment import ShiftCheck, check_shift
from napari_mito_predict.evaluation.baselines import Baseline, MeanTruth
from napari_mito_predict.evaluation.cases import Case, distinct_models, read_all
from napari_mito_predict.evaluation.compare import HIGHER_IS_BETTER, Comparison, compare
from napari_mito_predict.evaluation.flicker import Flicker, flicker
from napari_mito_predict.evaluation.metrics import Scaling, Scores, evaluate
from napari_mito_predict.evaluation.provenance import find_card
from napari_mito_predict.evaluation.regions import PartScores, evaluate_planes, evaluate_time_points
from napari_mito_predict.evaluation.truth import Truth
from napari_mito_predict.evaluation.views import Views, take_views

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from napari_mito_predict.image import ImageSource
    from napari_mito_predict.models import ModelCard

OTHERS = "mean truth of the other fields"
_PACKAGES = ("napari-mito-predict", "numpy", "scipy", "scikit-image", "matplotlib")
_COPY = 0.9999
"""PCC that no recording reaches with its prediction, for its own noise; a copy in 8 bits does."""
_MOST_VIEWS = 24
"""Pictures are kept for this many fields; a report of hundreds could not be opened."""


@dataclass(frozen=True)
class Result:
    """One prediction beside its truth.

    Attributes
    ----------
    case : Case
        Which files, field, target and model.
    scaling : Scaling
        Percentiles and fit, measured over the whole volume and used for all its parts.
    scores : Scores
        Over all voxels that are finite in both.
    regions : dict of str to Scores
        ``"foreground"`` and ``"mask"``, where there are such.
    threshold : float
        Of the foreground, in the truth's units.
    planes, time_points : tuple of PartScores
        The time points only where there are several.
    baselines : dict of str to Scores
        What has to be beaten.
    baseline_planes : dict of str to tuple of float
        PCC of baselines in each plane, in the order of `planes`.
    fitted : dict of str to Baseline
        Those of the transmitted light, as they fit this field best.
    ceiling : float
        Noise ceiling of the PCC; NaN without a repeat.
    recordings : int
        Of the truth, that the noise ceiling is from.
    not_finite : int
        Voxels that are not finite in prediction or truth, and so left out.
    flicker : Flicker or None
        Where there are several time points.
    shift : ShiftCheck or None
        Whether the truth is shifted against the prediction; nothing else here is corrected for it.
    views : Views or None
        Planes and histogram to be drawn.
    card : ModelCard or None
        Of the model, where it is still installed.
    """

    case: Case
    scaling: Scaling
    scores: Scores
    regions: dict[str, Scores] = field(default_factory=dict)
    threshold: float = math.nan
    planes: tuple[PartScores, ...] = ()
    time_points: tuple[PartScores, ...] = ()
    baselines: dict[str, Scores] = field(default_factory=dict)
    baseline_planes: dict[str, tuple[float, ...]] = field(default_factory=dict)
    fitted: dict[str, Baseline] = field(default_factory=dict)
    ceiling: float = math.nan
    recordings: int = 1
    not_finite: int = 0
    flicker: Flicker | None = None
    shift: ShiftCheck | None = None
    views: Views | None = None
    card: ModelCard | None = None


@dataclass(frozen=True)
class Report:
    """All results, what follows from them, and what was left out.

    Attributes
    ----------
    results : tuple of Result
        In the order of fields and targets.
    comparisons : tuple of Comparison
        For each target and metric that several models share fields in.
    skipped : tuple of str
        One sentence for each prediction that could not be compared.
    created : str
        ISO time, UTC.
    versions : dict
        What computed this.
    """

    results: tuple[Result, ...]
    comparisons: tuple[Comparison, ...]
    skipped: tuple[str, ...]
    created: str
    versions: dict[str, str]

    @property
    def about_truths(self) -> tuple[str, ...]:
        """What has to be said of truths that are predictions themselves, each once."""
        return tuple(dict.fromkeys(r.case.about_truth for r in self.results if r.case.about_truth))

    @property
    def disclaimers(self) -> tuple[str, ...]:
        """Each once."""
        return tuple(dict.fromkeys(r.case.disclaimer for r in self.results if r.case.disclaimer))


def gather(
    cases: Iterable[Case],
    *,
    mask: ImageSource | None = None,
    repeats: Mapping[Path, Sequence[Path]] | None = None,
    thorough: bool = True,
    baselines: bool | None = None,
    skipped: Iterable[str] = (),
    on_case: Callable[[Case], object] = lambda case: None,
    on_step: Callable[[], object] = lambda: None,
) -> Report:
    """Compare every prediction with its truth.

    Parameters
    ----------
    cases : iterable of Case
        Taken one after the other; cases of one field in a row share its truth, which is read once.
    mask : ImageSource, optional
        On the truth's grid; where its first channel is not 0 is scored on its own too.
    repeats : mapping of Path to sequence of Path, optional
        For each truth further recordings of it, with channels of the same names, for the noise ceiling; see
        `match_repeats`.
    thorough : bool
        With baselines, registration check and pictures.
    baselines : bool, optional
        With the baselines of the transmitted light; without it, where `thorough`.
    skipped : iterable of str
        What was left out before; read after the last case, so that whoever makes the cases may add to it.
    on_case : callable
        Told each case before it is read.
    on_step : callable
        Called now and then; a `PredictionCancelled` that it raises ends it all.

    Raises
    ------
    PredictionCancelled
        By `on_step`.
    MitoPredictError
        The reason, where not one case could be compared.
    """
    with_baselines = thorough if baselines is None else baselines
    results: list[Result] = []
    problems: list[str] = []
    failure: MitoPredictError | None = None
    for _, group in groupby(cases, key=_truth_key):
        truth: Truth | None = None
        for case in group:
            on_case(case)
            try:
                known = (repeats or {}).get(case.truth.path or Path(), ())
                truth = truth or Truth.read(case, mask, known, baselines=with_baselines, on_step=on_step)
                keep = len({_truth_key(result.case) for result in results}) < _MOST_VIEWS
                results.append(examine(case, truth, thorough=thorough, views=keep, on_step=on_step))
            except PredictionCancelled:
                raise
            except MitoPredictError as error:
                failure = failure or error
                problems.append(str(error))
    problems = [*skipped, *problems]
    if not results:
        raise failure or EvaluationError(f"There is nothing to compare. {' '.join(problems[:3])}".rstrip())
    names = distinct_models([result.case for result in results])
    named = [replace(r, case=replace(r.case, model=name)) for r, name in zip(results, names, strict=True)]
    return Report(
        results=tuple(_with_other_fields(named) if thorough else named),
        comparisons=tuple(_comparisons(named)),
        skipped=tuple(problems),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=versions_of(_PACKAGES),
    )


def examine(
    case: Case,
    truth: Truth,
    *,
    thorough: bool = True,
    views: bool = True,
    on_step: Callable[[], object] = lambda: None,
) -> Result:
    """Score one prediction.

    Raises
    ------
    EvaluationError
        Nothing can be compared: constant, not finite, or a mask of another size; names both files.
    """
    prediction = read_all(case.prediction, 0)
    size = case.truth.voxel_size_um
    try:
        scaling = Scaling.measure(prediction, truth.values)
        on_step()
        scores = evaluate(prediction, truth.values, scaling=scaling, voxel_size_um=size)
        parts = {"foreground": truth.foreground}
        if truth.mask is not None:
            parts["mask"] = truth.mask
        regions = {}
        for name, part in parts.items():
            on_step()
            if name == "mask" or (part & np.isfinite(prediction)).any():
                regions[name] = evaluate(prediction, truth.values, mask=part, scaling=scaling, voxel_size_um=size)
    except EvaluationError as error:
        raise EvaluationError(f"{case.names}: {error}") from error
    if math.isnan(scores.pcc):
        raise EvaluationError(
            f"{case.names}: the prediction is constant where both are finite, so there is nothing to compare. Was it "
            "made from an empty image?"
        )
    if scores.pcc > _COPY and not case.about_truth:
        case = replace(case, notes=(*case.notes, _looks_copied(scores.pcc)))
    series = case.truth.sizes["T"] > 1
    on_step()
    planes = evaluate_planes(prediction, truth.values, scaling=scaling, voxel_size_um=size)
    on_step()
    time_points: tuple[PartScores, ...] = ()
    flickers = None
    if series:
        flickers = flicker(prediction, truth.light, truth.values, voxel_size_um=size)
        time_points = evaluate_time_points(prediction, truth.values, scaling=scaling, voxel_size_um=size)
    on_step()
    shift = check_shift(prediction, truth.values, size) if thorough else None
    on_step()
    return Result(
        case=case,
        scaling=scaling,
        scores=scores,
        regions=regions,
        threshold=truth.threshold,
        planes=planes,
        time_points=time_points,
        baselines=dict(truth.baselines),
        baseline_planes=truth.baseline_planes,
        fitted=truth.fitted,
        ceiling=truth.ceiling,
        recordings=truth.recordings,
        not_finite=int(prediction.size - scores.voxels),
        flicker=flickers,
        shift=shift,
        views=take_views(prediction, truth.values, truth.light, scaling) if thorough and views else None,
        card=find_card(case.record),
    )


def _looks_copied(pcc: float) -> str:
    """What has to be asked where a truth carries no word of being a prediction, but agrees as none does."""
    return f"They agree as only copies do (PCC {pcc:.5f}): is the truth a prediction that was saved again?"


def values_of(results: Iterable[Result], target: str, metric: str) -> dict[str, dict[str, float]]:
    """Model -> field -> value of one metric over all voxels, for one target."""
    found: dict[str, dict[str, float]] = {}
    for result in results:
        if result.case.target == target:
            found.setdefault(result.case.model, {})[result.case.field] = getattr(result.scores, metric)
    return found


def targets_of(results: Iterable[Result]) -> list[str]:
    """Each target once, in order."""
    return list(dict.fromkeys(result.case.target for result in results))


def _comparisons(results: list[Result]) -> Iterable[Comparison]:
    for target in targets_of(results):
        for metric in HIGHER_IS_BETTER:
            found = compare(target, metric, values_of(results, target, metric))
            if found is not None:
                yield found


def _with_other_fields(results: list[Result]) -> list[Result]:
    """Add the mean of the other fields' truth as a baseline, where two fields or more have one shape and target."""
    scores: dict[tuple[object, ...], Scores] = {}
    groups: dict[tuple[str, tuple[int, ...]], dict[tuple[object, ...], Case]] = {}
    for result in results:
        shape = tuple(result.case.truth.sizes[axis] for axis in "TZYX")
        groups.setdefault((result.case.target, shape), {})[_truth_key(result.case)] = result.case
    for (_, shape), cases in groups.items():
        if len(cases) > 1:
            mean = MeanTruth(shape)
            for case in cases.values():
                mean.add(read_all(case.truth, case.channel.index))
            for key, case in cases.items():
                truth = read_all(case.truth, case.channel.index)
                scores[key] = evaluate(mean.without(truth), truth, voxel_size_um=case.truth.voxel_size_um)
    changed = []
    for result in results:
        key = _truth_key(result.case)
        if key in scores:
            result = replace(result, baselines=result.baselines | {OTHERS: scores[key]})
        changed.append(result)
    return changed


def _truth_key(case: Case) -> tuple[object, ...]:
    return (case.field, str(case.truth.path or case.truth.name), case.truth.scene, case.channel.index, case.target)
