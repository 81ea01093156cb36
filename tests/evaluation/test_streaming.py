"""The streamed correlation is that of the whole, however the image was cut."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mito_predict.errors import EvaluationError
from napari_mito_predict.evaluation import StreamingPcc, pcc
from napari_mito_predict.evaluation.fine import fine_pcc, stream_pcc_and_fine
from napari_mito_predict.image import open_image


def _pair(seed: int, size: int, offset: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.gamma(2, 300, size)
    return 0.4 * truth + rng.normal(0, 150, size) + offset, truth + offset


@given(
    seed=st.integers(0, 1000),
    size=st.integers(2, 400),
    cuts=st.lists(st.integers(0, 400), max_size=8),
    offset=st.sampled_from([0.0, -50.0, 1e6]),
    order=st.randoms(use_true_random=False),
)
def test_equals_numpy_on_any_partition_in_any_order(seed, size, cuts, offset, order) -> None:
    a, b = _pair(seed, size, offset)
    borders = sorted({0, size, *(cut % size for cut in cuts)})
    blocks = [slice(start, stop) for start, stop in itertools.pairwise(borders)]
    order.shuffle(blocks)
    halves = (StreamingPcc(), StreamingPcc())
    for i, block in enumerate(blocks):
        halves[i % 2].add(a[block], b[block])
    halves[0].merge(halves[1])
    assert halves[0].value == pytest.approx(np.corrcoef(a, b)[0, 1], abs=1e-6)
    assert halves[0].voxels == size


def test_nan_and_empty_blocks() -> None:
    a, b = _pair(0, 100, 0.0)
    a[3], b[50] = np.nan, np.inf
    score = StreamingPcc()
    score.add(a[:0], b[:0])
    assert math.isnan(score.value)
    for start in range(0, 100, 7):
        score.add(a[start : start + 7], b[start : start + 7])
    score.add([math.nan], [1])
    assert score.value == pytest.approx(pcc(a, b), abs=1e-9)
    assert score.voxels == 98


def test_constant_images_have_no_correlation() -> None:
    score = StreamingPcc()
    for _ in range(5):
        score.add(np.full(7, 0.1), np.arange(7))
    assert math.isnan(score.value)
    one = StreamingPcc()
    one.add([1], [2])
    assert math.isnan(one.value)


def test_integers_do_not_overflow() -> None:
    a = np.array([0, 65535, 65535, 1], np.uint16)
    score = StreamingPcc()
    score.add(a[:2], a[:2][::-1])
    score.add(a[2:], a[2:])
    assert score.value == pytest.approx(np.corrcoef(a.astype(float), [65535, 0, 65535, 1])[0, 1])


def test_other_shapes_are_refused() -> None:
    with pytest.raises(EvaluationError, match=r"\(3,\).*\(4,\)"):
        StreamingPcc().add(np.zeros(3), np.zeros(4))


def test_images_are_read_plane_by_plane(predicted) -> None:
    prediction, truth = (open_image(path) for path in predicted)
    score = stream_pcc_and_fine(prediction, truth, 1)
    a, b = prediction.read(), truth.read(channel=1)
    assert score.whole.value == pytest.approx(pcc(a, b), abs=1e-6)
    assert score.value == pytest.approx(fine_pcc(a, b, truth.voxel_size_um), abs=1e-6)
    assert score.whole.voxels == prediction.read().size
