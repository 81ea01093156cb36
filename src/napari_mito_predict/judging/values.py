"""The measures of a field, of its recorded fluorescence and of its prediction."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from statistics import fmean
from typing import TYPE_CHECKING, Final

from napari_mito_predict.errors import MeasurementError
from napari_mito_predict.image import ChannelRole
from napari_mito_predict.measurement.field_run import FieldRun
from napari_mito_predict.measurement.measures import Structure
from napari_mito_predict.measurement.progress import Progress
from napari_mito_predict.measurement.settings import MeasureSettings
from napari_mito_predict.measurement.sources import Source

if TYPE_CHECKING:
    from napari_mito_predict.evaluation.cases import Case
    from napari_mito_predict.measurement.measured import Measurements
    from napari_mito_predict.measurement.voxels import Unit

Values = Mapping[str, float]
"""``mitochondria.total_length`` -> value."""
_STRUCTURES: Final[Mapping[ChannelRole, tuple[Structure, ...]]] = {
    ChannelRole.MITOCHONDRIA: (Structure.MITOCHONDRIA,),
    ChannelRole.DNA: (Structure.NUCLEI, Structure.NUCLEOIDS),
}


@dataclass(frozen=True)
class FieldValues:
    """One independent field: a file, or what belongs together of several.

    Attributes
    ----------
    name : str
    dimensions : {2, 3}
        Whether planes or stacks were measured.
    unit : {"um", "px"}
        Of lengths.
    simulated : bool
        It is, or holds, a simulated image.
    recorded, predicted : mapping of str to float
        Measures of the field, such as ``mitochondria.total_length``, as means over time points, scenes and files.
    targets : mapping of Structure to str
        Each structure -> the target of the model that shows it.
    """

    name: str
    dimensions: int
    unit: Unit
    simulated: bool
    recorded: Values
    predicted: Values
    targets: Mapping[Structure, str]


def measure_field(
    cases: Sequence[Case], structures: Sequence[Structure] | None, should_stop: Callable[[], bool]
) -> FieldValues:
    """Measure the predictions of a file and its recorded fluorescence, in the same way.

    Parameters
    ----------
    cases : sequence of Case
        Of one file: one for each target, and for each scene where there are several.
    structures : sequence of Structure or None
        What to measure; None for all that the targets show.
    should_stop : callable
        Asked between steps.

    Raises
    ------
    MeasurementError
        The targets show nothing that is measured, or the scenes are planes and stacks.
    MeasurementCancelled
    """
    by_scene: dict[int, list[Case]] = {}
    for case in cases:
        by_scene.setdefault(case.truth.scene, []).append(case)
    scenes = [_measure_scene(same, structures, should_stop) for same in by_scene.values()]
    return mean_of(cases[0].truth.name, scenes)


def mean_of(name: str, parts: Sequence[FieldValues]) -> FieldValues:
    """The parts of a field as one, each measure with its mean.

    Raises
    ------
    MeasurementError
        They do not have the same number of dimensions, or the same unit.
    """
    first = parts[0]
    if any((part.dimensions, part.unit) != (first.dimensions, first.unit) for part in parts):
        raise MeasurementError(f"{name} holds planes and stacks, or images of known and of unknown voxel size.")
    return FieldValues(
        name,
        first.dimensions,
        first.unit,
        simulated=any(part.simulated for part in parts),
        recorded=_mean([part.recorded for part in parts]),
        predicted=_mean([part.predicted for part in parts]),
        targets=first.targets,
    )


def _measure_scene(
    cases: Sequence[Case], structures: Sequence[Structure] | None, should_stop: Callable[[], bool]
) -> FieldValues:
    recorded = {}
    predicted = {}
    targets = {}
    for case in cases:
        for structure in _structures_of(case):
            if structures is None or structure in structures:
                recorded[structure] = Source(case.truth, case.channel)
                predicted[structure] = Source(case.prediction, case.prediction.channels[0])
                targets[structure] = case.target
    if not targets:
        names = " and ".join(case.target for case in cases)
        raise MeasurementError(f"{names}: nothing is measured in it. Mitochondria, nuclei and nucleoids are.")
    progress = Progress(should_stop=should_stop)
    size = cases[0].prediction.voxel_size_um  # what the user put right of the file's
    truth = _measure(recorded, size, progress)
    found = _measure(predicted, size, progress)
    return FieldValues(
        cases[0].field,
        dimensions=truth.channels[0].dimensions,
        unit=truth.unit,
        simulated=any(map(_is_simulated, cases)),
        recorded=_values(truth),
        predicted=_values(found),
        targets=targets,
    )


def _is_simulated(case: Case) -> bool:
    return case.truth.simulated or (case.light is not None and case.light.simulated)


def _structures_of(case: Case) -> tuple[Structure, ...]:
    """What a target shows, by its name, else by what is known of its channel."""
    if case.target in (Structure.NUCLEI, Structure.NUCLEOIDS):
        return (Structure(case.target),)
    try:
        role = ChannelRole(case.target)
    except ValueError:
        role = case.prediction.channels[0].role
    return _STRUCTURES.get(role, ())


def _measure(sources: Mapping[Structure, Source], size: tuple[float | None, ...], progress: Progress) -> Measurements:
    image = next(iter(sources.values())).image
    run = FieldRun(sources, MeasureSettings(), size, progress)
    for t in range(image.sizes["T"]):
        run.frame(t)
    return run.result()


def _values(found: Measurements) -> dict[str, float]:
    """Each measure as its mean over time points; NaN where it has no value at any."""
    means = found.fields.groupby(["structure", "measure"], sort=False)["value"].mean()
    return {f"{structure}.{name}": float(value) for (structure, name), value in means.items()}


def _mean(parts: Sequence[Values]) -> dict[str, float]:
    """Mean over the parts that have a value."""
    found = {}
    for name in dict.fromkeys(chain.from_iterable(parts)):
        known = [part[name] for part in parts if math.isfinite(part.get(name, math.nan))]
        found[name] = fmean(known) if known else math.nan
    return found
