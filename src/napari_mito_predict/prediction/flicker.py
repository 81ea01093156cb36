"""How much a predicted series flickers, found out while it is predicted, in a few planes of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from napari_mito_predict.evaluation.flicker import Flicker, StreamingFlicker
from napari_mito_predict.image import Finding, Level
from napari_mito_predict.models.record import Quantity

if TYPE_CHECKING:
    from napari_mito_predict.prediction.result import Block, Output
    from napari_mito_predict.prediction.volumes import Subject, Volume

_NOTICED = 0.1
"""A tenth of the contrast: bright structures are seen to blink."""
_FEWEST = 3
"""Time points that flicker can be told from motion in."""
_WINDOW = 512
"""Voxels along y and x of what is looked at, in the middle: the same for any size of image."""
_AXES = "TZYX"


class FlickerWatch:
    """Flicker of the outputs of one run, and of the light that they are predicted from.

    Up to three planes are looked at, a quarter, a half and three quarters of the way up.

    Parameters
    ----------
    subject : Subject
        What is predicted from.
    outputs : mapping of str to Output
        Predictions are looked at; those without axes of time and z, or with fewer than three time points, are left
        out.
    """

    def __init__(self, subject: Subject, outputs: Mapping[str, Output]) -> None:
        size = subject.voxel_size_um
        self._outputs = {key: output for key, output in outputs.items() if _can_flicker(output)}
        sizes = subject.image.sizes
        self._planes = sorted({sizes["Z"] * quarter // 4 for quarter in (1, 2, 3)})
        self._window = _middle(sizes["Y"]), _middle(sizes["X"])
        self._light = StreamingFlicker(size, standardise=True)
        self._measured = {key: StreamingFlicker(size) for key in self._outputs}
        self._parts: dict[tuple[str, int, int], np.ndarray] = {}
        """Planes that did not come completely yet, by output, time point and Z step; NaN where they did not."""
        self._seen: set[tuple[str, int, int]] = set()

    @property
    def planes(self) -> list[int]:
        """Z steps of the planes that are looked at; none where no output can flicker."""
        return self._planes if self._outputs else []

    def see_light(self, volume: Volume, raw: np.ndarray) -> None:
        """Take a volume as it was read, (D, Y, X)."""
        if not self._outputs:
            return
        for t, z, plane in self._planes_of(volume, raw):
            self.see_plane_of_light(t, z, plane)

    def see_plane_of_light(self, t: int, z: int, plane: np.ndarray) -> None:
        """Take one plane (Y, X) as it was read; of each the first is taken."""
        if ("", t, z) not in self._seen:
            self._seen.add(("", t, z))
            self._light.add(plane[self._window], t, z)

    def see(self, block: Block) -> None:
        """Take a block of an output; it may come in several parts, and some of them twice."""
        if block.target not in self._outputs:
            return
        times, planes = block.slices[:2]
        lateral = block.slices[2:]
        inside = [_common(part, window) for part, window in zip(lateral, self._window, strict=True)]
        if any(part.start >= part.stop for part in inside):
            return
        source = tuple(_shifted(part, -whole.start) for part, whole in zip(inside, lateral, strict=True))
        place = tuple(_shifted(part, -window.start) for part, window in zip(inside, self._window, strict=True))
        for z in self._planes:
            if planes.start <= z < planes.stop:
                for t in range(times.start, times.stop):
                    self._put((block.target, t, z), place, block.data[t - times.start, z - planes.start][source])

    def findings(self) -> Iterator[Finding]:
        """One for each model whose predictions flicker, about the worst of them: ``flicker``."""
        worst: dict[str, tuple[Output, Flicker]] = {}
        for key, output in self._outputs.items():
            found = Flicker(self._measured[key].value, self._light.value)
            known = worst.get(output.model_name)
            if found.prediction >= _NOTICED and (known is None or found.prediction > known[1].prediction):
                worst[output.model_name] = output, found
        for output, found in worst.values():
            yield _finding(output, found)

    def _planes_of(self, volume: Volume, raw: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
        """Those planes of a volume that are looked at, with their time points and Z steps."""
        if not volume.series:
            for z in self._planes:
                yield volume.index, z, raw[z]
        elif volume.index in self._planes:
            for t, plane in enumerate(raw):
                yield t, volume.index, plane

    def _put(self, which: tuple[str, int, int], place: tuple[slice, ...], data: np.ndarray) -> None:
        if which in self._seen:
            return
        if which not in self._parts:
            self._parts[which] = np.full([window.stop - window.start for window in self._window], np.nan, np.float32)
        plane = self._parts[which]
        plane[place] = data
        if np.isfinite(plane).all():
            self._seen.add(which)
            measured = self._measured[which[0]]
            measured.add(self._parts.pop(which), *which[1:])


def _can_flicker(output: Output) -> bool:
    is_series = output.axes == _AXES and output.time_points >= _FEWEST
    return is_series and output.quantity is Quantity.PREDICTION


def _finding(output: Output, found: Flicker) -> Finding:
    level = Level.INFO
    why = "Either structures move by more than their own size in that time, or noise of the light comes through."
    if found.beyond_light:
        level = Level.WARNING
        why = "The light has less of it, so most of it is made by the model."
    message = (
        f"{output.title} flickers: {100 * found.prediction:.0f} % of its contrast comes and goes from one time point "
        f"to the next (of that of the light: {100 * found.light:.0f} %). {why}"
    )
    fix = ""
    if output.smooth_time == 1:
        fix = "Where structures move little, smoothing along time lowers it, averaging over orientations a little."
    values = {"prediction": found.prediction, "light": found.light}
    return Finding(level, "flicker", message, fix, model=output.model_name, values=values)


def _middle(size: int) -> slice:
    start = max(size - _WINDOW, 0) // 2
    return slice(start, min(start + _WINDOW, size))


def _common(one: slice, other: slice) -> slice:
    return slice(max(one.start, other.start), min(one.stop, other.stop))


def _shifted(part: slice, by: int) -> slice:
    return slice(part.start + by, part.stop + by)
