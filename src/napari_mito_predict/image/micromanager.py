"""Micro-Manager's own words in the TIFF files that it writes: what was planned, and what of it was recorded.

Its index map lists each plane that was written. tifffile makes a series of that; when the recording was stopped, of the
part that holds all of it.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from napari_mito_predict.image.tiff_pages import described_page

_COLUMNS = "CZTR"
"""Of the index map."""
_INDEX_HEADER = 54773648
_INDEX_AT = 8
"""Where the file says where the index map is: behind the header of the TIFF."""
_SIZES = {"C": "Channels", "Z": "Slices", "T": "Frames", "R": "Positions"}
_FILE_NAME = re.compile(r"_MMStack_(.+?)(?:_\d+)?\.ome\.tiff?$", re.IGNORECASE)


def has_lost_index(tiff: Any) -> bool:
    """Whether the index map that a file says it has is not whole: then the file was cut short."""
    settings = tiff.micromanager_metadata if tiff.is_micromanager else None
    if not isinstance(settings, dict) or "IndexMap" in settings:
        return False
    tiff.filehandle.seek(_INDEX_AT)
    header, offset = struct.unpack(f"{tiff.byteorder}2I", tiff.filehandle.read(8))
    return bool(header == _INDEX_HEADER and offset > 0)


class Recording(NamedTuple):
    """A recording of Micro-Manager's as it was planned, with None for pages that were never recorded."""

    pages: list[Any]
    shape: tuple[int, ...]
    axes: str
    notes: tuple[str, ...]


def is_recorded_in_part(tiff: Any, kind: str) -> bool:
    """Whether pages that are absent were never recorded: all that Micro-Manager lists as written are there."""
    if kind in ("mmstack", "ndtiff"):
        return True
    settings = tiff.micromanager_metadata if kind == "ome" and tiff.is_micromanager else None
    return isinstance(settings, dict) and "IndexMap" in settings and len(tiff.pages) >= len(settings["IndexMap"])


def planned_sizes(tiff: Any, shape: tuple[int, ...], axes: str) -> dict[str, int]:
    """Positions, time points, Z steps and channels that a recording was to have."""
    summary = recording_summary(tiff)
    return {axis: max(size, int(summary.get(_SIZES[axis], 1))) for axis, size in _recorded_sizes(shape, axes).items()}


def _recorded_sizes(shape: tuple[int, ...], axes: str) -> dict[str, int]:
    sizes = {axis: 1 for axis in _COLUMNS if axis not in axes}  # tifffile leaves out axes of length 1
    return sizes | {axis: size for axis, size in zip(axes, shape, strict=True) if axis in _COLUMNS}


def whole_recording(tiff: Any, pages: list[Any], shape: tuple[int, ...], axes: str) -> Recording:
    """Put the recorded part, which is what tifffile gives of a recording that was stopped, into what was planned."""
    index_map = tiff.micromanager_metadata["IndexMap"]
    here = _recorded_sizes(shape, axes)
    planned = planned_sizes(tiff, shape, axes)
    notes: tuple[str, ...] = ()
    if planned["R"] > here["R"]:
        notes = (
            f"The recording has {planned['R']} positions, of which {here['R']} are here: the files of the others are "
            "not in this folder, or they were never recorded.",
        )
        planned["R"] = here["R"]
    recorded = np.empty(len(pages), dtype=object)
    recorded[:] = pages
    whole = np.full(tuple(planned.values()), None, dtype=object)
    region = []
    for axis, size in here.items():
        first = 0
        if planned[axis] > size:
            first = int(index_map[:, _COLUMNS.index(axis)].min())
        region.append(slice(first, first + size))
    whole[tuple(region)] = recorded.reshape(tuple(here.values()))
    within = "".join(axis for axis in axes if axis not in here)
    sizes = dict(zip(axes, shape, strict=True))
    return Recording(
        list(whole.flat), (*planned.values(), *(sizes[axis] for axis in within)), "".join(here) + within, notes
    )


def recording_summary(tiff: Any) -> dict[str, Any]:
    """What Micro-Manager says of a whole recording; empty for files of other programs."""
    settings = tiff.micromanager_metadata
    summary = settings.get("Summary") if isinstance(settings, dict) else None
    return summary if isinstance(summary, dict) else {}


def position_names(first_pages: Sequence[Any], described: Sequence[str]) -> tuple[str, ...]:
    """What the positions of a recording are called, each once; empty where that is not known.

    Parameters
    ----------
    first_pages : sequence of tifffile.TiffPage, or None
        The first page of each position; None where nothing was recorded.
    described : sequence of str
        Names in the description of the file, which may be of one position only.
    """
    if len(described) == len(first_pages) == len(set(described)) and all(described):
        return tuple(described)
    found = []
    for number, page in enumerate(first_pages):
        found.append(_position_name(page) if page is not None else f"position {number + 1}")
    return tuple(found) if all(found) and len(set(found)) == len(found) else ()


def _position_name(page: Any) -> str:
    """The name in the words that are added to each plane, or in the name of a file that holds one position."""
    with described_page(page) as full:
        said = full.tags.valueof("MicroManagerMetadata")
    name = said.get("PositionName") if isinstance(said, dict) else None
    if name:
        return str(name)
    in_name = _FILE_NAME.search(page.parent.filehandle.name)
    return in_name[1] if in_name else ""
