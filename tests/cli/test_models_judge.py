"""``mito-predict models judge``: what is printed, written and refused; `tests/judging` are about what is computed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from napari_mito_predict import judging
from napari_mito_predict._tables import read_table
from napari_mito_predict.judging import ModelVerdicts
from napari_mito_predict.judging.model_verdicts import judge_measures
from napari_mito_predict.judging.values import FieldValues
from napari_mito_predict.measurement import Structure
from napari_mito_predict.models import find_model, read_card

LENGTH = "mitochondria.total_length"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """What `judge_model` was asked for; it answers with eight fields that agree in length and not in number."""
    calls: list[tuple[object, ...]] = []
    fields = tuple(
        FieldValues(
            f"field{number}",
            3,
            "um",
            simulated=False,
            recorded={LENGTH: 10.0 + number, "mitochondria.count": 5.0 + number},
            predicted={LENGTH: 10.5 + number, "mitochondria.count": 20.0 - number},
            targets={Structure.MITOCHONDRIA: "mitochondria"},
        )
        for number in range(8)
    )

    def judge_model(model: str, truth: Path, predictions: list[Path], **options: object) -> ModelVerdicts:
        calls.append((model, truth, predictions, options["by"], options["structures"]))
        skipped = ("bad.tif: no truth.",)
        weights = read_card(find_model(model)).weights.sha256
        measures = judge_measures(fields)
        return ModelVerdicts(model, weights, str(options["on"]), fields, measures, skipped, training_known=False)

    monkeypatch.setattr(judging, "judge_model", judge_model)
    return calls


@pytest.mark.usefixtures("installed")
def test_verdicts_are_printed_with_their_reasons(mito_predict, asked) -> None:
    done = mito_predict("models", "judge", "tiny", "predicted", "stained", "--by", "^d", "--structure", "mitochondria")
    assert done.code == 0, done.err
    assert asked == [("tiny", Path("stained"), [Path("predicted")], "^d", ["mitochondria"])]
    lines = {line.split()[0]: line for line in done.out.splitlines()}
    assert "+4%" in lines[LENGTH]
    assert "supported" in lines[LENGTH]
    assert "not supported" in lines["mitochondria.count"]
    assert "concordance -" in lines["mitochondria.count"]
    assert "Does not count: bad.tif" in done.err
    assert "does not tell which fields it was trained on" in done.err
    assert "8 independent fields of recorded cells" in done.err


@pytest.mark.usefixtures("installed")
def test_tables_page_and_json(mito_predict, asked, tmp_path) -> None:
    table = tmp_path / "v.csv"
    page = tmp_path / "v.html"
    done = mito_predict("models", "judge", "tiny", "stained", "--csv", table, "--report", page, "--json")
    assert done.code == 0, done.err
    found = {row["measure"]: row for row in json.loads(done.out)["measures"]}
    assert found[LENGTH]["verdict"] == "supported"
    assert (found[LENGTH]["least"], found[LENGTH]["largest"], found[LENGTH]["unit"]) == (10, 17, "µm")
    rows = {row["measure"]: row for row in read_table(table)}
    assert rows.keys() == found.keys()
    assert float(rows[LENGTH]["bias"]) == pytest.approx(0.5 / 13.5)
    values = read_table(tmp_path / "v_fields.csv")
    assert len(values) == 16
    assert values[8] | {"field": "field0", "recorded": "10.0", "predicted": "10.5"} == values[8]
    text = page.read_text(encoding="utf-8")
    assert "Mitochondria in stacks" in text
    assert "Nuclei" not in text
    assert "total length" in text
    assert "not supported" in text
    assert "bad.tif" in text
    assert "data:image/png" in text


def test_verdicts_are_saved_when_that_is_asked_for(mito_predict, installed, asked) -> None:
    refused = mito_predict("models", "judge", "tiny", "stained", "--save")
    assert refused.code == 1
    assert "(--unseen)" in refused.err
    assert read_card(installed).verdicts == ()
    done = mito_predict("models", "judge", "tiny", "stained", "--save", "--unseen", "--on", "HeLa cells")
    assert done.code == 0, done.err
    assert {verdict.on for verdict in read_card(installed).verdicts} == {"HeLa cells"}
    assert "HeLa cells" in mito_predict("models", "show", "tiny").out


def test_what_cannot_be_done_is_refused_before_anything_is_predicted(mito_predict, asked, tmp_path) -> None:
    refused = mito_predict("models", "judge", "mito-z", "stained", "--save")
    assert refused.code == 1
    assert "stays as it is" in refused.err
    assert "models export" in refused.err
    assert mito_predict("models", "judge", "tiny", "stained", "--structure", "golgi").code == 2
    assert "does not exist" in mito_predict("models", "judge", "tiny", "s", "--csv", tmp_path / "gone" / "v.csv").err
    assert not asked
