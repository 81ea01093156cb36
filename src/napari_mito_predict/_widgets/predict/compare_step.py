"""Step 4: a prediction beside its truth, in a panel that belongs to another dock."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Protocol, cast

from napari_mito_predict._widgets.common.steps import Step

if TYPE_CHECKING:
    from napari.layers import Layer
    from qtpy.QtWidgets import QWidget

    from napari_mito_predict._widgets.common.controls import LayerCombo


class Scores(Protocol):
    """How well the stack on screen agrees with its truth."""

    @property
    def pcc(self) -> float: ...
    @property
    def ssim(self) -> float: ...


class ComparePanel(Protocol):
    """What this step asks of the panel, which is a widget."""

    @property
    def changed(self) -> Any:
        """Signal: the scores are others."""

    @property
    def prediction(self) -> LayerCombo:
        """The prediction that is compared."""

    @property
    def stack(self) -> Scores | None:
        """Scores of the stack on screen, once they are known."""

    def update_numbers(self) -> None:
        """Compute the scores anew."""


class CompareStep(Step):
    """The panel as a step; its header says the scores."""

    def __init__(self, panel: ComparePanel, parent: QWidget | None = None) -> None:
        super().__init__("4  Compare", parent)
        self._panel = panel
        self.body.addWidget(cast("QWidget", panel))
        panel.changed.connect(self._update_summary)

    def compare(self, prediction: Layer) -> None:
        """Choose the prediction that is compared."""
        self._panel.prediction.choose(prediction)

    def _update_summary(self) -> None:
        scores = self._panel.stack
        if scores is not None and math.isfinite(scores.pcc):
            self.set_summary(f"PCC {scores.pcc:.2f} · SSIM {scores.ssim:.2f}", "ok")
        elif self._panel.prediction.layer is not None:
            self.set_summary("")
        else:
            self.set_summary("no prediction yet")
