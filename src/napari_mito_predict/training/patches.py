"""Random patches. Patch i is a pure function of (seed, i), so a resumed run sees exactly what it would have seen."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_mito_predict.errors import TrainingDataError
from napari_mito_predict.training.augment import augment

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_mito_predict.training.config import Augment
    from napari_mito_predict.training.pairs import Pair

_CANDIDATES = 4


class Patch(NamedTuple):
    """A piece of a volume: input ``(1, *shape)``, truth ``(targets, *shape)``, float32; and its field."""

    input: NDArray[np.float32]
    truth: NDArray[np.float32]
    field: str


class Batch(NamedTuple):
    """Patches together: input ``(N, 1, *shape)``, truth ``(N, targets, *shape)``, float32; and their fields."""

    input: NDArray[np.float32]
    truth: NDArray[np.float32]
    fields: tuple[str, ...]


class PatchSampler:
    """Uniform over fields, then over their volumes, then over places.

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
    ceiling : float, optional
        Brighter truth is cut to this many standard deviations.

    Raises
    ------
    TrainingDataError
        Fields of another dimension than the patch.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        shape: tuple[int, ...],
        seed: int,
        foreground: float,
        changes: Augment,
        ceiling: float | None = None,
    ) -> None:
        wrong = sorted({pair.field for pair in pairs if pair.input.ndim != len(shape)})
        if wrong:
            raise TrainingDataError(f"Fields of another dimension than the {len(shape)}-D network: {', '.join(wrong)}.")
        self.shape = shape
        self.seed = seed
        self._foreground = foreground
        self._changes = changes
        self._ceiling = ceiling
        volumes: dict[str, list[Pair]] = {}
        for pair in pairs:
            volumes.setdefault(pair.field, []).append(pair)
        self._fields = tuple(volumes.values())

    def batch(self, indices: Iterable[int]) -> Batch:
        """The patches of these numbers."""
        patches = [self.patch(i) for i in indices]
        return Batch(
            np.stack([patch.input for patch in patches]),
            np.stack([patch.truth for patch in patches]),
            tuple(patch.field for patch in patches),
        )

    def patch(self, index: int) -> Patch:
        """Patch number `index`."""
        rng = np.random.default_rng((self.seed, index))
        count = _CANDIDATES if rng.random() < self._foreground else 1
        candidates = [self._crop(rng) for _ in range(count)]
        # By mean, not contrast: the contrast of a few bright points would fill the batch with what cannot be learned.
        best = max(candidates, key=lambda patch: float(patch.truth.mean()))
        return Patch(*augment(best.input, best.truth, self._changes, rng), best.field)

    def _crop(self, rng: np.random.Generator) -> Patch:
        volumes = self._fields[int(rng.integers(len(self._fields)))]
        pair = volumes[int(rng.integers(len(volumes)))]
        starts = [
            int(rng.integers(max(have - want, 0) + 1)) for have, want in zip(pair.input.shape, self.shape, strict=True)
        ]
        place = tuple(slice(start, start + want) for start, want in zip(starts, self.shape, strict=True))
        given = pair.input[place][None].astype(np.float32)
        truth = pair.truth[(slice(None), *place)].astype(np.float32)
        if self._ceiling is not None:
            truth = np.minimum(truth, np.float32(self._ceiling))
        missing = [(0, want - have) for have, want in zip(given.shape[1:], self.shape, strict=True)]
        if any(end for _, end in missing):
            width = [(0, 0), *missing]
            given, truth = np.pad(given, width, mode="symmetric"), np.pad(truth, width, mode="symmetric")
        return Patch(given, truth, pair.field)


def prefetched(sampler: PatchSampler, numbers: Iterable[Sequence[int]]) -> Generator[Batch]:
    """Batches of these patch numbers, each cut by another thread while the one before is being trained on."""
    numbers = iter(numbers)
    with ThreadPoolExecutor(1, thread_name_prefix="patches") as pool:
        try:
            cut: Future[Batch] | None = None
            for wanted in numbers:
                following = pool.submit(sampler.batch, wanted)
                if cut is not None:
                    yield cut.result()
                cut = following
            if cut is not None:
                yield cut.result()
        finally:
            pool.shutdown(cancel_futures=True)
