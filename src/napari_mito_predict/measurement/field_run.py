"""One field, frame by frame: segmented, measured, followed, and put into tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from napari_mito_predict.image import Finding, Level
from napari_mito_predict.measurement.fields import density_by_distance, summarise
from napari_mito_predict.measurement.measured import MeasuredChannel, Measurements, SegmentedPlane
from napari_mito_predict.measurement.measures import Structure, measures_of
from napari_mito_predict.measurement.objects import measure_mitochondria, measure_nuclei, measure_puncta
from napari_mito_predict.measurement.segmentation import VoxelSize, segment
from napari_mito_predict.measurement.series import FieldDynamics
from napari_mito_predict.measurement.skeletons import Skeletons, skeletonise
from napari_mito_predict.measurement.verdicts import NOT_TESTED, RECORDED, Judgement, judge, worst
from napari_mito_predict.measurement.voxels import Voxels
from napari_mito_predict.models import SIMULATED_DISCLAIMER

if TYPE_CHECKING:
    import pandas as pd

    from napari_mito_predict.measurement.progress import Progress
    from napari_mito_predict.measurement.settings import MeasureSettings
    from napari_mito_predict.measurement.sources import Source

Labels = Mapping[Structure, npt.NDArray[Any]]
_SECONDS: Mapping[Structure, tuple[float, ...]] = {
    Structure.NUCLEI: (22, 5),
    Structure.MITOCHONDRIA: (19, 19, 56),
    Structure.NUCLEOIDS: (47, 2),
}
"""That segmentation, skeletons and measures take in a stack of 32 x 1024 x 1024; only their ratios count."""
_ORDER = (Structure.NUCLEI, Structure.MITOCHONDRIA, Structure.NUCLEOIDS)
"""Mitochondria are measured around nuclei, nucleoids outside of nuclei and within mitochondria."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """What was found at a time point.

    Attributes
    ----------
    t : int
    labels : mapping of Structure to int array
    skeletons : Skeletons or None
        Of mitochondria.
    objects : mapping of Structure to pandas.DataFrame
        Measures of each label, which is the index.
    """

    t: int
    labels: Labels
    skeletons: Skeletons | None
    objects: Mapping[Structure, pd.DataFrame]


@dataclass(slots=True)
class FieldRun:
    """One field, frame by frame.

    Attributes
    ----------
    sources : mapping of Structure to Source
        Of one grid.
    settings : MeasureSettings
    size : sequence of float or None
        (z, y, x) in micrometres.
    progress : Progress
    dynamics : bool
        Also follow mitochondria from frame to frame; then all are measured, in order.
    step_s : float or None
        Seconds between time points; None takes what the image knows.
    frames_done : float
        How much of its work is done, in time points: 1.5 where a half of the second one is. Another thread may ask.
    """

    sources: Mapping[Structure, Source]
    settings: MeasureSettings
    size: VoxelSize
    progress: Progress
    dynamics: bool = False
    step_s: float | None = None
    frames_done: float = 0.0
    _fields: list[dict[str, object]] = field(default_factory=list)
    _objects: dict[Structure, list[pd.DataFrame]] = field(default_factory=dict)
    _distances: list[pd.DataFrame] = field(default_factory=list)
    _judgements: dict[Structure, dict[str, Judgement]] = field(default_factory=dict)
    _planes: dict[Structure, SegmentedPlane] = field(default_factory=dict)
    _followed: FieldDynamics | None = None

    def __post_init__(self) -> None:
        if self.step_s is None:
            self.step_s = self._first.image.time_step_s
        if self.dynamics:
            self._followed = FieldDynamics(self.sources, self._voxels, self.step_s, self.settings)

    def frame(self, t: int) -> Frame:
        """Segment and measure one time point."""
        labels: dict[Structure, npt.NDArray[Any]] = {}
        measured: dict[Structure, pd.DataFrame] = {}
        skeletons = None
        for structure in _ORDER:
            if structure not in self.sources:
                continue
            source = self.sources[structure]
            pixels = source.read(t)
            nuclei = labels.get(Structure.NUCLEI)
            labels[structure] = segment(
                structure, pixels, self.size, self.settings, nuclei=nuclei, progress=self.progress
            )
            self._pass(structure, 0)
            if structure is Structure.MITOCHONDRIA:
                skeletons = skeletonise(labels[structure], self._voxels, self.progress)
                self._pass(structure, 1)
                self._follow(t, labels[structure], pixels)
            measured[structure] = self._measured(structure, pixels, labels, skeletons)
            self._pass(structure, -1)
            self._keep(t, structure, measured[structure], pixels.ndim)
            if structure not in self._planes:
                whole = structure is Structure.NUCLEI
                self._planes[structure] = SegmentedPlane.of(pixels, labels[structure], self._voxels, whole=whole)
        self._keep_distances(t, labels)
        return Frame(t, labels, skeletons, measured)

    def result(self) -> Measurements:
        """Put the tables together."""
        import pandas as pd

        objects = {structure: pd.concat(tables, ignore_index=True) for structure, tables in self._objects.items()}
        filled = [table for table in self._distances if len(table)]
        distances = pd.concat(filled, ignore_index=True) if filled else pd.DataFrame()
        return Measurements(
            fields=pd.DataFrame(self._fields),
            objects=objects,
            distances=distances,
            unit=self._voxels.unit,
            findings=self._findings(),
            channels=tuple(
                MeasuredChannel.of(structure, source, getattr(self.settings, structure), self._voxels)
                for structure, source in self.sources.items()
            ),
            planes=self._planes,
            voxel_size_um=tuple(self.size or ()),
            time_step_s=self.step_s,
            dynamics=None if self._followed is None else self._followed.result(),
        )

    def _follow(self, t: int, labels: npt.NDArray[Any], pixels: npt.NDArray[Any]) -> None:
        if self._followed is not None:
            self.progress.step(t, self._first.image.sizes["T"], "following mitochondria")
            self._followed.add(labels, pixels)

    def _pass(self, structure: Structure, part: int) -> None:
        """A part of the work on a structure is done."""
        self.frames_done += _SECONDS[structure][part] / sum(sum(_SECONDS[each]) for each in self.sources)

    @property
    def _first(self) -> Source:
        return next(iter(self.sources.values()))

    @property
    def _dimensions(self) -> int:
        return 2 if self._first.image.sizes["Z"] == 1 else 3

    @property
    def _voxels(self) -> Voxels:
        return Voxels.of(self.size, self._dimensions)

    def _measured(self, structure: Structure, pixels: Any, labels: Labels, skeletons: Skeletons | None) -> pd.DataFrame:
        own = labels[structure]
        if structure is Structure.MITOCHONDRIA:
            nuclei = labels.get(Structure.NUCLEI)
            return measure_mitochondria(
                own, self.size, pixels=pixels, nuclei=nuclei, skeletons=skeletons, progress=self.progress
            )
        if structure is Structure.NUCLEI:
            return measure_nuclei(own, self.size, pixels=pixels, progress=self.progress)
        mitochondria = labels.get(Structure.MITOCHONDRIA)
        return measure_puncta(own, self.size, pixels=pixels, mitochondria=mitochondria, progress=self.progress)

    def _keep(self, t: int, structure: Structure, objects: pd.DataFrame, dimensions: int) -> None:
        source = self.sources[structure]
        judgements = dict(self._judged(structure, dimensions))
        head = {"image": source.field, "scene": source.image.scenes[source.image.scene], "t": t}
        by = source.channel.prediction.by if source.channel.prediction is not None else ""
        values = summarise(structure, objects, dimensions)
        for declared in measures_of(structure, "field", dimensions):
            if declared.name not in values:
                continue
            judgement = judgements[declared.name].about(values[declared.name], self._voxels.unit)
            judgements[declared.name] = judgement
            row = {"structure": str(structure), "measure": declared.name, "value": values[declared.name]}
            row |= {"unit": declared.unit(self._voxels.unit), "predicted_by": by}
            self._fields.append(head | row | {"verdict": judgement.verdict, "why": judgement.why})
        table = objects.reset_index()
        for position, (name, value) in enumerate(head.items()):
            table.insert(position, name, value)
        table["predicted_by"] = by
        table["verdict"] = worst(judgements)
        self._objects.setdefault(structure, []).append(table)

    def _judged(self, structure: Structure, dimensions: int) -> dict[str, Judgement]:
        if structure not in self._judgements:
            origin = self.sources[structure].origin(default_settings=self.settings.is_default(structure))
            marks = {each: source.channel.prediction for each, source in self.sources.items()}
            models = {each: mark.by for each, mark in marks.items() if mark is not None}
            self._judgements[structure] = judge(origin, structure, dimensions, models)
        return self._judgements[structure]

    def _keep_distances(self, t: int, labels: Labels) -> None:
        if Structure.NUCLEI not in labels or Structure.MITOCHONDRIA not in labels:
            return
        source = self.sources[Structure.MITOCHONDRIA]
        table = density_by_distance(labels[Structure.MITOCHONDRIA], labels[Structure.NUCLEI], self.size)
        table.insert(0, "image", source.field)
        table.insert(1, "scene", source.image.scenes[source.image.scene])
        table.insert(2, "t", t)
        marks = [self.sources[each].channel.prediction for each in (Structure.MITOCHONDRIA, Structure.NUCLEI)]
        models = dict.fromkeys(mark.by for mark in marks if mark is not None)
        table["predicted_by"] = ", ".join(models)
        table["verdict"] = NOT_TESTED if models else RECORDED
        self._distances.append(table)

    def _findings(self) -> tuple[Finding, ...]:
        found = []
        name = self._first.field
        if self._voxels.unit == "px":
            message = f"{name}: the size of a voxel is not known, so that everything is measured in pixels."
            found.append(Finding(Level.WARNING, "size-unknown", message, "State it to measure in micrometres."))
        if self._followed is not None and self.step_s is None:
            message = f"{name}: the time between two frames is not known, so that there are no times, speeds and rates."
            found.append(Finding(Level.WARNING, "time-step-unknown", message, "State it in seconds."))
        marks = [source.channel.prediction for source in self.sources.values()]
        for model in dict.fromkeys(mark.by for mark in marks if mark is not None):
            message = f"{name}: measured on a prediction by {model}; the verdict stands beside each number."
            found.append(Finding(Level.WARNING, "predicted", message, model=model))
        if any(mark is not None and mark.simulated for mark in marks):
            found.append(Finding(Level.WARNING, "simulated-model", f"{name}: {SIMULATED_DISCLAIMER}"))
        return tuple(found)
