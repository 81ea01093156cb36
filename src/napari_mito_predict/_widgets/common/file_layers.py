"""A file as napari layers, one for each channel, placed and coloured."""

from __future__ import annotations

import math
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mito_predict._widgets.common.facts import InputFacts, metadata_of, prediction_in
from napari_mito_predict._widgets.common.origins import Origin, remember_origin
from napari_mito_predict.image import Channel, ChannelRole, ImageSource, coarser_levels
from napari_mito_predict.models.record import Quantity

if TYPE_CHECKING:
    from numpy.typing import NDArray

    LayerData = tuple[Any, dict[str, Any], str]

_TRUTH_COLORMAP = "green"
_PREDICTION_COLORMAPS = {"mitochondria": "magenta", "dna": "cyan"}
_IN_MEMORY = 1 << 30
"""Bytes of an image up to which all of it is read when it is opened."""
_DIMMED = 0.35
"""Opacity of transmitted light under predictions."""


def file_layers(source: ImageSource, *, for_overlay: bool = False) -> list[LayerData]:
    """Make one napari layer per channel that can be read, with scale, units and axis labels.

    Small images are read at once; of large ones every plane is read when it is looked at, in the resolution that is
    looked at where the file has several.

    Parameters
    ----------
    source : ImageSource
        One scene of a file.
    for_overlay : bool
        Hide the real fluorescence at first and dim the transmitted light, so that predictions are seen over it:
        additive colours over a bright background would all turn white.

    Returns
    -------
    list of tuple
        Data ``(Z, Y, X)``, or ``(T, Z, Y, X)`` for several time points, or a list of them, one for each resolution;
        keywords; ``"image"``.

    Raises
    ------
    UnsupportedImageError, UnreadableImageError
        See `ImageSource.read`.
    """
    is_small = math.prod(source.sizes.values()) * source.dtype.itemsize <= _IN_MEMORY
    levels = [] if is_small else coarser_levels(source)
    layers: list[LayerData] = []
    for channel in _shown_channels(source):
        coarsest = [source, *levels][-1]
        plane = coarsest.read(coarsest.sizes["T"] // 2, channel.index, coarsest.sizes["Z"] // 2)[0]
        read = _all_planes if is_small else _lazy_planes
        origin = Origin(source, channel.index)
        data = read(origin)
        remember_origin(data, origin)
        keywords = _keywords(source, channel, plane)
        if levels:
            data = [data, *(_lazy_planes(Origin(level, channel.index)) for level in levels)]
            keywords["multiscale"] = True
        if for_overlay and any(other.role is ChannelRole.TRANSMITTED for other in source.channels):
            keywords["visible"] = channel.role is ChannelRole.TRANSMITTED
            keywords["opacity"] = _DIMMED
        layers.append((data, keywords, "image"))
    return layers


def _shown_channels(source: ImageSource) -> Sequence[Channel]:
    """Channels that can be read as a whole; all of them where none can, and then reading says why."""
    lacking = {c for _, c, _ in source.missing}
    readable = [c for c in source.channels if not source.why_unsupported(c) and c.index not in lacking]
    return readable or source.channels


def _keywords(source: ImageSource, channel: Channel, plane: NDArray[Any]) -> dict[str, Any]:
    if channel.role in (ChannelRole.MITOCHONDRIA, ChannelRole.DNA):
        name, colormap = channel.label, _TRUTH_COLORMAP
    else:
        name, colormap = f"{source.name} {channel.label}", "gray"
    axes = "zyx"
    steps = [*source.voxel_size_um]
    units = ["micrometer"] * 3
    starts = [_start(source.info.planes), 0, 0]
    if source.sizes["T"] > 1:
        axes = f"t{axes}"
        steps.insert(0, source.time_step_s)
        units.insert(0, "second")
        starts.insert(0, _start(source.info.times))
    scale = [step or 1.0 for step in steps]
    metadata = metadata_of(InputFacts(str(source.path), source.scene, channel.index, channel.role, channel.reason))
    prediction = prediction_in(source, channel.index)
    if prediction is not None:
        name = channel.label
        colormap = _PREDICTION_COLORMAPS.get(prediction.target, "gray")
        if prediction.record.quantity is not Quantity.PREDICTION:
            colormap = "inferno"
        metadata = metadata_of(prediction) | {"disclaimer": prediction.record.disclaimer}
    return {
        "name": name,
        "colormap": colormap,
        "blending": "additive",
        "contrast_limits": contrast_of(plane),
        "scale": scale,
        # A part of an image lies where it lies in the whole.
        "translate": [start * step for start, step in zip(starts, scale, strict=True)],
        # A step that is not known counts in pixels.
        "units": [unit if step else "pixel" for step, unit in zip(steps, units, strict=True)],
        "axis_labels": list(axes),
        "metadata": metadata,
    }


def _start(part: range | None) -> int:
    return 0 if part is None else part.start


def contrast_of(plane: NDArray[Any]) -> tuple[float, float]:
    """Display range of one plane: finite, and never empty."""
    values = plane
    if plane.dtype.kind == "f":
        values = plane[np.isfinite(plane)]
    if not values.size:
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(values, (0.1, 99.9)))
    if high > low:
        return low, high
    return low, low + 1.0


def lazy_stack(source: ImageSource, channel: int) -> Any:
    """A channel of a file as a dask array (T, Z, Y, X), without T for one time point. Planes are read when shown."""
    origin = Origin(source, channel)
    data = _lazy_planes(origin)
    remember_origin(data, origin)
    return data


def _all_planes(origin: Origin) -> NDArray[Any]:
    """All stacks, ``(T, Z, Y, X)``; of a single time point without T."""
    times = range(origin.source.sizes["T"])
    stacks = [origin.source.read(t, origin.channel) for t in times]
    if len(stacks) == 1:
        return stacks[0]
    return np.stack(stacks)


def _lazy_planes(origin: Origin) -> Any:
    """The same as a dask array, one chunk per plane."""
    import dask.array

    sizes = origin.source.sizes
    chunks = [(1,) * sizes["T"], (1,) * sizes["Z"], (sizes["Y"],), (sizes["X"],)]
    if sizes["T"] == 1:
        del chunks[0]
    return dask.array.map_blocks(  # type: ignore[no-untyped-call]
        _plane,
        origin,
        chunks=tuple(chunks),
        dtype=origin.source.dtype,
        meta=np.empty((0,) * len(chunks), origin.source.dtype),
        token=uuid.uuid4().hex,  # an array of its own for each time that a file is opened
    )


def _plane(origin: Origin, block_id: tuple[int, ...] = (0, 0, 0)) -> NDArray[Any]:
    """Read the chunk ``(1, 1, Y, X)``, or ``(1, Y, X)`` of a single time point."""
    t = block_id[0] if len(block_id) == 4 else 0
    plane = origin.source.read(t, origin.channel, block_id[-3])
    return plane.reshape((1,) * (len(block_id) - 3) + plane.shape)
