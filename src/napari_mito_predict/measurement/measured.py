"""What a measurement gives: tables, and what their numbers are from."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from napari_mito_predict.measurement.measures import Structure
from napari_mito_predict.measurement.settings import MitochondriaSettings, NucleiSettings, PunctaSettings, are_default

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from napari_mito_predict.image import Finding
    from napari_mito_predict.measurement.series import MeasuredDynamics
    from napari_mito_predict.measurement.sources import Source
    from napari_mito_predict.measurement.voxels import Unit, Voxels

Settings = MitochondriaSettings | NucleiSettings | PunctaSettings
_KINDS: Final[Mapping[Structure, type[Settings]]] = {
    Structure.MITOCHONDRIA: MitochondriaSettings,
    Structure.NUCLEI: NucleiSettings,
    Structure.NUCLEOIDS: PunctaSettings,
}
_SIDE = 360
"""Pixels of the part of a plane that is kept: as many as a figure shows."""
_DISPLAYED = (0.5, 99.8)
"""Percentiles of the pixels that are black and white."""


@dataclass(frozen=True, slots=True)
class MeasuredChannel:
    """A channel that a structure was measured in, and how.

    Attributes
    ----------
    structure : Structure
    field, scene : str
        As in the tables.
    file, channel : str
        Names of the image and of its channel.
    predicted_by : str
        The model; empty for a recording.
    simulated_model : bool
        It was trained on simulated cells.
    dimensions : {2, 3}
        Whether planes or stacks were measured.
    time_points : int
    default_settings : bool
    settings : MitochondriaSettings, NucleiSettings or PunctaSettings
        In the unit that the image has.
    """

    structure: Structure
    field: str
    scene: str
    file: str
    channel: str
    predicted_by: str
    simulated_model: bool
    dimensions: int
    time_points: int
    default_settings: bool
    settings: Settings

    @classmethod
    def of(cls, structure: Structure, source: Source, chosen: Settings | None, voxels: Voxels) -> MeasuredChannel:
        """What a source was measured with: with what was chosen, or the defaults in the unit of `voxels`."""
        mark = source.channel.prediction
        return cls(
            structure=structure,
            field=source.field,
            scene=source.image.scenes[source.image.scene],
            file=source.image.name,
            channel=source.channel.label,
            predicted_by="" if mark is None else mark.by,
            simulated_model=mark is not None and mark.simulated,
            dimensions=voxels.ndim,
            time_points=source.image.sizes["T"],
            default_settings=are_default(chosen),
            settings=_KINDS[structure].fitting(chosen, voxels),  # type: ignore[arg-type]  # of that kind
        )


@dataclass(frozen=True, slots=True, eq=False)
class SegmentedPlane:
    """A part of a plane with what was found in it.

    Attributes
    ----------
    z : int or None
        Which plane of the stack, from 0: the one with the most of it; None of a single plane.
    pixels : (Y, X) uint8 array
        For the eye: from dark to bright.
    objects : (Y, X) bool array
        Where something was found; objects that touch have a gap between them.
    pixel_size : float
        Along x, in the unit of the measures.
    """

    z: int | None
    pixels: npt.NDArray[np.uint8]
    objects: npt.NDArray[np.bool_]
    pixel_size: float

    @classmethod
    def of(cls, pixels: npt.NDArray[Any], labels: npt.NDArray[Any], voxels: Voxels, *, whole: bool) -> SegmentedPlane:
        """Keep the part around what was found, or with `whole` all of the plane in less detail.

        Parameters
        ----------
        pixels : (Y, X) or (Z, Y, X) array
        labels : int array of that shape
        voxels : Voxels
        whole : bool
        """
        z = None
        if labels.ndim == 3:
            z = int(np.count_nonzero(labels, axis=(1, 2)).argmax())
            pixels = pixels[z]
            labels = labels[z]
        step = math.ceil(max(labels.shape) / _SIDE) if whole else 1
        part = _part_around(labels > 0, _SIDE * step)
        rows = slice(part[0].start, part[0].stop, step)
        columns = slice(part[1].start, part[1].stop, step)
        shown = _for_the_eye(np.asarray(pixels[rows, columns]))
        return cls(z, shown, _apart(labels[rows, columns]), voxels.spacing[-1] * step)


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
        Density of mitochondria against distance from the nucleus, see `density_by_distance`, for each time point;
        with ``predicted_by`` and ``verdict``: *recorded*, or of predictions *not tested*, as nobody compared it.
    unit : {"um", "px"}
        Of lengths in all tables.
    findings : tuple of Finding
        What has to be known of these numbers.
    channels : tuple of MeasuredChannel
        What the structures were measured in, and how they were found.
    planes : dict of Structure to SegmentedPlane
        What was found in a plane of the first time point.
    voxel_size_um : tuple of float or None
        (z, y, x), None where it is not known.
    time_step_s : float or None
        Seconds between time points, None where it is not known.
    dynamics : MeasuredDynamics or None
        How mitochondria change over time, where that was asked for.
    """

    fields: pd.DataFrame
    objects: dict[Structure, pd.DataFrame]
    distances: pd.DataFrame
    unit: Unit
    findings: tuple[Finding, ...]
    channels: tuple[MeasuredChannel, ...] = ()
    planes: dict[Structure, SegmentedPlane] = field(default_factory=dict)
    voxel_size_um: tuple[float | None, ...] = ()
    time_step_s: float | None = None
    dynamics: MeasuredDynamics | None = None


def _part_around(found: npt.NDArray[np.bool_], side: int) -> tuple[slice, slice]:
    """Rows and columns around the middle of what was found, within the plane."""
    parts = []
    for axis, size in enumerate(found.shape):
        places = np.flatnonzero(found.any(axis=1 - axis))
        middle = int(np.median(places)) if places.size else size // 2
        start = max(0, min(middle - side // 2, size - side))
        parts.append(slice(start, min(size, start + side)))
    return parts[0], parts[1]


def _for_the_eye(pixels: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    dark, bright = np.nanpercentile(pixels, _DISPLAYED)
    scaled = (pixels.astype(np.float32) - dark) / max(bright - dark, 1e-12)
    shown: npt.NDArray[np.uint8] = (np.nan_to_num(scaled).clip(0, 1) * 255).astype(np.uint8)
    return shown


def _apart(labels: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Where objects are, without the first pixel of one that touches another one before it."""
    objects: npt.NDArray[np.bool_] = labels > 0
    for axis in range(2):
        before = np.roll(labels, 1, axis)
        before[(slice(None),) * axis + (0,)] = 0
        objects &= (before == 0) | (before == labels)
    return objects
