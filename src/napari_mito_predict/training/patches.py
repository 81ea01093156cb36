"""Random patches. Patch i is a pure function of (seed, i), so a resumed run sees exactly what it would have seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_mito_predict.errors import TrainingDataError
from napari_mito_predict.training.augment import augment

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_mito_predict.training.config import Augment
    from napari_mito_predict.training.pairs import Pair

_CANDIDATES = 4


@dataclass(frozen=True)
class PatchSampler:
    """Uniform over volumes, uniform over places.

    Parameters
    ----------
    pairs : sequence of Pair
        At least one; each at least as large as the patch, or padded by reflection.
    shape : tuple of int
        Patch size ``(D, Y, X)`` or ``(Y, X)``.
    seed : int
        Seed of the run.
    foreground : float
        Fraction of patches for which the brightest truth out of four random places is taken.
    changes : Augment
        Random changes.
    """

    pairs: Sequence[Pair]
    shape: tuple[int, ...]
    seed: int
    foreground: float
    changes: Augment

    def __post_init__(self) -> None:
        wrong = sorted({pair.field for pair in self.pairs if pair.input.ndim != len(self.shape)})
        if wrong:
            raise TrainingDataError(
                f"Fields of another dimension than the {len(self.shape)}-D network: {', '.join(wrong)}."
            )

    def batch(self, iteration: int, size: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Input ``(size, 1, *shape)`` and truth ``(size, targets, *shape)``, float32, of iteration `iteration`."""
        patches = [self.patch(iteration * size + i) for i in range(size)]
        return np.stack([given for given, _ in patches]), np.stack([truth for _, truth in patches])

    def patch(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Input ``(1, *shape)`` and truth ``(targets, *shape)`` of patch number `index`."""
        rng = np.random.default_rng((self.seed, index))
        count = _CANDIDATES if rng.random() < self.foreground else 1
        candidates = [self._crop(rng) for _ in range(count)]
        # By mean, not contrast: the contrast of a few bright points would fill the batch with what cannot be learned.
        given, truth = max(candidates, key=lambda pair: float(pair[1].mean())) if count > 1 else candidates[0]
        return augment(given, truth, self.changes, rng)

    def _crop(self, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        pair = self.pairs[int(rng.integers(len(self.pairs)))]
        starts = [
            int(rng.integers(max(have - want, 0) + 1)) for have, want in zip(pair.input.shape, self.shape, strict=True)
        ]
        place = tuple(slice(start, start + want) for start, want in zip(starts, self.shape, strict=True))
        given = pair.input[place][None].astype(np.float32)
        truth = pair.truth[(slice(None), *place)].astype(np.float32)
        missing = [(0, want - have) for have, want in zip(given.shape[1:], self.shape, strict=True)]
        if any(end for _, end in missing):
            width = [(0, 0), *missing]
            given, truth = np.pad(given, width, mode="symmetric"), np.pad(truth, width, mode="symmetric")
        return given, truth
