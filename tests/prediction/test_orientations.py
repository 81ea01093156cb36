"""The eight flips and quarter turns of a plane, against numpy's own."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_mito_predict.prediction.orientations import ORIENTATIONS, UPRIGHT
from napari_mito_predict.prediction.tiles import Span, per_axis

orientations = st.sampled_from(ORIENTATIONS)
shapes = st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9))


@st.composite
def boxes(draw):
    shape = draw(shapes)
    spans = []
    for size in shape:
        start = draw(st.integers(0, size))
        spans.append(Span(start, draw(st.integers(start, size))))
    return shape, per_axis(spans)


def numbered(shape):
    return np.arange(np.prod(shape)).reshape(shape)


def test_they_are_the_flips_and_quarter_turns():
    plane = numbered((1, 2, 3))
    turned = [np.rot90(plane, turns, axes=(1, 2)) for turns in range(4)]
    expected = {(image.shape, image.tobytes()) for image in (*turned, *(image[..., ::-1] for image in turned))}
    found = {(image.shape, image.tobytes()) for image in (o.array(plane) for o in ORIENTATIONS)}
    assert found == expected
    assert len(found) == 8
    assert ORIENTATIONS[-1] == UPRIGHT
    np.testing.assert_array_equal(UPRIGHT.array(plane), plane)


@given(shapes, orientations)
def test_the_inverse_undoes_it(shape, orientation):
    volume = numbered(shape)
    oriented = orientation.array(volume)
    assert oriented.shape == orientation.shape(shape)
    assert orientation.inverse in ORIENTATIONS
    np.testing.assert_array_equal(orientation.inverse.array(oriented), volume)
    np.testing.assert_array_equal(orientation.array(orientation.inverse.array(volume)), volume)


@given(shapes, orientations)
def test_quarter_turns_swap_y_and_x_and_nothing_moves_along_the_third_axis(shape, orientation):
    depth, y, x = shape
    assert orientation.shape(shape) == ((depth, x, y) if orientation.transposed else shape)
    for plane, oriented in zip(numbered(shape), orientation.array(numbered(shape)), strict=True):
        assert set(plane.ravel()) == set(oriented.ravel())


@given(boxes(), orientations)
def test_boxes_go_where_their_voxels_go(drawn, orientation):
    shape, box = drawn
    volume = numbered(shape)
    there = orientation.box(box, shape)
    part = tuple(span.slice for span in box)
    found = orientation.array(volume)[tuple(span.slice for span in there)]
    np.testing.assert_array_equal(found, orientation.array(volume[part]))
    assert orientation.inverse.box(there, orientation.shape(shape)) == box


def test_one_after_the_other_is_one_of_them():
    plane = numbered((1, 2, 3))
    known = {o.array(plane).tobytes() for o in ORIENTATIONS}
    for one, other in itertools.product(ORIENTATIONS, repeat=2):
        assert one.array(other.array(plane)).tobytes() in known
