"""Measures of single objects against closed forms, and against scikit-image and skan on the same labels."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import marching_cubes, mesh_surface_area, regionprops
from skimage.morphology import skeletonize

from napari_mito_predict.errors import MeasurementError
from napari_mito_predict.measurement import Voxels, measure_mitochondria, measure_nuclei, measure_puncta, skeletonise

SPACINGS = [(0.1, 0.1, 0.1), (0.25, 0.1, 0.1)]


@pytest.mark.parametrize("spacing", SPACINGS)
def test_a_ball(draw, spacing) -> None:
    radius = 1.2
    shape = tuple(round(3 / step) for step in spacing)
    ball = draw(shape, spacing, [((1.5, 1.5, 1.5), (1.5, 1.5, 1.5))], radius)
    row = measure_nuclei(ball, spacing).loc[1]
    assert row["volume"] == pytest.approx(4 / 3 * math.pi * radius**3, rel=0.02)
    # The surface of a mesh through voxels has steps: up to a tenth more than the smooth one.
    assert 1 < row["surface"] / (4 * math.pi * radius**2) < 1.13
    assert row["sphericity"] == pytest.approx(1, abs=0.12)
    assert row["aspect_ratio"] == pytest.approx(1, abs=0.03)
    assert (row["z"], row["y"], row["x"]) == pytest.approx([1.5 / step for step in spacing], abs=0.5)
    assert row["touches_border"] == 0


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("axis", [0, 2])
def test_a_cylinder_is_as_long_along_z_as_along_x(draw, spacing, axis) -> None:
    radius = 0.3
    length = 5.0
    ends = np.full((2, 3), 1.0)
    ends[1, axis] += length
    shape = [round((2 + length * (number == axis)) / step) for number, step in enumerate(spacing)]
    cylinder = draw(shape, spacing, [(ends[0], ends[1])], radius)
    row = measure_mitochondria(cylinder, spacing).loc[1]
    volume = math.pi * radius**2 * length + 4 / 3 * math.pi * radius**3
    assert row["volume"] == pytest.approx(volume, rel=0.08)
    # A middle line ends about a radius before the round ends, which lie a radius beyond the segment.
    assert row["length"] == pytest.approx(length, abs=2 * radius + 2 * spacing[axis])
    assert (row["branches"], row["branch_points"], row["end_points"]) == (1, 0, 2)
    assert row["aspect_ratio"] > 6


def test_a_ring_has_one_branch_and_no_end(draw) -> None:
    spacing = (0.1, 0.1)
    angles = np.linspace(0, 2 * math.pi, 40)
    corners = [(3 + 2 * math.sin(angle), 3 + 2 * math.cos(angle)) for angle in angles]
    ring = draw((60, 60), spacing, list(itertools.pairwise(corners)), 0.25)
    row = measure_mitochondria(ring, spacing).loc[1]
    assert row["area"] == pytest.approx(2 * math.pi * 2 * 0.5, rel=0.03)
    # Steps along a digital circle are up to 8 % longer than the circle.
    assert row["length"] == pytest.approx(2 * math.pi * 2, rel=0.08)
    assert (row["branches"], row["branch_points"], row["end_points"]) == (1, 0, 0)
    assert row["aspect_ratio"] == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("flat", [True, False])
def test_a_y_has_three_branches_and_one_junction(draw, flat) -> None:
    spacing = (0.1, 0.1) if flat else (0.2, 0.1, 0.1)
    middle = np.array([1.0, 3.0, 3.0])[-len(spacing) :]
    arms = [(math.sin(angle) * 2, math.cos(angle) * 2) for angle in (math.pi / 2, math.pi * 7 / 6, math.pi * 11 / 6)]
    ends = [middle + np.array([0.0, *arm])[-len(spacing) :] for arm in arms]
    shape = [round(size / step) for size, step in zip((2, 6, 6)[-len(spacing) :], spacing, strict=True)]
    row = measure_mitochondria(draw(shape, spacing, [(middle, end) for end in ends], 0.2), spacing).loc[1]
    assert (row["branches"], row["branch_points"], row["end_points"]) == (3, 1, 3)
    assert row["length"] == pytest.approx(6, rel=0.12)
    assert row["mean_branch_length"] == pytest.approx(row["length"] / 3)


def test_a_disk_has_a_form_factor_of_one(draw) -> None:
    disk = draw((80, 80), (0.1, 0.1), [((4, 4), (4, 4))], 3)
    row = measure_mitochondria(disk, (0.1, 0.1)).loc[1]
    assert row["form_factor"] == pytest.approx(1, abs=0.05)
    assert row["perimeter"] == pytest.approx(2 * math.pi * 3, rel=0.02)


def _random_labels(shape: tuple[int, ...]) -> np.ndarray:
    from scipy.ndimage import gaussian_filter, label

    noise = gaussian_filter(np.random.default_rng(5).normal(size=shape), 2)
    return label(noise > noise.std(), np.ones((3,) * len(shape)))[0].astype(np.int32)


@pytest.mark.parametrize(("shape", "spacing"), [((70, 90), (0.2, 0.2)), ((14, 40, 50), (0.3, 0.1, 0.1))])
def test_values_are_those_of_scikit_image_and_skan(shape, spacing) -> None:
    from skan import Skeleton

    labels = _random_labels(shape)
    table = measure_mitochondria(labels, spacing)
    regions = regionprops(labels, spacing=spacing)
    content = "area" if len(shape) == 2 else "volume"
    assert table.index.tolist() == [region.label for region in regions]
    np.testing.assert_allclose(table[content], [region.area for region in regions], rtol=1e-9)
    if len(shape) == 2:
        np.testing.assert_allclose(table["perimeter"], [region.perimeter_crofton for region in regions], rtol=1e-9)
    for region in regions[:5]:
        if len(shape) == 3:
            mesh = marching_cubes(np.pad(labels == region.label, 1).astype(np.float32), 0.5, spacing=spacing)
            assert table.loc[region.label, "surface"] == pytest.approx(mesh_surface_area(*mesh[:2]), rel=1e-6)
        line = skeletonize(labels == region.label) > 0
        if line.sum() > 1:
            skeleton = Skeleton(line, spacing=spacing)
            assert table.loc[region.label, "length"] == pytest.approx(skeleton.path_lengths().sum(), rel=1e-9)
            assert table.loc[region.label, "branches"] == skeleton.n_paths


@given(factor=st.floats(0.05, 20), dimensions=st.sampled_from([2, 3]))
@settings(max_examples=10, deadline=None)
def test_sizes_scale_with_the_voxel(factor, dimensions) -> None:
    labels = _random_labels((6, 30, 30)[-dimensions:])
    size = (0.3, 0.1, 0.1)[-dimensions:]
    once = measure_mitochondria(labels, size)
    scaled = measure_mitochondria(labels, [step * factor for step in size])
    powers = {"area": 2, "volume": 3, "perimeter": 1, "surface": 2, "length": 1, "mean_branch_length": 1}
    for name in once:
        expected = once[name] * factor ** powers.get(name, 0)
        np.testing.assert_allclose(scaled[name], expected, rtol=1e-4, err_msg=name)


@given(axes=st.sets(st.integers(0, 1)), shift=st.tuples(st.integers(0, 9), st.integers(0, 9)))
@settings(max_examples=10, deadline=None)
def test_what_is_shifted_and_flipped_keeps_its_size(axes, shift) -> None:
    labels = _random_labels((30, 30))
    other = np.pad(np.flip(labels, tuple(axes)), [(1 + by, 10 - by) for by in shift])
    before = measure_nuclei(labels, (0.1, 0.1))
    after = measure_nuclei(other, (0.1, 0.1))
    for name in ("area", "perimeter", "form_factor", "aspect_ratio"):
        np.testing.assert_allclose(after[name], before[name], rtol=1e-6, err_msg=name)


def test_numbers_of_labels_do_not_matter() -> None:
    labels = _random_labels((40, 40))
    others = np.where(labels > 0, 1000 - 3 * labels, 0).astype(np.int32)
    once = measure_mitochondria(labels, (0.1, 0.1))
    again = measure_mitochondria(others, (0.1, 0.1)).iloc[::-1]
    np.testing.assert_allclose(again.to_numpy(float), once.to_numpy(float))


def test_objects_that_touch_keep_skeletons_of_their_own() -> None:
    labels = np.zeros((12, 40), np.int32)
    labels[3:8, 2:20] = 1
    labels[3:8, 20:38] = 2
    table = measure_mitochondria(labels, None)
    assert table["branches"].tolist() == [1, 1]
    assert (table["length"] < 18).all()


def test_without_a_size_everything_is_in_pixels() -> None:
    labels = np.zeros((20, 20), np.int32)
    labels[5:10, 5:15] = 1
    for size in (None, (None, None, None), (0.3, None, None)):
        assert measure_mitochondria(labels, size).loc[1, "area"] == 50
    assert Voxels.of((0.3, 0.1, 0.1), 2) == Voxels((0.1, 0.1), "um")
    assert Voxels.of((None, 0.1, 0.1), 3).unit == "px"


def test_pixels_that_are_not_square_have_no_perimeter() -> None:
    labels = np.zeros((20, 20), np.int32)
    labels[5:10, 5:15] = 1
    row = measure_mitochondria(labels, (0.2, 0.1)).loc[1]
    assert math.isnan(row["perimeter"])
    assert math.isnan(row["form_factor"])
    assert row["area"] == pytest.approx(1)


def test_distances_to_the_nucleus_and_what_is_inside() -> None:
    nuclei = np.zeros((20, 40), np.int32)
    nuclei[5:15, :5] = 1
    mitochondria = np.zeros_like(nuclei)
    mitochondria[10, 10:13] = 1
    table = measure_mitochondria(mitochondria, (0.5, 0.5), nuclei=nuclei)
    assert table.loc[1, "distance_to_nucleus"] == pytest.approx(0.5 * 7)
    puncta = np.zeros_like(nuclei)
    puncta[10, 11] = 1
    puncta[3, 11] = 2
    found = measure_puncta(puncta, (0.5, 0.5), mitochondria=mitochondria)
    assert found["inside_mitochondria"].tolist() == [1, 0]
    assert found["nearest_neighbour"].tolist() == [3.5, 3.5]
    without = measure_mitochondria(mitochondria, (0.5, 0.5), nuclei=np.zeros_like(nuclei))
    assert math.isnan(without.loc[1, "distance_to_nucleus"])


def test_nothing_is_measured_of_nothing() -> None:
    nothing = np.zeros((10, 10), np.int32)
    assert measure_mitochondria(nothing, None).empty
    assert measure_puncta(nothing, None).empty
    assert skeletonise(nothing, Voxels.of(None, 2)).branches.empty
    single = nothing.copy()
    single[4, 4] = 7
    row = measure_mitochondria(single, None).loc[7]
    assert (row["length"], row["branches"]) == (0, 0)
    assert math.isnan(measure_puncta(single, None).loc[7, "nearest_neighbour"])


@pytest.mark.parametrize(
    ("labels", "pixels"),
    [(np.zeros((4, 4), float), None), (np.zeros(4, int), None), (np.zeros((4, 4), int), np.zeros((4, 5)))],
)
def test_what_does_not_fit_is_refused(labels, pixels) -> None:
    with pytest.raises(MeasurementError):
        measure_nuclei(labels, None, pixels=pixels)
