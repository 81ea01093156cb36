"""The conditions that the traffic light is measured under are sound, and the criteria count what they say."""

from __future__ import annotations

import json
import math
from importlib import import_module
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"

pytestmark = pytest.mark.skipif(not BENCHMARKS.is_dir(), reason="no package holds the benchmarks, only the repository")


@pytest.fixture(scope="module", autouse=True)
def _importable():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        yield


@pytest.fixture(scope="module")
def conditions(_importable):
    return import_module("trust.conditions")


@pytest.fixture(scope="module")
def criteria(_importable):
    return import_module("trust.criteria")


def test_there_are_enough_conditions_and_their_names_are_told_apart(conditions):
    names = [condition.name for condition in conditions.CONDITIONS]
    assert len(set(names)) == len(names) >= 24
    assert set(conditions.MATCHED.values()) <= set(names)
    for condition in conditions.CONDITIONS:
        assert set(condition.models) <= set(conditions.TARGETS), condition.name


def test_halves_share_no_field(conditions):
    for condition in conditions.CONDITIONS:
        one, other = (set(conditions.fields_of(condition, half)) for half in conditions.HALVES)
        assert one
        assert not one & other, condition.name


def test_no_seed_was_used_by_a_training_or_another_evaluation(conditions):
    used_below = 400_106
    for condition in filter(lambda one: one.simulated, conditions.CONDITIONS):
        for half in conditions.HALVES:
            assert min(map(int, conditions.fields_of(condition, half))) >= used_below


def test_a_pair_has_the_colour_in_the_middle_and_the_class_of_its_pcc(criteria):
    def pair(pcc, *colours, same=True):
        return criteria.Pair("c", "m", pcc, 0.6, colours or ("green",), same)

    assert pair(0.5, "red", "green", "amber").colour == "amber"
    assert pair(0.5, "green", "red").colour == "red"
    assert [pair(pcc).outcome for pcc in (0.9, 0.51, 0.49, 0.31, 0.29, -0.5)] == [
        "near", "near", "between", "between", "below half", "below half"
    ]  # fmt: skip
    assert pair(0.6, same=False).outcome == "below half"
    assert not pair(math.nan).outcome


def test_criteria_are_shares_of_what_they_are_about(criteria):
    outcomes = {"near": 0.6, "between": 0.4, "below half": 0.1}
    counts = {
        ("green", "near"): 8, ("green", "between"): 1, ("green", "below half"): 1,
        ("amber", "near"): 3, ("amber", "below half"): 2,
        ("red", "below half"): 9, ("red", "near"): 1,
    }  # fmt: skip
    pairs = []
    for (colour, outcome), number in counts.items():
        pairs += [criteria.Pair("c", "m", outcomes[outcome], 0.6, (colour,))] * number
    pairs.append(criteria.Pair("nothing predicted", "m", math.nan, 0.6, ("red",)))
    found = criteria.judge(pairs)
    assert found.red_catches == pytest.approx(9 / 12)
    assert found.green_is_good == pytest.approx(8 / 10)
    assert found.met == (False, False)
    assert {cell: number for cell, number in found.table.items() if number} == counts


def test_no_green_at_all_does_not_meet_a_criterion(criteria):
    found = criteria.judge([criteria.Pair("c", "m", 0.1, 0.6, ("red",))])
    assert found.green_is_good is None
    assert found.met == (True, False)


@pytest.mark.parametrize("half", ["development", "test"])
def test_published_verdicts_are_those_of_the_published_pairs(conditions, criteria, half):
    found = json.loads((BENCHMARKS / "trust" / "results" / f"{half}.json").read_text(encoding="utf-8"))
    asked = [(condition.name, model) for condition in conditions.CONDITIONS for model in condition.models]
    assert [(row["condition"], row["model"]) for row in found["pairs"]] == asked
    pairs = [
        criteria.Pair(
            row["condition"],
            row["model"],
            math.nan if row["pcc"] is None else row["pcc"],
            row["matched"],
            tuple(row["colours"]),
            row["same_structure"],
        )
        for row in found["pairs"]
    ]
    assert [pair.colour for pair in pairs] == [row["colour"] for row in found["pairs"]]
    verdict = criteria.judge(pairs)
    published = found["verdicts"]["all"]
    assert published["red_catches"] == pytest.approx(verdict.red_catches, abs=1e-3)
    assert published["green_is_good"] == pytest.approx(verdict.green_is_good, abs=1e-3)
    assert published["table"] == {", ".join(cell): number for cell, number in verdict.table.items()}
