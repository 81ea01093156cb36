"""What a card says of a model beside what needs no network."""

from __future__ import annotations

import json

import pytest

from napari_mito_predict.errors import InvalidModelError
from napari_mito_predict.models import Agreement, MeasureVerdict, ModelCard, ModelTest, ValueRange


def _test(model: Agreement, **baselines: Agreement) -> ModelTest:
    named = {name.replace("_", " "): agreement for name, agreement in baselines.items()}
    return ModelTest(target="mitochondria", on="test fields", model=model, baselines=named)


@pytest.mark.parametrize(
    ("pcc", "fine_pcc", "unbeaten"),
    [
        (0.6, 0.4, {}),
        (0.45, 0.4, {"pcc": "local contrast"}),
        (0.5, 0.4, {"pcc": "local contrast"}),
        (0.6, 0.05, {"fine_pcc": "blurred input"}),
        (None, None, {"pcc": "local contrast", "fine_pcc": "blurred input"}),
    ],
)
def test_the_best_baseline_of_each_measure_has_to_be_beaten(tiny_card: ModelCard, pcc, fine_pcc, unbeaten) -> None:
    test = _test(
        Agreement(pcc=pcc, fine_pcc=fine_pcc),
        blurred_input=Agreement(pcc=0.3, fine_pcc=0.1),
        local_contrast=Agreement(pcc=0.5, fine_pcc=-0.02),
    )
    card = tiny_card.model_copy(update={"tests": (test,)})
    assert {one.measure: one.baseline for one in card.unbeaten} == unbeaten
    text = card.to_markdown()
    assert ("No better than without a network" in text) == bool(unbeaten)
    assert ("Better on the test fields than what needs no network (blurred input, local contrast)" in text) == (
        not unbeaten
    )
    if "pcc" in unbeaten and pcc is not None:
        assert f"mitochondria, PCC {pcc:.2f} against 0.50 of the local contrast" in text


def test_a_measure_that_no_baseline_has_is_not_asked_for(tiny_card: ModelCard) -> None:
    test = _test(Agreement(pcc=0.2), blurred_input=Agreement(pcc=0.1), local_contrast=Agreement())
    card = tiny_card.model_copy(update={"tests": (test,)})
    assert not card.unbeaten
    assert "than what needs no network (blurred input), in PCC." in card.to_markdown()


def test_a_card_claims_nothing_that_was_not_measured(tiny_card: ModelCard) -> None:
    card = tiny_card.model_copy(update={"tests": (_test(Agreement(pcc=0.2), local_contrast=Agreement()),)})
    assert "what needs no network" not in card.to_markdown()


def test_cards_keep_it_on_disk_and_older_ones_have_none(tiny_card: ModelCard) -> None:
    test = _test(Agreement(), local_contrast=Agreement(pcc=0.25, fine_pcc=0.125))
    card = tiny_card.model_copy(update={"tests": (test,)})
    assert ModelCard.from_json(card.to_json(), source="card") == card
    older = json.loads(card.to_json())
    del older["tests"]
    read = ModelCard.from_json(json.dumps(older), source="card")
    assert read.tests == ()
    assert not read.unbeaten
    assert "network (" not in read.to_markdown()


def test_the_card_says_which_measures_may_be_taken_from_predictions(tiny_card: ModelCard) -> None:
    verdicts = [
        MeasureVerdict(measure=name, target="mitochondria", verdict=verdict, fields=8, on="cells", simulated=True)
        for name, verdict in (("m.count", "supported"), ("m.length", "not supported"), ("m.area", "supported"))
    ]
    card = tiny_card.model_copy(update={"verdicts": tuple(verdicts)})
    assert "on 8 cells: supported: m.count, m.area; not supported: m.length." in card.to_markdown()
    assert ModelCard.from_json(card.to_json(), source="x").verdicts == card.verdicts
    assert "Measures compared" not in tiny_card.to_markdown()


def test_what_a_model_saw_and_what_a_verdict_was_tested_on_are_optional(tiny_card: ModelCard) -> None:
    seen = ("0123456789abcdef",)
    verdict = MeasureVerdict(
        measure="m.count",
        target="mitochondria",
        verdict="supported",
        fields=8,
        tested=ValueRange(least=1, largest=2, unit="um"),
    )
    training = tiny_card.training.model_copy(update={"fields_seen": seen})
    card = tiny_card.model_copy(update={"verdicts": (verdict,), "training": training})
    assert ModelCard.from_json(card.to_json(), source="x") == card
    older = json.loads(card.to_json())
    del older["training"]["fields_seen"]
    del older["verdicts"][0]["tested"]
    read = ModelCard.from_json(json.dumps(older), source="x")
    assert (read.training.fields_seen, read.verdicts[0].tested) == (None, None)
    older["training"]["fields_seen"] = ["a name"]
    with pytest.raises(InvalidModelError, match="fields_seen"):
        ModelCard.from_json(json.dumps(older), source="x")
