"""A run from files to model package: it learns, it resumes exactly, it stops when asked."""

from __future__ import annotations

import csv
import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch

from napari_mito_predict.errors import TrainingDataError, TrainingError
from napari_mito_predict.image import Level, open_image
from napari_mito_predict.image.pixel_digest import pixel_digest
from napari_mito_predict.models import list_models, verify_model
from napari_mito_predict.models.training_images import PERCENTS
from napari_mito_predict.prediction import plan_prediction
from napari_mito_predict.training import Run, TrainingConfig, train
from napari_mito_predict.training.progress import Progress
from napari_mito_predict.training.schedule import affordable, learning_rate


def _metrics(run: Run) -> list[dict[str, float]]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in run.metrics]


def _weights(run: Run) -> dict[str, torch.Tensor]:
    newest = max((run.path / "checkpoints").glob("*.pt"))
    state: dict[str, torch.Tensor] = torch.load(newest, weights_only=True)["model"]
    return state


def _assert_same(run: Run, other: Run) -> None:
    mine, theirs = _weights(run), _weights(other)
    for name, tensor in mine.items():
        torch.testing.assert_close(theirs[name], tensor, rtol=0, atol=0)


def _channels_of(run: Run, fields: Path, *parts: str) -> set[str]:
    """Digests of the channels of the fields of some parts of a run's split."""
    rows = json.loads((run.path / "fields.json").read_text(encoding="utf-8"))
    images = [open_image(fields / f"{row['name']}.ome.tif") for row in rows if row["part"] in parts]
    return {pixel_digest(image.read(0, channel)) for image in images for channel in (0, 1)}


def test_a_run_learns_and_leaves_a_verified_model(fields, make_config) -> None:
    run = train(make_config(fields, "run", iterations=60, validate_every=20, learning_rate=1e-2))
    rows = [row for row in _metrics(run) if "val_pcc" in row]
    assert [row["iteration"] for row in rows] == [0, 20, 40, 60]
    assert len(run.metrics) == 31
    assert rows[-1]["train_loss"] < 0.8 * rows[1]["train_loss"]
    assert rows[-1]["val_pcc"] > 0.5
    status = run.status
    assert (status.state, status.iteration) == ("done", 60)
    assert status.scores["best"] == pytest.approx(max(row["val_pcc"] for row in rows), abs=1e-4)
    assert 0 < status.scores["blurred input"] < 1
    assert abs(status.scores["local contrast"]) < status.scores["blurred input"]
    card = run.model.card
    assert (card.name, card.targets[0].name, card.targets[0].stain) == ("test-model", "mitochondria", "TMRM")
    assert card.targets[0].colormap == "magenta"
    assert card.input.voxel_size_um == (0.15, 0.11, 0.11)
    assert card.input.third_axes == ("z",)
    assert card.training.pairs == 2
    assert not card.simulated
    assert set(card.training.fields_seen) == _channels_of(run, fields, "training", "validation")
    assert card.metrics["mitochondria, test fields"]["pcc"] > 0.5
    assert "mitochondria, test fields, blurred input" in card.metrics
    (test,) = card.tests
    assert (test.target, test.on) == ("mitochondria", "test fields")
    assert set(test.baselines) == {"blurred input", "local contrast", "mean truth"}
    with (run.path / "test.csv").open(encoding="utf-8") as stream:
        table = {row["model"]: row for row in csv.DictReader(stream)}
    assert list(next(iter(table.values())))[:4] == ["field", "group", "target", "model"]
    assert {"pcc", "fine_pcc", "spectral_pcc", "ssim_global", "resolution_um"} < set(table["this model"])
    for name, agreement in {"this model": test.model, **test.baselines}.items():
        assert agreement.pcc == pytest.approx(float(table[name]["pcc"]), abs=1e-5)
        assert agreement.fine_pcc == pytest.approx(float(table[name]["fine_pcc"]), abs=1e-5)
    assert card.metrics["mitochondria, test fields"]["fine_pcc"] == test.model.fine_pcc
    assert not card.unbeaten
    low, high = card.targets[0].contrast_limits
    assert low < high
    assert verify_model(run.model_folder).passed
    assert [info.name for info in list_models() if not info.bundled] == ["test-model"]
    seen = run.model.training_images
    assert seen is not None
    lights = [tifffile.imread(path)[0] for path in sorted(fields.glob("*.tif"))]
    contrasts = np.array([light.std() / light.mean() for light in lights])
    assert len(seen.contrast) == card.training.pairs
    assert all(np.abs(contrasts - contrast).min() < 1e-5 for contrast in seen.contrast)
    assert seen.intensities[:, PERCENTS.index(50)] == pytest.approx(0, abs=0.05)
    for picture in ("curve.png", "example.png"):
        assert (run.model_folder / picture).read_bytes().startswith(b"\x89PNG")
        assert f"({picture})" in (run.model_folder / "README.md").read_text(encoding="utf-8")


def test_a_model_that_learnt_nothing_says_so_in_its_card_and_when_it_predicts(fields, make_config) -> None:
    """The truth of these fields is the blurred, inverted input, which a blur finds and one iteration does not."""
    run = train(make_config(fields, "run", iterations=1, validate_every=1))
    model = run.model
    assert {(one.target, one.measure, one.baseline) for one in model.card.unbeaten} == {
        ("mitochondria", "pcc", "blurred input"),
        ("mitochondria", "fine_pcc", "blurred input"),
    }
    assert "No better than without a network" in (run.model_folder / "README.md").read_text(encoding="utf-8")
    plan = plan_prediction(np.zeros((12, 40, 44), np.float32), model, voxel_size_um=model.voxel_size_um, device="cpu")
    (finding,) = [finding for finding in plan.findings if finding.code == "baseline-not-beaten"]
    assert (finding.level, finding.model) == (Level.WARNING, "test-model")
    assert finding.message in {f.message for f in plan.record("mitochondria").findings}


def test_previews_show_one_field_all_along(fields, make_config) -> None:
    run = train(make_config(fields, "run", iterations=4, validate_every=2))
    assert [path.stem for path in run.previews] == ["000000", "000002", "000004"]
    first, last = (tifffile.imread(path) for path in (run.previews[0], run.previews[-1]))
    assert first.shape == last.shape == (3, 40, 44)  # input, truth, prediction
    assert (first[:2] == last[:2]).all()
    assert not (first[2] == last[2]).all()


def test_resume_equals_an_uninterrupted_run(fields, make_config) -> None:
    whole = train(make_config(fields, "whole", average=0.9, clip_gradient=1.0))
    part = Run.create(make_config(fields, "part", average=0.9, clip_gradient=1.0))
    halfway = sorted((whole.path / "checkpoints").glob("*.pt"))[0]
    (part.path / "checkpoints" / halfway.name).write_bytes(halfway.read_bytes())
    (part.path / "metrics.csv").write_text((whole.path / "metrics.csv").read_text(encoding="utf-8"), encoding="utf-8")
    train(part)
    assert _metrics(part) == _metrics(whole)
    _assert_same(part, whole)


def test_damaged_checkpoint_falls_back_to_the_one_before(fields, make_config, caplog: pytest.LogCaptureFixture) -> None:
    run = train(make_config(fields, "run"))
    newest = run.path / "checkpoints" / "00000030.pt"
    newest.write_bytes(newest.read_bytes()[:100])
    state = run.load_checkpoint()
    assert state is not None
    assert state["progress"]["iteration"] == 15
    assert "damaged" in caplog.text


@pytest.mark.parametrize("keep", [False, True], ids=["pause", "keep"])
def test_stop_file(fields, make_config, monkeypatch: pytest.MonkeyPatch, keep: bool) -> None:
    append = Run.append_metrics

    def stop_at_three(self: Run, row: dict[str, float]) -> None:
        append(self, row)
        if row["iteration"] == 3:
            self.request_stop(keep=keep)

    whole = train(make_config(fields, "whole"))
    with monkeypatch.context() as patched:
        patched.setattr(Run, "append_metrics", stop_at_three)
        run = train(make_config(fields, "run"))
    assert run.status.iteration == 3
    if keep:
        assert run.status.state == "done"
        assert run.model.card.metrics
        with pytest.raises(TrainingError, match="finished"):
            train(run)
        return
    assert run.status.state == "stopped"
    train(run)
    assert run.status.state == "done"
    assert _metrics(run) == _metrics(whole)
    _assert_same(run, whole)


def test_a_paused_run_can_be_finished_as_it_is(fields, make_config, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Run, "stop_requested", "pause")
        run = train(make_config(fields, "run"))
    assert run.status.state == "stopped"
    train(run, keep=True)
    assert (run.status.state, run.status.iteration) == ("done", 0)
    assert run.model.card.metrics


def test_fine_tuning_starts_from_the_given_model(fields, make_config) -> None:
    first = train(make_config(fields, "first"))
    second = train(
        make_config(
            fields, "second", network=None, start_from=str(first.model_folder), iterations=1, learning_rate=1e-9
        )
    )
    weights = [run.model.network.state_dict()["conv_out.weight"] for run in (first, second)]
    torch.testing.assert_close(*weights, rtol=1e-4, atol=1e-6)
    assert second.model.card.training.start_from == "test-model"
    assert second.model.card.training.fields_seen == first.model.card.training.fields_seen
    assert second.status.scores["base"] == pytest.approx(first.status.scores["best"], abs=1e-4)
    metrics = second.model.card.metrics
    assert metrics["mitochondria, test fields, start model test-model"]["pcc"] == pytest.approx(
        metrics["mitochondria, test fields"]["pcc"],
        abs=1e-2,  # one iteration moves the batch-norm statistics
    )
    with (second.path / "test.csv").open(encoding="utf-8") as stream:
        assert {row["model"] for row in csv.DictReader(stream)} == {
            "this model", "start model test-model", "blurred input", "local contrast", "mean truth"
        }  # fmt: skip


def test_a_changed_request_or_changed_pixels_are_refused(fields, make_config, monkeypatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Run, "stop_requested", "pause")
        run = train(make_config(fields, "run"))
    config = run.path / "config.yaml"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("seed: 0", "seed: 7").replace("learning_rate: 0.001", "learning_rate: 0.1"))
    with pytest.raises(TrainingError, match=r"learning_rate: 0.001 -> 0.1.*seed"):
        train(run)
    config.write_text(text, encoding="utf-8")
    image = tifffile.imread(fields / "field0.ome.tif")
    tifffile.imwrite(fields / "field0.ome.tif", image + 1, metadata={"axes": "CZYX"}, ome=True)
    with pytest.raises(TrainingError, match="field0"):
        train(run)


def test_a_run_that_was_moved_goes_on(fields, make_config, monkeypatch, tmp_path: Path) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Run, "stop_requested", "pause")
        run = train(make_config(fields, "run"))
    moved = run.path.rename(tmp_path / "anderswo ä")
    assert train(Run(moved)).status.state == "done"
    assert (moved / "model" / "model.json").exists()


def test_refusals_are_said_in_the_run_folder_too(fields, make_config) -> None:
    config = make_config(fields, "run", targets={"dna": "SYBR"})
    with pytest.raises(TrainingDataError, match=r"field\d.*SYBR"):
        train(config)
    assert Run(config.output).status.state == "failed"
    assert "SYBR" in (config.output / "log.txt").read_text(encoding="utf-8")
    with pytest.raises(TrainingError, match="holds a run already"):
        train(config)


def test_nan_loss_stops_and_names_the_fields(fields, make_config, monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_mito_predict.training import trainer

    losses = itertools.count()

    def nan_at_third(a, b):
        return (a - b).square().mean() * (float("nan") if next(losses) == 2 else 1)

    monkeypatch.setattr(trainer, "make_loss", lambda name: nan_at_third)
    config = make_config(fields, "run")
    with pytest.raises(TrainingError, match=r"became nan at iteration 2, on patches of field\d"):
        train(config)
    run = Run(config.output)
    assert "nan" in run.status.message
    assert verify_model(run.model_folder).passed  # the last good one
    assert all(torch.isfinite(t).all() for t in _weights(run).values() if t.is_floating_point())


def test_early_stopping(fields, make_config) -> None:
    run = train(make_config(fields, "run", validate_every=2, patience=2, learning_rate=1e-12, iterations=30))
    assert run.status.state == "done"
    assert run.status.iteration < 30


def test_two_targets_in_parts_with_dssim(tmp_path: Path, make_config, write_field) -> None:
    for i in range(3):
        light = np.random.default_rng(i).normal(1000, 100, (12, 40, 44))
        write_field(tmp_path / f"f{i}.ome.tif", np.stack([light, 2 * light, 3000 - light]), ["TL", "TMRM", "DAPI"])
    targets = {"mitochondria": "TMRM", "dna": "DAPI"}
    run = train(make_config(tmp_path, "run", targets=targets, loss="mse+dssim", accumulate=2, iterations=2))
    assert run.model.targets == ("mitochondria", "dna")
    assert {key.split(",")[0] for key in run.model.card.metrics} == {"mitochondria", "dna"}


class _Clock:
    """A clock that goes on by a tenth of a second whenever somebody looks at it, however busy the machine is."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        self.now += 0.1
        return self.now


def test_time_limit_shortens_the_schedule(fields, make_config, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = _Clock()
    for module in ("trainer", "lifecycle"):
        monkeypatch.setattr(f"napari_mito_predict.training.{module}.time", clock)
    run = train(make_config(fields, "run", iterations=100_000, validate_every=10, max_minutes=0.5))
    assert run.status.state == "done"
    assert run.status.iterations < 100_000
    # Most of the time was used, and what is left suffices for the last validation and the test.
    assert 15 < run.metrics[-1]["seconds"] < 30
    rates = [row["lr"] for row in run.metrics if "train_loss" in row]
    assert rates[-1] < 0.3 * max(rates), "the learning rate has come down by the end of the time"


def test_schedule() -> None:
    config = TrainingConfig.parse(
        {
            "targets": {"dna": "x"},
            "data": {"files": ["a"]},
            "output": "o",
            "preset": "quick",
            "iterations": 110,
            "warmup": 10,
            "learning_rate": 1.0,
        }
    )
    rates = [learning_rate(config, i) for i in range(110)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(rates[10]) == pytest.approx(1.0)
    assert rates[-1] < 0.02
    assert all(a > b for a, b in itertools.pairwise(rates[10:]))
    assert learning_rate(config, 60, 61) < learning_rate(config, 60)


def test_affordable_iterations() -> None:
    config = TrainingConfig.parse({"targets": {"dna": "x"}, "data": {"files": ["a"]}, "output": "o"})
    assert affordable(config, 100, 1.0, 0.0, left=50) == 150
    assert affordable(config, 100, 1.0, 0.0, left=1e9) == config.iterations
    assert affordable(config, 100, 1.0, 10.0, left=0) == 101


def test_a_training_that_diverges_ends_with_a_named_error(fields, make_config) -> None:
    config = make_config(fields, "run", learning_rate=1e4, iterations=40, validate_every=2)
    with pytest.raises(TrainingError, match="learning rate"):
        train(config)
    run = Run(config.output)
    assert run.status.state == "failed"
    answer = run.model.network(torch.zeros(1, 1, 8, 16, 16))
    assert answer.isfinite().all()
    assert answer.abs().max() < 100


def test_noise_of_the_validation_is_no_divergence() -> None:
    assert _far_off([1.2, 15.0, 0.9, 11.0, 13.0]) == [0, 1, 0, 0, 1]
    assert _far_off([0.4, 9.0, 10.5, 12.0]) == [0, 0, 1, 2]
    assert _far_off([1.0, math.nan]) == [0, 1]


def _far_off(losses: list[float]) -> list[int]:
    """How many validations in a row are far off, after each of them."""
    progress = Progress()
    found = []
    for loss in losses:
        progress.note_loss(loss)
        found.append(progress.far_off)
    return found


def test_a_validation_that_lags_behind_a_good_training_is_no_divergence() -> None:
    progress = Progress()
    for loss, training_loss in ((0.49, None), (83.1, 0.46), (16.3, 0.25)):
        progress.note_loss(loss, training_loss)
        assert not progress.diverged
        assert progress.off_now == (loss > 10), "all the same it is no model to keep"
    for _ in range(2):
        progress.note_loss(83.1, 40.0)
    assert progress.diverged


def test_a_validation_that_is_not_finite_is_a_divergence_whatever_the_training() -> None:
    progress = Progress()
    progress.note_loss(1.0)
    progress.note_loss(math.nan, 0.3)
    assert progress.diverged
