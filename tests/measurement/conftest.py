"""Shapes whose measures are known in closed form."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

Labels = NDArray[np.int32]
Segment = tuple[Sequence[float], Sequence[float]]


def tubes(shape: Sequence[int], spacing: Sequence[float], segments: Sequence[Segment], radius: float) -> Labels:
    """1 within `radius` of one of the straight segments, given by their ends; positions in the unit of `spacing`."""
    places = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1) * np.asarray(spacing)
    inside = np.zeros(shape, bool)
    for begin, end in segments:
        start = np.asarray(begin, float)
        along = np.asarray(end, float) - start
        where = np.clip((places - start) @ along / max(along @ along, 1e-12), 0, 1)
        inside |= np.linalg.norm(places - start - where[..., None] * along, axis=-1) <= radius
    return inside.astype(np.int32)


@pytest.fixture(scope="session")
def draw() -> Callable[..., Labels]:
    return tubes


@pytest.fixture
def picture() -> NDArray[np.float32]:
    """A noisy plane with three tubes and some background, (96, 96), 0.1 um."""
    rng = np.random.default_rng(3)
    spacing = (0.1, 0.1)
    segments = [((2, 2), (2, 7)), ((5, 2), (7, 6)), ((8, 8), (8, 8.6))]
    drawn = tubes((96, 96), spacing, segments, 0.2)
    from scipy.ndimage import gaussian_filter

    light = gaussian_filter(drawn.astype(np.float32), 1.2) * 100 + np.linspace(10, 40, 96, dtype=np.float32)
    return rng.poisson(light).astype(np.float32)
