"""What a prediction is painted on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from napari_mito_predict.prediction import Output
    from napari_mito_predict.prediction.viewport import Viewport


class Canvas:
    """An array that shows as nothing where it is not painted: the lower end of the display range, not zero, the mean.

    To write to fresh memory takes a quarter of a second for a stack of 32 x 1024 x 1024. So the plane that is looked at
    is made at once, and the others by `blank` while the first prediction is computed.

    Parameters
    ----------
    output : Output
        What will be painted.
    viewport : Viewport
        What is looked at.

    Attributes
    ----------
    array : ndarray, float32
        Of the output's shape.
    """

    def __init__(self, output: Output, viewport: Viewport) -> None:
        self.array = np.zeros(output.shape, np.float32)
        self._nothing = output.target.contrast_limits[0]
        steps = {"T": viewport.t, "Z": viewport.z}
        self._plane = tuple(steps[axis] for axis in output.axes[:-2])
        self.array[self._plane] = self._nothing

    def blank(self, should_stop: Callable[[], bool] = lambda: False) -> None:
        """Make all planes but the one that is looked at show nothing, or stop half-way when `should_stop` says so."""
        for plane in np.ndindex(self.array.shape[:-2]):
            if should_stop():
                return
            if plane != self._plane:
                self.array[plane] = self._nothing

    def is_looked_at(self, slices: tuple[slice, ...]) -> bool:
        """Whether a part lies in the plane that is looked at, which is never blanked."""
        return all((part.start, part.stop) == (i, i + 1) for part, i in zip(slices, self._plane, strict=False))
