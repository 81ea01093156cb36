"""What the XML of a CZI says about how it was taken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree

from napari_mito_predict.image.channels import ChannelHints
from napari_mito_predict.image.metadata import known_size, length_um, parse_xml


@dataclass(frozen=True)
class CziFacts:
    """What is declared about the whole file; empty or None where it is silent.

    Attributes
    ----------
    scene_names : dict of int to str
        By index of the scene.
    channel_names : tuple of str or None
        None where a name is empty, never ZEN's internal Id.
    hints : tuple of ChannelHints
        As many.
    voxel_size_um : tuple of float or None
        z, y, x.
    time_offsets_s : tuple of float
        When the time points were taken.
    time_increment_s : float or None
        The interval that was asked for.
    declared : dict of str to int
        Sizes T, C, Z that were announced; a stopped recording has fewer planes than that.
    simulated : bool
        Written by our own simulator.
    simulated_step_s : float or None
        The interval as our simulator writes it, whose CZI writer has no time stamps.
    """

    scene_names: dict[int, str]
    channel_names: tuple[str | None, ...]
    hints: tuple[ChannelHints, ...]
    voxel_size_um: tuple[float | None, float | None, float | None]
    time_offsets_s: tuple[float, ...]
    time_increment_s: float | None
    declared: dict[str, int]
    simulated: bool
    simulated_step_s: float | None

    def channels(self, first: int, count: int) -> tuple[tuple[str | None, ...], tuple[ChannelHints, ...]]:
        """Give names and hints of `count` channels; of those that are not described, empty ones."""
        names = self.channel_names[first : first + count]
        hints = self.hints[first : first + count]
        absent = count - len(names)
        return (*names, *[None] * absent), (*hints, *[ChannelHints()] * absent)


def read_facts(text: str, path: Path) -> CziFacts:
    """Read the XML of a CZI."""
    xml = parse_xml(text)
    nodes = xml.findall(".//Information/Image/Dimensions/Channels/Channel")
    shown = {node.get("Id"): node.get("Name") for node in xml.findall(".//DisplaySetting/Channels/Channel")}
    metres = {item.get("Id"): _text(item, "Value") for item in xml.findall(".//Scaling/Items/Distance")}
    offsets = xml.findtext(".//Dimensions/T/Positions/List/Offsets") or ""
    return CziFacts(
        scene_names=_scene_names(xml, path.stem),
        channel_names=tuple((node.get("Name") or shown.get(node.get("Id")) or "").strip() or None for node in nodes),
        hints=tuple(
            ChannelHints(
                _text(node, "ContrastMethod"),
                _text(node, "IlluminationType"),
                _text(node, "Fluor"),
                _text(node, "AcquisitionMode"),
            )
            for node in nodes
        ),
        voxel_size_um=(
            length_um(metres.get("Z"), "m"),
            length_um(metres.get("Y"), "m"),
            length_um(metres.get("X"), "m"),
        ),
        time_offsets_s=tuple(map(float, offsets.split())),
        time_increment_s=known_size(xml.findtext(".//Dimensions/T/Positions/Interval/Increment")),
        declared=_declared_sizes(xml),
        simulated=_custom_attribute(xml, "simulated_by") == "napari-mito-predict",
        simulated_step_s=known_size(_custom_attribute(xml, "time_step_s")),
    )


def acquisition_time(text: str) -> datetime | None:
    """Read when a sub-block was taken from its own XML, which may say nothing: the LSM 880 leaves it empty."""
    try:
        stamp = (parse_xml(text).findtext(".//AcquisitionTime") or "").strip()
        # ZEN writes seven digits of seconds, Python takes six; no zone means UTC.
        parts = stamp.rstrip("Z").partition(".")
        return datetime.fromisoformat(f"{parts[0]}.{parts[2][:6]:0<6}+00:00")
    except (ElementTree.ParseError, ValueError):
        return None


def mean_step_s(times: Sequence[float], count: int) -> float | None:
    """Mean interval of as many times as there are time points; times of anything else do not count."""
    return known_size((times[-1] - times[0]) / (count - 1)) if len(times) == count else None


def _scene_names(xml: ElementTree.Element, stem: str) -> dict[int, str]:
    """Name the scenes as BioIO does: with the shape of a well, and never two alike."""
    names = {}
    for position, scene in enumerate(xml.findall(".//Information/Image/Dimensions/S/Scenes/Scene")):
        text = scene.get("Index") or ""
        index = int(text) if text.isdecimal() else position
        shape = scene.find("Shape")
        name = scene.get("Name") or f"{stem}-{index}"
        names[index] = name if shape is None else f"{name}-{shape.get('Name')}"
    times = Counter(names.values())
    seen: Counter[str] = Counter()
    for index, name in names.items():
        if times[name] > 1:
            seen[name] += 1
            names[index] = f"{name}-{seen[name]}"
    return names


def _custom_attribute(xml: ElementTree.Element, key: str) -> str | None:
    """Read one of the custom attributes that pylibCZIrw writes."""
    return xml.findtext(f".//CustomAttributes/KeyValue/{key}")


def _declared_sizes(xml: ElementTree.Element) -> dict[str, int]:
    image = xml.find(".//Information/Image")
    texts = {axis: _text(image, f"Size{axis}") if image is not None else "" for axis in "TCZ"}
    return {axis: int(text) for axis, text in texts.items() if text.isdecimal()}


def _text(node: ElementTree.Element, tag: str) -> str:
    return (node.findtext(tag) or "").strip()
