"""What somebody gave to be predicted from, and by what, as a `Subject` and models."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mito_predict.errors import ImageError, ModelMismatchError, PredictionError, UnsupportedImageError
from napari_mito_predict.image import ImageSource, from_array, light_of, open_image
from napari_mito_predict.image.metadata import LARGEST_VOXEL_UM, SMALLEST_VOXEL_UM, describe_size, impossible_axes
from napari_mito_predict.models import Model, load_model
from napari_mito_predict.prediction.volumes import Subject, VoxelSize

if TYPE_CHECKING:
    from napari_mito_predict.image import ChannelRole

_ARRAY_AXES = {2: "YX", 3: "ZYX", 4: "TZYX"}


def subject_of(
    image_or_array: Any,
    channel: int | str | ChannelRole | None,
    scene: int | str | None,
    times: range | None,
    planes: range | None,
    voxel_size_um: Sequence[float | None] | None,
    *,
    resample: bool,
) -> Subject:
    """What is predicted from; takes and raises what `plan_prediction` does."""
    given = _chosen_part(image_or_array, scene, times, planes)
    if isinstance(given, ImageSource):
        image = given
        if image.unsupported:  # before anybody is asked which of its channels to use
            raise UnsupportedImageError(f"{image.name}: {image.unsupported}")
        index = light_of(image, channel).index
        return Subject(image, index, _voxel_size(voxel_size_um) or image.voxel_size_um, resample=resample)
    if not hasattr(given, "shape") or not hasattr(given, "dtype"):
        given = np.asarray(given)
    ndim = len(given.shape)
    if ndim not in _ARRAY_AXES:
        raise ImageError(
            f"The array has shape {tuple(given.shape)}: expected (Y, X), (D, Y, X) or (T, Z, Y, X). For other axes, "
            "such as channels, make an image of it with from_array(array, axes=...)."
        )
    sizes = _voxel_size(voxel_size_um) or (None, None, None)
    image = from_array(given, axes=_ARRAY_AXES[ndim], voxel_size_um=sizes)
    return Subject(image, 0, sizes, ndim, resample)


def models_of(given: Any) -> list[Model]:
    """The models to predict with, loaded; takes and raises what `plan_prediction` does."""
    is_one = isinstance(given, Model | str | Path) or hasattr(given, "network")
    models = [_model(model) for model in ([given] if is_one else given)]
    if not models:
        raise PredictionError("No model was given: choose at least one.")
    twice = [name for name, count in Counter(model.name for model in models).items() if count > 1]
    if twice:
        raise PredictionError(f"More than one model is called {', '.join(twice)}: predict with one of them at a time.")
    for model in models:
        if model.network.in_channels != 1:
            raise ModelMismatchError(f"{model.name} needs {model.network.in_channels} channels; only one can be given.")
    return models


def _model(given: Model | str | Path) -> Model:
    if isinstance(given, str | Path):
        return load_model(given)
    return given


def _chosen_part(given: Any, scene: int | str | None, times: range | None, planes: range | None) -> Any:
    """Open a path, and take the scene, time points and Z steps that are wanted; an array as it is."""
    if isinstance(given, str | Path):
        given = open_image(given)
    if isinstance(given, ImageSource):
        if scene is not None:
            given = given.with_scene(scene)
        if times is not None or planes is not None:
            given = given.crop(times=times, planes=planes)
    elif times is not None or planes is not None:
        raise ImageError("Time points and Z steps are chosen of images. Give the part of the array that you want.")
    return given


def _voxel_size(given: Sequence[float | None] | None) -> VoxelSize | None:
    """Three sizes, with None for what is unknown.

    Raises
    ------
    ImageError
        Another number of them, or sizes that no voxel can have.
    """
    if given is None:
        return None
    sizes = [None if size is None else float(size) for size in given]
    if len(sizes) == 2:
        sizes = [None, *sizes]
    if len(sizes) != 3:
        raise ImageError(f"The voxel size {tuple(given)} has {len(sizes)} numbers: expected z, y, x in micrometres.")
    if impossible_axes(sizes):
        raise ImageError(
            f"A voxel of {describe_size(sizes)} cannot be: give each size in micrometres, from {SMALLEST_VOXEL_UM:g} "
            f"to {LARGEST_VOXEL_UM:g}, and none where it is not known."
        )
    return sizes[0], sizes[1], sizes[2]
