"""The quick percentiles are NumPy's, to the last digit, whatever the values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_mito_predict.evaluation import percentiles
from napari_mito_predict.evaluation.percentiles import PERCENTILES, order_statistics, outer_percentiles

SHAPES = {
    "normal": lambda rng, n: rng.normal(size=n),
    "skewed": lambda rng, n: rng.gamma(0.2, 500, n),
    "camera": lambda rng, n: rng.poisson(3, n) * 100,
    "two values": lambda rng, n: rng.random(n) < 0.001,
    "constant": lambda rng, n: np.full(n, 7),
    "background": lambda rng, n: np.where(rng.random(n) < 0.9, 100, rng.integers(0, 65535, n)),
    "sorted": lambda rng, n: np.sort(rng.normal(size=n)),
    "far outliers": lambda rng, n: np.where(rng.random(n) < 2e-3, 1e30, rng.normal(size=n)),
    "extremes in one place": lambda rng, n: np.concatenate((np.zeros(n - n // 50), 1 + rng.random(n // 50))),
}


def _of_numpy(values: np.ndarray) -> tuple[float, float]:
    values = values.astype(np.float32) if values.dtype.kind in "iu" else values
    low, high = np.percentile(values, PERCENTILES)
    return float(low), float(high)


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(sorted(SHAPES)),
    dtype=st.sampled_from(["float32", "float64", "uint16", "int16", "uint8"]),
    n=st.integers(1 << 15, 1 << 17) | st.sampled_from([50, (1 << 15) - 1, 1 << 15, 65_536 + 1, 100_001]),
    seed=st.integers(0, 1000),
)
def test_they_are_those_of_numpy(kind: str, dtype: str, n: int, seed: int) -> None:
    drawn = SHAPES[kind](np.random.default_rng(seed), n)
    limits = (-1e38, 1e38) if dtype.startswith("float") else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    values = np.clip(drawn, *limits).astype(dtype)
    assert outer_percentiles(values) == _of_numpy(values)


@pytest.mark.parametrize("sign", [-1, 1])
def test_bounds_that_miss_are_noticed(sign: int) -> None:
    """A hundred extremes, few of a million, that the sample meets all."""
    values = np.random.default_rng(0).random(1 << 20, np.float32)
    step = values.size // (1 << 13) | 1
    values[: 100 * step : step] = sign * np.arange(10, 110)
    assert percentiles._beyond_bounds(values, (1047, 1048, values.size - 1049, values.size - 1048)) is None
    assert outer_percentiles(values) == _of_numpy(values)


def test_bounds_that_miss_at_random_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(percentiles, "_SPREAD", -2.5)  # bounds outside of the percentiles, as often as not
    for seed in range(10):
        noise = np.random.default_rng(seed).normal(size=1 << 17)
        assert outer_percentiles(noise) == _of_numpy(noise)


def test_an_ordinary_image_needs_no_second_way(monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.random.default_rng(0).gamma(2, 500, (1024, 1024)).astype(np.float32).ravel()
    expected = _of_numpy(image)
    monkeypatch.setattr(np, "percentile", None)
    assert outer_percentiles(image) == expected


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(sorted(SHAPES)),
    dtype=st.sampled_from(["float32", "float64", "uint16"]),
    n=st.integers(1 << 15, 1 << 17) | st.sampled_from([1, 2, 50, 1 << 15]),
    shares=st.lists(st.floats(0, 1), min_size=1, max_size=5) | st.just([0.0, 1.0]) | st.just([0.5, 0.5]),
    seed=st.integers(0, 1000),
)
def test_any_ranks_are_those_of_sorted_values(kind: str, dtype: str, n: int, shares: list[float], seed: int) -> None:
    values = np.clip(SHAPES[kind](np.random.default_rng(seed), n), 0, 65535).astype(dtype)
    ranks = [round(share * (n - 1)) for share in shares]
    assert order_statistics(values, ranks) == list(np.sort(values)[ranks])
