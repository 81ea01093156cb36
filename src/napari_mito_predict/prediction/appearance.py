"""What an image looks like to a network: its intensities, and what the network makes of a few tiles of it.

A model is told from others by what it was trained on, so that a summary of its training images goes with it, see
`napari_mito_predict.models.training_images.TrainingImages`. The functions here make that summary, and what of any other
image is compared with it: both are given volumes as the network takes them, at its voxel size and normalised.

The features say how strongly a tile excites each channel of the network's encoder (`Network.pooled_features`). Their
distance to those of the training images is the one of Mahalanobis, as Lee et al. (2018, arXiv 1807.03888) take it for
images that a network does not know.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
import torch

from napari_mito_predict.image.blank import recorded
from napari_mito_predict.models.training_images import TrainingImages
from napari_mito_predict.prediction.intensities import intensity_percentiles
from napari_mito_predict.prediction.tiles import Box, Span, per_axis, reflect, round_up

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_mito_predict.networks import Network

MOST_TILES: Final = 8
FEWEST_TILES: Final = 8
"""Trained on, below which nothing is said of how features spread."""
MOST_VOLUMES: Final = 32
"""Looked at of all training images: a time series of z-stacks has hundreds, each like the next."""
_TILE: Final = {2: (1, 128, 128), 3: (16, 48, 48)}
"""Voxels (D, Y, X) by dimensions of the network, before its stride is asked."""
_LEAST_SHRINKAGE = 0.001
"""So that the covariance has an inverse whatever the tiles are."""
_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Look:
    """What one volume looks like.

    Attributes
    ----------
    field : str
        Volumes of one field resemble each other: they are held out together.
    intensities : ndarray, float32, (percentiles,)
        See `intensity_percentiles`.
    contrast : float
        See `relative_contrast`.
    features : ndarray, float32, (tiles, features)
        See `tile_features`.
    """

    field: str
    intensities: NDArray[np.float32]
    contrast: float
    features: NDArray[np.float32]


def tile_size(network: Network) -> tuple[int, int, int]:
    """Voxels (D, Y, X) of the tiles of all images: divisible by the network's stride, and one window of its planes."""
    size = _TILE[2 if network.fewest_planes > 1 else network.ndim]
    stride = (1,) * (3 - network.ndim) + tuple(network.stride)
    depth, *plane = (round_up(voxels, step) for voxels, step in zip(size, stride, strict=True))
    return (max(depth, network.fewest_planes), plane[0], plane[1])


def tile_places(shape: tuple[int, int, int], network: Network) -> list[Box]:
    """Where a few tiles lie in a volume, spread evenly over it.

    Parameters
    ----------
    shape : tuple of int
        (D, Y, X) of the volume at the network's voxel size.
    network : Network
        Decides how large tiles are, see `tile_size`.

    Returns
    -------
    list of Box
        At most `MOST_TILES`. Where the volume is smaller than a tile, the tile begins with it and ends beyond it: see
        `cut`.
    """
    size = tile_size(network)
    counts = [1, 1, 1]
    while True:
        # The axis of which the least is seen gets the next tile, as long as there is something left to see.
        unseen = [voxels / (count * tile) for voxels, count, tile in zip(shape, counts, size, strict=True)]
        axis = max(range(3), key=unseen.__getitem__)
        more = [count + (axis == other) for other, count in enumerate(counts)]
        if unseen[axis] <= 1 or np.prod(more) > MOST_TILES:
            break
        counts = more
    along = [_spread(*axis) for axis in zip(shape, size, counts, strict=True)]
    grid = np.stack(np.meshgrid(*along, indexing="ij"), axis=-1).reshape(-1, 3)
    return [_box(corner, size) for corner in grid.tolist()]


def cut(volume: NDArray[Any], box: Box) -> NDArray[Any]:
    """The voxels `box` of a volume (D, Y, X), mirrored at its ends where the box goes beyond them."""
    places = [reflect(np.arange(span.start, span.stop), size) for span, size in zip(box, volume.shape, strict=True)]
    part: NDArray[Any] = volume[np.ix_(*places)]
    return part


def tile_features(network: Network, tiles: Iterable[NDArray[Any]]) -> NDArray[np.float32]:
    """Give the `pooled_features` of tiles.

    Parameters
    ----------
    network : Network
        In evaluation mode, on the CPU.
    tiles : iterable of ndarray, (D, Y, X)
        Normalised, of the `tile_size`; at least one.

    Returns
    -------
    ndarray, float32, (tiles, features)
        No tiles either of a network that gives no features.
    """
    if network.feature_count == 0:
        return np.zeros((0, 0), np.float32)
    batch = torch.from_numpy(np.stack([np.asarray(tile, np.float32) for tile in tiles]))[:, None]
    if network.ndim == 2:
        batch = batch[:, :, 0]
    with torch.inference_mode():
        found: NDArray[np.float32] = network.pooled_features(batch).numpy()
    return found


def look_at(volume: NDArray[Any], contrast: float, network: Network, field: str = "") -> Look:
    """See what a volume looks like to a network.

    Parameters
    ----------
    volume : ndarray, (D, Y, X) or (Y, X)
        At the network's voxel size, normalised.
    contrast : float
        The `relative_contrast` before of what of it was `recorded`.
    network : Network
        In evaluation mode, on the CPU.
    field : str
        Name of the field.
    """
    if volume.ndim == 2:
        volume = volume[None]
    tiles = (cut(volume, box) for box in tile_places(per_axis(volume.shape), network))
    return Look(field, intensity_percentiles(recorded(volume)), contrast, tile_features(network, tiles))


def sample_of(volumes: Sequence[_Item], most: int = MOST_VOLUMES) -> list[_Item]:
    """At most so many items, spread evenly over all of them."""
    places = np.linspace(0, len(volumes) - 1, min(len(volumes), most)).round()
    return [volumes[int(place)] for place in places]


def reference_of(training: Sequence[Look], held_out: Sequence[Look] = ()) -> TrainingImages | None:
    """Sum up what the images look like that a network was trained on.

    Parameters
    ----------
    training : sequence of Look
        Volumes trained on.
    held_out : sequence of Look
        Volumes of other fields of the same kind. Without them, each field trained on is compared with all others in
        turn: somewhat nearer than fields that the network never saw.

    Returns
    -------
    TrainingImages or None
        Without features where the network gives none, or tiles are fewer than `FEWEST_TILES`; None without any volume.
    """
    if not training:
        return None
    mean, covariance = _distribution(_features(training))
    distances = np.zeros(0)
    if len(mean) > 0:
        distances = _held_out_distances(training, held_out)
    if len(distances) == 0:  # nothing says which distance is usual
        mean, covariance = np.zeros(0), np.zeros((0, 0))
    return TrainingImages(
        intensities=np.stack([look.intensities for look in training]).astype(np.float32),
        contrast=np.array([look.contrast for look in training], np.float32),
        mean=mean.astype(np.float32),
        covariance=covariance.astype(np.float32),
        distances=np.sort(distances).astype(np.float32),
    )


def distance(training_images: TrainingImages, features: NDArray[np.floating]) -> NDArray[np.float32]:
    """Mahalanobis distances of tiles to the tiles trained on.

    Parameters
    ----------
    training_images : TrainingImages
        Of the model whose network gave the features.
    features : ndarray, (tiles, features)
        See `tile_features`.

    Returns
    -------
    ndarray, float32, (tiles,)
        Empty where the model knows no features of its training images.
    """
    if len(training_images.mean) == 0:
        return np.zeros(0, np.float32)
    covariance = training_images.covariance.astype(np.float64)
    return _mahalanobis(features, training_images.mean.astype(np.float64), covariance).astype(np.float32)


def _features(looks: Sequence[Look]) -> NDArray[np.float32]:
    return np.concatenate([look.features for look in looks])


def _held_out_distances(training: Sequence[Look], held_out: Sequence[Look]) -> NDArray[np.float64]:
    """Distances of tiles that have no part in the distribution that they are compared with."""
    if held_out:
        return _mahalanobis(_features(held_out), *_distribution(_features(training)))
    distances = []
    for field in dict.fromkeys(look.field for look in training):
        own = [look for look in training if look.field == field]
        others = [look for look in training if look.field != field]
        if not others:
            continue
        mean, covariance = _distribution(_features(others))
        if len(mean) > 0:
            distances.append(_mahalanobis(_features(own), mean, covariance))
    return np.concatenate([*distances, np.zeros(0)])


def _distribution(features: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and covariance of (tiles, features), the latter shrunk towards a multiple of the identity.

    By as much as Ledoit & Wolf (2004, J. Multivariate Anal. 88, 365-411, section 3.2) estimate to be best: there are
    about as many features as tiles, so that the covariance of the sample alone has no inverse. Nothing, without
    entries, where there are too few tiles or they do not differ.
    """
    values = features.astype(np.float64)
    tiles, count = values.shape
    mean = values.mean(axis=0)
    centred = values - mean
    sample = centred.T @ centred / tiles
    identity = np.eye(count) * np.trace(sample) / max(count, 1)
    to_identity = np.square(sample - identity).sum()
    if tiles < FEWEST_TILES or not to_identity > 0:
        return np.zeros(0), np.zeros((0, 0))
    # Of one tile: ||x x' - S||^2 = |x|^4 - 2 x' S x + ||S||^2.
    fourth = np.square(np.square(centred).sum(axis=1)).sum()
    scatter = (fourth - tiles * np.square(sample).sum()) / tiles**2
    share = min(max(scatter / to_identity, _LEAST_SHRINKAGE), 1.0)
    return mean, share * identity + (1 - share) * sample


def _mahalanobis(
    features: NDArray[np.floating], mean: NDArray[np.float64], covariance: NDArray[np.float64]
) -> NDArray[np.float64]:
    centred = features.astype(np.float64) - mean
    root = np.linalg.cholesky(covariance)
    distances: NDArray[np.float64] = np.linalg.norm(np.linalg.solve(root, centred.T), axis=0)
    return distances


def _spread(voxels: int, tile: int, count: int) -> NDArray[np.int64]:
    """Where `count` tiles begin along an axis, each in the middle of its share of it."""
    starts = (np.arange(count) + 0.5) * voxels / count - tile / 2
    return np.clip(starts.round(), 0, max(voxels - tile, 0)).astype(np.int64)


def _box(corner: Sequence[int], size: Sequence[int]) -> Box:
    return per_axis(Span(start, start + voxels) for start, voxels in zip(corner, size, strict=True))
