"""What an OME-Zarr (NGFF 0.4 or 0.5) says about itself: axes, resolutions, channels, and what we add."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

from napari_mito_predict.image.output import RGB

if TYPE_CHECKING:
    from napari_mito_predict.image.zarr_pyramid import Level

NgffVersion = Literal["0.4", "0.5"]
"""0.4 is stored as zarr 2, which has no shards; 0.5 as zarr 3."""
Window = dict[str, float]
"""What a channel is shown with: ``start`` and ``end`` within ``min`` and ``max``."""
OURS = "napari_mito_predict"
"""Our part of the attributes of a group."""

_AXIS_TYPES = {"T": "time", "C": "channel", "Z": "space", "Y": "space", "X": "space"}


def ome_attributes(
    axes: str,
    levels: Sequence[Level],
    version: NgffVersion,
    *,
    channel_names: Sequence[str],
    channel_colours: Sequence[str],
    voxel_size_um: Sequence[float | None],
    time_step_s: float | None,
    description: str,
    windows: Sequence[Window],
) -> dict[str, Any]:
    """Attributes of the group of an image, whose arrays are ``0``, ``1``, ...; parameters as `write_ome_tiff`.

    Channels with names have to say what they are shown with: a colour, and a window of values for each.
    """
    ome: dict[str, Any] = {"multiscales": [_multiscale(axes, levels, voxel_size_um, time_step_s)]}
    if channel_names:
        ome["omero"] = {"channels": list(_omero_channels(channel_names, channel_colours, windows))}
    # Blank chunks are written too, so that a chunk missing later means damage: the reader relies on this entry.
    ours = {OURS: {"empty_chunks_written": True, "description": description}}
    if version == "0.5":
        return {"ome": {"version": version} | ome} | ours
    ome["multiscales"][0]["version"] = version
    return ome | ours


def _multiscale(
    axes: str, levels: Sequence[Level], voxel_size_um: Sequence[float | None], time_step_s: float | None
) -> dict[str, Any]:
    """Describe axes and resolutions; a scale of 1 without a unit is the way of NGFF to say unknown."""
    known = {"T": time_step_s} | dict(zip("ZYX", voxel_size_um, strict=True))
    described = [{"name": axis.lower(), "type": _AXIS_TYPES[axis]} for axis in axes]
    for entry, axis in zip(described, axes, strict=True):
        if known.get(axis) is not None:
            entry["unit"] = "second" if axis == "T" else "micrometer"
    steps = [float(known.get(axis) or 1.0) for axis in axes]
    multiscale: dict[str, Any] = {
        "axes": described,
        "datasets": [
            {"path": str(number), "coordinateTransformations": _place(steps, level.reduction)}
            for number, level in enumerate(levels)
        ],
    }
    if len(levels) > 1:
        multiscale["type"] = "mean"
    return multiscale


def _place(steps: Sequence[float], reduction: Sequence[int]) -> list[dict[str, Any]]:
    """Scale and, where pixels are averages, the distance from the centre of the first pixel to that of the full one."""
    both = list(zip(steps, reduction, strict=True))
    place: list[dict[str, Any]] = [{"type": "scale", "scale": [step * factor for step, factor in both]}]
    if max(reduction) > 1:
        shift = [step * (factor - 1) / 2 for step, factor in both]
        place.append({"type": "translation", "translation": shift})
    return place


def _omero_channels(
    names: Sequence[str], colours: Sequence[str], windows: Sequence[Window]
) -> Iterator[dict[str, Any]]:
    for name, colour, window in zip(names, itertools.chain(colours, itertools.repeat("")), windows, strict=False):
        hexadecimal = bytes(RGB.get(colour, RGB["gray"])).hex().upper()
        yield {"label": name, "color": hexadecimal, "window": window}
