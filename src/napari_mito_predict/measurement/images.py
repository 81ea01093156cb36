"""`measure`: from an image to tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from napari_mito_predict.image import Finding, ImageSource, Level, open_image
from napari_mito_predict.measurement.fields import density_by_distance, summarise
from napari_mito_predict.measurement.measures import Structure, measures_of
from napari_mito_predict.measurement.objects import measure_mitochondria, measure_nuclei, measure_puncta
from napari_mito_predict.measurement.progress import SILENT, Progress
from napari_mito_predict.measurement.segmentation import VoxelSize, segment_mitochondria, segment_nuclei, segment_puncta
from napari_mito_predict.measurement.sources import Channels, Source, find_sources
from napari_mito_predict.measurement.verdicts import Judgement, judge, worst
from napari_mito_predict.measurement.voxels import Voxels
from napari_mito_predict.models import SIMULATED_DISCLAIMER

if TYPE_CHECKING:
    import pandas as pd

    from napari_mito_predict.measurement.settings import MitochondriaSettings, NucleiSettings, PunctaSettings

Labels = Mapping[Structure, npt.NDArray[Any]]
_ORDER = (Structure.NUCLEI, Structure.MITOCHONDRIA, Structure.NUCLEOIDS)
"""Mitochondria are measured around nuclei, nucleoids outside of nuclei and within mitochondria."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureSettings:
    """How each structure is segmented; None takes the defaults in the unit that the image has."""

    mitochondria: MitochondriaSettings | None = None
    nuclei: NucleiSettings | None = None
    nucleoids: PunctaSettings | None = None

    def is_default(self, structure: Structure) -> bool:
        """Whether a structure is segmented as its verdicts were found."""
        chosen = getattr(self, structure)
        return chosen is None or chosen in (type(chosen)(), type(chosen).in_pixels())


@dataclass(frozen=True, slots=True, eq=False)
class Measurements:
    """Tables of one field.

    Attributes
    ----------
    fields : pandas.DataFrame
        A row for each time point, structure and measure: ``image``, ``scene``, ``t``, ``structure``, ``measure``,
        ``value``, ``unit``, ``predicted_by`` (empty for a recording), ``verdict`` and ``why``, see `Judgement`.
    objects : dict of Structure to pandas.DataFrame
        A row for each object: ``image``, ``scene``, ``t``, ``label``, what `OBJECT_MEASURES` declares,
        ``predicted_by``, and ``verdict``, the worst of the field's measures but of brightness: single objects were
        never compared.
    distances : pandas.DataFrame
        Density of mitochondria against distance from the nucleus, see `density_by_distance`, for each time point.
    unit : {"um", "px"}
        Of lengths in all tables.
    findings : tuple of Finding
        What has to be known of these numbers.
    """

    fields: pd.DataFrame
    objects: dict[Structure, pd.DataFrame]
    distances: pd.DataFrame
    unit: str
    findings: tuple[Finding, ...]


def measure(
    images: ImageSource | str | Path | Sequence[ImageSource | str | Path],
    structures: Sequence[Structure | str] | None = None,
    *,
    channels: Channels | None = None,
    settings: MeasureSettings | None = None,
    voxel_size_um: VoxelSize = None,
    progress: Progress = SILENT,
    on_labels: Callable[[int, Labels], None] | None = None,
) -> Measurements:
    """Measure mitochondria, nuclei and nucleoids of an image, recorded or predicted.

    Stacks are measured in 3-D, single planes in 2-D, time series frame by frame. Where a voxel size is not known,
    everything is measured in pixels, which a finding says. Beside each number from a prediction stands the verdict that
    the card of its model has for that measure.

    Parameters
    ----------
    images : ImageSource, str or Path, or a sequence of them
        An image; or several of one field, such as the predictions of mitochondria and of DNA.
    structures : sequence of Structure or str, optional
        Of ``mitochondria``, ``nuclei`` and ``nucleoids``; by default all that a channel is known to show.
    channels : mapping, optional
        Structure -> index or name of its channel, where the file does not tell.
    settings : MeasureSettings, optional
    voxel_size_um : sequence of float or None, optional
        (z, y, x), where the file does not know it or is wrong.
    progress : Progress
    on_labels : callable, optional
        Given ``(t, labels)`` of each time point: what was found, as labels by structure.

    Returns
    -------
    Measurements

    Raises
    ------
    MeasurementError
        No channel shows what is asked for, or images of different sizes.
    ImageError
        An image cannot be read, or several channels could be meant.
    MeasurementCancelled

    Examples
    --------
    >>> import napari_mito_predict as nmp
    >>> found = nmp.measure("cells.czi")                                     # doctest: +SKIP
    >>> found.fields.query("measure == 'total_length'")                      # doctest: +SKIP
    """
    opened = _opened(images)
    wanted = None if structures is None else tuple(map(Structure, structures))
    sources = find_sources(opened, wanted, channels or {})
    size = voxel_size_um or opened[0].voxel_size_um
    run = _Run(sources, settings or MeasureSettings(), size, progress)
    for t in range(opened[0].sizes["T"]):
        labels = run.frame(t)
        if on_labels is not None:
            on_labels(t, labels)
    return run.result()


def _opened(images: ImageSource | str | Path | Sequence[ImageSource | str | Path]) -> list[ImageSource]:
    listed = [images] if isinstance(images, ImageSource | str | Path) else images
    return [image if isinstance(image, ImageSource) else open_image(image) for image in listed]


@dataclass(slots=True)
class _Run:
    """One field, frame by frame."""

    sources: Mapping[Structure, Source]
    settings: MeasureSettings
    size: VoxelSize
    progress: Progress
    _fields: list[dict[str, object]] = field(default_factory=list)
    _objects: dict[Structure, list[pd.DataFrame]] = field(default_factory=dict)
    _distances: list[pd.DataFrame] = field(default_factory=list)
    _judgements: dict[Structure, dict[str, Judgement]] = field(default_factory=dict)

    def frame(self, t: int) -> Labels:
        """Segment and measure one time point."""
        labels: dict[Structure, npt.NDArray[Any]] = {}
        for structure in _ORDER:
            if structure not in self.sources:
                continue
            source = self.sources[structure]
            pixels = source.read(t)
            labels[structure] = self._segmented(structure, pixels, labels)
            objects = self._measured(structure, pixels, labels)
            self._keep(t, structure, objects, pixels.ndim)
        self._keep_distances(t, labels)
        return labels

    def result(self) -> Measurements:
        """Put the tables together."""
        import pandas as pd

        objects = {structure: pd.concat(tables, ignore_index=True) for structure, tables in self._objects.items()}
        filled = [table for table in self._distances if len(table)]
        distances = pd.concat(filled, ignore_index=True) if filled else pd.DataFrame()
        return Measurements(pd.DataFrame(self._fields), objects, distances, self._voxels.unit, self._findings())

    @property
    def _first(self) -> Source:
        return next(iter(self.sources.values()))

    @property
    def _dimensions(self) -> int:
        return 2 if self._first.image.sizes["Z"] == 1 else 3

    @property
    def _voxels(self) -> Voxels:
        return Voxels.of(self.size, self._dimensions)

    def _segmented(self, structure: Structure, pixels: Any, labels: Labels) -> npt.NDArray[Any]:
        if structure is Structure.MITOCHONDRIA:
            return segment_mitochondria(pixels, self.size, self.settings.mitochondria, self.progress)
        if structure is Structure.NUCLEI:
            return segment_nuclei(pixels, self.size, self.settings.nuclei, self.progress)
        nuclei = labels.get(Structure.NUCLEI)
        return segment_puncta(pixels, self.size, self.settings.nucleoids, outside=nuclei, progress=self.progress)

    def _measured(self, structure: Structure, pixels: Any, labels: Labels) -> pd.DataFrame:
        own = labels[structure]
        if structure is Structure.MITOCHONDRIA:
            nuclei = labels.get(Structure.NUCLEI)
            return measure_mitochondria(own, self.size, pixels=pixels, nuclei=nuclei, progress=self.progress)
        if structure is Structure.NUCLEI:
            return measure_nuclei(own, self.size, pixels=pixels, progress=self.progress)
        mitochondria = labels.get(Structure.MITOCHONDRIA)
        return measure_puncta(own, self.size, pixels=pixels, mitochondria=mitochondria, progress=self.progress)

    def _keep(self, t: int, structure: Structure, objects: pd.DataFrame, dimensions: int) -> None:
        source = self.sources[structure]
        judgements = self._judged(structure, dimensions)
        head = {"image": source.field, "scene": source.image.scenes[source.image.scene], "t": t}
        by = source.channel.prediction.by if source.channel.prediction is not None else ""
        values = summarise(structure, objects, dimensions)
        for declared in measures_of(structure, "field", dimensions):
            if declared.name not in values:
                continue
            judgement = judgements[declared.name]
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
            self._judgements[structure] = judge(origin, structure, dimensions)
        return self._judgements[structure]

    def _keep_distances(self, t: int, labels: Labels) -> None:
        if Structure.NUCLEI not in labels or Structure.MITOCHONDRIA not in labels:
            return
        source = self.sources[Structure.MITOCHONDRIA]
        table = density_by_distance(labels[Structure.MITOCHONDRIA], labels[Structure.NUCLEI], self.size)
        table.insert(0, "image", source.field)
        table.insert(1, "t", t)
        self._distances.append(table)

    def _findings(self) -> tuple[Finding, ...]:
        found = []
        name = self._first.field
        if self._voxels.unit == "px":
            message = f"{name}: the size of a voxel is not known, so that everything is measured in pixels."
            found.append(Finding(Level.WARNING, "size-unknown", message, "State it to measure in micrometres."))
        marks = [source.channel.prediction for source in self.sources.values()]
        for model in dict.fromkeys(mark.by for mark in marks if mark is not None):
            message = f"{name}: measured on a prediction by {model}; the verdict stands beside each number."
            found.append(Finding(Level.WARNING, "predicted", message, model=model))
        if any(mark is not None and mark.simulated for mark in marks):
            found.append(Finding(Level.WARNING, "simulated-model", f"{name}: {SIMULATED_DISCLAIMER}"))
        return tuple(found)
