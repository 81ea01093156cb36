"""The rule of when a measure may be taken from predictions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mito_predict.errors import MeasurementError
from napari_mito_predict.measurement import agreement, concordance

TRUTH = [10.0, 12, 9, 15, 20, 11, 14, 8]


def test_what_agrees_on_eight_fields_is_supported_and_on_seven_only_with_care() -> None:
    found = agreement(TRUTH, [value * 1.05 for value in TRUTH])
    assert found.verdict == "supported"
    assert found.bias == pytest.approx(0.05)
    assert agreement(TRUTH[:7], TRUTH[:7]).verdict == "with care"


@pytest.mark.parametrize(
    "predicted",
    [
        pytest.param([value * 1.11 for value in TRUTH], id="biased"),
        pytest.param(TRUTH[::-1], id="scattered"),
        pytest.param([12.4] * 8, id="always the mean"),
        pytest.param([math.nan] * 8, id="nothing found"),
    ],
)
def test_what_does_not_agree_is_not_supported(predicted) -> None:
    assert agreement(TRUTH, predicted).verdict == "not supported"


@pytest.mark.parametrize(
    ("truth", "predicted", "why"),
    [
        (TRUTH, TRUTH, ""),
        (TRUTH[:7], TRUTH[:7], "7 fields; 8 are needed"),
        (TRUTH, [value * 1.2 for value in TRUTH], "bias +20% is more than 10%"),
        (TRUTH, TRUTH[::-1], "is below 0.8"),
        (TRUTH, [12.4] * 8, "concordance 0.00"),
        ([1.0] * 8, [1.0] * 8, "the same in all fields"),
        ([0.0] * 8, [1.0] * 8, "0 in the recordings"),
        ([1.0, 2], [1.0, 2], "2 fields with a value in both"),
    ],
)
def test_it_says_what_keeps_a_measure_from_being_supported(truth, predicted, why) -> None:
    found = agreement(truth, predicted)
    assert why in found.why
    assert (found.verdict == "supported") == (not found.why)


def test_the_numbers_are_those_of_bland_altman_and_lin() -> None:
    truth = [1.0, 2, 3, 4]
    predicted = [1.5, 1.5, 3.5, 4.5]
    found = agreement(truth, predicted)
    differences = np.array([0.5, -0.5, 0.5, 0.5]) / 2.5
    assert found.bias == pytest.approx(differences.mean())
    spread = 1.96 * differences.std(ddof=1)
    assert found.limits == pytest.approx((differences.mean() - spread, differences.mean() + spread))
    # By hand: covariance 1.375, variances 1.25 and 1.6875, means 2.5 and 2.75.
    assert found.concordance == pytest.approx(2 * 1.375 / (1.25 + 1.6875 + 0.0625))


def test_too_few_fields_and_a_truth_of_zero_have_no_numbers() -> None:
    assert agreement([], []).bias is None
    assert agreement([0, 0, 0], [1, 1, 1]).bias is None
    two = agreement([1, 2], [1, 2])
    assert (two.bias, two.concordance, two.verdict) == (0, None, "not supported")
    assert agreement([1, math.nan, 3, 4], [1, 2, 3, math.nan]).fields == 2
    assert agreement([5, 5, 5], [5, 5, 5]).concordance is None
    with pytest.raises(MeasurementError):
        agreement([1], [1, 2])


values = st.lists(st.floats(1, 100), min_size=3, max_size=12, unique=True)


@given(values, st.floats(0.1, 10))
def test_concordance_is_one_on_the_line_and_keeps_when_all_is_scaled(truth, factor) -> None:
    assert concordance(truth, truth) == pytest.approx(1)
    other = truth[1:] + truth[:1]
    scaled = concordance([value * factor for value in truth], [value * factor for value in other])
    assert scaled == pytest.approx(concordance(truth, other), abs=1e-6)
    assert -1 <= scaled <= 1 + 1e-12
