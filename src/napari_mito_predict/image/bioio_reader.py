"""Formats of other microscopes, through BioIO and whatever readers of it are installed."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mito_predict.errors import MissingReaderError, MitoPredictError, UnreadableImageError, one_line
from napari_mito_predict.image.backend import AXES, RGB, SceneInfo
from napari_mito_predict.image.metadata import known_size

if TYPE_CHECKING:
    from numpy.typing import NDArray

_READERS = {
    ".nd2": "bioio-nd2",
    ".lif": "bioio-lif",
    ".dv": "bioio-dv",
    ".r3d": "bioio-dv",
    ".sldy": "bioio-sldy",
    **dict.fromkeys((".oib", ".oif", ".oir", ".vsi", ".ims", ".zvi", ".lei", ".mvd2", ".flex"), "bioio-bioformats"),
}
"""Which package reads files of this suffix, for those who have none."""
BIOIO_SUFFIXES = tuple(_READERS)
_READ_HERE = (".czi", ".tif", ".tiff", ".lsm", ".stk", ".png", ".jpg", ".jpeg")
"""Whatever is called so and is none inside is no image: no other reader guesses what it may be."""


class BioioBackend:
    """A file that a reader of BioIO knows; its positions are scenes.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    MissingReaderError
        BioIO, or a reader for this format, is not installed.
    UnreadableImageError
        The reader that is installed cannot read it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._images: dict[int, Any] = {}
        self._lock = threading.Lock()
        with self._explained():
            self.scenes = tuple(str(scene) for scene in self._open(0).scenes)

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "scenes": self.scenes}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state
        self._images = {}
        self._lock = threading.Lock()

    def info(self, scene: int) -> SceneInfo:
        """Describe a scene."""
        with self._lock, self._explained():
            image = self._open(scene)
            sizes = {axis: int(getattr(image.dims, axis)) for axis in AXES}
            is_rgb = "S" in image.dims.order
            names = [str(name).strip() or None for name in image.channel_names or ()]
            return SceneInfo(
                sizes=sizes,
                dtype=np.dtype(image.dtype),
                channel_names=tuple(names) if len(names) == sizes["C"] else (None,) * sizes["C"],
                voxel_size_um=_voxel_size_um(image, sizes["Z"]),
                time_step_s=_time_step_s(image, sizes["T"]),
                is_rgb=is_rgb,
                unsupported=RGB if is_rgb else _further_axes(image),
            )

    def read(self, scene: int, t: int, c: int, z: int | None) -> NDArray[Any]:
        """Read ``(Z, Y, X)``, or ``(1, Y, X)`` for one `z`."""
        # Readers do not say whether several threads may be in them.
        with self._lock, self._explained():
            image = self._open(scene)
            steps = list(range(image.dims.Z)) if z is None else [z]
            stack = image.get_image_dask_data("ZYX", T=t, C=c, Z=steps)
            return np.asarray(stack.compute(scheduler="synchronous"))

    def _open(self, scene: int) -> Any:
        if scene not in self._images:
            try:
                from bioio import BioImage
                from bioio_base.exceptions import UnsupportedFileFormatError
            except ImportError as error:
                raise self._missing_reader() from error
            try:
                image = BioImage(self.path)
            except UnsupportedFileFormatError as error:
                if _has_reader(self.path):
                    raise  # the reader is there, and does not know this file
                raise self._missing_reader() from error
            image.set_scene(scene)
            self._images[scene] = image
        return self._images[scene]

    def _missing_reader(self) -> MissingReaderError:
        suffix = self.path.suffix.lower()
        package = _READERS.get(suffix, "and a reader for such files")
        return MissingReaderError(f"reading {suffix} needs: pip install bioio {package}", file=self.path)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn whatever a reader raises into our errors: which exceptions these are, no two readers agree on."""
        try:
            yield
        except (MitoPredictError, MemoryError):
            raise
        except Exception as error:
            raise UnreadableImageError(
                f"the installed reader of {self.path.suffix} files cannot read it ({one_line(error)}). It is "
                "damaged, or of a kind that this reader does not know.",
                file=self.path,
            ) from error


def is_for_bioio(path: Path) -> bool:
    """Whether a file is left to BioIO: its suffix is one of a microscope, or of a reader that is installed."""
    suffix = path.suffix.lower()
    return suffix in _READERS or (suffix not in _READ_HERE and _has_reader(path))


def _has_reader(path: Path) -> bool:
    """Whether a reader of BioIO for files of this suffix is installed."""
    try:
        from bioio.plugins import get_plugins
    except ImportError:
        return False
    return any(path.name.lower().endswith(suffix.lower()) for suffix in get_plugins(use_cache=True))


def _voxel_size_um(image: Any, planes: int) -> tuple[float | None, float | None, float | None]:
    """In micrometres, in which BioIO gives all sizes; the step of a single plane is a stand-in."""
    sizes = image.physical_pixel_sizes
    z = known_size(sizes.Z) if planes > 1 else None
    return z, known_size(sizes.Y), known_size(sizes.X)


def _time_step_s(image: Any, times: int) -> float | None:
    if times < 2:
        return None
    step = image.time_interval or image.standard_metadata.timelapse_interval
    if isinstance(step, timedelta):
        return known_size(step.total_seconds())
    return known_size(step)


def _further_axes(image: Any) -> str:
    """Say that there are axes of which BioIO would take the first step only; empty where there are none."""
    dims = image.reader.dims
    further = [axis for axis in dims.order if axis not in (*AXES, "S", "M") and getattr(dims, axis) > 1]
    if not further:
        return ""
    listed = ", ".join(f"{axis} ({getattr(dims, axis)} steps)" for axis in further)
    return f"this image has axes beyond time, channel, z, y and x: {listed}. Save one step of them as OME-TIFF."
