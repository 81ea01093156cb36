"""Flicker of a series: what comes and goes from one time point to the next, and not what moves on."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter

from napari_mito_predict.errors import EvaluationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

FLICKER_SIGMA_UM = 0.2
FLICKER_SIGMA_PIXELS = 2.0
"""Where the voxel size is unknown."""
_LARGEST_SIGMA = 0.1
"""Of the shorter side of a plane: what is coarser than that is not smoothed away, whatever the voxel size says."""


@dataclass(frozen=True)
class Flicker:
    """Flicker of a prediction beside that of what it was predicted from, and of the truth; see `StreamingFlicker`.

    The truth tells best what the prediction should do. Without one, more flicker than in the light speaks for the
    network; of less it cannot be told whether structures move or noise of the light comes through. NaN where there was
    nothing to measure.

    Attributes
    ----------
    prediction : float
        0 to about 1.
    light : float
        Of the transmitted light, each time point of which is brought to mean 0 and standard deviation 1 first: models
        that take time points one by one are given it like that, and a lamp that flickers does not reach them.
    truth : float
        Of the fluorescence as recorded.
    """

    prediction: float
    light: float = math.nan
    truth: float = math.nan

    @property
    def beyond_light(self) -> float:
        """What the light does not have: ``sqrt(prediction^2 - light^2)``, 0 where that is less than none."""
        return _beyond(self.prediction, self.light)

    @property
    def beyond_truth(self) -> float:
        """The same against the truth."""
        return _beyond(self.prediction, self.truth)


def flicker(
    prediction: ArrayLike,
    light: ArrayLike | None = None,
    truth: ArrayLike | None = None,
    *,
    voxel_size_um: Sequence[float | None] | None = None,
) -> Flicker:
    """Measure the flicker of a predicted series, of what it was predicted from, and of the truth.

    Parameters
    ----------
    prediction : array_like
        ``(T, Y, X)`` or ``(T, Z, Y, X)``, any real dtype; read plane by plane.
    light, truth : array_like, optional
        Of the same shape.
    voxel_size_um : sequence of float or None, optional
        Micrometres; the last two are those of y and x.

    Raises
    ------
    EvaluationError
        The shapes differ, or there are fewer axes than three.
    """
    measured = [math.nan if series is None else _of(series, voxel_size_um) for series in (prediction, truth)]
    of_light = math.nan
    if light is not None:
        of_light = _of(light, voxel_size_um, standardise=True)
    for name, other in (("light", light), ("truth", truth)):
        if other is not None and np.shape(other) != np.shape(prediction):
            raise EvaluationError(
                f"The prediction {np.shape(prediction)} and the {name} {np.shape(other)} have different shapes."
            )
    return Flicker(measured[0], of_light, measured[1])


@dataclass
class StreamingFlicker:
    """Flicker of a series whose planes come one after the other, in any order of time points.

    For each voxel, ``d[t] = x[t-1] - 2 x[t] + x[t+1]``. What changes at an even pace, such as slow motion and
    bleaching, is no part of `d`; noise that is independent from one time point to the next, of variance `v`, gives it
    the variance ``6 v`` (1 + 4 + 1). So ``sqrt(mean(d^2) / 6)``, over all voxels and time points, is the standard
    deviation of what comes and goes. Flicker is its ratio to the contrast, the root of the mean variance within planes:
    0 where nothing comes and goes, 1 where time points have nothing to do with each other.
    Structures that move by more than their own size between time points flicker, in the truth as well.

    Planes are smoothed first, by a Gaussian of 0.2 um (2 pixels where the size of a voxel is unknown): noise of single
    pixels, which a recorded truth has and a prediction has not, would else be most of what is measured.

    Parameters
    ----------
    voxel_size_um : sequence of float or None, optional
        Micrometres; the last two are those of y and x.
    standardise : bool
        Bring each plane to mean 0 and standard deviation 1 first.
    """

    voxel_size_um: Sequence[float | None] | None = None
    standardise: bool = False
    _waiting: dict[int, dict[int, NDArray[np.float32]]] = field(default_factory=lambda: defaultdict(dict), init=False)
    """Planes that are still needed, by Z step and time point."""
    _done: set[tuple[int, int]] = field(default_factory=set, init=False)
    """Z steps and the middle one of three time points whose planes were compared."""
    _squares: float = field(default=0.0, init=False)
    _variances: float = field(default=0.0, init=False)
    _compared: int = field(default=0, init=False)
    _voxels: int = field(default=0, init=False)

    def add(self, plane: ArrayLike, t: int, z: int = 0) -> None:
        """Take in one plane, (Y, X), of time point `t`; at most three of each Z step wait, where they come in order.

        Voxels that are not finite at one of three time points are left out there.
        """
        smooth = self._smoothed(np.asarray(plane, np.float32))
        finite = smooth[np.isfinite(smooth)]
        self._variances += float(finite.var(dtype=np.float64)) * finite.size if finite.size else 0.0
        self._voxels += finite.size
        waiting = self._waiting[z]
        waiting[t] = smooth
        for middle in (t - 1, t, t + 1):
            if all(near in waiting for near in (middle - 1, middle, middle + 1)):
                self._compare(waiting[middle - 1], waiting[middle], waiting[middle + 1])
                self._done.add((z, middle))
        for known in list(waiting):
            if all((z, middle) in self._done or middle < 1 for middle in (known - 1, known, known + 1)):
                del waiting[known]

    @property
    def value(self) -> float:
        """Flicker so far; NaN before three successive time points, and where there is no contrast."""
        if not self._compared or not self._variances:
            return math.nan
        return math.sqrt(self._squares / self._compared / 6) / math.sqrt(self._variances / self._voxels)

    def _compare(self, before: NDArray[np.float32], middle: NDArray[np.float32], behind: NDArray[np.float32]) -> None:
        second = before.astype(np.float64) - 2 * middle.astype(np.float64) + behind
        second = second[np.isfinite(second)]
        self._squares += float(second @ second)
        self._compared += second.size

    def _smoothed(self, plane: NDArray[np.float32]) -> NDArray[np.float32]:
        if self.standardise:
            finite = plane[np.isfinite(plane)].astype(np.float64)
            if finite.size:
                plane = ((plane - finite.mean()) / (finite.std() or 1.0)).astype(np.float32)
        smooth: NDArray[np.float32] = gaussian_filter(plane, self._sigma(plane.shape))
        return smooth

    def _sigma(self, shape: tuple[int, ...]) -> list[float]:
        sizes = tuple(self.voxel_size_um or ())[-2:]
        if len(sizes) < 2 or None in sizes:
            return [FLICKER_SIGMA_PIXELS] * 2
        return [min(FLICKER_SIGMA_UM / size, _LARGEST_SIGMA * min(shape)) for size in sizes if size]


def _of(series: ArrayLike, voxel_size_um: Sequence[float | None] | None, *, standardise: bool = False) -> float:
    """Flicker of (T, ..., Y, X)."""
    array = np.asarray(series)
    if array.ndim < 3:
        raise EvaluationError(f"A series has time points before y and x; this has the shape {array.shape}.")
    measured = StreamingFlicker(voxel_size_um, standardise)
    for t, planes in enumerate(array):
        for z, plane in enumerate(planes.reshape(-1, *array.shape[-2:])):
            measured.add(plane, t, z)
    return measured.value


def _beyond(prediction: float, other: float) -> float:
    if math.isnan(prediction) or math.isnan(other):
        return math.nan
    return math.sqrt(max(prediction**2 - other**2, 0.0))
