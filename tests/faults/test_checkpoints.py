"""Damaged checkpoints: a run goes on from a sound one as if nothing had happened, or refuses and changes nothing."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from napari_mito_predict.errors import DamagedCheckpointError, TrainingError
from napari_mito_predict.training import Run, TrainingConfig, train
from napari_mito_predict.training.checkpoints import load_newest_checkpoint, save_checkpoint


@pytest.fixture(scope="module")
def config(planes_of_module: Path) -> TrainingConfig:
    """A tiny run on single planes."""
    return TrainingConfig.parse(
        {
            "targets": {"mitochondria": "TMRM"},
            "data": {"files": [str(planes_of_module / "*.ome.tif")]},
            "network": {"depth": 1, "base_channels": 4},
            "patch": (16, 16),
            "batch_size": 1,
            "iterations": 8,
            "validate_every": 2,
            "precision": "32",
            "threads": 1,
            "add_to_models": False,
            "output": "never",
        }
    )


@pytest.fixture(scope="module")
def whole(config: TrainingConfig, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that nothing happened to."""
    return train(config.model_copy(update={"output": tmp_path_factory.mktemp("whole") / "run"}))


@pytest.fixture(scope="module")
def paused(config: TrainingConfig, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The same run, paused after six of eight iterations: with checkpoints of iterations 4 and 6."""
    append = Run.append_metrics

    def stop_at_six(self: Run, row: dict[str, float]) -> None:
        append(self, row)
        if row["iteration"] == 6:
            self.request_stop()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Run, "append_metrics", stop_at_six)
        run = train(config.model_copy(update={"output": tmp_path_factory.mktemp("paused") / "run"}))
    assert [path.name for path in _checkpoints(run)] == ["00000004.pt", "00000006.pt"]
    return run


@pytest.fixture
def run(paused: Run, tmp_path: Path) -> Run:
    """A copy of the paused run, to be damaged."""
    return Run(shutil.copytree(paused.path, tmp_path / "run"))


def _checkpoints(run: Run) -> list[Path]:
    return sorted((run.path / "checkpoints").glob("*.pt"))


def _zeros(where: float) -> Callable[[Path], None]:
    """400 zeroed bytes."""

    def damage(path: Path) -> None:
        content = bytearray(path.read_bytes())
        start = int(where * (len(content) - 400))
        content[start : start + 400] = bytes(400)
        path.write_bytes(content)

    return damage


def _cut(length: int) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(path.read_bytes()[:length])


def _flipped_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    weights = bytes(torch.load(path, weights_only=True)["model"]["conv_out.weight"].untyped_storage())
    content[content.index(weights) + len(weights) // 2] ^= 64
    path.write_bytes(content)


def _signed(path: Path, state: object) -> None:
    """Replace a checkpoint by one whose hash is right: only what it holds is wrong."""
    torch.save(state, path)
    _hash_of(path).write_text(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n", encoding="utf-8")


def _hash_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _nan_weight(path: Path) -> None:
    state = torch.load(path, weights_only=True)
    state["model"]["conv_out.weight"][0, 0, 0, 0] = float("nan")
    _signed(path, state)


def _infinite_moment(path: Path) -> None:
    state = torch.load(path, weights_only=True)
    state["optimiser"]["state"][0]["exp_avg_sq"][0, 0, 0, 0] = float("inf")
    _signed(path, state)


def _a_part_missing(path: Path) -> None:
    state = torch.load(path, weights_only=True)
    del state["progress"]
    _signed(path, state)


def _flipped_bit_without_hash(path: Path) -> None:
    _flipped_bit(path)
    _hash_of(path).unlink()


def _of_another_iteration(path: Path) -> None:
    """A sound checkpoint, but not the one that its name and its hash say."""
    state = torch.load(path, weights_only=True)
    state["progress"]["iteration"] += 1
    torch.save(state, path)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "deleted": Path.unlink,
    "empty": _cut(0),
    "cut to 100 bytes": _cut(100),
    "one byte short": _cut(-1),
    "zeros at the start": _zeros(0),
    "zeros in the weights": _zeros(0.1),
    "zeros in the middle": _zeros(0.5),
    "zeros near the end": _zeros(0.9),
    "zeros at the end": _zeros(1),
    "a flipped bit": _flipped_bit,
    "a flipped bit, and no hash": _flipped_bit_without_hash,
    "another file": lambda path: path.write_text("not a checkpoint", encoding="utf-8"),
    "of another iteration": _of_another_iteration,
    "a list": lambda path: _signed(path, [1, 2, 3]),
    "a part missing": _a_part_missing,
    "NaN in the weights": _nan_weight,
    "infinity in the optimiser": _infinite_moment,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_run_goes_on_from_the_checkpoint_before(run: Run, whole: Run, damage: Callable[[Path], object]) -> None:
    damage(_checkpoints(run)[-1])
    train(run)
    assert run.status.state == "done"
    rows = [[{k: v for k, v in row.items() if k != "seconds"} for row in each.metrics] for each in (run, whole)]
    assert rows[0] == rows[1]
    mine, theirs = (torch.load(_checkpoints(each)[-1], weights_only=True)["model"] for each in (run, whole))
    for name, tensor in theirs.items():
        torch.testing.assert_close(mine[name], tensor, rtol=0, atol=0)
    assert [path.name for path in _checkpoints(run)] == ["00000006.pt", "00000008.pt"]
    assert load_newest_checkpoint(run.path / "checkpoints") is not None


@pytest.mark.parametrize("keep", [False, True], ids=["go on", "keep"])
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_without_a_sound_checkpoint_nothing_is_changed(
    run: Run, damage: Callable[[Path], object], keep: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    for path in _checkpoints(run):
        damage(path)
    before = _contents(run.path)
    with pytest.raises(DamagedCheckpointError, match=r"cannot go on; nothing in its folder was changed.*start_from"):
        train(run, keep=keep)
    assert _contents(run.path) == before


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_run_whose_checkpoints_were_lost_with_its_metrics_keeps_its_model(run: Run) -> None:
    """What the run learned shows in its model alone."""
    shutil.rmtree(run.path / "checkpoints")
    for name in ("metrics.csv", "status.json"):
        (run.path / name).unlink()
    before = _contents(run.path)
    with pytest.raises(DamagedCheckpointError, match=r"trained for [246] iterations, but its checkpoints are gone"):
        train(run)
    assert _contents(run.path) == before


def test_a_trainer_killed_before_its_first_checkpoint_begins_again(run: Run, whole: Run) -> None:
    """It had measured the untrained network, and kept it as the first model."""
    shutil.rmtree(run.path / "checkpoints")
    (run.path / "checkpoints").mkdir()
    shutil.rmtree(run.model_folder)
    (run.path / "status.json").unlink()
    for later in run.previews[1:]:
        later.unlink()
    lines = (run.path / "metrics.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (run.path / "metrics.csv").write_text("".join(lines[:2]), encoding="utf-8")
    train(run)
    assert [row["iteration"] for row in run.metrics] == [row["iteration"] for row in whole.metrics]


def test_checkpoints_of_an_earlier_version_have_no_hash(run: Run, whole: Run) -> None:
    for path in (run.path / "checkpoints").glob("*.sha256"):
        path.unlink()
    train(run)
    assert run.metrics[-1]["iteration"] == whole.metrics[-1]["iteration"]
    assert all(_hash_of(path).is_file() for path in _checkpoints(run)[1:])


def test_a_hash_can_be_checked_by_hand(run: Run) -> None:
    newest = _checkpoints(run)[-1]
    digest, name = _hash_of(newest).read_text(encoding="utf-8").split()
    assert name == newest.name
    assert digest == hashlib.sha256(newest.read_bytes()).hexdigest()


def test_a_poisoned_state_is_not_kept(run: Run) -> None:
    folder = run.path / "checkpoints"
    state = load_newest_checkpoint(folder)
    assert state is not None
    state["average"] = {"module": {"bias": torch.tensor([1.0, float("inf")])}}
    before = _contents(folder)
    with pytest.raises(TrainingError, match="average/module/bias became NaN or infinite at iteration 7"):
        save_checkpoint(folder, 7, state)
    assert _contents(folder) == before


def test_a_step_that_makes_the_weights_nan_leaves_the_last_good_state(
    config: TrainingConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss is finite, its gradient is not: only the next loss would show it, after the checkpoint."""
    from napari_mito_predict.training import trainer

    def loss(predicted: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        return (predicted - truth).square().mean() + (0 * predicted).sum().sqrt()

    monkeypatch.setattr(trainer, "make_loss", lambda name: loss)
    monkeypatch.setattr(trainer, "_CHECKPOINT_EVERY_S", -1.0)
    with pytest.raises(TrainingError, match="became NaN or infinite at iteration 1"):
        train(config.model_copy(update={"output": tmp_path / "run"}))
    run = Run(tmp_path / "run")
    assert run.status.state == "failed"
    state = run.load_checkpoint()
    assert state is not None
    assert state["progress"]["iteration"] == 0


def test_a_checkpoint_of_another_network_is_refused_by_name(run: Run) -> None:
    newest = _checkpoints(run)[-1]
    state = torch.load(newest, weights_only=True)
    state["model"] = {name: tensor[:1] for name, tensor in state["model"].items() if tensor.ndim}
    _signed(newest, state)
    with pytest.raises(DamagedCheckpointError, match="does not belong to this run's network"):
        train(run)
