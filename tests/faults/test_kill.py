"""A training that is killed at any moment: the folder stays readable, and the run ends as if nothing had happened."""

from __future__ import annotations

import multiprocessing
import os
import random
import sys
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch

from napari_mito_predict.models import read_package
from napari_mito_predict.training import Run, TrainingConfig, train
from napari_mito_predict.training.runs import runs_in

_KILLS = int(os.environ.get("MITO_PREDICT_KILLS", "5"))
"""More of them, such as 20, are a long version of the same."""
_ITERATIONS = 40 * _KILLS


@pytest.fixture
def config(planes: Path, tmp_path: Path) -> TrainingConfig:
    """A run that writes a checkpoint, a preview and often a model every other iteration."""
    return TrainingConfig.parse(
        {
            "targets": {"mitochondria": "TMRM"},
            "data": {"files": [str(planes / "*.ome.tif")]},
            "network": {"depth": 1, "base_channels": 2},
            "patch": (16, 16),
            "batch_size": 1,
            "iterations": _ITERATIONS,
            "validate_every": 4,
            "precision": "32",
            "threads": 1,
            "add_to_models": False,
            "output": str(tmp_path / "whole"),
        }
    )


@pytest.fixture
def start() -> Callable[[Run], BaseProcess]:
    """Go on with a run in a process of its own, in which torch is imported already: it is not what is killed."""
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(["napari_mito_predict.training.lifecycle"])

    def go_on(run: Run) -> BaseProcess:
        process = server.Process(target=train, args=(run,))
        process.start()
        return process

    return go_on


def _exit_code(process: BaseProcess, seconds: float) -> int | None:
    process.join(seconds)
    return process.exitcode


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_killed_again_and_again_it_ends_with_the_same_weights(
    config: TrainingConfig, start: Callable[[Run], BaseProcess], tmp_path: Path
) -> None:
    whole = Run.create(config)
    assert _exit_code(start(whole), 300) == 0
    broken = Run.create(config.model_copy(update={"output": tmp_path / "broken"}))
    moments = random.Random(0)
    # As long as the whole takes in all, half of it on average: on no machine is the run over before the last kill.
    # The median does not mind a computer that was suspended meanwhile.
    seconds = [row["seconds"] for row in whole.metrics]
    longest = float(np.median(np.diff(seconds))) * (len(seconds) - 1) / _KILLS
    kills = 0
    while kills < _KILLS:
        before = broken.status.heartbeat
        process = start(broken)
        while process.is_alive() and broken.status.heartbeat == before:
            time.sleep(0.01)  # until the trainer says its first word
        until = time.monotonic() + moments.uniform(0, longest)
        while time.monotonic() < until:
            assert runs_in(tmp_path)[0].status.state != "damaged", "it is listed at every moment"
            time.sleep(0.01)
        saved = _newest_checkpoint(broken)
        process.kill()
        if _exit_code(process, 60) == 0:
            pytest.fail(f"The run was over after {kills} kills; it needs more iterations.")
        kills += 1
        _assert_readable(broken)
        assert _newest_checkpoint(broken) >= saved, "no more is lost than what came after it"
    assert _exit_code(start(broken), 300) == 0
    assert broken.status.state == "done"
    rows = [[{k: v for k, v in row.items() if k != "seconds"} for row in run.metrics] for run in (whole, broken)]
    assert rows[0] == rows[1]
    last = f"{_ITERATIONS:08d}.pt"
    mine, theirs = (torch.load(r.path / "checkpoints" / last, weights_only=True)["model"] for r in (whole, broken))
    for name, tensor in mine.items():
        torch.testing.assert_close(theirs[name], tensor, rtol=0, atol=0)
    best = [read_package(run.model_folder).network.state_dict() for run in (whole, broken)]
    for name, tensor in best[0].items():
        torch.testing.assert_close(best[1][name], tensor, rtol=0, atol=0)
    left = [path.name for path in broken.path.rglob(".*")]
    assert not left, left


def _newest_checkpoint(run: Run) -> int:
    return max((int(path.stem) for path in (run.path / "checkpoints").glob("[0-9]*.pt")), default=0)


def _assert_readable(run: Run) -> None:
    assert run.status.state == "interrupted"
    assert run.config.iterations == _ITERATIONS
    iterations = [row["iteration"] for row in run.metrics]
    assert iterations == sorted(iterations)
    if list((run.path / "checkpoints").glob("[0-9]*.pt")):
        assert run.load_checkpoint() is not None
    for preview in run.previews:
        assert tifffile.imread(preview).shape[0] == 3
    run.tidy()
    if run.metrics and os.listdir(run.path / "checkpoints"):
        assert run.model.name == "my-model"
