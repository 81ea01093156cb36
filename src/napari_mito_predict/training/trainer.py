"""The training loop: random patches, a loss, Adam; the model is the state best on validation fields, or the last."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal, cast

import torch
from torch import Tensor, nn

from napari_mito_predict.errors import DamagedCheckpointError, TrainingError
from napari_mito_predict.models import Model
from napari_mito_predict.networks import build_network
from napari_mito_predict.prediction.unet import channels_last
from napari_mito_predict.training.average import RunningAverage
from napari_mito_predict.training.batches import make_batches
from napari_mito_predict.training.export import make_card, save_best
from napari_mito_predict.training.loss_reader import LossReader
from napari_mito_predict.training.losses import make_loss
from napari_mito_predict.training.pace import Pace
from napari_mito_predict.training.patches import PatchSampler, prefetched
from napari_mito_predict.training.progress import Progress
from napari_mito_predict.training.schedule import learning_rate
from napari_mito_predict.training.start import start_network
from napari_mito_predict.training.validation import save_preview, validate

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from napari_mito_predict.training.batches import TensorBatch
    from napari_mito_predict.training.config import TrainingConfig
    from napari_mito_predict.training.data import TrainingData
    from napari_mito_predict.training.heartbeat import Heartbeat
    from napari_mito_predict.training.run import Run

_log = logging.getLogger(__name__)

_LOGS_PER_VALIDATION = 10
_CHECKPOINT_EVERY_S = 120.0

Outcome = Literal["finished", "kept", "paused"]


class Trainer:
    """One process's share of a run.

    Parameters
    ----------
    run : Run
        Where results go.
    config : TrainingConfig
    data : TrainingData
    fabric : Fabric
        Launched.
    heartbeat : Heartbeat
        Writes the status of the run for whoever watches it.
    began : float, optional
        When this process began to work on the run (`time.monotonic`): reading the fields counts as well.
    """

    def __init__(
        self,
        run: Run,
        config: TrainingConfig,
        data: TrainingData,
        fabric: Fabric,
        heartbeat: Heartbeat,
        began: float | None = None,
    ) -> None:
        self.run = run
        self.config = config
        self.data = data
        self.fabric = fabric
        self.heartbeat = heartbeat
        torch.manual_seed(config.seed)
        self._card = make_card(config, data, 0)
        module = start_network(config, data.ndim)
        module.to(memory_format=channels_last(data.ndim))  # type: ignore[call-overload]
        if config.compile:
            module.compile()
        optimiser = torch.optim.AdamW(
            module.parameters(),
            lr=config.learning_rate,
            betas=config.betas,
            weight_decay=config.weight_decay,
            fused=_fuses(fabric) or None,
        )
        self.module, self.optimiser = fabric.setup(module, optimiser)
        self.average = None
        if config.average:
            self.average = RunningAverage(module, config.average)
        self.loss = make_loss(config.loss)
        sampler = PatchSampler(
            data.training, data.patch, config.seed, config.foreground, config.augment, config.truth_ceiling
        )
        self.batches = make_batches(sampler, fabric.device)
        self._losses = LossReader(fabric.device)
        self.progress = Progress(planned=config.iterations)
        self._pace = Pace(config, data)
        self._saved_at = time.monotonic()
        self._restore()
        self._clock_zero = (began or self._saved_at) - self.progress.seconds

    # ------------------------------------------------------------------ the loop

    def fit(self) -> Outcome:
        """Train to the end, or until somebody asks to stop."""
        outcome: Outcome | None = None
        if self.progress.validated_at < 0:
            self._validate()
        with closing(prefetched(self.batches.begin, self._patch_numbers(), self.batches.threads)) as begun:
            for each in begun:
                outcome = self._broadcast(self._should_end())
                if outcome:
                    break
                began = time.monotonic()
                self._step(self.batches.finish(each))
                self._pace.note(time.monotonic() - began)
                self._after_iteration()
        if outcome == "paused":
            self._checkpoint()
        elif self.progress.validated_at != self.progress.iteration:
            self._validate()
        return outcome or "finished"

    def _patch_numbers(self) -> Iterator[Sequence[int]]:
        """Numbers of the patches of each iteration: this process's share of a batch all processes split."""
        size = self.config.batch_size
        share = size // self.fabric.world_size
        for iteration in range(self.progress.iteration, self.config.iterations):
            first = iteration * size + self.fabric.global_rank * share
            yield range(first, first + share)

    def _step(self, batch: TensorBatch) -> None:
        """One iteration: gradients of all parts of the batch, then one step."""
        progress = self.progress
        config = self.config
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(config, progress.iteration, progress.planned)
        self.module.train()
        self.optimiser.zero_grad(set_to_none=True)
        parts = list(zip(*(a.chunk(config.accumulate) for a in (batch.input, batch.truth)), strict=True))
        losses = []
        for i, (given, truth) in enumerate(parts, 1):
            with self.fabric.no_backward_sync(self.module, enabled=i < len(parts)):
                loss = self.loss(self.module(given), truth) / len(parts)
                self.fabric.backward(loss)
            losses.append(loss.detach())
        self._losses.put(self._mean_over_processes(torch.stack(losses)), progress.iteration, batch.fields)
        self._read_losses()
        if config.clip_gradient:
            self.fabric.clip_gradients(
                self.module, self.optimiser, max_norm=config.clip_gradient, error_if_nonfinite=False
            )
        self.optimiser.step()
        if self.average is not None:
            self.average.update_parameters(self._unwrapped)
        progress.iteration += 1

    def _read_losses(self, *, all_: bool = False) -> None:
        """Take in the losses that have arrived, or all; on a processor that of the iteration under way.

        Raises
        ------
        TrainingError
            A loss is not finite. What is on disk was written before.
        """
        for value, iteration, fields in self._losses.read(all_=all_):
            if not math.isfinite(value):
                raise TrainingError(
                    f"the loss became {value} at iteration {iteration}, on patches of "
                    f"{', '.join(sorted(set(fields)))}. The last good model is kept; lower the learning rate, or "
                    "look for damaged places in these fields.",
                    file=self.run.path,
                )
            self.progress.loss_sum += value
            self.progress.loss_count += 1

    # ------------------------------------------------------------------ between iterations

    def _after_iteration(self) -> None:
        """Do what is due after an iteration, by its number alone: a resumed run does the same at the same places."""
        iteration, every = self.progress.iteration, self.config.validate_every
        self.progress.seconds = time.monotonic() - self._clock_zero
        if iteration % every == 0:
            self._validate()
        elif iteration % max(1, every // _LOGS_PER_VALIDATION) == 0:
            self._log()
        if time.monotonic() - self._saved_at > _CHECKPOINT_EVERY_S:
            self._checkpoint()
        self._write_status()

    def _validate(self) -> None:
        """Measure on whole fields; keep the model if it is the best so far; write preview and checkpoint."""
        self._read_losses(all_=True)
        began = time.monotonic()
        self.progress.validated_at = self.progress.iteration
        if self.fabric.is_global_zero:
            self._measure()
            self.progress.validation_seconds = time.monotonic() - began
            self.progress.planned = self._pace.iterations(self.progress)
        if self.fabric.world_size > 1:
            self.progress = self.fabric.broadcast(self.progress)
        self._refuse_divergence()
        self._checkpoint()

    def _measure(self) -> None:
        """Score the network on the validation fields, and keep it if it is the best so far."""
        progress = self.progress
        config = self.config
        model = self._model_now()
        found = validate(model, self.data.validation, self.data.sampling.voxel_size_um, config.precision)
        progress.note_loss(found.loss, progress.training_loss)
        self._log(val_loss=found.loss, val_pcc=found.pcc)
        picture = self.run.path / "preview" / f"{progress.iteration:06d}.tif"
        save_preview(picture, self.data.validation[0], found.shown)
        if progress.iteration == 0 and config.start_from:
            progress.scores["base"] = found.pcc
        progress.validations_since_best += 1
        better = found.pcc > progress.best_pcc or config.select == "last"
        # A network whose weights have exploded may still correlate: its answers are off by orders of magnitude.
        if (better and not progress.off_now) or not self.run.model_folder.exists():
            progress.best_pcc = found.pcc
            progress.validations_since_best = 0
            save_best(self.run, config, self.data, model)
        progress.scores["best"] = progress.best_pcc
        name = self.data.fields.score_name(config.select)
        _log.info("iteration %d: %s %.4f", progress.iteration, name, found.pcc)

    def _refuse_divergence(self) -> None:
        """End a run whose weights have exploded: no rate of learning brings them back.

        Raises
        ------
        TrainingError
            The validation loss is not finite, or was far off several times.
        """
        progress = self.progress
        if not progress.diverged:
            return
        raise TrainingError(
            f"the training diverged: the validation loss was {progress.first_loss:.2g} at first and is "
            f"{progress.loss:.2g} at iteration {progress.iteration}. The best model before that is kept in the run "
            f"folder. Start a new run with a lower learning rate than {self.config.learning_rate:g}.",
            file=self.run.path,
        )

    def _should_end(self) -> Outcome | None:
        """How the run should end before the next iteration; None to go on. Decided by the first process alone."""
        if not self.fabric.is_global_zero:
            return None
        asked = self.run.stop_requested
        patience = self.config.patience
        if asked == "keep":
            return "kept"
        if asked == "pause":
            return "paused"
        if self._pace.is_over(self.progress):
            return "kept"
        if patience is not None and self.progress.validations_since_best >= patience:
            _log.info("No improvement in %d validations: stopping early.", patience)
            return "finished"
        if self.progress.iteration >= self.progress.planned:
            return "finished"
        return None

    def _broadcast(self, outcome: Outcome | None) -> Outcome | None:
        """What the first process decided, for all of them."""
        if self.fabric.world_size == 1:
            return outcome
        decided: Outcome | None = self.fabric.broadcast(outcome)
        return decided

    def _log(self, **measured: float) -> None:
        """One line of metrics; the training loss is the mean since the line before."""
        self._read_losses(all_=True)
        progress = self.progress
        row = {
            "iteration": progress.iteration,
            "lr": learning_rate(self.config, max(progress.iteration - 1, 0), progress.planned),
            "seconds": progress.seconds,
            **measured,
        }
        if progress.training_loss is not None:
            row["train_loss"] = progress.training_loss
        progress.loss_sum, progress.loss_count = 0.0, 0
        if self.fabric.is_global_zero:
            self.run.append_metrics(row)

    def _write_status(self) -> None:
        """Say how far the run is, and how long the rest will take."""
        progress = self.progress
        self.heartbeat.say(
            iteration=progress.iteration,
            iterations=progress.planned,
            seconds_left=self._pace.seconds_left(progress),
            scores=self.heartbeat.status.scores | progress.scores,
        )

    # ------------------------------------------------------------------ state

    @property
    def _unwrapped(self) -> nn.Module:
        """The network without what Fabric wraps it in."""
        network: nn.Module = self.module.module
        return network

    def _model_now(self) -> Model:
        """The model as it would be kept now: a copy on the processor, never compiled, since fields differ in size."""
        training = self._card.training.model_copy(update={"iterations": self.progress.iteration})
        card = self._card.model_copy(update={"training": training})
        network = build_network(card.architecture.kind, card.architecture.arguments)
        source = self._unwrapped
        if self.average is not None:
            source = self.average.module
        network.load_state_dict({k: v.detach().cpu() for k, v in source.state_dict().items()})
        network.eval().requires_grad_(False)
        return Model(card, network)

    def _checkpoint(self) -> None:
        self._read_losses(all_=True)  # a state that a loss was not finite in is none to go on from
        self._saved_at = time.monotonic()
        if not self.fabric.is_global_zero:
            return
        state = {
            "model": self._unwrapped.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.fabric.strategy.precision.state_dict(),
            "average": {},
            "random": torch.get_rng_state(),
            "progress": asdict(self.progress),
            "config": self.config.model_dump(mode="json"),
            "digests": self.data.digests,
        }
        if self.average is not None:
            state["average"] = self.average.state_dict()
        self.run.save_checkpoint(self.progress.iteration, state)

    def _restore(self) -> None:
        """Go on from the newest checkpoint, or begin."""
        state = self.run.load_checkpoint()
        if state is not None:
            self._refuse_changes(state)
            try:
                self._load(state)
            except (RuntimeError, ValueError, LookupError, TypeError) as error:
                raise DamagedCheckpointError(
                    f"the newest checkpoint does not belong to this run's network ({error}). Put its "
                    "own checkpoints back, or start a new run in another folder.",
                    file=self.run.path,
                ) from error
            _log.info("Going on after iteration %d.", self.progress.iteration)
        if not self.fabric.is_global_zero:
            return
        if state is None:  # even iteration 0 is measured again: a trainer may have been killed just after it was
            self.run.drop_metrics_after(-1)
        else:
            self.run.drop_metrics_after(self.progress.iteration)

    def _load(self, state: dict[str, Any]) -> None:
        """Take over a checkpoint, random state included: what follows is what would have followed."""
        self._unwrapped.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.fabric.strategy.precision.load_state_dict(state["scaler"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        torch.set_rng_state(state["random"])
        self.progress = Progress(**state["progress"])

    def _refuse_changes(self, state: dict[str, Any]) -> None:
        """A run whose request or data changed would be neither the old nor the new one."""
        changed = self.config.differences(state["config"])
        if self.data.reports:  # only the first process has read the fields
            before, now = state["digests"], self.data.digests
            changed += [f"field {name}" for name in sorted(before.keys() | now) if before.get(name) != now.get(name)]
        if changed:
            raise TrainingError(
                f"this run cannot go on, since what it trains changed: {'; '.join(changed)}. Undo "
                "the change, or start a new run in another folder (with `start_from` this one's model).",
                file=self.run.path,
            )

    def _mean_over_processes(self, losses: Tensor) -> Tensor:
        """The losses of the parts of a batch, or the mean of their sum over all processes."""
        if self.fabric.world_size == 1:
            return losses
        total = sum(losses.tolist())
        return cast("Tensor", self.fabric.all_reduce(torch.tensor(total), reduce_op="mean"))


def _fuses(fabric: Fabric) -> bool:
    """Whether one kernel updates all weights: on NVIDIA GPUs, but in float16, whose gradients have to be unscaled."""
    return fabric.device.type == "cuda" and fabric.strategy.precision.precision != "16-mixed"
