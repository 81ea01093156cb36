"""`open_image`: from a path to an `ImageSource`, refusing what is not an image before any library sees it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_mito_predict._reading import open_file, parsing
from napari_mito_predict.errors import ImageError, UnreadableImageError
from napari_mito_predict.image.bioio_reader import BioioBackend, is_for_bioio
from napari_mito_predict.image.czi_reader import CziBackend, LibraryName
from napari_mito_predict.image.names import as_text, image_stem
from napari_mito_predict.image.ome_xml import is_ome_xml
from napari_mito_predict.image.picture_reader import JPEG_MAGIC, PNG_MAGIC, JpegBackend, PngBackend
from napari_mito_predict.image.predicted import has_record
from napari_mito_predict.image.source import ImageSource
from napari_mito_predict.image.tiff_reader import TiffBackend
from napari_mito_predict.image.tiff_sets import TIFF_MAGIC
from napari_mito_predict.image.zarr_files import is_zarr
from napari_mito_predict.image.zarr_reader import ZarrBackend

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_mito_predict.image.backend import Backend, SceneInfo

_CZI_MAGIC = b"ZISRAWFILE"
_GIB = 2**30
# A file this much smaller than what its header announces is damaged: no compression used for images gets there.
_LARGEST_RATIO = 5000


def open_image(
    path: str | Path,
    *,
    scene: int | str | None = None,
    axes: str | None = None,
    reader: LibraryName = "auto",
    missing_as_zeros: bool = False,
) -> ImageSource:
    """Open an image file without reading its pixels.

    Parameters
    ----------
    path : str or Path
        CZI, OME-TIFF (or the companion of a set), other TIFF (ImageJ, LSM, STK, Micro-Manager, ...), OME-Zarr, PNG or
        JPEG; anything else through readers of BioIO that are installed.
    scene : int or str, optional
        Scene index or name; the first by default.
    axes : str, optional
        For a TIFF or OME-Zarr that does not say what its axes are, or wrongly, such as ``"ZYX"`` or ``"TYX"``. ``R``
        is an axis of which each entry is a scene of its own.
    reader : {"auto", "czifile", "bioio", "aicsimageio"}
        Which library reads CZI files. "auto" is czifile, and on Python 3.11, for which there is no such czifile,
        BioIO. BioIO and AICSImageIO are for that Python only.
    missing_as_zeros : bool
        Read planes that were never recorded as zeros, instead of refusing them.

    Returns
    -------
    ImageSource

    Raises
    ------
    UnreadableImageError
        Missing, empty, damaged, incomplete, or no image at all.
    UnknownAxesError
        A TIFF or OME-Zarr that does not say which axis is z, time or channel; pass `axes`.
    MetadataError
        What it says of itself is not understood.
    SceneNotFoundError
        No such scene.
    MissingReaderError
        An optional package is needed for this format.
    """
    path = Path(path)
    backend = _guarded(path, axes, reader)
    first = 0 if scene is None else scene
    return ImageSource(backend, first, name=image_name(path), missing_as_zeros=missing_as_zeros)


def open_scenes(path: str | Path, *, axes: str | None = None) -> Iterator[tuple[str, ImageSource | ImageError]]:
    """Open all scenes of a file, one after the other; of one that cannot be opened, give the reason in its place.

    Parameters
    ----------
    path, axes
        See `open_image`.

    Yields
    ------
    tuple of str and (ImageSource or ImageError)
        Name of the scene, and the image or why there is none.

    Raises
    ------
    ImageError
        The file itself cannot be opened, see `open_image`.
    """
    path = Path(path)
    backend = _guarded(path, axes)
    for scene, name in enumerate(backend.scenes):
        opened: ImageSource | ImageError
        try:
            opened = ImageSource(backend, scene, name=image_name(path))
        except ImageError as error:
            opened = error
        yield name, opened


def scene_names(path: str | Path, *, axes: str | None = None) -> tuple[str, ...]:
    """Names of the scenes of a file, without opening any of them: one that is broken hides no other.

    Raises
    ------
    ImageError
        The file itself cannot be opened, see `open_image`.
    """
    return _guarded(Path(path), axes).scenes


def coarser_levels(image: ImageSource) -> list[ImageSource]:
    """The other resolutions of a scene of an OME-Zarr, finer ones first, each as an image of its own.

    Those behind one that cannot be opened, or is no coarser than the one before, are left out; of all other images, and
    of parts of an image, there are none.
    """
    guarded = image.backend
    if not isinstance(guarded, _GuardedBackend):
        return []
    levels: list[ImageSource] = []
    finer = image
    for backend in guarded.coarser(image.scene):
        try:
            level = ImageSource(backend, image.scene, name=image.name)
        except ImageError:
            break
        if not _is_coarser(level, finer):
            break
        levels.append(level)
        finer = level
    return levels


def _is_coarser(level: ImageSource, finer: ImageSource) -> bool:
    if any(level.sizes[axis] != finer.sizes[axis] for axis in "TC"):
        return False
    sizes = [(level.sizes[axis], finer.sizes[axis]) for axis in "ZYX"]
    return all(ours <= theirs for ours, theirs in sizes) and any(ours < theirs for ours, theirs in sizes)


def is_predicted_file(path: Path) -> bool:
    """Whether all channels of a file are predictions, see `PredictionMark`; its record tells where it does not open."""
    try:
        channels = open_image(path).channels
    except ImageError:
        return has_record(path)
    return all(channel.prediction is not None for channel in channels)


def image_name(path: Path) -> str:
    """The stem of a file; of an image within a plate or collection also that of the whole: ``plate_A_1_0``."""
    path = path.absolute()
    whole = path
    while is_zarr(whole) and is_zarr(whole.parent):
        whole = whole.parent
    return as_text("_".join([image_stem(whole), *path.relative_to(whole).parts]))


def _guarded(path: Path, axes: str | None, reader: LibraryName = "auto") -> _GuardedBackend:
    with _understanding(path):
        return _GuardedBackend(_backend(path, axes, reader))


@contextmanager
def _understanding(path: Path | None) -> Iterator[None]:
    """Say of a file that it is damaged where a library raises anything while it reads what the file says of itself."""
    try:
        with parsing(path or "image", UnreadableImageError, "damaged, or no image of its format"):
            yield
    except MemoryError as error:
        raise UnreadableImageError(
            "what it says of itself does not fit into memory, so it is damaged.", file=path
        ) from error


def _backend(path: Path, axes: str | None, reader: LibraryName) -> Backend:
    if os.path.isdir(path):
        return ZarrBackend(path, axes)
    head = _first_bytes(path)
    if head.startswith(_CZI_MAGIC):
        return CziBackend(path, reader)
    if head[:4] in TIFF_MAGIC or is_ome_xml(head):
        return TiffBackend(path, axes)
    if head.startswith(PNG_MAGIC):
        return PngBackend(path)
    if head.startswith(JPEG_MAGIC):
        return JpegBackend(path)
    if is_for_bioio(path):
        return BioioBackend(path)
    raise UnreadableImageError(f"not an image we can read (it starts with {head[:8]!r}).", file=path)


def _first_bytes(path: Path) -> bytes:
    """Read the start of a file, and name what people take for images and is none."""
    try:
        with open_file(path) as stream:
            head = stream.read(512)
    except OSError as error:
        raise UnreadableImageError(f"cannot be opened ({error.strerror or error}).", file=path) from error
    if not head:
        raise UnreadableImageError("the file is empty (0 bytes). Copy it again from where it came from.", file=path)
    if head.startswith(b"version https://git-lfs"):
        raise UnreadableImageError(
            "not an image but a Git-LFS pointer, a text that stands for it. "
            "Run `git lfs pull` to get the image itself.",
            file=path,
        )
    if head.lstrip().lower().startswith((b"<!doctype html", b"<html", b"<htm")):
        raise UnreadableImageError(
            f"not an image but a web page (it starts with {head.lstrip()[:14].decode('latin-1')!r}). "
            "The download probably failed; get the file again.",
            file=path,
        )
    return head


class _GuardedBackend:
    """A file's backend that notices when the file changes, and turns what the system says into our errors."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.path = backend.path
        self.scenes = backend.scenes
        self._state = self._current_state()

    def coarser(self, scene: int) -> list[_GuardedBackend]:
        """The other resolutions of a scene, where the format has any."""
        if not isinstance(self._backend, ZarrBackend):
            return []
        return [_GuardedBackend(backend) for backend in self._backend.coarser(scene)]

    def info(self, scene: int) -> SceneInfo:
        with _understanding(self.path):
            info = self._backend.info(scene)
        self._check_size(info)
        return info

    def read(self, scene: int, t: int, c: int, z: int | None) -> NDArray[Any]:
        self._check_unchanged()
        try:
            with parsing(self.path or "image", UnreadableImageError, "could not be read"):
                data = self._backend.read(scene, t, c, z)
        except MemoryError as error:
            raise UnreadableImageError(
                "one stack does not fit into memory. Close other programs, or crop the image.", file=self.path
            ) from error
        self._check_unchanged()
        return data

    def _check_size(self, info: SceneInfo) -> None:
        """Refuse sizes no such file can hold, before anybody asks for that much memory."""
        if self._state is None:
            return
        sizes = info.sizes
        announced = sizes["Z"] * sizes["Y"] * sizes["X"] * info.dtype.itemsize
        if announced > _GIB and announced > _LARGEST_RATIO * self._state[0]:
            raise UnreadableImageError(
                f"the header announces stacks of {sizes['Z']} x {sizes['Y']} x {sizes['X']} "
                f"({announced / _GIB:.0f} GiB) in a file of {self._state[0]} bytes, so it is damaged.",
                file=self.path,
            )

    def _check_unchanged(self) -> None:
        if self._current_state() != self._state:
            raise UnreadableImageError(
                "the file changed while it was being read. Wait until the recording or copy is "
                "finished, then open it again.",
                file=self.path,
            )

    def _current_state(self) -> tuple[int, int] | None:
        """Size and time of the file; None for folders."""
        path = self.path
        if path is None or path.is_dir():
            return None
        try:
            state = path.stat()
        except OSError as error:
            raise UnreadableImageError(f"can no longer be read ({error.strerror or error}).", file=path) from error
        return state.st_size, state.st_mtime_ns
