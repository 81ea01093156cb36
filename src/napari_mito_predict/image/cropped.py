"""A part of an image, some of its time points and Z steps, which is an image again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mito_predict.errors import ImageIndexError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_mito_predict.image.backend import Backend, SceneInfo


class CroppedBackend:
    """Part of what another backend reads, see `ImageSource.crop`."""

    def __init__(self, whole: Backend, times: range | None, planes: range | None) -> None:
        self.whole = whole
        self._times = times
        self._planes = planes
        self.path = whole.path
        self.scenes = whole.scenes

    def info(self, scene: int) -> SceneInfo:
        """Describe the part."""
        whole = self.whole.info(scene)
        times = self._part(self._times, whole.sizes["T"], "time points")
        planes = self._part(self._planes, whole.sizes["Z"], "Z steps")
        missing = frozenset(
            (t - times.start, c, z - planes.start) for t, c, z in whole.missing if t in times and z in planes
        )
        return replace(
            whole,
            sizes=whole.sizes | {"T": len(times), "Z": len(planes)},
            missing=missing,
            times=_within(whole.times, _unless_all(self._times, whole.sizes["T"])),
            planes=_within(whole.planes, _unless_all(self._planes, whole.sizes["Z"])),
        )

    def read(self, scene: int, t: int, c: int, z: int | None) -> NDArray[Any]:
        """Read a stack of the part, or one Z step of it."""
        if self._times is not None:
            t += self._times.start
        if self._planes is None:
            return self.whole.read(scene, t, c, z)
        if z is not None:
            return self.whole.read(scene, t, c, self._planes[z])
        return np.concatenate([self.whole.read(scene, t, c, step) for step in self._planes])

    def _part(self, wanted: range | None, size: int, what: str) -> range:
        if wanted is None:
            return range(size)
        if wanted.step == 1 and 0 <= wanted.start < wanted.stop <= size:
            return wanted
        raise ImageIndexError(
            f"there are no {what} {wanted.start} to {wanted.stop - 1}; valid are 0 to {size - 1} (counted from 0), one "
            "after the other.",
            file=self.path,
        )


def _within(outer: range | None, inner: range | None) -> range | None:
    """A part of a part, counted as the whole is."""
    if outer is None or inner is None:
        return inner or outer
    return outer[inner.start : inner.stop]


def _unless_all(part: range | None, size: int) -> range | None:
    return None if part == range(size) else part
