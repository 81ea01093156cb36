"""What needs no network, fitted to the fields that the network is trained on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from napari_mito_predict.evaluation import BASELINES, Baseline
from napari_mito_predict.image.crops import middle_plane

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_mito_predict.training.pairs import Pair

_FITTED_ON = 8


def fit_baselines(pairs: Sequence[Pair]) -> dict[str, tuple[Baseline, ...]]:
    """Fit what needs no network to the training volumes, as the network is; each has a fit for each target."""
    targets = range(len(pairs[0].truth))
    planes = [list(_some_planes(pairs, target)) for target in targets]
    return {name: tuple(kind.fit(planes[target]) for target in targets) for name, kind in BASELINES.items()}


def predict_without_network(baseline: Sequence[Baseline], light: NDArray[np.float16]) -> NDArray[np.float32]:
    """What a baseline predicts from `light`, ([D,] Y, X), for each target: (targets, [D,] Y, X)."""
    given = light.astype(np.float32)
    return np.stack([fit(given) for fit in baseline])


def _some_planes(pairs: Sequence[Pair], target: int) -> Iterator[tuple[NDArray[np.float16], NDArray[np.float16]]]:
    """Input and one truth of a few volumes spread over all: the middle plane is enough to fit a blur or a window."""
    for pair in pairs[:: max(1, len(pairs) // _FITTED_ON)]:
        yield middle_plane(pair.input), middle_plane(pair.truth[target])
