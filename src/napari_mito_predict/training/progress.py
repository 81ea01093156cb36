"""Where a run stands, and whether it has diverged."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

_FAR_OFF = 10.0
_FAR_OFF_TIMES = 2
"""A validation loss so many times above the first one, so often in a row, is no noise of learning any more..."""
_LEARNING = 3.0
"""...unless the training loss is below so many times the first one. Early in a training the running statistics of
batch normalisation lag behind the weights: on a real field the validation loss rose from 0.5 to 83 in a good training.
"""


@dataclass
class Progress:
    """Where a run stands; kept in its checkpoints."""

    iteration: int = 0
    planned: int = 0
    """Iterations there will be: those asked for, or as many as fit into the time."""
    seconds: float = 0.0
    validated_at: int = -1
    best_pcc: float = -math.inf
    validations_since_best: int = 0
    loss_sum: float = 0.0
    loss_count: int = 0
    validation_seconds: float = 0.0
    scores: dict[str, float] = field(default_factory=dict)
    first_loss: float | None = None
    """Of the first validation."""
    loss: float = 0.0
    """Of the last validation."""
    far_off: int = 0
    """Validations in a row whose loss was far above the first one's while the training loss was high, too."""

    @property
    def diverged(self) -> bool:
        """Whether the weights have exploded: the validation loss is not finite, or was far off several times."""
        return not math.isfinite(self.loss) or self.far_off >= _FAR_OFF_TIMES

    @property
    def training_loss(self) -> float | None:
        """Mean since the last line of metrics; None before the first iteration after it."""
        if not self.loss_count:
            return None
        return self.loss_sum / self.loss_count

    @property
    def off_now(self) -> bool:
        """Whether the loss of the last validation was far above the first one's, or no number."""
        return not self.loss < _FAR_OFF * self._usual_loss

    @property
    def _usual_loss(self) -> float:
        """Of the first validation; truths have a variance of about 1."""
        return max(self.first_loss or 0.0, 1.0)

    def note_loss(self, loss: float, training_loss: float | None = None) -> None:
        """Keep the loss of a validation, and how often in a row it was far off without a reason."""
        if self.first_loss is None:
            self.first_loss = loss
        self.loss = loss
        learning = training_loss is not None and training_loss < _LEARNING * self._usual_loss
        if not self.off_now or (math.isfinite(loss) and learning):
            self.far_off = 0
        else:
            self.far_off += 1
