"""The winner of several models, and by how much."""

from __future__ import annotations

import math

import pytest

from napari_mito_predict.evaluation.compare import compare, mean_of


def test_the_higher_mean_wins_with_differences_over_shared_fields() -> None:
    values = {
        "a": {"1": 0.8, "2": 0.7, "3": 0.6, "only a": 0.0},
        "b": {"1": 0.7, "2": 0.75, "3": 0.3},
    }
    found = compare("dna", "pcc", values)
    assert found.winner == "a"
    assert found.fields == ("1", "2", "3")
    assert found.means == pytest.approx({"a": 0.7, "b": 1.75 / 3})
    (difference,) = found.differences
    assert difference.model == "b"
    assert difference.mean == pytest.approx((0.1 - 0.05 + 0.3) / 3)
    # Standard deviation with n - 1 of (0.1, -0.05, 0.3) is 0.17559; over the root of 3.
    assert difference.standard_error == pytest.approx(0.101379, abs=1e-5)
    assert difference.better_in == 2


def test_lower_is_better_for_errors() -> None:
    found = compare("dna", "nrmse", {"a": {"1": 0.8}, "b": {"1": 0.5}, "c": {"1": 0.6}})
    assert found.winner == "b"
    assert [(d.model, d.better_in) for d in found.differences] == [("a", 1), ("c", 1)]
    assert all(math.isnan(d.standard_error) for d in found.differences)


def test_no_winner_where_there_is_none() -> None:
    assert compare("dna", "pcc", {"a": {"1": 0.5}, "b": {"1": 0.5}}).winner == ""
    assert compare("dna", "pcc", {"a": {"1": 0.5}}) is None
    assert compare("dna", "pcc", {"a": {"1": 0.5}, "b": {"2": 0.5}}) is None
    assert compare("dna", "pcc", {"a": {"1": math.nan}, "b": {"1": 0.5}}) is None


def test_means_leave_out_what_is_no_number() -> None:
    assert mean_of([1.0, math.nan, 3.0]) == 2
    assert math.isnan(mean_of([math.nan]))
