from __future__ import annotations

import numpy as np
import pytest

from napari_mito_predict.simulation.shapes import Grid, SmoothMap, grow_paths, stamp, texture

GRID = Grid((20, 30, 40), (0.15, 0.11, 0.11), (-0.3, 0.0, 0.0))


def test_stamped_ball_has_its_radius_place_and_value() -> None:
    centre = np.array([[1.0, 1.5, 2.0]])
    volume = stamp(GRID, centre, 0.5, 3.0)
    z, y, x = GRID.axes()
    distance = np.sqrt((z - 1.0) ** 2 + (y - 1.5) ** 2 + (x - 2.0) ** 2)
    assert volume[distance < 0.35].min() > 2.9
    assert volume[distance > 0.8].max() < 0.01
    assert (volume > 1.5).sum() * np.prod(GRID.voxel_size_um) == pytest.approx(4 / 3 * np.pi * 0.5**3, rel=0.1)


def test_overlapping_balls_do_not_add_up() -> None:
    twice = stamp(GRID, np.array([[1.0, 1.5, 2.0]] * 2), [0.5, 0.3], [3.0, 2.0])
    assert twice.max() == pytest.approx(3, rel=1e-3)


def test_balls_outside_the_grid_are_cut_off() -> None:
    assert stamp(GRID, np.array([[50.0, 50.0, 50.0]]), 0.5, 1.0).max() == 0
    assert stamp(GRID, np.empty((0, 3)), 0.5, 1.0).max() == 0


def test_paths_stay_where_they_are_allowed() -> None:
    rng = np.random.default_rng(0)
    starts = np.full((20, 3), 1.0)
    lengths = np.linspace(1, 5, 20)
    paths = grow_paths(
        rng, starts, np.zeros(20), lengths, np.full(20, 0.5), lambda p: np.all((p > 0) & (p < 2), axis=1)
    )
    assert all(np.all((path > 0) & (path < 2)) for path in paths)
    assert all(len(path) <= length / 0.1 for path, length in zip(paths, lengths, strict=True))
    assert len(paths[-1]) > 20


def test_textures_and_maps_have_unit_variance() -> None:
    rng = np.random.default_rng(0)
    assert texture(rng, GRID, (0.2, 0.15, 0.15)).std() == pytest.approx(1, abs=1e-3)
    y, x = np.meshgrid(np.arange(0, 100, 0.5), np.arange(0, 100, 0.5), indexing="ij")
    assert SmoothMap.draw(rng, 2.0)(y, x).std() == pytest.approx(1, abs=0.1)
