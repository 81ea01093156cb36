"""What OME-XML and ImageJ metadata in a TIFF say about channels, voxel size and times."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from napari_mito_predict.image.channels import ChannelHints
from napari_mito_predict.image.metadata import length_um, parse_xml, time_s


@dataclass(frozen=True)
class TiffFacts:
    """What is declared about one series; empty or None where the file is silent."""

    name: str = ""
    channel_names: tuple[str | None, ...] = ()
    hints: tuple[ChannelHints, ...] = ()
    voxel_size_um: tuple[float | None, float | None, float | None] = (None, None, None)
    time_step_s: float | None = None
    text: str = ""


def series_facts(tiff: Any, index: int) -> TiffFacts:
    """Read the metadata of one series of an open `tifffile.TiffFile`."""
    if tiff.is_ome and tiff.ome_metadata:
        document = parse_xml(tiff.ome_metadata)
        images = _children(document, "Image")
        if index >= len(images):
            return TiffFacts()
        # Annotations beside the images are of all of them.
        return _from_ome(images[index], document if len(images) == 1 else images[index])
    if index > 0:
        return TiffFacts()
    if tiff.is_imagej:
        return _from_imagej(tiff)
    return TiffFacts(text=tiff.pages.first.description)


def missing_parts(path: Path, ome_xml: str) -> list[str]:
    """List files that an OME-TIFF set names and that are not beside it."""
    names = {node.get("FileName") for node in parse_xml(ome_xml).iter() if _tag(node) == "UUID"}
    # A single renamed file still names itself by its old name: that is no missing part.
    others = names - {None, path.name}
    if len(names) == 1:
        return []
    return sorted(str(name) for name in others if not (path.parent / str(name)).exists())


def _from_ome(image: ElementTree.Element, described: ElementTree.Element) -> TiffFacts:
    pixels = _children(image, "Pixels")[0]
    channels = _children(pixels, "Channel")
    return TiffFacts(
        name=image.get("Name", ""),
        channel_names=tuple((channel.get("Name") or "").strip() or None for channel in channels),
        hints=tuple(
            ChannelHints(
                channel.get("ContrastMethod", ""),
                channel.get("IlluminationType", ""),
                channel.get("Fluor", ""),
                channel.get("AcquisitionMode", ""),
            )
            for channel in channels
        ),
        voxel_size_um=(_physical_size(pixels, "Z"), _physical_size(pixels, "Y"), _physical_size(pixels, "X")),
        time_step_s=time_s(pixels.get("TimeIncrement"), pixels.get("TimeIncrementUnit", "s")) or _from_planes(pixels),
        text="\n".join(described.itertext()),
    )


def _physical_size(pixels: ElementTree.Element, axis: str) -> float | None:
    return length_um(pixels.get(f"PhysicalSize{axis}"), pixels.get(f"PhysicalSize{axis}Unit", "µm"))


def _from_planes(pixels: ElementTree.Element) -> float | None:
    """Mean time step from the times of the single planes, of the first channel and Z step."""
    times = {
        int(plane.get("TheT", 0)): time_s(plane.get("DeltaT"), plane.get("DeltaTUnit", "s")) or 0.0
        for plane in _children(pixels, "Plane")
        if plane.get("DeltaT") and plane.get("TheC") == plane.get("TheZ") == "0"
    }
    first, last = min(times, default=0), max(times, default=0)
    return (times[last] - times[first]) / (last - first) if last > first and times[last] > times[first] else None


def _from_imagej(tiff: Any) -> TiffFacts:
    metadata = tiff.imagej_metadata or {}
    unit = str(metadata.get("unit", ""))
    tags = tiff.pages.first.tags
    x, y = (_pixel_size(tags.get(f"{axis}Resolution"), unit) for axis in "XY")
    return TiffFacts(
        channel_names=_imagej_channels(metadata),
        voxel_size_um=(length_um(metadata.get("spacing"), unit), y, x),
        time_step_s=time_s(metadata.get("finterval"), str(metadata.get("tunit", "s"))),
        text=str(metadata.get("Info") or ""),
    )


def _pixel_size(tag: Any, unit: str) -> float | None:
    """ImageJ stores pixels per unit as a fraction."""
    if tag is None or not tag.value[0]:
        return None
    return length_um(tag.value[1] / tag.value[0], unit)


def _imagej_channels(metadata: dict[str, Any]) -> tuple[str | None, ...]:
    """Name channels by their slice labels, where all slices of a channel share one."""
    labels = metadata.get("Labels") or []
    count = int(metadata.get("channels", 1))
    if not labels or len(labels) % count:
        return ()
    return tuple(labels[c] if len(set(labels[c::count])) == 1 else None for c in range(count))


def _children(node: ElementTree.Element, tag: str) -> list[ElementTree.Element]:
    """Give children by name whatever OME schema version their namespace says."""
    return [child for child in node if _tag(child) == tag]


def _tag(node: ElementTree.Element) -> str:
    return node.tag.rpartition("}")[2]
