"""A running average of a network, which is often better than the network itself."""

from __future__ import annotations

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class RunningAverage(AveragedModel):
    """An exponential moving average of the weights, and of buffers such as the statistics of batch normalisation.

    torch's own class asks for the number of updates where the weights are, and so waits for a GPU every time.

    Parameters
    ----------
    module : Module
        Whose weights are averaged; it is copied.
    decay : float
        Share of the average so far in the next one. That of the first iterations is smaller: the average of a short run
        would else consist of these.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        super().__init__(module, use_buffers=True)
        self._decay = decay

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        """Take in the weights and buffers of `model` as they are now."""
        number = int(self.n_averaged)
        averaged = [*self.module.parameters(), *self.module.buffers()]
        current = [*model.parameters(), *model.buffers()]
        if number == 0:
            for mine, its in zip(averaged, current, strict=True):
                mine.copy_(its)
        else:
            update = get_ema_multi_avg_fn(min(self._decay, (1 + number) / (10 + number)))  # type: ignore[no-untyped-call]
            for fractional in (True, False):  # counters are whole numbers
                kept = [i for i, tensor in enumerate(averaged) if tensor.is_floating_point() == fractional]
                if kept:
                    update([averaged[i] for i in kept], [current[i] for i in kept], number)
        self.n_averaged += 1
