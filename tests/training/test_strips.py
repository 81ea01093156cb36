"""Strips held back for validation: apart from what is trained on, and where there is something to see."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mito_predict.training.pairs import Pair
from napari_mito_predict.training.strips import hold_back_strips


def numbered(shape: tuple[int, ...]) -> np.ndarray:
    """Each pixel of a plane knows its row and column; the same in all planes."""
    rows, columns = np.indices(shape[-2:])
    return np.broadcast_to((rows * 32 + columns).astype(np.float16), shape)


def pair_of(truth: np.ndarray) -> Pair:
    return Pair("f", numbered(truth.shape[1:]), truth.astype(np.float16))


@pytest.mark.parametrize(
    ("structure", "validated", "trained"),
    [
        (np.s_[..., 4:16, 4:], np.s_[..., 16:], np.s_[..., :13]),
        (np.s_[..., 4:16, :16], np.s_[..., :4], np.s_[..., 7:]),
        (np.s_[..., 4:, 4:16], np.s_[..., 16:, :], np.s_[..., :13, :]),
        (np.s_[..., :16, 4:16], np.s_[..., :4, :], np.s_[..., 7:, :]),
    ],
    ids=["right", "left", "bottom", "top"],
)
@pytest.mark.parametrize("shape", [(1, 20, 20), (1, 6, 20, 20)])
def test_the_strip_is_on_the_side_that_shows_something(shape, structure, validated, trained):
    """Three sides of the field are empty."""
    truth = np.zeros(shape)
    truth[structure] = np.random.default_rng(0).normal(0, 1, truth[structure].shape)
    pair = pair_of(truth)
    parts = hold_back_strips([pair], gap=3)
    np.testing.assert_array_equal(parts.validation[0].input, pair.input[validated])
    np.testing.assert_array_equal(parts.validation[0].truth, pair.truth[validated])
    np.testing.assert_array_equal(parts.training[0].input, pair.input[trained])
    np.testing.assert_array_equal(parts.training[0].truth, pair.truth[trained])
    assert not parts.findings


def test_no_side_shows_anything():
    truth = np.zeros((1, 30, 30))
    truth[:, 14:16, 14:16] = 100
    parts = hold_back_strips([pair_of(truth)], gap=3)
    assert [finding.code for finding in parts.findings] == ["empty-strips"]


def test_one_target_without_structure_decides():
    """Mitochondria on the right, a nucleus on the left: neither strip is good, above and below are."""
    truth = np.zeros((2, 40, 40))
    rng = np.random.default_rng(0)
    truth[0, :, 20:] = rng.normal(0, 1, (40, 20))
    truth[1, :, :20] = rng.normal(0, 1, (40, 20))
    parts = hold_back_strips([pair_of(truth)], gap=3)
    assert parts.validation[0].input.shape == (8, 40)
    assert not parts.findings


@given(st.integers(2, 24), st.integers(2, 24), st.integers(0, 30), st.integers(0, 3))
def test_training_and_validation_never_share_a_pixel(height, width, gap, seed):
    truth = np.random.default_rng(seed).normal(0, 1, (1, height, width))
    parts = hold_back_strips([pair_of(truth)], gap)
    trained_on = parts.training[0].input
    validated_on = parts.validation[0].input
    assert trained_on.size
    assert validated_on.size
    assert not np.intersect1d(trained_on, validated_on).size
