"""Two processes share a batch: the same loss and gradients as one process that computes it in two parts."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import torch

from napari_mito_predict.training import Run


def _train(config: Path, *options: str, launcher: tuple[str, ...] = ()) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("LOCAL_RANK", "RANK"))}
    environment |= {"OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port())}
    command = [sys.executable, *launcher, "-m", "napari_mito_predict", "train", str(config), *options]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


def _after_one_step(run: Run) -> tuple[float, dict[str, torch.Tensor]]:
    """Loss of the first iteration, and Adam's first moments after it: a tenth of the gradients."""
    state = torch.load(run.path / "checkpoints" / "00000001.pt", weights_only=True)
    moments = {str(k): v["exp_avg"] for k, v in state["optimiser"]["state"].items()}
    return next(row["train_loss"] for row in run.metrics if row["iteration"] == 1), moments


def test_two_gloo_processes_equal_two_half_batches(fields, make_config, tmp_path: Path) -> None:
    runs = {}
    for name, changes, options in (("two", {}, ("--devices", "2")), ("one", {"accumulate": 2}, ())):
        config = make_config(fields, name, iterations=1, batch_size=4, add_to_models=False, **changes)
        config.save(tmp_path / f"{name}.yaml")
        _train(tmp_path / f"{name}.yaml", *options)
        runs[name] = Run(config.output)
        assert runs[name].status.state == "done", runs[name].status
    (loss, gradients), (expected_loss, expected) = (_after_one_step(runs[name]) for name in ("two", "one"))
    assert abs(loss - expected_loss) < 1e-5
    for key, tensor in expected.items():
        torch.testing.assert_close(gradients[key], tensor, rtol=1e-4, atol=1e-5)


def test_torchrun_starts_it_as_well(fields, make_config, tmp_path: Path) -> None:
    config = make_config(fields, "run", iterations=1, batch_size=2, add_to_models=False)
    config.save(tmp_path / "config.yaml")
    launcher = ("-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", str(_free_port()))
    _train(tmp_path / "config.yaml", "--devices", "2", launcher=launcher)
    assert Run(config.output).status.state == "done"


def test_batch_norm_statistics_are_those_of_the_first_process(fields, make_config, tmp_path: Path) -> None:
    """It sees the first half of each batch: what one process with half the batch size, and every other patch, sees."""
    two = make_config(fields, "two", iterations=1, batch_size=2, devices=2, add_to_models=False)
    two.save(tmp_path / "two.yaml")
    _train(tmp_path / "two.yaml")
    one = make_config(fields, "one", iterations=1, batch_size=1, add_to_models=False)
    one.save(tmp_path / "one.yaml")
    _train(tmp_path / "one.yaml")
    states = [
        torch.load(config.output / "checkpoints" / "00000001.pt", weights_only=True)["model"] for config in (two, one)
    ]
    statistics = [name for name in states[0] if "running" in name]
    assert statistics
    for name in statistics:
        torch.testing.assert_close(states[0][name], states[1][name], rtol=1e-5, atol=1e-6)
