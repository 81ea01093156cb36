"""What needs no network, fitted to the fields that the network is trained on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from napari_mito_predict.evaluation import BASELINES, Baseline
from napari_mito_predict.image.crops import middle_plane

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_mito_predict.training.pairs import Pair

_FITTED_ON = 8


def fit_baselines(pairs: Sequence[Pair]) -> dict[str, Baseline]:
    """Fit what needs no network to the training volumes, as the network is."""
    planes = list(_some_planes(pairs))
    return {name: kind.fit(planes) for name, kind in BASELINES.items()}


def _some_planes(pairs: Sequence[Pair]) -> Iterator[tuple[NDArray[np.float16], NDArray[np.float16]]]:
    """Input and first truth of a few volumes spread over all: the middle plane is enough to fit a blur or a window."""
    for pair in pairs[:: max(1, len(pairs) // _FITTED_ON)]:
        yield middle_plane(pair.input), middle_plane(pair.truth[0])
