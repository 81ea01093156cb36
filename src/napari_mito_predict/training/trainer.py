"""The training loop: random patches, mean squared error, Adam; best model by correlation on whole validation fields."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from napari_mito_predict.errors import MitoPredictError, TrainingError
from napari_mito_predict.evaluation import pcc
from napari_mito_predict.models import load_model
from napari_mito_predict.networks import Network, build_network
from napari_mito_predict.prediction.device import choose_device
from napari_mito_predict.training.config import NetworkConfig, TrainingConfig
from napari_mito_predict.training.data import TrainingData, load_data
from napari_mito_predict.training.export import export_model
from napari_mito_predict.training.patches import PatchSampler
from napari_mito_predict.training.run import Run

if TYPE_CHECKING:
    from napari_mito_predict.training.pairs import Pair

_log = logging.getLogger(__name__)

_HEARTBEAT_S = 5.0
_PRECISIONS = {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}


def train(request: TrainingConfig | Run) -> Run:
    """Train in a new run folder, or go on with an interrupted run.

    Parameters
    ----------
    request : TrainingConfig or Run
        What to train; or a run, which goes on from its newest checkpoint exactly where it stopped.

    Returns
    -------
    Run
        The finished (or cleanly stopped) run; its `model` is the best one found.

    Raises
    ------
    TrainingError
        The data, the configuration or the numbers do not allow (further) training; the run folder says so too.
    """
    run = request if isinstance(request, Run) else Run.create(request)
    run.clear_stop()
    return _run(run, run.config)


def _run(run: Run, config: TrainingConfig) -> Run:
    if config.threads:
        torch.set_num_threads(config.threads)
    run.write_status("preparing", 0, "Reading the training fields.")
    try:
        data = load_data(config)
        finished = _Trainer(run, config, data).fit()
        if finished:
            run.write_status("preparing", config.iterations, "Testing the best model on the test fields.")
            export_model(run, config, data)
    except MitoPredictError as error:
        run.write_status("failed", 0, str(error))
        raise
    state = "done" if finished else "stopped"
    run.write_status("done" if finished else "stopped", run.status.get("iteration", 0), f"Training {state}.")
    return run


@dataclass
class _Progress:
    """What a checkpoint holds beside weights and optimiser."""

    iteration: int = 0
    seconds: float = 0.0
    best_pcc: float = -math.inf
    losses: list[float] = field(default_factory=list)


class _Trainer:
    """One process's share of a run."""

    def __init__(self, run: Run, config: TrainingConfig, data: TrainingData) -> None:
        self.run, self.config, self.data = run, config, data
        precision = choose_device("auto", config.precision).precision
        self.fabric = Fabric(accelerator="auto", devices=config.devices, precision=cast("Any", _PRECISIONS[precision]))
        self.fabric.launch()
        torch.manual_seed(config.seed)
        self.network = _make_network(config, data)
        module = cast("nn.Module", self.network)
        module.to(memory_format=_memory_format(data.ndim))  # type: ignore[call-overload]
        if config.compile:
            module.compile()
        optimiser = torch.optim.Adam(module.parameters(), lr=config.learning_rate, betas=config.betas)
        self.module, self.optimiser = self.fabric.setup(module, optimiser)
        self.sampler = PatchSampler(data.training, data.patch, config.seed, config.foreground, config.augment)
        self.progress = _Progress()
        self._restore()

    def fit(self) -> bool:
        """Train to the end; ``False`` when stopped before it."""
        config, progress = self.config, self.progress
        started, beat = time.monotonic() - progress.seconds, 0.0
        while progress.iteration < config.iterations:
            progress.losses.append(self._step(progress.iteration))
            progress.iteration += 1
            progress.seconds = time.monotonic() - started
            stop = self.run.stop_requested or self._out_of_time()
            if time.monotonic() - beat > _HEARTBEAT_S:
                beat = time.monotonic()
                self.run.write_status("running", progress.iteration, f"Loss {np.mean(progress.losses[-50:]):.4f}.")
            if progress.iteration % config.validate_every == 0 or progress.iteration == config.iterations or stop:
                self._validate()
            if stop:
                return self._out_of_time()
        return True

    def _step(self, iteration: int) -> float:
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.config, iteration)
        given, truth = (self._tensor(a) for a in self.sampler.batch(iteration, self.config.batch_size))
        self.module.train()
        loss = nn.functional.mse_loss(self.module(given), truth)
        self.optimiser.zero_grad(set_to_none=True)
        self.fabric.backward(loss)
        self.optimiser.step()
        value = float(loss.detach())
        if not math.isfinite(value):
            raise TrainingError(
                f"{self.run.path}: the loss became {value} at iteration {iteration}. The last good model is kept; "
                "lower the learning rate or look for damaged fields."
            )
        return value

    def _validate(self) -> None:
        """Measure, keep the model if it is the best so far, write a checkpoint."""
        progress = self.progress
        loss, scores = self._measure(self.data.validation)
        score = float(np.mean(scores))
        self.run.append_metrics(
            {
                "iteration": progress.iteration,
                "train_loss": float(np.mean(progress.losses)),
                "val_loss": loss,
                "val_pcc": score,
                "lr": learning_rate(self.config, progress.iteration - 1),
                "seconds": progress.seconds,
            }
        )
        progress.losses.clear()
        if score > progress.best_pcc or not self.run.model_folder.exists():
            progress.best_pcc = max(score, progress.best_pcc)
            export_model(self.run, self.config, self.data, network=self.network, iteration=progress.iteration)
        state = {"model": self.module.state_dict(), "optimiser": self.optimiser.state_dict()}
        counters = {k: getattr(progress, k) for k in ("iteration", "seconds", "best_pcc")}
        self.run.save_checkpoint(progress.iteration, {**state, **counters})
        _log.info("iteration %d: validation PCC %.4f", progress.iteration, score)

    def _measure(self, pairs: Sequence[Pair]) -> tuple[float, list[float]]:
        """Mean squared error and correlation per whole validation volume and target."""
        self.module.eval()
        errors, scores = [], []
        with torch.no_grad(), self.fabric.autocast():
            for pair in pairs:
                pads = [(0, -n % s) for n, s in zip(pair.input.shape, self.network.stride, strict=True)]
                padded = np.pad(pair.input.astype(np.float32), pads, mode="symmetric")
                # `forward` itself: a compiled network would be compiled again for every size of field.
                output = self.network.forward(self._tensor(padded[None, None]))[0].float().cpu().numpy()
                output = output[(slice(None), *(slice(n) for n in pair.input.shape))]
                truth = pair.truth.astype(np.float32)
                errors.append(float(np.mean((output - truth) ** 2)))
                scores += [pcc(predicted, true) for predicted, true in zip(output, truth, strict=True)]
        return float(np.mean(errors)), scores

    def _tensor(self, array: np.ndarray) -> Tensor:
        tensor = torch.from_numpy(array).contiguous(memory_format=_memory_format(array.ndim - 2))
        moved: Tensor = self.fabric.to_device(tensor)
        return moved

    def _out_of_time(self) -> bool:
        return self.config.max_minutes is not None and self.progress.seconds > 60 * self.config.max_minutes

    def _restore(self) -> None:
        state = self.run.load_checkpoint()
        if state is None:
            return
        self.module.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.progress = _Progress(state["iteration"], state["seconds"], state["best_pcc"])
        self.run.drop_metrics_after(self.progress.iteration)


def learning_rate(config: TrainingConfig, iteration: int) -> float:
    """Learning rate at `iteration`: linear warm-up, then constant or a half cosine down to 1 % of its start."""
    if iteration < config.warmup:
        return config.learning_rate * (iteration + 1) / config.warmup
    if config.schedule == "constant":
        return config.learning_rate
    done = (iteration - config.warmup) / max(config.iterations - config.warmup, 1)
    return config.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


def _make_network(config: TrainingConfig, data: TrainingData) -> Network:
    if config.start_from:
        network = load_model(config.start_from).network
        cast("nn.Module", network).requires_grad_(True)
    else:
        shape = config.network or NetworkConfig()
        network = build_network(shape.kind, shape.arguments(data.ndim, data.targets))
    if network.ndim != data.ndim or network.out_channels != len(config.targets):
        raise TrainingError(
            f"The network is {network.ndim}-D with {network.out_channels} targets, the data {data.ndim}-D with "
            f"{len(config.targets)}. Choose another start model, or other targets."
        )
    return network


def _memory_format(ndim: int) -> torch.memory_format:
    return torch.channels_last_3d if ndim == 3 else torch.channels_last
