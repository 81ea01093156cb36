"""Simulated fields whose geometry is known: what is true of them, what is recorded, and what is predicted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree
from skimage.measure import label

from napari_mito_predict import from_array, load_model, predict
from napari_mito_predict.measurement import (
    Structure,
    measure_mitochondria,
    measure_nuclei,
    measure_puncta,
    segment_mitochondria,
    segment_nuclei,
    segment_puncta,
    summarise,
)
from napari_mito_predict.simulation import Conditions
from napari_mito_predict.simulation.motion import moved
from napari_mito_predict.simulation.shapes import stamp
from napari_mito_predict.simulation.simulator import _Scene

Array = npt.NDArray[np.generic]
STACK = (32, 256, 256)
SERIES_PLANES = 24
SERIES_YX = (192, 192)
FRAMES = 8
MEASURED_FRAME = 4
STEP_S = 30.0
FIELDS = 8
SEEDS = {"z": range(920_000, 920_000 + FIELDS), "t": range(921_000, 921_000 + FIELDS)}
"""No model was trained on them, and the segmentation was not adjusted with them."""
MODELS = {"z": ("mito-z", "dna-z"), "t": ("mito-t", "dna-t")}
_IN_FOCUS_UM = 0.35
"""Nucleoids so close to a plane are counted as in it."""
_LARGEST_STEP_UM = 0.15
"""Balls of one mitochondrion are 0.1 um apart."""
_MATRIX = 0.9
"""TMRM fills so much of the radius of a mitochondrion."""


@dataclass(frozen=True)
class Field:
    """One field at the moment that is measured; arrays are (Z, Y, X), or (Y, X) of a series."""

    size_um: tuple[float, ...]
    true_mitochondria: Array
    true_nuclei: Array
    true_nucleoids: npt.NDArray[np.float64]
    """Places in um."""
    recorded: dict[str, Array]
    predicted: dict[str, Array]
    true_length_um: float | None = None
    """Of the lines that the mitochondria of a stack were drawn along, as far as they are in the field."""


def simulate(kind: str, seed: int, *, predicting: bool = True) -> Field:
    """Simulate a stack (kind ``z``) or a series (``t``), and predict from its transmitted light where that is asked."""
    conditions = Conditions.matched(np.random.default_rng(seed))
    scene = _Scene(seed, conditions, STACK if kind == "z" else (SERIES_PLANES, *SERIES_YX))
    if kind == "z":
        image = scene.image([scene.record(0.0)], None)
        time_s = 0.0
    else:
        frames = [scene.record(frame * STEP_S, scene.mid_plane) for frame in range(FRAMES)]
        image = scene.image(frames, STEP_S)
        time_s = MEASURED_FRAME * STEP_S
    size = image.voxel_size_um
    frame = 0 if kind == "z" else MEASURED_FRAME
    light = from_array(image.data[0], axes="TZYX", voxel_size_um=size, time_step_s=image.time_step_s)
    models = [load_model(name) for name in MODELS[kind]] if predicting else []
    predicted = predict(light, models, device="cpu") if models else {}
    cell = moved(scene._cells[0], scene._flow, time_s) if time_s else scene._cells[0]
    mitochondria = _labels(scene, cell.mitochondria)
    nuclei = (image.truth.nucleus > 0.5).astype(np.int32)
    corner = np.array(scene._grid.origin_um) + [part.start * step for part, step in zip(scene._crop, size, strict=True)]
    places = cell.nucleoids.points - corner
    inside = np.all((places >= 0) & (places < np.array(mitochondria.shape) * size), axis=1)
    places = places[inside]
    channels = {"mitochondria": image.data[1, frame], "dna": image.data[2, frame]}
    found = {name: np.asarray(result.data).reshape(image.data.shape[1:])[frame] for name, result in predicted.items()}
    if kind == "z":
        length = _drawn_length(cell.mitochondria, corner, np.array(mitochondria.shape) * size)
        return Field(size, mitochondria, nuclei, places, channels, found, length)
    plane = scene.mid_plane
    near = np.abs(places[:, 0] - plane * size[0]) < _IN_FOCUS_UM
    return Field(
        size[1:],
        label(mitochondria[plane], connectivity=2).astype(np.int32),
        nuclei[0],
        places[near, 1:],
        {name: stack[0] for name, stack in channels.items()},
        {name: stack[0] for name, stack in found.items()},
    )


def true_measures(field: Field) -> dict[str, float]:
    """The same measures of the geometry: voxels whose centre lies in a mitochondrion, each with its own number."""
    mitochondria = measure_mitochondria(field.true_mitochondria, field.size_um, nuclei=field.true_nuclei)
    nuclei = measure_nuclei(field.true_nuclei, field.size_um)
    found = _named(Structure.MITOCHONDRIA, mitochondria, len(field.size_um))
    found |= _named(Structure.NUCLEI, nuclei, len(field.size_um))
    found["nucleoids.count"] = float(len(field.true_nucleoids))
    if len(field.true_nucleoids) > 1:
        distances = cKDTree(field.true_nucleoids).query(field.true_nucleoids, k=2)[0][:, 1]
        found["nucleoids.nearest_neighbour"] = float(distances.mean())
    found["nucleoids.inside_mitochondria"] = 1.0
    return found


def measures_of(channels: dict[str, Array], size_um: tuple[float, ...]) -> dict[str, float]:
    """What is measured on a pair of channels, recorded or predicted, with the default settings."""
    dna = channels["dna"]
    nuclei = segment_nuclei(dna, size_um)
    mitochondria = segment_mitochondria(channels["mitochondria"], size_um)
    puncta = segment_puncta(dna, size_um, outside=nuclei)
    dimensions = len(size_um)
    found = _named(Structure.NUCLEI, measure_nuclei(nuclei, size_um), dimensions)
    table = measure_mitochondria(mitochondria, size_um, nuclei=nuclei)
    found |= _named(Structure.MITOCHONDRIA, table, dimensions)
    table = measure_puncta(puncta, size_um, mitochondria=mitochondria)
    return found | _named(Structure.NUCLEOIDS, table, dimensions)


def overlap(field: Field, channels: dict[str, Array]) -> float:
    """Dice coefficient of segmented and true mitochondria."""
    found = segment_mitochondria(channels["mitochondria"], field.size_um) > 0
    truth = field.true_mitochondria > 0
    return float(2 * np.sum(found & truth) / max(1, found.sum() + truth.sum()))


def _labels(scene: _Scene, mitochondria: object) -> npt.NDArray[np.int32]:
    """Each voxel within a mitochondrion with its number, from 1; what touches stays apart."""
    grid = scene._grid
    radius = _MATRIX * mitochondria.radius
    mask = (stamp(grid, mitochondria.points, radius, 1.0) > 0.5)[scene._crop]
    labels = np.zeros(mask.shape, np.int32)
    if mask.any():
        corner = np.array(grid.origin_um)
        first = [part.start for part in scene._crop]
        places = (np.argwhere(mask) + first) * np.array(grid.voxel_size_um) + corner
        nearest = cKDTree(mitochondria.points).query(places)[1]
        labels[mask] = mitochondria.owner[nearest] + 1
    return label(labels, connectivity=labels.ndim).astype(np.int32)


def _drawn_length(mitochondria: object, corner: Array, extent: Array) -> float:
    """Length of the lines within a box. Where one branch follows another in the list there is no line between."""
    places = mitochondria.points - corner
    inside = np.all((places >= 0) & (places < extent), axis=1)
    steps = np.linalg.norm(np.diff(places, axis=0), axis=1)
    along = (np.diff(mitochondria.owner) == 0) & (steps < _LARGEST_STEP_UM) & inside[1:] & inside[:-1]
    return float(steps[along].sum())


def _named(structure: Structure, objects: object, dimensions: int) -> dict[str, float]:
    return {f"{structure}.{name}": value for name, value in summarise(structure, objects, dimensions).items()}
