"""TIFF files of all kinds that tifffile puts together to series, read plane by plane.

tifffile reads nearly everything, and is lenient: a file cut short comes back as a shorter stack, a missing part as
zeros. A viewer may want that; a prediction must not be made from it. So we look at what tifffile logs (`tiff_log`),
count planes and check that the bytes of every plane are there (`tiff_stored`) before we call a file readable.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mito_predict.errors import MissingReaderError, MitoPredictError, UnsupportedImageError
from napari_mito_predict.image.tiff_log import DECODE_ERRORS, damaged, logged, refuse_damage
from napari_mito_predict.image.tiff_pages import PageReader
from napari_mito_predict.image.tiff_scenes import Scene, read_scenes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_mito_predict.image.backend import SceneInfo
    from napari_mito_predict.image.tiff_series import Series


class TiffBackend:
    """A TIFF file; every series of it is a scene, and every position along an axis that is none of ours.

    Nothing stays open: each read opens the file again, by way of pages that tifffile found once. Reads are thread-safe;
    a copy in another process looks for the pages again.

    Parameters
    ----------
    path : Path
        The file, or the companion of an OME-TIFF set.
    axes : str, optional
        The user's word on the axes, one letter of ``TCZYXSR`` per axis, for the series whose number of axes fits.

    Raises
    ------
    UnreadableImageError
        Damaged or incomplete: fewer planes or bytes than declared, or a part of a multi-file set is missing.
    UnsupportedImageError
        Sound, but of a kind that is not read.
    UnknownAxesError
        `axes` that fit no series.
    """

    def __init__(self, path: Path, axes: str | None = None) -> None:
        self.path = path
        self._axes = axes
        self._scenes: list[Scene] | None = None
        self._reader = PageReader()
        self._lock = threading.Lock()
        self.scenes = tuple(scene.name for scene in self._found())

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "scenes": self.scenes, "_axes": self._axes}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._scenes = None
        self._reader = PageReader()
        self._lock = threading.Lock()

    def info(self, scene: int) -> SceneInfo:
        found = self._found()[scene]
        if found.info is None:
            raise found.problem or damaged(self.path, ValueError("no pixels"))
        return found.info

    def read(self, scene: int, t: int, c: int, z: int | None) -> NDArray[Any]:
        found = self._found()[scene]
        series = found.series
        if series is None:
            raise found.problem or damaged(self.path, ValueError("no pixels"))
        steps: Sequence[int] = range(series.sizes.get("Z", 1)) if z is None else [z]
        channel, sample = divmod(c, series.samples)
        index = found.at | {"T": t, "C": channel, "S": sample}
        if series.block is not None:
            return self._read_block(series, index, steps)
        first = series.pages[series.page_index(index | {"Z": steps[0]})]
        with logged() as messages:
            try:
                with self._reader.opened(first):
                    planes: list[NDArray[Any]] = [series.plane(self._reader, index | {"Z": step}) for step in steps]
                    stack = np.stack(planes)
            except DECODE_ERRORS as error:
                refuse_damage(self.path, messages)
                raise self._unreadable(error) from error
        refuse_damage(self.path, messages)
        return stack

    def _read_block(self, series: Series, index: dict[str, int], steps: Sequence[int]) -> NDArray[Any]:
        """Read pixels that lie there as they are: nothing to decode, and no page to look at."""
        try:
            return np.stack([series.plane(self._reader, index | {"Z": step}) for step in steps])
        except ValueError as error:  # fewer than there were
            raise damaged(self.path, error) from error

    def _unreadable(self, error: Exception) -> MitoPredictError:
        said = str(error)
        if "imagecodecs" in said:
            return MissingReaderError("this TIFF is compressed; pip install imagecodecs.", file=self.path)
        if "not supported" in said:
            return UnsupportedImageError(
                f"its pixels are stored in a way that is not read here ({said[:160]}). Save it uncompressed, for "
                "example in ImageJ.",
                file=self.path,
            )
        return damaged(self.path, error)

    def _found(self) -> list[Scene]:
        with self._lock:
            if self._scenes is None:
                self._scenes = read_scenes(self.path, self._axes)
            return self._scenes
