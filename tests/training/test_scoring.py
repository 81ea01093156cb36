"""What is said of a finished model: every image counts within its group, and every group the same."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from napari_mito_predict.evaluation import LocalContrast, Scores, evaluate
from napari_mito_predict.training.pairs import Pair
from napari_mito_predict.training.scoring import (
    MEAN_TRUTH,
    OURS,
    Row,
    Scorer,
    comparable,
    mean_over_groups,
    mean_truths,
    model_tests,
    summarise,
    write_rows,
)


def _row(field: str, group: str, pcc: float, model: str = OURS, fine: float = math.nan) -> Row:
    scores = Scores(pcc, pcc / 2, math.nan, pcc**2, 1.0, voxels=10, fine_pcc=fine)
    return Row(field, group, "mitochondria", model, scores)


def test_a_group_of_many_crops_counts_as_much_as_one_of_few() -> None:
    rows = [_row(f"a{i}", "a", pcc) for i, pcc in enumerate((0.2, 0.4, 0.6))]
    rows += [_row("b0", "b", 0.8), _row("c0", "c", math.nan)]
    assert mean_over_groups(rows, "pcc") == pytest.approx((0.4 + 0.8) / 2)
    assert math.isnan(mean_over_groups(rows, "fine_pcc"))
    summary = summarise(rows, "test fields")
    assert summary == {
        "mitochondria, test fields": {
            "pcc": pytest.approx(0.6),
            "ssim_global": pytest.approx(0.3),
            "fields": 5.0,
        }
    }


def test_the_card_tells_the_model_beside_what_needs_no_network() -> None:
    rows = [_row("a", "a", 0.5, fine=0.3), _row("b", "b", 0.7, fine=0.5)]
    rows += [_row("a", "a", 0.65, "local contrast", 0.1), _row("b", "b", 0.75, "local contrast", 0.1)]
    rows += [_row("a", "a", 0.1, "start model x", 0.1)]
    (test,) = model_tests(rows, "test fields")
    assert (test.model.pcc, test.model.fine_pcc) == (pytest.approx(0.6), pytest.approx(0.4))
    assert set(test.baselines) == {"local contrast"}
    assert test.baselines["local contrast"].pcc == pytest.approx(0.7)


def test_a_constant_prediction_counts_as_no_agreement() -> None:
    """Left out, it would leave the mean to the images on which the model does well."""
    rng = np.random.default_rng(0)
    scorer = Scorer({}, ("mitochondria",), (None, 0.2, 0.2), {}, ())
    rows = []
    for name, prediction_of in (("good", np.copy), ("failed", np.zeros_like)):
        truth = rng.normal(size=(1, 24, 24)).astype(np.float32)
        rows += scorer.rows(Pair(name, truth[0], truth), OURS, prediction_of(truth))
    (test,) = model_tests(rows, "test fields")
    assert test.model.pcc == pytest.approx(0.5)
    assert test.model.fine_pcc == pytest.approx(0.5)


def test_a_truth_that_is_constant_says_nothing_of_the_model() -> None:
    image = np.random.default_rng(0).normal(size=(1, 24, 24)).astype(np.float32)
    scorer = Scorer({}, ("mitochondria",), (None, 0.2, 0.2), {}, ())
    for truth in (np.ones_like(image), np.where(image > 1, np.nan, 1.0)):
        rows = scorer.rows(Pair("empty", image[0], truth), OURS, image)
        assert model_tests(rows, "test fields")[0].model.pcc is None


def test_a_baseline_that_some_images_lack_is_not_compared() -> None:
    rows = [_row("a", "a", 0.5), _row("b", "b", 0.7), _row("a", "a", 0.6, MEAN_TRUTH)]
    rows += [_row("a", "a", 0.2, "blurred input"), _row("b", "b", 0.2, "blurred input")]
    (test,) = model_tests(comparable(rows), "test fields")
    assert set(test.baselines) == {"blurred input"}


def test_the_table_has_every_score(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(1, 24, 24))
    pair = Pair("one", rng.normal(size=(24, 24)).astype(np.float32), truth.astype(np.float32))
    baselines = {"local contrast": (LocalContrast(5, -1),)}
    scorer = Scorer({"one": "dish"}, ("mitochondria",), (None, 0.2, 0.2), baselines, ())
    prediction = truth + rng.normal(size=truth.shape)
    rows = [*scorer.rows(pair, OURS, prediction), *scorer.baseline_rows(pair)]
    write_rows(tmp_path / "test.csv", rows)
    with (tmp_path / "test.csv").open(encoding="utf-8") as stream:
        table = list(csv.DictReader(stream))
    assert [(row["field"], row["group"], row["model"]) for row in table] == [
        ("one", "dish", OURS),
        ("one", "dish", "local contrast"),
    ]
    expected = evaluate(prediction[0], pair.truth[0], voxel_size_um=(None, 0.2, 0.2))
    for name in ("pcc", "fine_pcc", "spectral_pcc", "ssim_global", "ssim_windowed", "r2", "nrmse", "psnr", "mae"):
        assert float(table[0][name]) == pytest.approx(getattr(expected, name), rel=1e-5), name
    assert int(table[0]["voxels"]) == 576


def test_the_mean_truth_is_that_of_the_training_fields() -> None:
    rng = np.random.default_rng(0)
    truths = rng.normal(5, 2, size=(3, 1, 16, 16)).astype(np.float32)
    training = [Pair(str(i), truth[0], truth) for i, truth in enumerate(truths)]
    means = mean_truths(training)
    standardised = [(t - t.mean()) / t.std() for t in truths[:, 0].astype(float)]
    np.testing.assert_allclose(means[0].value, np.mean(standardised, axis=0), atol=1e-6)
    scorer = Scorer({}, ("mitochondria",), (None, None, None), {}, means)
    other = Pair("other", truths[0, 0], truths[0])
    (row,) = scorer.baseline_rows(other)
    assert row.model == MEAN_TRUTH
    assert row.scores.pcc == pytest.approx(evaluate(means[0].value, truths[0, 0]).pcc)
    assert not scorer.baseline_rows(Pair("small", truths[0, 0, :8], truths[0, :, :8]))
    assert mean_truths([*training, Pair("small", truths[0, 0, :8], truths[0, :, :8])]) == ()
