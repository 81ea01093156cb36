"""What is not painted shows as nothing, and what is painted stays."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from napari_mito_predict._widgets.predict.canvas import Canvas
from napari_mito_predict.prediction.tiles import Span
from napari_mito_predict.prediction.viewport import Viewport

VIEWPORT = Viewport(1, 2, Span(0, 4), Span(0, 5))
PLANES = {"YX": (), "ZYX": (2,), "TYX": (1,), "TZYX": (1, 2)}


@pytest.fixture(params=PLANES)
def canvas(request):
    sizes = {"T": 2, "Z": 3, "Y": 4, "X": 5}
    target = SimpleNamespace(contrast_limits=(-0.5, 4.0))
    shape = tuple(sizes[axis] for axis in request.param)
    return Canvas(SimpleNamespace(shape=shape, axes=request.param, target=target), VIEWPORT), PLANES[request.param]


def test_the_plane_that_is_looked_at_shows_nothing_at_once_and_the_others_soon(canvas):
    canvas, plane = canvas
    assert (canvas.array[plane] == -0.5).all()
    assert (canvas.array == -0.5).sum() == 20
    canvas.blank()
    assert (canvas.array == -0.5).all()


def test_what_was_painted_in_that_plane_is_not_blanked(canvas):
    canvas, plane = canvas
    canvas.array[plane] = 3
    canvas.blank()
    assert (canvas.array[plane] == 3).all()
    assert (canvas.array == 3).sum() == 20


def test_blanking_ends_when_nobody_wants_it_any_more(canvas):
    canvas, _ = canvas
    canvas.blank(lambda: True)
    assert (canvas.array == -0.5).sum() == 20


def test_only_parts_of_that_plane_are_looked_at(canvas):
    canvas, plane = canvas
    part = (slice(1, 3), slice(0, 5))
    assert canvas.is_looked_at((*(slice(i, i + 1) for i in plane), *part))
    if plane:
        assert not canvas.is_looked_at((*(slice(i, i + 1) for i in plane[:-1]), slice(0, 3), *part))
        assert not canvas.is_looked_at((*(slice(i - 1, i) for i in plane), *part))


def test_an_array_is_as_large_as_the_output(canvas):
    canvas, _ = canvas
    assert canvas.array.dtype == np.float32
    assert canvas.array.shape[-2:] == (4, 5)
