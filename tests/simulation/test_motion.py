"""The drift in a time series."""

from __future__ import annotations

import numpy as np
import pytest

from napari_mito_predict.simulation.motion import Flow


@pytest.mark.parametrize("seed", range(20))
def test_a_long_drift_does_not_gather_organelles_on_lines(seed: int) -> None:
    flow = Flow.draw(np.random.default_rng(seed))
    y, x = np.meshgrid(np.arange(100.0), np.arange(100.0), indexing="ij")
    places = np.column_stack([np.full(y.size, 1.5), y.ravel(), x.ravel()])
    near = 1e-3
    rows, columns = (
        (flow.displace(places + step, 600.0) - flow.displace(places - step, 600.0))[:, 1:] / (2 * near)
        for step in (np.array([0, near, 0]), np.array([0, 0, near]))
    )
    area = rows[:, 0] * columns[:, 1] - rows[:, 1] * columns[:, 0]
    assert 0.2 < area.min() < area.max() < 3, "of what was a unit square before; 0 where it folds"
    assert np.linalg.norm(flow.displace(places, 600.0) - places, axis=1).mean() > 0.5
