"""Where layers lie in the world: positions in one system of units, and whether two layers lie on one grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mito_predict._widgets.common.image_layers import source_of
from napari_mito_predict.evaluation.cases import differing_voxel_sizes

if TYPE_CHECKING:
    from napari.layers import Image, Layer
    from napari.viewer import Viewer
    from numpy.typing import NDArray

_SAME_PLACE = 0.5
"""Voxels: what lies nearer is the same place, rounded differently."""
_STRAIGHT = 0.02
"""A voxel may be skewed by this fraction of itself."""


def to_data(viewer: Viewer, layer: Layer, position: Sequence[float] | NDArray[Any]) -> NDArray[np.float64]:
    """Give the place in a layer's data of a position in the world of the viewer.

    Layers have units each, and napari draws them in the smallest of these: the viewer's positions are not the layer's.
    """
    place = np.zeros(layer.ndim)  # the world counts from the last axis
    known = np.asarray(position, float)[-layer.ndim :]
    place[layer.ndim - known.size :] = known
    return np.asarray(layer.world_to_data(place * _viewer_units_in(viewer, layer)), float)


def to_world(viewer: Viewer, layer: Layer, position: Sequence[float] | NDArray[Any]) -> NDArray[np.float64]:
    """Give the position in the world of the viewer of a place in a layer's data."""
    return np.asarray(layer.data_to_world(position), float) / _viewer_units_in(viewer, layer)


def _viewer_units_in(viewer: Viewer, layer: Layer) -> NDArray[np.float64]:
    """How many units of the layer a unit of the viewer is, for each axis of the layer."""
    units = getattr(viewer.layers, "units", None)
    pairs = list(zip((units or ())[-layer.ndim :], layer.units, strict=False))
    # Where they cannot be converted into each other, napari draws all layers as if they had none.
    if len(pairs) < layer.ndim or not all(of_viewer.is_compatible_with(own) for of_viewer, own in pairs):
        return np.ones(layer.ndim)
    return np.array([(1 * of_viewer).to(own).magnitude for of_viewer, own in pairs], float)


def turned(reference: Image, other: Image, letters: str) -> str:
    """Say how another layer of the same shape is turned against the first; empty where its axes lie alike.

    Parameters
    ----------
    reference, other : Image
        Of equal shape.
    letters : str
        One letter for each axis, for the text.
    """
    linear = _change(reference, other)[:-1, :-1]
    diagonal = linear.diagonal()
    if (np.abs(linear).argmax(axis=0) != np.arange(len(diagonal))).any():
        return "its axes lie in another order, or it is rotated by a quarter"
    mirrored = [letter.lower() for letter, factor in zip(letters, diagonal, strict=True) if factor < 0]
    if mirrored:
        return f"it is mirrored along {' and '.join(mirrored)}"
    if np.abs(linear - np.diag(diagonal)).max() > _STRAIGHT:
        return "it is rotated or sheared"
    return ""


def moved(reference: Image, other: Image, letters: str) -> str:
    """Say how far away another layer of the same shape begins; empty where both begin at the same place."""
    steps = _change(reference, other)[:-1, -1]
    distances = [
        f"{_distance(other, axis, size)} along {letters[axis].lower()}"
        for axis, size in enumerate(steps)
        if abs(size) > _SAME_PLACE
    ]
    if not distances:
        return ""
    return f"it lies {' and '.join(distances)} away"


def sampled_otherwise(first: Image, second: Image, axes: str) -> str:
    """Say which voxel sizes of two layers differ, such as "x 0.1 and 0.2 µm"; empty for none. Pixels fit all sizes."""
    differing = differing_voxel_sizes(source_of(first, axes), source_of(second, axes))
    return ", ".join(f"{axis} {size:.4g} and {other:.4g} µm" for axis, (size, other) in differing.items())


def _change(reference: Image, other: Image) -> NDArray[np.float64]:
    """From indices of one layer to those of another at the same place; homogeneous.

    Along axes that share no kind of unit both are counted in voxels: who knows no voxel size fits all.
    """
    of_reference, of_other = _matrix(reference), _matrix(other)
    for axis, (unit, common) in enumerate(zip(other.units, reference.units, strict=True)):
        if unit.is_compatible_with(common):
            of_other[axis] *= (1 * unit).to(common).magnitude
        else:
            of_reference[axis] /= _step(reference, axis)
            of_other[axis] /= _step(other, axis)
    change: NDArray[np.float64] = np.linalg.inv(of_other) @ of_reference
    return change


def _matrix(layer: Image) -> NDArray[np.float64]:
    """From indices to the world, homogeneous; a row for each axis of the world, in the layer's unit for it."""
    matrix = np.eye(layer.ndim + 1)
    corner = np.asarray(layer.data_to_world(np.zeros(layer.ndim)), float)
    matrix[:-1, -1] = corner
    for i, step in enumerate(np.eye(layer.ndim)):
        matrix[:-1, i] = np.asarray(layer.data_to_world(step), float) - corner
    return matrix


def _step(layer: Image, axis: int) -> float:
    """How far apart two voxels along an axis are, in the layer's unit for it."""
    return float(np.linalg.norm(_matrix(layer)[:-1, axis]))


def _distance(layer: Image, axis: int, steps: float) -> str:
    """How far a number of voxels along an axis is, in words."""
    unit = layer.units[axis]
    for known, text in (("micrometer", "µm"), ("second", "s")):
        if unit.is_compatible_with(known):
            return f"{(abs(steps) * _step(layer, axis) * unit).to(known).magnitude:.2g} {text}"
    return f"{abs(steps):.0f} pixels"
