"""PNG files: one plane of 8 or 16 bits, which knows no voxel size."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import imagecodecs
import numpy as np

from napari_mito_predict.errors import UnreadableImageError
from napari_mito_predict.image.source import AXES, RGB, SceneInfo

if TYPE_CHECKING:
    from numpy.typing import NDArray

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_LAYOUT = struct.Struct(">12x4sIIBB")
"""Behind the signature and a length: name of the first chunk, columns, rows, bits, kind of colour."""
_GREY = 0
_TRANSPARENT = "some pixels are transparent, which is ignored: they are taken as they are stored."


class _Header(NamedTuple):
    """What the first chunk says."""

    chunk: bytes
    columns: int
    rows: int
    bits: int
    colour: int


class PngBackend:
    """A PNG file. Of a colour file whose colours are all the same grey, that grey is read.

    Its resolution is for printing and screens, and not taken for a voxel size.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    UnreadableImageError
        Damaged or incomplete.
    """

    scenes: tuple[str, ...] = ("Image:0",)

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as stream:
            head = stream.read(_LAYOUT.size)
        if len(head) < _LAYOUT.size:
            raise self._damaged("it ends within its header")
        header = _Header(*_LAYOUT.unpack(head))
        if header.chunk != b"IHDR" or not header.columns or not header.rows:
            raise self._damaged("its header is not one of a PNG")
        is_colour = False
        warnings: tuple[str, ...] = ()
        if header.colour != _GREY:  # only the pixels tell; it is a single plane
            pixels = self._pixels()
            is_colour = _has_colour(pixels)
            if _is_transparent(pixels):
                warnings = (_TRANSPARENT,)
        self._info = SceneInfo(
            sizes=dict.fromkeys(AXES, 1) | {"Y": header.rows, "X": header.columns},
            dtype=np.dtype(np.uint16 if header.bits == 16 else np.uint8),
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

    def _pixels(self) -> NDArray[Any]:
        """``(Y, X)``, or ``(Y, X, samples)`` of grey, red, green, blue and transparency."""
        try:
            decoded: NDArray[Any] = imagecodecs.png_decode(self.path.read_bytes())
        except (imagecodecs.PngError, ValueError) as error:
            raise self._damaged(str(error)) from error
        return decoded

    def _damaged(self, why: str) -> UnreadableImageError:
        return UnreadableImageError(
            f"this PNG is damaged or incomplete ({why}). Copy it again from where it came from.", file=self.path
        )


def _has_colour(pixels: NDArray[Any]) -> bool:
    if pixels.ndim == 2 or pixels.shape[-1] < 3:
        return False
    red = pixels[..., 0]
    return any(not np.array_equal(red, pixels[..., other]) for other in (1, 2))


def _is_transparent(pixels: NDArray[Any]) -> bool:
    if pixels.ndim == 2 or pixels.shape[-1] not in (2, 4):
        return False
    return bool((pixels[..., -1] != np.iinfo(pixels.dtype).max).any())
