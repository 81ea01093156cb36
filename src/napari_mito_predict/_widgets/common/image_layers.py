"""Between images and napari layers: a file as layers, and any image layer as an image.

Scale is only believed to be micrometres where the layer's units say so; readers put very different things there.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mito_predict._widgets.common.facts import (
    InputFacts,
    PredictionFacts,
    PreviewFacts,
    facts_of,
    input_facts,
    metadata_of,
    prediction_facts,
)
from napari_mito_predict.image import Channel, ChannelRole, ImageSource, from_array

if TYPE_CHECKING:
    from napari.layers import Image, Layer
    from numpy.typing import NDArray

    LayerData = tuple[Any, dict[str, Any], str]

_TRUTH_COLORMAP = "green"
_IN_MEMORY = 1 << 30
"""Bytes of an image up to which all of it is read when it is opened."""
_DIMMED = 0.6
"""Opacity of transmitted light under predictions."""
_AXES = {
    "t": "T", "time": "T", "frame": "T", "c": "C", "ch": "C", "channel": "C",
    "z": "Z", "depth": "Z", "plane": "Z", "y": "Y", "x": "X",
}  # fmt: skip


def file_layers(source: ImageSource, *, for_overlay: bool = False) -> list[LayerData]:
    """Make one napari layer per channel, with scale, units and axis labels.

    Small images are read at once; of large ones every plane is read when it is looked at.

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
        Data ``(Z, Y, X)``, or ``(T, Z, Y, X)`` for several time points; keywords; ``"image"``.

    Raises
    ------
    UnsupportedImageError, UnreadableImageError
        See `ImageSource.read`.
    """
    sizes = source.sizes
    is_small = math.prod(sizes.values()) * source.dtype.itemsize <= _IN_MEMORY
    layers: list[LayerData] = []
    for channel in source.channels:
        plane = source.read(sizes["T"] // 2, channel.index, sizes["Z"] // 2)[0]
        read = _all_planes if is_small else _lazy_planes
        data = read(source, channel)
        if sizes["T"] == 1:
            data = data[0]
        keywords = _keywords(source, channel, plane)
        if for_overlay and any(other.role is ChannelRole.TRANSMITTED for other in source.channels):
            keywords["visible"] = channel.role is ChannelRole.TRANSMITTED
            keywords["opacity"] = _DIMMED
        layers.append((data, keywords, "image"))
    return layers


def _keywords(source: ImageSource, channel: Channel, plane: NDArray[Any]) -> dict[str, Any]:
    if channel.role in (ChannelRole.MITOCHONDRIA, ChannelRole.DNA):
        name, colormap = channel.label, _TRUTH_COLORMAP
    else:
        name, colormap = f"{source.name} {channel.label}", "gray"
    axes = "zyx"
    steps = [*source.voxel_size_um]
    units = ["micrometer"] * 3
    if source.sizes["T"] > 1:
        axes = f"t{axes}"
        steps.insert(0, source.time_step_s)
        units.insert(0, "second")
    facts = InputFacts(str(source.path), source.scene, channel.index, channel.role, channel.reason)
    return {
        "name": name,
        "colormap": colormap,
        "blending": "additive",
        "contrast_limits": contrast_of(plane),
        "scale": [step or 1.0 for step in steps],
        # A step that is not known counts in pixels.
        "units": [unit if step else "pixel" for step, unit in zip(steps, units, strict=True)],
        "axis_labels": list(axes),
        "metadata": metadata_of(facts),
    }


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
    """Whether one could predict from this layer, or compare with it: an image, not RGB, not made by us."""
    from napari.layers import Image

    made_here = isinstance(facts_of(layer), PredictionFacts | PreviewFacts)
    return isinstance(layer, Image) and not layer.rgb and not made_here


def is_prediction(layer: Layer) -> bool:
    """Whether this is a prediction made here."""
    return prediction_facts(layer) is not None


def role_of(layer: Layer) -> tuple[ChannelRole, str]:
    """What a layer shows, by the file's word or by its name, and why we think so."""
    facts = input_facts(layer)
    if facts is not None:
        return facts.role, facts.reason
    channel = from_array(np.zeros((1, 1)), axes="YX", channel_names=[layer.name]).channels[0]
    return channel.role, channel.reason


def axes_of(layer: Image) -> str | None:
    """Letters from ``TCZYX`` for a layer's axes, or None where its labels leave open what the planes are."""
    labels = [_AXES.get(label.lower()) for label in layer.axis_labels]
    labels[-2:] = [label or default for label, default in zip(labels[-2:], "YX", strict=True)]
    # What an axis of one step is called makes no difference: any letter that is free will do.
    for i, size in enumerate(values_of(layer).shape):
        if labels[i] is None and size == 1:
            labels[i] = next(letter for letter in "ZTC" if letter not in labels)
    known = [label for label in labels if label is not None]
    if len(set(known)) < len(labels):
        return None
    return "".join(known)


def possible_axes(layer: Image) -> dict[str, str]:
    """What the axes of an unlabelled layer could be: letters -> words to choose from."""
    return {
        3: {"ZYX": "Z steps", "TYX": "time points"},
        4: {"TZYX": "time points and Z steps"},
    }.get(values_of(layer).ndim, {})


def source_of(layer: Image, axes: str) -> ImageSource:
    """Make an image of a layer that we did not open ourselves.

    Parameters
    ----------
    layer : Image
        Not RGB. Of a multiscale layer the finest level counts.
    axes : str
        See `axes_of`.
    """
    channel_names = None
    if "C" not in axes:
        channel_names = [layer.name]
    return from_array(
        values_of(layer),
        axes=axes,
        channel_names=channel_names,
        voxel_size_um=[_step(layer, axes, axis, "micrometer") for axis in "ZYX"],
        time_step_s=_step(layer, axes, "T", "second"),
        name=layer.name,
    )


def values_of(layer: Image) -> Any:
    """A layer's array; of a multiscale layer the finest."""
    if layer.multiscale:
        return layer.data[0]
    return layer.data


def placement_of(layer: Image) -> dict[str, Any]:
    """Everything that says where a layer lies in the world, to be given to another layer on the same grid."""
    return {
        "scale": layer.scale,
        "translate": layer.translate,
        "rotate": layer.rotate,
        "shear": layer.shear,
        "affine": layer.affine,
        "units": layer.units,
        "axis_labels": layer.axis_labels,
    }


def like_layer(data: NDArray[np.float32], axes: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
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
    if axis not in axes:
        return None
    i = axes.index(axis)
    if not layer.units[i].is_compatible_with(unit):
        return None
    return float((abs(layer.scale[i]) * layer.units[i]).to(unit).magnitude)


def _all_planes(source: ImageSource, channel: Channel) -> NDArray[Any]:
    return np.stack([source.read(t, channel.index) for t in range(source.sizes["T"])])


def _lazy_planes(source: ImageSource, channel: Channel) -> Any:
    import dask.array

    sizes = source.sizes
    return dask.array.map_blocks(  # type: ignore[no-untyped-call]
        _plane,
        source,
        channel.index,
        chunks=((1,) * sizes["T"], (1,) * sizes["Z"], (sizes["Y"],), (sizes["X"],)),
        dtype=source.dtype,
        meta=np.empty((0, 0, 0, 0), source.dtype),
        token=f"{source.path}-{source.scene}-{channel.index}-{id(source)}",
    )


def _plane(source: ImageSource, channel: int, block_id: tuple[int, ...] = (0, 0)) -> NDArray[Any]:
    t, z = block_id[:2]
    return source.read(t, channel, z)[None]
