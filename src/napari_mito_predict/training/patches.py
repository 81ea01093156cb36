"""Random patches. Patch i is a pure function of (seed, i), so a resumed run sees exactly what it would have seen."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from napari_mito_predict.errors import TrainingDataError
from napari_mito_predict.training.augment import Alteration
from napari_mito_predict.training.warp import Interpolation, Warp

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_mito_predict.training.config_parts import Augment
    from napari_mito_predict.training.pairs import Pair

T = TypeVar("T")

Place = tuple[slice, ...]
"""A part of a volume, one slice per axis."""

_CANDIDATES = 4

INPUT_INTERPOLATION: Interpolation = "bicubic"
"""Bilinear interpolation would blur the finest detail of every image that the network learns from."""


class Patch(NamedTuple):
    """A piece of a volume: input ``(1, *shape)``, truth ``(targets, *shape)``, float32; and its field."""

    input: NDArray[np.float32]
    truth: NDArray[np.float32]
    field: str


class Drawn(NamedTuple):
    """A patch that is not cut yet: where it lies, and what will be changed of it."""

    pair: Pair
    place: Place
    warp: Warp | None
    alteration: Alteration

    def around(self, warp: Warp) -> tuple[Place, tuple[float, float]]:
        """The part of the volume that the patch is made of when it is warped, and its middle (y, x) in that part."""
        rows, columns = self.place[-2:]
        height, width = self.pair.input.shape[-2:]
        size = rows.stop - rows.start, columns.stop - columns.start
        middle = (rows.start + min(rows.stop, height) - 1) / 2, (columns.start + min(columns.stop, width) - 1) / 2
        source = warp.source(middle, size, (height, width))
        centre = middle[0] - source[0].start, middle[1] - source[1].start
        return (*self.place[:-2], *source), centre


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
        self.pairs = tuple(pairs)
        self.ceiling = ceiling
        self._foreground = foreground
        self._changes = changes
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
        drawn = self.draw(index)
        pair, place = drawn.pair, drawn.place
        if drawn.warp is None:
            given, truth = pair.input[place][None].astype(np.float32), self._truth(pair, place)
        else:
            given, truth = self._warped(drawn, drawn.warp)
        given, truth = _filled(given, self.shape), _filled(truth, self.shape)
        return Patch(*drawn.alteration(given, truth), pair.field)

    def draw(self, index: int) -> Drawn:
        """All that is random about patch number `index`."""
        rng = np.random.default_rng((self.seed, index))
        count = _CANDIDATES if rng.random() < self._foreground else 1
        candidates = [self._place(rng) for _ in range(count)]
        pair, place = candidates[0]
        if count > 1:
            # By mean, not contrast: the contrast of a few bright points would fill the batch with what cannot be
            # learned.
            pair, place = max(candidates, key=lambda found: float(self._truth(*found).mean()))
        warp = Warp.draw(self._changes, rng)
        return Drawn(pair, place, warp, Alteration.draw(self._changes, (1, *self.shape), rng))

    def _place(self, rng: np.random.Generator) -> tuple[Pair, Place]:
        """A volume, and the part of it that a patch of this size covers, or all of it where it is smaller."""
        volumes = self._fields[int(rng.integers(len(self._fields)))]
        pair = volumes[int(rng.integers(len(volumes)))]
        starts = [
            int(rng.integers(max(have - want, 0) + 1)) for have, want in zip(pair.input.shape, self.shape, strict=True)
        ]
        return pair, tuple(slice(start, start + want) for start, want in zip(starts, self.shape, strict=True))

    def _truth(self, pair: Pair, place: Place) -> NDArray[np.float32]:
        """Truth ``(targets, ...)`` at `place`, cut to the ceiling."""
        truth = pair.truth[(slice(None), *place)].astype(np.float32)
        if self.ceiling is None:
            return truth
        return np.minimum(truth, np.float32(self.ceiling))

    def _warped(self, drawn: Drawn, warp: Warp) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Input and truth about the middle of a place, turned and stretched alike."""
        around, centre = drawn.around(warp)
        size = self.shape[-2], self.shape[-1]
        given = warp(drawn.pair.input[around][None], centre, size, INPUT_INTERPOLATION)
        return given, warp(self._truth(drawn.pair, around), centre, size)


def _filled(image: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """`image` (C, *sizes), mirrored at its ends where it is smaller than `shape`."""
    missing = [(0, want - have) for have, want in zip(image.shape[1:], shape, strict=True)]
    if not any(end for _, end in missing):
        return image
    return np.pad(image, [(0, 0), *missing], mode="symmetric")


def prefetched(make: Callable[[Sequence[int]], T], numbers: Iterable[Sequence[int]], threads: int = 1) -> Generator[T]:
    """What `make` makes of these patch numbers, in their order, made ahead by other threads.

    Parameters
    ----------
    make : callable
        Takes the numbers of the patches of one batch.
    numbers : iterable of sequence of int
        Of the batches.
    threads : int
        So many batches are made at the same time, and wait to be used, beside the one in use.
    """
    numbers = iter(numbers)
    with ThreadPoolExecutor(threads, thread_name_prefix="patches") as pool:
        made: deque[Future[T]] = deque()
        try:
            for wanted in numbers:
                made.append(pool.submit(make, wanted))
                if len(made) > threads:
                    yield made.popleft().result()
            while made:
                yield made.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
