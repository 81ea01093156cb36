"""What the programs that write TIFF files say about channels, voxel size and times, each in its own way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mito_predict.image.metadata import known_size, length_um, time_s
from napari_mito_predict.image.micromanager import recording_summary

if TYPE_CHECKING:
    from napari_mito_predict.image.channels import ChannelHints
    from napari_mito_predict.image.ome_xml import OmeImage

VoxelSize = tuple[float | None, float | None, float | None]
UNKNOWN: VoxelSize = (None, None, None)

_CENTIMETRE = 3
"""Of the tag ResolutionUnit; 2 is inch, 1 none."""
_LARGEST_PIXEL_UM = 100.0
"""No microscope has larger ones: a resolution of so few pixels per centimetre is meant in another unit."""
_LARGEST_SILENT_PIXEL_UM = 5.0
"""Of a file that says nothing else: nobody prints more than 2000 pixels per centimetre, which is 5080 dpi."""
_SCIFIO_AXES = {"X": "X", "Y": "Y", "Z": "Z", "Time": "T"}


@dataclass(frozen=True)
class TiffFacts:
    """What is declared about one series; empty or None where the file is silent."""

    name: str = ""
    channel_names: tuple[str | None, ...] = ()
    hints: tuple[ChannelHints, ...] = ()
    voxel_size_um: VoxelSize = UNKNOWN
    time_step_s: float | None = None
    text: str = ""


def series_facts(tiff: Any, kind: str, image: OmeImage | None) -> TiffFacts:
    """Read the metadata of one series of an open `tifffile.TiffFile`.

    Parameters
    ----------
    tiff : tifffile.TiffFile
        Open.
    kind : str
        Of the series, as tifffile calls it.
    image : OmeImage or None
        The Image element that describes the series.
    """
    if kind in ("mmstack", "ndtiff") or (image is not None and tiff.is_micromanager):
        return _first_known(_from_ome(image), _from_micromanager(tiff))
    if image is not None:
        return _from_ome(image)
    if kind == "lsm":
        return _from_lsm(tiff.lsm_metadata or {})
    if kind == "stk":
        return _from_stk(tiff.stk_metadata or {}, tiff.pages.first.description)
    if tiff.is_imagej:
        return _from_imagej(tiff)
    return TiffFacts(voxel_size_um=_from_resolution(tiff.pages.first), text=str(tiff.pages.first.description))


def _first_known(first: TiffFacts, second: TiffFacts) -> TiffFacts:
    """What the first says, and where that is silent, the second."""
    pairs = zip(first.voxel_size_um, second.voxel_size_um, strict=True)
    sizes = [one if one is not None else other for one, other in pairs]
    return TiffFacts(
        name=first.name or second.name,
        channel_names=first.channel_names if any(first.channel_names) else second.channel_names,
        hints=first.hints,
        voxel_size_um=(sizes[0], sizes[1], sizes[2]),
        time_step_s=first.time_step_s if first.time_step_s is not None else second.time_step_s,
        text=first.text or second.text,
    )


# ---------------------------------------------------------------- OME, Micro-Manager
def _from_ome(image: OmeImage | None) -> TiffFacts:
    if image is None:
        return TiffFacts()
    return TiffFacts(
        name=image.name,
        channel_names=image.channel_names,
        hints=image.hints,
        voxel_size_um=image.voxel_size_um,
        time_step_s=image.time_step_s,
        text=image.text,
    )


def _from_micromanager(tiff: Any) -> TiffFacts:
    summary = recording_summary(tiff)
    page = tiff.pages.first.tags.valueof("MicroManagerMetadata")
    page = page if isinstance(page, dict) else {}
    pixel = _first_of(summary.get("PixelSize_um"), page.get("PixelSizeUm"), summary.get("PixelSizeUm"))
    names = summary.get("ChNames")
    return TiffFacts(
        channel_names=tuple(str(name) or None for name in names) if isinstance(names, list) else (),
        voxel_size_um=(known_size(abs(_number(summary.get("z-step_um")))), pixel, pixel),  # down is negative
        time_step_s=time_s(summary.get("Interval_ms"), "ms"),
    )


def _first_of(*values: Any) -> float | None:
    """The first that is a size."""
    return next((size for size in map(known_size, values) if size is not None), None)


# ---------------------------------------------------------------- Zeiss LSM
def _from_lsm(lsm: dict[str, Any]) -> TiffFacts:
    sizes = [length_um(lsm.get(f"VoxelSize{axis}"), "m") for axis in "ZYX"]
    stamps = lsm.get("TimeStamps")
    step = _mean_step(stamps) if stamps is not None and len(stamps) == lsm.get("DimensionTime") else None
    colours = lsm.get("ChannelColors")
    names = colours.get("ColorNames", []) if isinstance(colours, dict) else []
    return TiffFacts(
        name=str(lsm.get("Name", "")),
        channel_names=tuple(str(name).strip() or None for name in names),
        voxel_size_um=(sizes[0], sizes[1], sizes[2]),
        time_step_s=step if step is not None else known_size(lsm.get("TimeIntervall")),
    )


# ---------------------------------------------------------------- MetaMorph STK
def _from_stk(stk: dict[str, Any], description: str) -> TiffFacts:
    unit = str(stk.get("CalibrationUnits", ""))
    y, x = (length_um(stk.get(f"{axis}Calibration"), unit) for axis in "YX")
    distances = np.abs(np.asarray(stk.get("ZDistance", ()), dtype=float))
    z = known_size(np.median(distances)) if distances.size > 1 else None
    return TiffFacts(
        name=str(stk.get("Name", "")),
        voxel_size_um=(length_um(z, unit), y, x),
        time_step_s=_stk_time_step(stk),
        text=str(description),
    )


def _stk_time_step(stk: dict[str, Any]) -> float | None:
    created = stk.get("DatetimeCreated")
    if created is None or len(created) < 2:
        return None
    return _mean_step((created - created[0]) / np.timedelta64(1, "s"))


def _mean_step(times_s: Sequence[float]) -> float | None:
    return known_size((times_s[-1] - times_s[0]) / (len(times_s) - 1)) if len(times_s) > 1 else None


# ---------------------------------------------------------------- ImageJ, SCIFIO, Bio-Formats
def _from_imagej(tiff: Any) -> TiffFacts:
    """Read ImageJ's description the way ImageJ does, and that of SCIFIO, which looks alike."""
    metadata = tiff.imagej_metadata or {}
    return TiffFacts(
        channel_names=_imagej_channels(metadata),
        voxel_size_um=_scifio_sizes(metadata) or _imagej_sizes(metadata, tiff.pages.first),
        time_step_s=time_s(metadata.get("finterval"), str(metadata.get("tunit", "s"))),
        text=str(metadata.get("Info") or ""),
    )


def _imagej_sizes(metadata: dict[str, Any], page: Any) -> VoxelSize:
    """Sizes as ImageJ calibrates: its step in z is 1 where it is absent, its sign means nothing."""
    unit = str(metadata.get("unit", ""))
    x = _pixel_size(page, "X", unit)
    y = _pixel_size(page, "Y", str(metadata.get("yunit", unit)))
    is_stack = _number(metadata.get("slices")) > 1
    spacing = abs(_number(metadata.get("spacing", 1.0 if is_stack else None)))
    return length_um(spacing, str(metadata.get("zunit", unit))), y, x


def _number(value: Any) -> float:
    """A number, or one that means unknown."""
    return float(value) if isinstance(value, float | int) else math.nan


def _pixel_size(page: Any, axis: str, unit: str) -> float | None:
    """Size of a pixel: the resolution is in pixels per unit of the text, or, in a few programs, per centimetre."""
    per_unit = _resolution(page, axis)
    if per_unit is None:
        return None
    in_text = length_um(1 / per_unit, unit)
    if page.tags.valueof("ResolutionUnit") != _CENTIMETRE or (unit and in_text is None):
        return in_text
    per_centimetre = length_um(1 / per_unit, "cm")
    if per_centimetre is not None and per_centimetre <= _LARGEST_PIXEL_UM:
        return per_centimetre
    return in_text


def _from_resolution(page: Any) -> VoxelSize:
    """Size of a pixel in a file without any other word on it: what is said for printers does not count."""
    if page.tags.valueof("ResolutionUnit") != _CENTIMETRE:
        return UNKNOWN
    sizes: list[float | None] = [None]
    for axis in "YX":
        per_centimetre = _resolution(page, axis)
        size = length_um(1 / per_centimetre, "cm") if per_centimetre is not None else None
        sizes.append(size if size is not None and size <= _LARGEST_SILENT_PIXEL_UM else None)
    return sizes[0], sizes[1], sizes[2]


def _resolution(page: Any, axis: str) -> float | None:
    """Pixels per unit: a fraction, of which some programs write 0/1000 for "not known"."""
    value = page.tags.valueof(f"{axis}Resolution")
    if not isinstance(value, tuple) or len(value) != 2 or not value[1]:
        return None
    return known_size(value[0] / value[1])


def _scifio_sizes(metadata: dict[str, Any]) -> VoxelSize | None:
    """Sizes from the lists ``axes``, ``scales`` and ``units``; None for a file without them."""
    lists = [str(metadata.get(key, "")).split(",") for key in ("axes", "scales", "units")]
    if len({len(entries) for entries in lists}) > 1:
        return None
    sizes = {
        _SCIFIO_AXES.get(axis.strip(), ""): length_um(scale, unit) for axis, scale, unit in zip(*lists, strict=True)
    }
    if sizes.get("X") is None and sizes.get("Y") is None:
        return None
    return sizes.get("Z"), sizes.get("Y"), sizes.get("X")


def _imagej_channels(metadata: dict[str, Any]) -> tuple[str | None, ...]:
    """Name channels by their slice labels, where all slices of a channel share one."""
    labels = metadata.get("Labels") or []
    count = int(metadata.get("channels", 1))
    if not labels or count < 1 or len(labels) % count:
        return ()
    return tuple(labels[c] if len(set(labels[c::count])) == 1 else None for c in range(count))
