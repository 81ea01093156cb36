"""Between images and napari layers: a file as layers, and any image layer as an image.

Scale is only believed to be micrometres where the layer's units say so; readers put very different things there.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mito_predict._widgets.common.facts import (
    InputFacts,
    PreviewFacts,
    facts_of,
    input_facts,
    metadata_of,
    prediction_facts,
    prediction_in,
)
from napari_mito_predict._widgets.common.origins import LayerPixels, Origin, origin_of, remember_origin
from napari_mito_predict.image import Channel, ChannelRole, ImageSource, coarser_levels, from_array
from napari_mito_predict.models.record import Quantity

if TYPE_CHECKING:
    from napari.layers import Image, Layer
    from numpy.typing import NDArray

    LayerData = tuple[Any, dict[str, Any], str]

_TRUTH_COLORMAP = "green"
_PREDICTION_COLORMAPS = {"mitochondria": "magenta", "dna": "cyan"}
_IN_MEMORY = 1 << 30
"""Bytes of an image up to which all of it is read when it is opened."""
_DIMMED = 0.35
"""Opacity of transmitted light under predictions."""
_AXES = {
    "t": "T", "time": "T", "frame": "T", "c": "C", "ch": "C", "channel": "C",
    "z": "Z", "depth": "Z", "plane": "Z", "y": "Y", "x": "X",
}  # fmt: skip


_MOST_AXES = 5
_AXIS_WORDS = {"T": "time points", "Z": "Z steps", "C": "channels"}
_ORDERS = ("Z", "T", "C", "TZ", "CZ", "ZC", "TC", "CT", "ZT", "TCZ", "TZC", "CTZ", "CZT", "ZTC", "ZCT")
"""Of axes without a label, in the order in which they are offered."""


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


def is_input(layer: Layer) -> bool:
    """Whether one could predict from this layer, or compare with it: a grey image, not made by us."""
    from napari.layers import Image

    is_preview = isinstance(facts_of(layer), PreviewFacts)
    return isinstance(layer, Image) and not is_preview and not not_an_input(layer)


def not_an_input(layer: Layer) -> str:
    """Why one could not predict from a layer, for those that show an image; empty for all others."""
    from napari.layers import Image, Labels

    if prediction_facts(layer) is not None:
        return f"'{layer.name}' is a prediction: predict from the transmitted light that it was made from."
    if isinstance(layer, Labels):
        return f"'{layer.name}' is a layer of labels: convert it to an image to predict from it."
    if not isinstance(layer, Image):
        return ""
    if layer.rgb:
        return f"'{layer.name}' is a colour image: split its channels, and predict from the grey ones."
    values = values_of(layer)
    if np.dtype(values.dtype).kind not in "biuf":
        return f"'{layer.name}' holds {values.dtype} numbers: only whole and real numbers can be predicted from."
    if values.ndim > _MOST_AXES:
        return f"'{layer.name}' has {values.ndim} axes: take a part of it with at most {_MOST_AXES}."
    return ""


def is_prediction(layer: Layer) -> bool:
    """Whether this is a prediction made here, and not how far several of them scatter."""
    facts = prediction_facts(layer)
    return facts is not None and facts.record.quantity is Quantity.PREDICTION


def file_of(layer: Layer) -> Path | None:
    """The file whose pixels a layer shows, or that napari opened it from; None where nobody knows."""
    origin = origin_of(values_of(layer))
    if origin is not None:
        return origin.source.path
    if layer.source.path is None:
        return None
    return Path(layer.source.path)


def role_of(layer: Layer) -> tuple[ChannelRole, str]:
    """What a layer shows, by the file's word or by its name, and why we think so."""
    facts = input_facts(layer)
    if facts is not None:
        return facts.role, facts.reason
    channel = from_array(np.zeros((1, 1)), axes="YX", channel_names=[layer.name]).channels[0]
    return channel.role, channel.reason


def axes_of(layer: Image) -> str | None:
    """Letters from ``TCZYX`` for a layer's axes, or None where its labels leave open what the planes are."""
    letters = _labelled_axes(layer)
    sizes = values_of(layer).shape
    if any(letter is None and size > 1 for letter, size in zip(letters, sizes, strict=True)):
        return None
    return _with_single_axes(letters)


def possible_axes(layer: Image) -> dict[str, str]:
    """What the axes of a layer could be where its labels leave it open: letters -> words to choose from, in order."""
    labelled = _labelled_axes(layer)
    sizes = values_of(layer).shape
    unknown = [i for i, letter in enumerate(labelled) if letter is None and sizes[i] > 1]
    choices = {}
    for chosen in _ORDERS:
        if len(chosen) != len(unknown) or set(chosen) & set(labelled):
            continue
        letters = list(labelled)
        for i, letter in zip(unknown, chosen, strict=True):
            letters[i] = letter
        axes = _with_single_axes(letters)
        if axes is not None:
            choices[axes] = ", ".join(_AXIS_WORDS[letter] for letter in chosen)
    return choices


def _labelled_axes(layer: Image) -> list[str | None]:
    """A letter for each axis whose label says what it is, none twice; the last two are Y and X unless others are."""
    letters = [_AXES.get(label.lower()) for label in layer.axis_labels]
    letters[-2:] = [letter or default for letter, default in zip(letters[-2:], "YX", strict=True)]
    return [letter if letters.count(letter) == 1 else None for letter in letters]


def _with_single_axes(letters: list[str | None]) -> str | None:
    """Name axes of one step by letters that are free: what they are called makes no difference. None: not enough."""
    axes = ""
    for i, letter in enumerate(letters):
        free = (other for other in "ZTC" if other not in axes and other not in letters[i:])
        axes += letter or next(free, "")
    if len(axes) < len(letters) or not {"Y", "X"} <= set(axes):
        return None
    return axes


def source_of(layer: Image, axes: str, channel: int | None = None) -> ImageSource:
    """Make an image of what a layer shows, sampled as the layer is scaled.

    Where the layer shows pixels that were read from a file here, the image is that of the file, with all its channels;
    else it has the layer's name.

    Parameters
    ----------
    layer : Image
        Not RGB. Of a multiscale layer the finest level counts.
    axes : str
        See `axes_of`.
    channel : int, optional
        Which step of a C axis; without it, all of them are channels of the image.
    """
    array = values_of(layer)
    voxel = tuple(_step(layer, axes, axis, "micrometer") for axis in "ZYX")
    voxel_size_um = (voxel[0], voxel[1], voxel[2])
    time_step_s = _step(layer, axes, "T", "second")
    origin = origin_of(array)
    if origin is not None and _sizes(axes, array.shape) == _sizes("TZYX", [origin.source.sizes[a] for a in "TZYX"]):
        info = replace(origin.source.info, voxel_size_um=voxel_size_um, time_step_s=time_step_s)
        pixels = LayerPixels(array, axes, info, origin)
        known = origin.source
        return ImageSource(pixels, known.scene, name=known.name, channels=known.channels)
    if channel is not None:
        array = array[(slice(None),) * axes.index("C") + (channel,)]
        axes = axes.replace("C", "")
    channel_names = None
    if "C" not in axes:
        channel_names = [layer.name]
    return from_array(
        array,
        axes=axes,
        channel_names=channel_names,
        voxel_size_um=voxel_size_um,
        time_step_s=time_step_s,
        name=layer.name,
    )


def _sizes(axes: str, shape: Sequence[int]) -> dict[str, int]:
    """Size along each axis, without axes of a single step."""
    return {axis: int(size) for axis, size in zip(axes, shape, strict=True) if size > 1}


def values_of(layer: Image) -> Any:
    """A layer's array; of a multiscale layer the finest."""
    if layer.multiscale:
        return layer.data[0]
    return layer.data


def placement_of(layer: Image, axes: str = "") -> dict[str, Any]:
    """Everything that says where a layer lies in the world, to be given to another layer on the same grid.

    Of a layer with an axis C, the place of one of its channels, which has no such axis.
    """
    if "C" in axes:
        return _placement_of_channel(layer, [i for i, axis in enumerate(axes) if axis != "C"])
    return {
        "scale": layer.scale,
        "translate": layer.translate,
        "rotate": layer.rotate,
        "shear": layer.shear,
        "affine": layer.affine,
        "units": layer.units,
        "axis_labels": layer.axis_labels,
    }


def _placement_of_channel(layer: Image, kept: list[int]) -> dict[str, Any]:
    from napari.utils.transforms import Affine

    place = Affine(scale=layer.scale, translate=layer.translate, rotate=layer.rotate, shear=layer.shear)
    place = place.set_slice(kept)
    return {
        "scale": place.scale,
        "translate": place.translate,
        "rotate": place.rotate,
        # Without a shear napari gives zeros in a number that it does not take.
        "shear": place.shear if np.any(place.shear) else None,
        "affine": layer.affine.set_slice(kept),
        "units": tuple(layer.units[i] for i in kept),
        "axis_labels": tuple(layer.axis_labels[i] for i in kept),
    }


def like_layer(data: Any, axes: str, shape: tuple[int, ...]) -> Any:
    """View ``(Z, Y, X)`` or ``(T, Z, Y, X)`` with the axes and shape of a layer, sharing memory.

    Raises
    ------
    ValueError
        The sizes do not match.
    """
    full = data
    if data.ndim == 3:
        full = data[None]
    absent = [axis for axis in "TZYX" if axis not in axes]
    view = full.transpose(["TZYX".index(axis) for axis in (*axes, *absent)])
    for _ in absent:
        view = view[..., 0]
    if view.shape != tuple(shape):
        raise ValueError(f"a prediction of shape {view.shape} does not fit a layer of shape {shape}")
    return view


def _step(layer: Image, axes: str, axis: str, unit: str) -> float | None:
    """How far apart the steps of an axis lie in the world; None where the layer does not know the unit."""
    if axis not in axes:
        return None
    i = axes.index(axis)
    if not layer.units[i].is_compatible_with(unit):
        return None
    # Not `layer.scale`: an affine transform may scale, too.
    here, next_one = np.zeros(layer.ndim), np.eye(layer.ndim)[i]
    distance = np.linalg.norm(np.subtract(layer.data_to_world(next_one), layer.data_to_world(here)))
    return float((distance * layer.units[i]).to(unit).magnitude)


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
