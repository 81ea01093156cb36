"""The learning rate, and how many iterations fit into the time given."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_mito_predict.training.config import TrainingConfig


def learning_rate(config: TrainingConfig, iteration: int, iterations: int | None = None) -> float:
    """Learning rate at `iteration`: linear warm-up, then constant or a half cosine down to 1 % of its start.

    Parameters
    ----------
    config : TrainingConfig
    iteration : int
        From 0.
    iterations : int, optional
        Where the schedule ends; default `config.iterations`.
    """
    if iteration < config.warmup:
        return config.learning_rate * (iteration + 1) / config.warmup
    if config.schedule == "constant":
        return config.learning_rate
    end = iterations or config.iterations
    done = min(1.0, (iteration - config.warmup) / max(end - config.warmup, 1))
    return config.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


def affordable(config: TrainingConfig, done: int, step_seconds: float, validation_seconds: float, left: float) -> int:
    """How many iterations in all can be done in `left` seconds, `done` of them being done; at least one more.

    Validations on the way and a last one with the test of the finished model are counted in.
    """
    each = step_seconds + validation_seconds / config.validate_every
    fitting = done + int(max(0.0, left - 3 * validation_seconds) / each)
    return max(done + 1, min(config.iterations, fitting))
