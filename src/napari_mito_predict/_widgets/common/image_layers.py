"""Image layers of napari as images: what their axes are, what they show, and where they lie.

Scale is only believed to be micrometres where the layer's units say so; readers put very different things there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mito_predict._widgets.common.facts import (
    PreviewFacts,
    facts_of,
    input_facts,
    prediction_facts,
)
from napari_mito_predict._widgets.common.origins import LayerPixels, origin_of
from napari_mito_predict.image import ChannelRole, ImageSource, from_array
from napari_mito_predict.models.record import Quantity

if TYPE_CHECKING:
    from napari.layers import Image, Layer

_AXES = {
    "t": "T", "time": "T", "frame": "T", "c": "C", "ch": "C", "channel": "C",
    "z": "Z", "depth": "Z", "plane": "Z", "y": "Y", "x": "X",
}  # fmt: skip
_MOST_AXES = 5
_AXIS_WORDS = {"T": "time points", "Z": "Z steps", "C": "channels"}
_ORDERS = ("Z", "T", "C", "TZ", "CZ", "ZC", "TC", "CT", "ZT", "TCZ", "TZC", "CTZ", "CZT", "ZTC", "ZCT")
"""Of axes without a label, in the order in which they are offered."""


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
        return placement_of_axes(layer, [i for i, axis in enumerate(axes) if axis != "C"])
    return {
        "scale": layer.scale,
        "translate": layer.translate,
        "rotate": layer.rotate,
        "shear": layer.shear,
        "affine": layer.affine,
        "units": layer.units,
        "axis_labels": layer.axis_labels,
    }


def placement_of_axes(layer: Image, kept: Sequence[int]) -> dict[str, Any]:
    """The same for a layer of only some axes: one channel, or one plane, which is shown at every step of the rest."""
    from napari.utils.transforms import Affine

    place = Affine(scale=layer.scale, translate=layer.translate, rotate=layer.rotate, shear=layer.shear)
    place = place.set_slice(list(kept))
    return {
        "scale": place.scale,
        "translate": place.translate,
        "rotate": place.rotate,
        # Without a shear napari gives zeros in a number that it does not take.
        "shear": place.shear if np.any(place.shear) else None,
        "affine": layer.affine.set_slice(list(kept)),
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
