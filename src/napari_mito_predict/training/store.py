"""Where prepared volumes are kept: in memory while they fit, else in files that are mapped, never read as a whole."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_mito_predict._files import atomic_path
from napari_mito_predict.training.pairs import Pair

if TYPE_CHECKING:
    from napari_mito_predict.training.pairs import OpenField, VoxelSize

_BYTES = np.dtype(np.float16).itemsize
_SHARE = 0.4
"""Of free memory: the network, its gradients and whatever else runs need the rest."""


def store_size(fields: Sequence[OpenField], targets: int, voxel_size_um: VoxelSize | None) -> int:
    """Bytes that the prepared volumes of `fields` take, known before anything is read."""
    return sum(field.volumes * prod(field.shape_at(voxel_size_um)) * (1 + targets) * _BYTES for field in fields)


class PairStore:
    """Prepared volumes of many fields.

    Parameters
    ----------
    folder : Path or None
        Keep them there as ``.npy`` files, mapped into memory: the operating system reads what a patch touches and
        drops it when memory is short, so that any amount of data trains, all fields alike. ``None``: keep in memory.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    @staticmethod
    def fits(size: int, free: int) -> bool:
        """Whether `size` bytes may be kept in memory, `free` bytes being free."""
        return size <= _SHARE * free

    def keep(self, pair: Pair, index: int) -> Pair:
        """Store volume number `index` of a field; gives the pair as it is to be used."""
        if self.folder is None:
            return pair
        self.folder.mkdir(parents=True, exist_ok=True)
        kept = {}
        for part, array in (("input", pair.input), ("truth", pair.truth)):
            path = self._path(pair.field, index, part)
            with atomic_path(path) as temporary:
                np.save(temporary, array)
            kept[part] = _mapped(path)
        return replace(pair, input=kept["input"], truth=kept["truth"])

    def kept(self, field: str, volumes: int) -> Iterator[Pair]:
        """The stored volumes of a field, for another process of the same run."""
        for index in range(volumes):
            light = _mapped(self._path(field, index, "input"))
            yield Pair(field, light, _mapped(self._path(field, index, "truth")))

    def clear(self) -> None:
        """Delete all files."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, field: str, index: int, part: str) -> Path:
        if self.folder is None:
            raise ValueError("kept in memory")
        safe = hashlib.blake2b(field.encode(), digest_size=8).hexdigest()  # names may hold what file names may not
        return self.folder / f"{safe}-{index:05d}-{part}.npy"


def _mapped(path: Path) -> np.ndarray:
    array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    return array
