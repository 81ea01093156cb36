"""What an OME-Zarr (NGFF 0.5) says about itself: axes, scales, channels, and what we add."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from napari_mito_predict.image.output import RGB

_AXIS_TYPES = {"T": "time", "C": "channel", "Z": "space", "Y": "space", "X": "space"}


def ome_attributes(
    axes: str,
    *,
    channel_names: Sequence[str],
    channel_colours: Sequence[str],
    voxel_size_um: Sequence[float | None],
    time_step_s: float | None,
    description: str,
) -> dict[str, Any]:
    """Attributes of the group of an image of one resolution, the array ``0``; parameters as `write_ome_tiff`."""
    ome: dict[str, Any] = {"version": "0.5", "multiscales": [_multiscale(axes, voxel_size_um, time_step_s)]}
    if channel_names:
        ome["omero"] = {"channels": _omero_channels(channel_names, channel_colours)}
    # Blank chunks are written too, so that a chunk missing later means damage: the reader relies on this entry.
    return {"ome": ome, "napari_mito_predict": {"empty_chunks_written": True, "description": description}}


def _multiscale(axes: str, voxel_size_um: Sequence[float | None], time_step_s: float | None) -> dict[str, Any]:
    """Describe the axes as NGFF 0.5; a scale of 1 without a unit is its way to say unknown."""
    known = {"T": time_step_s} | dict(zip("ZYX", voxel_size_um, strict=True))
    described = [{"name": axis.lower(), "type": _AXIS_TYPES[axis]} for axis in axes]
    for entry, axis in zip(described, axes, strict=True):
        if known.get(axis) is not None:
            entry["unit"] = "second" if axis == "T" else "micrometer"
    scale = [float(known.get(axis) or 1.0) for axis in axes]
    return {
        "axes": described,
        "datasets": [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": scale}]}],
    }


def _omero_channels(names: Sequence[str], colours: Sequence[str]) -> list[dict[str, str]]:
    channels = [{"label": name} for name in names]
    for channel, colour in zip(channels, colours, strict=False):
        if colour in RGB:
            channel["color"] = bytes(RGB[colour]).hex().upper()
    return channels
