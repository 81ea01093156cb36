"""Measures beside those of Nellie 1.0.4 (Lefebvre et al. 2025) on the same labels: its numbers are stored here.

They were taken with `benchmarks/measures/beside_nellie/run_nellie.py` from the labels that `_scene` draws.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import pytest
from scipy.ndimage import convolve, distance_transform_edt

from napari_mito_predict.measurement import Voxels, measure_mitochondria, skeletonise

SHAPES = {2: (64, 96), 3: (16, 64, 96)}
SPACINGS = {2: (0.1, 0.1), 3: (0.2, 0.1, 0.1)}


@dataclass(frozen=True)
class Nellie:
    """Nellie's numbers of the objects of a scene: a rod, a Y, a ring, a ball."""

    size: tuple[float, ...]
    length: tuple[float, ...]
    skeleton_voxels: tuple[int, ...]
    branches: tuple[int, ...] = (1, 3, 1, 1)
    branch_points: tuple[int, ...] = (0, 1, 0, 0)
    end_points: tuple[int, ...] = (2, 3, 0, 0)


STORED = {
    2: Nellie(
        size=(2.26, 3.05, 4.68, 0.77),
        length=(4.772791862, 6.994112730, 9.891169549, 1.012310624),
        skeleton_voxels=(41, 53, 84, 2),
        end_points=(2, 3, 0, 2),
    ),
    3: Nellie(
        size=(0.88, 1.326, 2.056, 0.54),
        length=(5.267219543, 7.087589502, 9.891169549, 1.0),
        skeleton_voxels=(41, 52, 84, 1),
    ),
}
ROD, Y, RING, BALL = range(4)


def _scene(draw, dimensions: int) -> np.ndarray:
    """A rod, a Y, a ring and a ball, numbered from 1; positions in um."""
    angles = np.linspace(0, 2 * math.pi, 40)
    ring = [(4 + 1.5 * math.sin(angle), 6.5 + 1.5 * math.cos(angle)) for angle in angles]
    middle = (3.8, 2.5)
    ends = [(5.6, 2.7), (2.9, 0.8), (2.7, 4.1)]
    objects = [
        [((0.8, 1.0), (1.3, 5.0))],
        [(middle, end) for end in ends],
        list(itertools.pairwise(ring)),
        [((1.0, 7.5), (1.0, 7.5))],
    ]
    labels = np.zeros(SHAPES[dimensions], np.int32)
    for number, segments in enumerate(objects, start=1):
        if dimensions == 3:
            segments = [((1.2, *begin), (2.0 if number == 1 else 1.2, *end)) for begin, end in segments]
        drawn = draw(SHAPES[dimensions], SPACINGS[dimensions], segments, 0.25 if number < 4 else 0.5)
        labels[drawn > 0] = number
    return labels


@pytest.fixture(scope="module", params=[2, 3])
def compared(request, draw):
    labels = _scene(draw, request.param)
    spacing = SPACINGS[request.param]
    lines = skeletonise(labels, Voxels.of(spacing, labels.ndim)).labels
    return labels, lines, measure_mitochondria(labels, spacing), STORED[request.param]


def test_sizes_skeletons_and_their_nodes_are_equal(compared) -> None:
    labels, lines, table, nellie = compared
    content = table["area" if labels.ndim == 2 else "volume"]
    np.testing.assert_allclose(content, nellie.size, rtol=1e-9)
    assert tuple(np.bincount(lines[lines > 0])[1:]) == nellie.skeleton_voxels
    assert tuple(table["branch_points"]) == nellie.branch_points
    assert tuple(table["end_points"]) == nellie.end_points


def test_branches_are_equal_where_there_is_a_line(compared) -> None:
    _, _, table, nellie = compared
    # A skeleton of one voxel is a branch of Nellie's, and none of ours.
    own = np.maximum(table["branches"], 1)
    assert tuple(own) == nellie.branches


@pytest.mark.parametrize("number", [ROD, RING, BALL])
def test_nellie_adds_the_radius_at_each_end_of_a_line(compared, number) -> None:
    labels, lines, table, nellie = compared
    spacing = SPACINGS[labels.ndim]
    line = lines == number + 1
    depth = distance_transform_edt(labels > 0, sampling=spacing)
    if nellie.skeleton_voxels[number] == 1:
        radii = 2 * depth[line].sum()
    else:
        radii = depth[line & (_neighbours(line) == 1)].sum()
    assert table["length"].iloc[number] + radii == pytest.approx(nellie.length[number], rel=1e-6)


def _neighbours(line: np.ndarray) -> np.ndarray:
    around = np.ones((3,) * line.ndim, int)
    return convolve(line.astype(int), around, mode="constant") - line
