"""What a CZI says about itself that the readers above leave out or get wrong.

The sub-block directory is the truth about which planes exist; the XML says how they were taken. Read with aicspylibczi,
which both BioIO and AICSImageIO read CZI files with.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from napari_mito_predict.errors import UnreadableImageError
from napari_mito_predict.image.channels import ChannelHints
from napari_mito_predict.image.czi_structure import Tile, check_tiles, damaged_czi, read_tiles
from napari_mito_predict.image.czi_timestamps import time_stamps_s
from napari_mito_predict.image.metadata import known_size, length_um, parse_xml

_PIXEL_TYPES = {"gray8": "u1", "gray16": "u2", "gray32": "u4", "gray32float": "f4", "bgr24": "u1", "bgr48": "u2"}


@dataclass(frozen=True)
class CziScene:
    """One scene as the sub-block directory has it.

    Attributes
    ----------
    index : int
        The scene's own index in the file (files split by scene do not start at 0).
    begin, sizes : dict
        First index and size per CZI dimension letter; X and Y are those of one tile.
    box : tuple of int or None
        x, y, width, height of a stitched mosaic; None where each plane is one tile.
    missing : tuple of (int, int, int)
        (t, c, z), counted from 0, of planes that were never acquired.
    partial : tuple of (int, int, int)
        (t, c, z) of mosaic planes with fewer tiles than the others.
    tiles : dict
        The stored tiles of each (t, c, z).
    """

    index: int
    begin: dict[str, int]
    sizes: dict[str, int]
    box: tuple[int, int, int, int] | None
    missing: tuple[tuple[int, int, int], ...]
    partial: tuple[tuple[int, int, int], ...]
    tiles: dict[tuple[int, ...], list[Tile]]

    def tczyx(self) -> dict[str, int]:
        """Sizes of T, C, Z, Y, X, the mosaic stitched."""
        sizes = {axis: self.sizes.get(axis, 1) for axis in "TCZYX"}
        if self.box:
            sizes["X"], sizes["Y"] = self.box[2:]
        return sizes


LIBCZI = threading.RLock()
"""Held by whoever is inside libCZI: nobody promises that it may be entered by several threads, and a crash there takes
the viewer with it. Reading is bound by the disk, so little is lost."""


@contextlib.contextmanager
def open_czi(path: Path) -> Iterator[Any]:
    """Open a CZI with aicspylibczi; whatever that says about a damaged file becomes an `UnreadableImageError`."""
    from aicspylibczi import CziFile

    with LIBCZI, path.open("rb") as stream:
        try:
            czi = CziFile(stream)
        except RuntimeError as error:
            raise damaged_czi(path, error) from error
        yield czi


def scene_layout(czi: Any, scene: int, path: Path) -> CziScene:
    """Read sizes, mosaic extent and never-acquired planes of a scene from the sub-block directory.

    Raises
    ------
    UnreadableImageError
        The file holds no pixel data.
    """
    shapes = czi.get_dims_shape()
    ranges = shapes[0 if czi.shape_is_consistent else scene]
    begin = {axis: first for axis, (first, _) in ranges.items()}
    sizes = {axis: end - first for axis, (first, end) in ranges.items()}
    if min(sizes.get("Y", 0), sizes.get("X", 0)) <= 0:
        raise UnreadableImageError(
            "this CZI file holds no pixel data (metadata only). If ZEN split the recording into several "
            "files, open one of the others.",
            file=path,
        )
    index = begin.get("S", 0) + (scene if czi.shape_is_consistent else 0)
    box = None
    if "M" in sizes:
        rectangle = czi.get_mosaic_scene_bounding_box(index=index)
        box = (rectangle.x, rectangle.y, rectangle.w, rectangle.h)
    tiles: dict[tuple[int, ...], list[Tile]] = {}
    for tile in read_tiles(path):
        if tile.at.get("S", index) == index:
            plane = tuple(tile.at.get(axis, 0) - begin.get(axis, 0) for axis in "TCZ")
            tiles.setdefault(plane, []).append(tile)
    expected = max(map(len, tiles.values()), default=1)
    planes = list(product(range(sizes.get("T", 1)), range(sizes.get("C", 1)), range(sizes.get("Z", 1))))
    missing = tuple(plane for plane in planes if plane not in tiles)
    partial = tuple(plane for plane in planes if 0 < len(tiles.get(plane, ())) < expected)
    return CziScene(index, begin, sizes, box, missing, partial, tiles)


def channel_facts(xml: ElementTree.Element, count: int) -> tuple[tuple[str | None, ...], tuple[ChannelHints, ...]]:
    """Read names and hints of `count` channels; an empty or missing name is None, never ZEN's internal Id."""
    nodes = xml.findall(".//Information/Image/Dimensions/Channels/Channel")[:count]
    shown = {node.get("Id"): node.get("Name") for node in xml.findall(".//DisplaySetting/Channels/Channel")}
    names = [(node.get("Name") or shown.get(node.get("Id")) or "").strip() or None for node in nodes]
    hints = [
        ChannelHints(
            _text(node, "ContrastMethod"),
            _text(node, "IlluminationType"),
            _text(node, "Fluor"),
            _text(node, "AcquisitionMode"),
        )
        for node in nodes
    ]
    absent = count - len(nodes)
    return (*names, *[None] * absent), (*hints, *[ChannelHints()] * absent)


def voxel_size_um(xml: ElementTree.Element) -> tuple[float | None, float | None, float | None]:
    """Read z, y, x in micrometres from the scaling in metres; 0 and absent are None."""
    metres = {item.get("Id"): _text(item, "Value") for item in xml.findall(".//Scaling/Items/Distance")}
    return length_um(metres.get("Z"), "m"), length_um(metres.get("Y"), "m"), length_um(metres.get("X"), "m")


def time_step_s(czi: Any, xml: ElementTree.Element, scene: CziScene, path: Path) -> float | None:
    """Find the mean seconds between time points.

    Asked in this order: acquisition times of the sub-blocks, intervals in the metadata, the TimeStamps attachment, and
    the custom attribute ``time_step_s`` that our simulator writes because its CZI writer has no time stamps.
    """
    count = scene.sizes.get("T", 1)
    if count > 1:
        offsets = [float(text) for text in (xml.findtext(".//Dimensions/T/Positions/List/Offsets") or "").split()]
        known = (
            _time_step_from_subblocks(czi, scene, path)
            or _mean_step(offsets, count)
            or known_size(xml.findtext(".//Dimensions/T/Positions/Interval/Increment"))
            or _mean_step(time_stamps_s(path), count)
        )
        if known is not None:
            return known
    return known_size(custom_attribute(xml, "time_step_s"))


def custom_attribute(xml: ElementTree.Element, key: str) -> str | None:
    """Read one of the custom attributes that pylibCZIrw writes."""
    return xml.findtext(f".//CustomAttributes/KeyValue/{key}")


def declared_sizes(xml: ElementTree.Element) -> dict[str, int]:
    """Sizes T, C, Z that the metadata announces; a stopped recording has fewer planes than that."""
    image = xml.find(".//Information/Image")
    texts = {axis: _text(image, f"Size{axis}") if image is not None else "" for axis in "TCZ"}
    return {axis: int(text) for axis, text in texts.items() if text.isdecimal()}


def pixel_dtype(czi: Any, xml: ElementTree.Element) -> np.dtype[Any]:
    """Find the common dtype of all channels: ZEN may record 8-bit and 16-bit channels in one file.

    aicspylibczi knows the type of the first channel only; the metadata name that of each.
    """
    types = xml.findall(".//Information/Image/Dimensions/Channels/Channel/PixelType")
    named = {czi.pixel_type, *((node.text or "").strip().casefold() for node in types)}
    known = [_PIXEL_TYPES[name] for name in named if name in _PIXEL_TYPES]
    return np.result_type(*known or ["u2"])


def _time_step_from_subblocks(czi: Any, scene: CziScene, path: Path) -> float | None:
    """Mean interval from the first acquisition of the first time point to that of the last one."""
    count = scene.sizes["T"]
    for (t, _, _), tiles in scene.tiles.items():
        if t in (0, count - 1):
            check_tiles(path, tiles)
    first = _first_acquisition(czi, scene, scene.begin["T"])
    last = _first_acquisition(czi, scene, scene.begin["T"] + count - 1)
    if first is None or last is None or last <= first:
        return None
    return (last - first).total_seconds() / (count - 1)


def _mean_step(times: Sequence[float], count: int) -> float | None:
    """Mean interval of as many times as there are time points; times of anything else do not count."""
    return known_size((times[-1] - times[0]) / (count - 1)) if len(times) == count else None


def _first_acquisition(czi: Any, scene: CziScene, t: int) -> datetime | None:
    only = {"T": t} | ({"S": scene.index} if "S" in scene.begin else {})
    times = []
    for _, text in czi.read_subblock_metadata(**only):
        # Sub-block metadata is optional: the LSM 880 leaves it empty.
        with contextlib.suppress(ElementTree.ParseError, ValueError):
            stamp = parse_xml(text).findtext(".//AcquisitionTime")
            if stamp:
                times.append(_timestamp(stamp))
    return min(times, default=None)


def _timestamp(text: str) -> datetime:
    """Parse an ISO time; ZEN writes seven digits of seconds, Python takes six; no zone means UTC."""
    seconds = text.strip().rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{seconds[0]}.{seconds[2][:6]:0<6}+00:00")


def _text(node: ElementTree.Element, tag: str) -> str:
    return (node.findtext(tag) or "").strip()
