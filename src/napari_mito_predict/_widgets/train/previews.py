"""Pictures of a validation field while a model learns: read in another thread, shown as layers with a slider."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image
from qtpy.QtCore import QObject, Signal

from napari_mito_predict._widgets.common.facts import PreviewFacts, metadata_of
from napari_mito_predict._widgets.common.file_layers import contrast_of
from napari_mito_predict._widgets.common.following import follow
from napari_mito_predict._widgets.common.removal import take_away
from napari_mito_predict._widgets.common.worker import Job
from napari_mito_predict.errors import ModelError

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer
    from numpy.typing import NDArray

    from napari_mito_predict._widgets.common.worker import Work
    from napari_mito_predict.training.run import Run

_MOST_PREVIEWS = 200
"""Of a run with more previews, so many are read, evenly spread."""
_GAP = 0.04
"""Between two pictures, as a part of their width."""
_UNKNOWN_PIXEL = (1.0, 1.0)
"""Placed in pixels: nobody knows how large they are in micrometres."""


@dataclass(frozen=True)
class Previews:
    """All previews read so far.

    Attributes
    ----------
    iterations : tuple of int
        One per preview.
    light : ndarray, (Y, X)
    truths : ndarray, (targets, Y, X)
    predictions : ndarray, (previews, targets, Y, X)
    pixel_um : tuple of float or None
        Row and column, None where the model does not say.
    """

    iterations: tuple[int, ...]
    light: NDArray[np.float32]
    truths: NDArray[np.float32]
    predictions: NDArray[np.float32]
    pixel_um: tuple[float, float] | None


class Frames:
    """Previews in a buffer that grows by doubling, so that each new one is copied once. For one worker at a time."""

    def __init__(self, model_folder: Path) -> None:
        self._model_folder = model_folder
        self._iterations: list[int] = []
        self._still: NDArray[np.float32] | None = None
        self._buffer: NDArray[np.float32] | None = None
        self._pixel: tuple[float, float] | None = None

    def add(self, path: Path) -> None:
        """Read one more; one that is gone again, or of another size, is passed over."""
        import tifffile

        iteration = int(path.stem)
        if iteration in self._iterations:
            return
        planes = np.asarray(tifffile.imread(path), np.float32)
        targets = (len(planes) - 1) // 2
        still, predicted = planes[: 1 + targets], planes[1 + targets :]
        if self._buffer is None:
            self._still, self._buffer = still, np.empty((8, *predicted.shape), np.float32)
        if predicted.shape != self._buffer.shape[1:]:
            return
        count = len(self._iterations)
        if count == len(self._buffer):
            grown = np.empty((2 * count, *predicted.shape), np.float32)
            grown[:count] = self._buffer
            self._buffer = grown
        self._buffer[count] = predicted
        self._iterations.append(iteration)

    def so_far(self) -> Previews | None:
        """What was read, without copying it."""
        if self._still is None or self._buffer is None:
            return None
        self._pixel = self._pixel or _pixel_of(self._model_folder)
        iterations = tuple(self._iterations)
        return Previews(iterations, self._still[0], self._still[1:], self._buffer[: len(iterations)], self._pixel)


def reading(frames: Frames, paths: Sequence[Path]) -> Work:
    """Work that reads previews and yields all there are then."""

    def work(should_stop: Callable[[], bool]) -> Iterator[object]:
        for path in paths:
            if should_stop():
                return
            with suppress(OSError, ValueError):
                frames.add(path)
        if (previews := frames.so_far()) is not None:
            yield previews

    return work


class PreviewLayers(QObject):
    """The layers of one run's previews, side by side; `moved` tells which iteration is on screen.

    Only layers made here are touched.
    """

    moved = Signal(object)

    def __init__(self, viewer: Viewer, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._run: Run | None = None
        self._frames: Frames | None = None
        self._waiting: list[Path] = []
        self.previews: Previews | None = None
        self.stills: list[Image] = []
        self.stacks: list[Image] = []
        self._job = Job(self)
        self._job.yielded.connect(self._show)
        self._job.state_changed.connect(self._read_on)
        follow(self, viewer.dims.events.current_step, self._slider_moved)

    def follow(self, run: Run | None) -> None:
        """Show the previews of this run from now on, and those of no other."""
        self._job.reset()
        take_away(self._viewer, [*self.stills, *self.stacks])
        self.stills = []
        self.stacks = []
        self._waiting = []
        self.previews = None
        self._run = run
        self._frames = None
        if run is not None:
            self._frames = Frames(run.model_folder)

    def take(self, paths: Sequence[Path]) -> None:
        """Read these, as soon as the ones before are read."""
        self._waiting = _spread(paths)
        self._read_on()

    def jump(self, iteration: int) -> None:
        """Move the slider to the preview nearest to an iteration."""
        if self.previews is not None and (layer := self._stack()) is not None:
            nearest = min(self.previews.iterations, key=lambda i: abs(i - iteration))
            axis = self._viewer.dims.ndim - layer.ndim
            self._viewer.dims.set_current_step(axis, self.previews.iterations.index(nearest))

    # ------------------------------------------------------------------ reading

    def _read_on(self, state: object = None) -> None:
        """Read what waits, unless something is being read: then when that is done."""
        if self._job.state.busy or self._frames is None:
            return
        known: set[int] = set()
        if self.previews is not None:
            known.update(self.previews.iterations)
        new = [path for path in self._waiting if path.stem.isdecimal() and int(path.stem) not in known]
        self._waiting = []
        if new:
            self._job.start(reading(self._frames, new))

    # ------------------------------------------------------------------ showing

    def _show(self, previews: Previews) -> None:
        first = not self.stacks
        at_the_end = self._at_the_end()
        self.previews = previews
        if first:
            self._make(previews)
        else:
            for i, layer in enumerate(self.stacks):
                if layer in self._viewer.layers:
                    layer.data = _stack_of(previews, i, layer.ndim)
        if first or at_the_end:
            self.jump(previews.iterations[-1])
        self._slider_moved()

    def _at_the_end(self) -> bool:
        """Whether the slider is at the newest preview; then it follows."""
        layer = self._stack()
        if layer is None:
            return False
        axis = self._viewer.dims.ndim - layer.ndim
        return bool(self._viewer.dims.current_step[axis] >= len(layer.data) - 1)

    def _slider_moved(self, event: object = None) -> None:
        layer = self._stack()
        if layer is None or self.previews is None:
            self.moved.emit(None)
            return
        step = self._viewer.dims.current_step[self._viewer.dims.ndim - layer.ndim]
        iterations = self.previews.iterations
        self.moved.emit(iterations[min(max(step, 0), len(iterations) - 1)])

    def _stack(self) -> Image | None:
        return next(iter(self._still_there(self.stacks)), None)

    def _still_there(self, layers: Sequence[Image]) -> list[Image]:
        return [layer for layer in layers if layer in self._viewer.layers]

    def _make(self, previews: Previews) -> None:
        """Transmitted light, truth and prediction from left to right, beside whatever is there already."""
        if self._run is None:
            return
        place = _Placement(self._viewer, previews)
        name, targets = self._run.path.name, len(previews.truths)
        light = {"colormap": "gray", "contrast_limits": contrast_of(previews.light)}
        self.stills = [self._image(previews.light, f"{name} preview: transmitted light", place.still(0), **light)]
        self.stacks = []
        for i, truth in enumerate(previews.truths):
            number = ""
            if targets > 1:
                number = f" {i + 1}"
            limits = contrast_of(truth)
            look = {"colormap": "green", "contrast_limits": limits}
            still = self._image(truth, f"{name} preview: truth{number}", place.still(1 + 2 * i), **look)
            self.stills.append(still)
            stack = _stack_of(previews, i, place.ndim)
            look = {"colormap": "magenta", "contrast_limits": limits}
            title = f"{name} preview: prediction{number}"
            self.stacks.append(self._image(stack, title, place.stack(2 + 2 * i), **look))
        for layer in (*self.stills, *self.stacks):
            self._viewer.add_layer(layer)
        self._viewer.reset_view()

    def _image(self, data: NDArray[np.float32], name: str, place: dict[str, object], **look: object) -> Image:
        facts = PreviewFacts()
        if self._run is not None:
            facts = PreviewFacts(run=str(self._run.path))
        return Image(data, name=name, blending="additive", metadata=metadata_of(facts), **place, **look)


class _Placement:
    """Where previews go: right of all layers, on a slider of their own, at every plane of what is open."""

    def __init__(self, viewer: Viewer, previews: Previews) -> None:
        between = max(1, viewer.dims.ndim - 2)
        self.ndim = 1 + between + 2
        # Where nothing is open: one plane at the origin.
        self._step = previews.pixel_um or _UNKNOWN_PIXEL
        self._thickness = [1.0] * between
        self._middle = [0.0] * between
        self._slider_units = ["pixel"] * between
        self._slider_labels = ["z"] * between
        deepest = max(viewer.layers, key=lambda layer: layer.ndim, default=None)
        if deepest is not None:
            self._follow(viewer, deepest, between)
        self._unit = "micrometer"
        if self._step is _UNKNOWN_PIXEL:
            self._unit = "pixel"
        self._width = previews.light.shape[-1] * self._step[1] * (1 + _GAP)
        self._corner = (0.0, 0.0)
        if deepest is not None:
            extent = viewer.layers.extent.world
            self._corner = (float(extent[0][-2]), float(extent[1][-1]) + self._width * _GAP)

    def _follow(self, viewer: Viewer, deepest: Layer, between: int) -> None:
        """Take units and sliders of the layers that are there; `between` axes lie between the previews' and y."""
        if not deepest.units[-1].is_compatible_with("micrometer"):
            self._step = _UNKNOWN_PIXEL
        # One plane that is as thick as all planes of the other layers: it is seen wherever their slider is.
        sliders = viewer.dims.range[:-2][-between:]
        if sliders:
            self._thickness = [float(slider.stop - slider.start + (slider.step or 1)) for slider in sliders]
            self._middle = [float(slider.start + slider.stop) / 2 for slider in sliders]
        if deepest.ndim - 2 >= between:
            self._slider_units = [str(unit) for unit in deepest.units[:-2]][-between:]
            self._slider_labels = list(deepest.axis_labels[:-2])[-between:]

    def still(self, column: int) -> dict[str, object]:
        """For a plane without a slider, so many columns to the right."""
        return {
            "scale": self._step,
            "translate": (self._corner[0], self._corner[1] + column * self._width),
            "units": (self._unit,) * 2,
            "axis_labels": ("y", "x"),
        }

    def stack(self, column: int) -> dict[str, object]:
        """For the previews, one after the other."""
        plane = self.still(column)
        return {
            "scale": (1.0, *self._thickness, *self._step),
            "translate": (0.0, *self._middle, self._corner[0], self._corner[1] + column * self._width),
            "units": ("pixel", *self._slider_units, *plane["units"]),  # type: ignore[misc]
            "axis_labels": ("preview", *self._slider_labels, "y", "x"),
        }


def _stack_of(previews: Previews, target: int, ndim: int) -> NDArray[np.float32]:
    predictions = previews.predictions[:, target]
    return predictions.reshape(len(predictions), *(1,) * (ndim - 3), *predictions.shape[1:])


def _spread(paths: Sequence[Path]) -> list[Path]:
    if len(paths) <= _MOST_PREVIEWS:
        return list(paths)
    return [paths[i] for i in np.linspace(0, len(paths) - 1, _MOST_PREVIEWS).astype(int)]


def _pixel_of(model_folder: Path) -> tuple[float, float] | None:
    from napari_mito_predict.models import read_card

    try:
        y, x = read_card(model_folder).input.voxel_size_um[1:]
    except ModelError:
        return None
    if y is None or x is None:
        return None
    return y, x
