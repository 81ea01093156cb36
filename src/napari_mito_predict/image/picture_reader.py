"""PNG and JPEG files: one plane of 8 or 16 bits, which knows no voxel size."""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import imagecodecs
import numpy as np

from napari_mito_predict.errors import UnreadableImageError, UnsupportedImageError
from napari_mito_predict.image.backend import AXES, RGB, SceneInfo

if TYPE_CHECKING:
    from numpy.typing import NDArray

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
JPEG_MAGIC = b"\xff\xd8\xff"
_PNG_LAYOUT = struct.Struct(">12x4sIIBB")
"""Behind the signature and a length, as `_PngHeader`."""
_PNG_GREY = 0
_JPEG_GREY = "L"
_TRANSPARENT = "some pixels are transparent, which is ignored: they are taken as they are stored."
_LOSSY = (
    "a JPEG: its compression has changed the pixels in blocks of 8, and fine structure is lost. Save recordings as "
    "TIFF or PNG in the program that made them."
)


class _Header(NamedTuple):
    """What a file says before its pixels."""

    columns: int
    rows: int
    dtype: np.dtype[Any]
    is_grey: bool


class _PngHeader(NamedTuple):
    """What the first chunk of a PNG says."""

    chunk: bytes
    columns: int
    rows: int
    bits: int
    colour: int


class _PictureBackend(ABC):
    """One plane, stored as a picture. Of a colour picture whose colours are all the same grey, that grey is read.

    The resolution of pictures is for printing and screens, and not taken for a voxel size.
    """

    scenes: tuple[str, ...] = ("Image:0",)
    kind: str
    warnings: tuple[str, ...] = ()

    def __init__(self, path: Path) -> None:
        self.path = path
        header = self._header()
        is_colour = False
        warnings = self.warnings
        if not header.is_grey:  # only the pixels tell; it is a single plane
            pixels = self._pixels()
            is_colour = _has_colour(pixels)
            if _is_transparent(pixels):
                warnings += (_TRANSPARENT,)
        self._info = SceneInfo(
            sizes=dict.fromkeys(AXES, 1) | {"Y": header.rows, "X": header.columns},
            dtype=header.dtype,
            channel_names=(None,),
            is_rgb=is_colour,
            unsupported=RGB if is_colour else "",
            warnings=warnings,
        )

    def info(self, scene: int) -> SceneInfo:
        """Describe the only scene."""
        return self._info

    def read(self, scene: int, t: int, c: int, z: int | None) -> NDArray[Any]:
        """Read ``(1, Y, X)``."""
        pixels = self._pixels()
        if pixels.ndim == 3:
            pixels = pixels[..., 0]
        return np.ascontiguousarray(pixels)[np.newaxis]

    @abstractmethod
    def _header(self) -> _Header:
        """Read what the file says before its pixels."""

    @abstractmethod
    def _pixels(self) -> NDArray[Any]:
        """``(Y, X)``, or ``(Y, X, samples)`` of grey, red, green, blue and transparency."""

    def _damaged(self, why: object) -> UnreadableImageError:
        return UnreadableImageError(
            f"this {self.kind} is damaged or incomplete ({why}). Copy it again from where it came from.",
            file=self.path,
        )


class PngBackend(_PictureBackend):
    """A PNG file.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    UnreadableImageError
        Damaged or incomplete.
    """

    kind = "PNG"

    def _header(self) -> _Header:
        with self.path.open("rb") as stream:
            head = stream.read(_PNG_LAYOUT.size)
        if len(head) < _PNG_LAYOUT.size:
            raise self._damaged("it ends within its header")
        header = _PngHeader(*_PNG_LAYOUT.unpack(head))
        if header.chunk != b"IHDR" or not header.columns or not header.rows:
            raise self._damaged("its header is not one of a PNG")
        dtype = np.dtype(np.uint16 if header.bits == 16 else np.uint8)
        return _Header(header.columns, header.rows, dtype, header.colour == _PNG_GREY)

    def _pixels(self) -> NDArray[Any]:
        # Not Pillow, which takes 16 bits of colour for 8.
        try:
            decoded: NDArray[Any] = imagecodecs.png_decode(self.path.read_bytes())
        except (imagecodecs.PngError, ValueError) as error:
            raise self._damaged(error) from error
        return decoded


class JpegBackend(_PictureBackend):
    """A JPEG file, with a warning: networks see what its compression did.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    UnreadableImageError
        Damaged or incomplete.
    UnsupportedImageError
        Larger than Pillow takes for a picture (178 million pixels).
    """

    kind = "JPEG"
    warnings = (_LOSSY,)

    def _header(self) -> _Header:
        with self._opened() as picture:
            columns, rows = picture.size
            return _Header(columns, rows, np.dtype(np.uint8), picture.mode == _JPEG_GREY)

    def _pixels(self) -> NDArray[Any]:
        # Not imagecodecs, which fills up a file that was cut short with grey.
        with self._opened() as picture:
            try:
                return np.array(picture)
            except (OSError, SyntaxError, ValueError) as error:
                raise self._damaged(error) from error

    def _opened(self) -> Any:
        from PIL import Image

        try:
            return Image.open(self.path, formats=["JPEG"])
        except Image.DecompressionBombError as error:
            raise UnsupportedImageError(f"a JPEG that is too large: {error}", file=self.path) from error
        except (OSError, SyntaxError, ValueError) as error:
            raise self._damaged(error) from error


def _has_colour(pixels: NDArray[Any]) -> bool:
    if pixels.ndim == 2 or pixels.shape[-1] < 3:
        return False
    red = pixels[..., 0]
    return any(not np.array_equal(red, pixels[..., other]) for other in (1, 2))


def _is_transparent(pixels: NDArray[Any]) -> bool:
    if pixels.ndim == 2 or pixels.shape[-1] not in (2, 4):
        return False
    return bool((pixels[..., -1] != np.iinfo(pixels.dtype).max).any())
