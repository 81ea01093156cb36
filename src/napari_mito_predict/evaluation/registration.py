"""Whether the truth is shifted against the prediction, by how much, and whether one can be sure.

The two are correlated at every shift within reach. A peak counts only if it stands out from *controls*: the same
search round positions so far away that the true match is out of reach. Transmitted light itself must not be the
reference: its contrast inverts through focus.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import fft
from scipy.ndimage import gaussian_filter, gaussian_gradient_magnitude

if TYPE_CHECKING:
    from numpy.typing import NDArray

_REACH = 0.08
"""Largest shift looked for, as a fraction of each axis."""
_LARGEST, _LARGEST_THIRD = 24, 6
_SMOOTH = 0.1
"""Width of what counts as smooth brightness, as a fraction of the field."""
_CONTROLS = 60
_MARGIN = 1.3
"""A peak has to be this many times the largest correlation found round any control position."""
_GAIN = 1.02
"""And this many times the correlation without a shift."""


@dataclass(frozen=True)
class Shift:
    """Where the truth lies relative to the reference.

    Attributes
    ----------
    voxels : tuple of float
        Per axis of the arrays, to a fraction of a voxel: what lies at `p` in the reference lies at ``p + voxels`` in
        the truth.
    correlation, unshifted : float
        Pearson correlation at the peak, and without a shift; circular, so close to but not quite `pcc`.
    control : float
        The largest correlation found round control positions: what chance gives.
    significant : bool
        The peak stands out from the controls.
    shifted : bool
        Significant, and at least a voxel away from no shift at all, with a better correlation there.
    """

    voxels: tuple[float, ...]
    correlation: float
    unshifted: float
    control: float
    significant: bool
    shifted: bool


def find_shift(reference: NDArray[np.floating], truth: NDArray[np.floating], *, along_third: bool = True) -> Shift:
    """Find the shift of `truth` against `reference` that makes them most alike.

    Parameters
    ----------
    reference : ndarray, (D, Y, X) or (Y, X)
        What the truth should look like: a prediction, see also `edges`.
    truth : ndarray
        Of the same shape.
    along_third : bool
        Look for a shift along the third axis too; not where that is time.

    Notes
    -----
    Cross-correlation by Fourier transform (circular); the peak is refined by a parabola through its neighbours along
    each axis.
    """
    correlation = _correlate(_standardised(reference), _standardised(truth))
    reach = tuple(min(int(_REACH * n), _LARGEST) for n in correlation.shape)
    if correlation.ndim == 3:
        reach_third = min(correlation.shape[0] // 4, _LARGEST_THIRD)
        reach = (reach_third * along_third, *reach[1:])  # 0 where no shift along it is looked for
    window = _window(correlation, (0,) * correlation.ndim, reach)
    peak = tuple(int(i) for i in np.unravel_index(int(np.argmax(window)), window.shape))
    control = _largest_control(correlation, reach)
    offsets = tuple(p - r + _refined(window, peak, axis) for axis, (p, r) in enumerate(zip(peak, reach, strict=True)))
    best, unshifted = float(window[peak]), float(window[reach])
    significant = best > _MARGIN * control and best > 0
    moved = any(abs(p - r) >= 1 for p, r in zip(peak, reach, strict=True))
    return Shift(
        voxels=offsets,
        correlation=best,
        unshifted=unshifted,
        control=control,
        significant=significant,
        shifted=significant and moved and best > _GAIN * max(unshifted, 0.0),
    )


def edges(image: NDArray[np.floating], sigma: float = 1.5) -> NDArray[np.float32]:
    """Gradient magnitude in the last two axes: alike in transmitted light and fluorescence where nothing else is."""
    planes = np.asarray(image, np.float32).reshape(-1, *image.shape[-2:])
    found = [gaussian_gradient_magnitude(plane, sigma) for plane in planes]
    return np.asarray(found, np.float32).reshape(image.shape)


def move(image: NDArray[np.floating], voxels: tuple[float, ...]) -> NDArray[np.floating]:
    """`image` with a shift of `voxels` undone, in whole voxels; what comes in at the border is the other side."""
    return np.roll(image, tuple(-round(v) for v in voxels), tuple(range(image.ndim)))


def _standardised(image: NDArray[np.floating]) -> NDArray[np.float32]:
    """Zero mean and unit variance, without the smooth brightness across the field, which correlates at any shift."""
    values = np.asarray(image, np.float32)
    width = (0.0,) * (values.ndim - 2) + (_SMOOTH * values.shape[-2], _SMOOTH * values.shape[-1])
    values = values - gaussian_filter(values, width, truncate=2)
    std = float(values.std())
    standardised: NDArray[np.float32] = values / std if std else values
    return standardised


def _correlate(reference: NDArray[np.float32], truth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Pearson correlation at every circular shift of `truth`."""
    product = np.conj(fft.rfftn(reference)) * fft.rfftn(truth)
    found: NDArray[np.float32] = fft.irfftn(product, s=reference.shape) / reference.size
    return found


def _window(correlation: NDArray[np.float32], centre: tuple[int, ...], reach: tuple[int, ...]) -> NDArray[np.float32]:
    """The correlations within `reach` of `centre`, wrapping round."""
    for axis, (c, r) in enumerate(zip(centre, reach, strict=True)):
        correlation = np.take(correlation, np.arange(c - r, c + r + 1), axis=axis, mode="wrap")
    return correlation


def _largest_control(correlation: NDArray[np.float32], reach: tuple[int, ...]) -> float:
    """The largest correlation round positions at least a quarter of the field away, in y or x."""
    rng = np.random.default_rng(0)
    height, width = correlation.shape[-2:]
    best = 0.0
    for _ in range(_CONTROLS):
        angle = rng.uniform(0, 2 * np.pi)
        y, x = (int(n * (0.5 + 0.25 * part)) for n, part in ((height, np.sin(angle)), (width, np.cos(angle))))
        centre = (*(0,) * (correlation.ndim - 2), y, x)
        best = max(best, float(_window(correlation, centre, reach).max()))
    return best


def _refined(window: NDArray[np.float32], peak: tuple[int, ...], axis: int) -> float:
    """Where between its neighbours the peak lies, -0.5 to 0.5."""
    i = peak[axis]
    if not 0 < i < window.shape[axis] - 1:
        return 0.0
    line = np.moveaxis(window, axis, 0)
    rest = peak[:axis] + peak[axis + 1 :]
    left = float(line[(i - 1, *rest)])
    right = float(line[(i + 1, *rest)])
    curvature = left - 2 * float(line[(i, *rest)]) + right
    if curvature >= 0:  # no peak
        return 0.0
    return 0.5 * (left - right) / curvature
