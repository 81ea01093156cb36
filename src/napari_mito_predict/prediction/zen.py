"""Fixed constants for ZEN, which cannot normalise by the whole image, and what they cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_mito_predict.errors import ImageError, UnsupportedImageError
from napari_mito_predict.evaluation import pcc
from napari_mito_predict.image.crops import centre_of, middle_plane
from napari_mito_predict.models import load_model
from napari_mito_predict.models.czann import (
    TILE,
    FixedCost,
    FixedInput,
    output_range,
    require_tiles,
    tile_network,
)
from napari_mito_predict.prediction.normalize import measure, normalise
from napari_mito_predict.prediction.plan import plan_prediction

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_mito_predict.image import ChannelRole, ImageSource
    from napari_mito_predict.models import Model
    from napari_mito_predict.prediction.normalize import Statistics
    from napari_mito_predict.prediction.plan import PredictionPlan

_WHITE: Final = {np.dtype("u1"): 255, np.dtype("u2"): 65535}
"""Pixel types of which it is known what becomes 1, and the pixel value that does."""


@dataclass(frozen=True)
class Example:
    """An image like those that ZEN will predict from.

    Attributes
    ----------
    tile : ndarray, (Y, X)
        The centre of its middle plane, as recorded; sizes are divisible by the network's stride.
    statistics : Statistics
        Of the whole image, that is of the stack that the plane is from.
    note : str
        What the user should know of it, in a sentence; empty for nothing.
    """

    tile: NDArray[np.unsignedinteger]
    statistics: Statistics
    note: str = ""

    @property
    def white(self) -> int:
        """The pixel value that becomes 1."""
        return _WHITE[self.tile.dtype]


def fixed_input(
    model: Model | str | Path,
    images: Sequence[ImageSource | str | Path],
    *,
    channel: int | str | ChannelRole | None = None,
) -> FixedInput:
    """Find constants in the place of a normalisation by the whole image, and measure what they cost.

    They are medians over images of what each image would be normalised by. Clipping to percentiles is left out.

    Parameters
    ----------
    model : Model, name or path
        Of single planes.
    images : sequence of ImageSource or path
        Like those that ZEN will predict from: same microscope, light, exposure and pixel type. Of several time points
        that in the middle is taken.
    channel : int, str or ChannelRole, optional
        The transmitted-light channel; found by its role when absent.

    Raises
    ------
    ModelMismatchError, ForeignModelError
        See `napari_mito_predict.models.czann.require_tiles`; or the model does not fit an image.
    ImageError
        No image was given, one cannot be predicted from, or they differ in their pixel type.
    """
    if isinstance(model, str | Path):
        model = load_model(model)
    require_tiles(model)
    if not images:
        raise ImageError(
            "No image was given. The constants for ZEN are taken from images like those that it will predict from."
        )
    return constants(model, [example_of(model, image, channel) for image in images])


def example_of(
    model: Model, image: ImageSource | str | Path, channel: int | str | ChannelRole | None = None
) -> Example:
    """Measure an image, and take a tile of it; raises what `fixed_input` does."""
    plan = plan_prediction(image, model, channel=channel, device="cpu", precision="32")
    subject = plan.subject
    volumes = subject.volumes(plan.jobs[0].layout)
    volume = volumes[len(volumes) // 2]
    raw = volume.read(subject, lambda: None)
    pixel_type = raw.dtype.newbyteorder("=")
    if pixel_type not in _WHITE:
        raise UnsupportedImageError(
            f"the pixels are {raw.dtype.name}; what ZEN makes of pixels is known for whole numbers of 8 and 16 bits. "
            "Give an image as the camera records it.",
            file=subject.image.path or subject.image.name,
        )
    statistics = measure(raw, model.card.input.normalisation, where=volume.where)
    plane = middle_plane(raw)
    tile = _divisible(plane[centre_of(plane.shape, (TILE, TILE))], model.network.stride)
    return Example(tile.astype(pixel_type), statistics, _other_pixels(plan))


def constants(model: Model, examples: Sequence[Example]) -> FixedInput:
    """Find constants for examples, see `fixed_input`.

    Raises
    ------
    UnsupportedImageError
        They differ in their pixel type.
    """
    found = medians(examples)
    cost = None
    if len(examples) > 1:
        cost = _cost(model, examples)
    note = next((example.note for example in examples if example.note), "")
    return replace(found, cost=cost, note=note)


def medians(examples: Sequence[Example]) -> FixedInput:
    """Constants alone; raises what `constants` does."""
    types = sorted({example.tile.dtype.name for example in examples})
    if len(types) > 1:
        raise UnsupportedImageError(
            f"The images differ in their pixel type ({' and '.join(types)}), which ZEN scales differently. Give images "
            "of one type."
        )
    white = examples[0].white
    offset = float(np.median([example.statistics.offset for example in examples]))
    scale = float(np.median([example.statistics.scale for example in examples]))
    return FixedInput(offset / white, scale / white, white, len(examples))


def _cost(model: Model, examples: Sequence[Example]) -> FixedCost:
    """Predict each example with the constants of the others, and compare with its own statistics."""
    correlations = []
    shifts = []
    for i, example in enumerate(examples):
        others = medians([*examples[:i], *examples[i + 1 :]])
        predicted = predict_tile(model, others, example.tile)
        expected = predict_normalised(model, example)
        for one, other in zip(predicted, expected, strict=True):
            correlations.append(agreement(one, other))
            shifts.append(abs(float(one.mean() - other.mean())))
    return FixedCost(len(examples), float(np.mean(correlations)), min(correlations), float(np.mean(shifts)))


def predict_tile(model: Model, fixed: FixedInput, tile: NDArray[np.unsignedinteger]) -> NDArray[np.float32]:
    """Predict a tile as ZEN would.

    Parameters
    ----------
    model : Model
        See `napari_mito_predict.models.czann.require_tiles`.
    fixed : FixedInput
        For its pixel type.
    tile : ndarray, uint8 or uint16, (Y, X)
        Sizes are divisible by the network's stride.

    Returns
    -------
    ndarray, float32, (targets, Y, X)
        Z-scores again, clipped to what ZEN can be given.
    """
    import torch

    given = torch.from_numpy((tile / fixed.white).astype(np.float32))
    with torch.inference_mode():
        shown = tile_network(model, fixed)(given[None, :, :, None])[0].numpy()
    limits = np.array([output_range(target) for target in model.card.targets], np.float32)
    low, high = limits.T
    predicted: NDArray[np.float32] = low + shown * (high - low)
    return np.moveaxis(predicted, -1, 0)


def predict_normalised(model: Model, example: Example) -> NDArray[np.float32]:
    """Predict the tile of an example by its own statistics; float32, (targets, Y, X)."""
    from napari_mito_predict.models.weights import forward

    return forward(model.network, normalise(example.tile[None], example.statistics))


def agreement(prediction: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Pearson correlation; 0 where one of them is the same everywhere."""
    found = pcc(prediction, other)
    return 0.0 if math.isnan(found) else found


def _divisible(plane: NDArray[np.unsignedinteger], stride: Sequence[int]) -> NDArray[np.unsignedinteger]:
    """The centre of a plane that the stride divides; a plane smaller than that is extended by reflection."""
    sizes = [max(size // step, 1) * step for size, step in zip(plane.shape, stride, strict=True)]
    part = plane[centre_of(plane.shape, sizes)]
    missing = [(0, size - given) for size, given in zip(sizes, part.shape, strict=True)]
    return np.pad(part, missing, mode="symmetric")


def _other_pixels(plan: PredictionPlan) -> str:
    """Say that ZEN will not do what is done here: bring images to the pixel size of the model."""
    job = plan.jobs[0]
    if job.shape == plan.subject.volume_shape(job.layout):
        return ""
    _, *given = plan.subject.voxel_size_um
    _, *wanted = job.model.card.input.voxel_size_um
    return (
        f"Pixels are {given[0]:g} x {given[1]:g} um, and the model learned from {wanted[0]:g} x {wanted[1]:g} um: here "
        "images are resampled, by ZEN they are not. Record with the pixels of the model."
    )
