"""TIFFs of which a strip or tile is nowhere: refused when opened, never read as zeros."""

from __future__ import annotations

import contextlib
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_mito_predict.errors import UnreadableImageError
from napari_mito_predict.image import open_image

STACK = np.random.default_rng(0).integers(100, 60000, (4, 96, 64), np.uint16)

LAYOUTS: dict[str, dict[str, Any]] = {
    "strips": {"ome": True, "rowsperstrip": 16},
    "strips, compressed": {"ome": True, "rowsperstrip": 16, "compression": "zlib"},
    "tiles": {"ome": True, "tile": (32, 32)},
    "tiles, compressed": {"ome": True, "tile": (32, 32), "compression": "zlib"},
    "tiles, LZW": {"ome": True, "tile": (32, 32), "compression": "lzw"},
    "tiles, BigTIFF": {"ome": True, "tile": (32, 32), "compression": "zlib", "bigtiff": True},
    "tiles, big-endian": {"ome": True, "tile": (32, 32), "compression": "zlib", "byteorder": ">"},
    "one strip": {"ome": True, "rowsperstrip": 96},
    "one strip, compressed": {"ome": True, "rowsperstrip": 96, "compression": "zlib"},
    "tifffile": {"rowsperstrip": 96},
    "ImageJ": {"imagej": True},
    "without metadata": {"metadata": None, "rowsperstrip": 16, "compression": "zlib"},
}


def _write(path: Path, layout: str) -> Path:
    tifffile.imwrite(path, STACK, **{"metadata": {"axes": "ZYX"}, "photometric": "minisblack"} | LAYOUTS[layout])
    return path


def _set(path: Path, *, page: int, kind: str, index: int, value: int) -> None:
    """Change one offset or byte count of a page."""
    with tifffile.TiffFile(path) as tiff:
        tags = tiff.pages[page].aspage().tags
        tag = next(tag for tag in tags if tag.name in (f"Strip{kind}", f"Tile{kind}"))
        number = tiff.byteorder + {3: "H", 4: "I", 16: "Q"}[int(tag.dtype)]
        place = tag.valueoffset + struct.calcsize(number) * min(index, tag.count - 1)
    content = bytearray(path.read_bytes())
    struct.pack_into(number, content, place, value)
    path.write_bytes(content)


def _read(path: Path) -> np.ndarray:
    return open_image(path, axes="ZYX").read()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_whole_ones_are_read(tmp_path: Path, layout: str) -> None:
    np.testing.assert_array_equal(_read(_write(tmp_path / "a.tif", layout)), STACK)


@pytest.mark.parametrize(("kind", "value"), [("Offsets", 0), ("Offsets", 4), ("ByteCounts", 0)])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_missing_part_of_the_first_plane(tmp_path: Path, layout: str, kind: str, value: int) -> None:
    path = _write(tmp_path / "a.tif", layout)
    _set(path, page=0, kind=kind, index=1, value=value)
    with pytest.raises(UnreadableImageError, match=r"a\.tif: plane 0 .* is incomplete: 1 of its \d+ (strip|tile)s"):
        _read(path)


@pytest.mark.parametrize(("kind", "value"), [("Offsets", 0), ("Offsets", 4), ("ByteCounts", 0)])
@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name not in ("tifffile", "ImageJ")])
def test_a_missing_part_of_a_later_plane(tmp_path: Path, layout: str, kind: str, value: int) -> None:
    """Of planes that lie one after the other without gaps, tifffile looks at none but the first: they are whole."""
    path = _write(tmp_path / "a.tif", layout)
    _set(path, page=2, kind=kind, index=1, value=value)
    with contextlib.suppress(UnreadableImageError):
        np.testing.assert_array_equal(_read(path), STACK)


def test_fewer_tiles_than_the_size_needs(tmp_path: Path) -> None:
    """The height grows, the list of tiles does not."""
    path = _write(tmp_path / "a.tif", "without metadata")
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tiff:
        for page in tiff.pages:
            tag = page.aspage().tags["ImageLength"]
            struct.pack_into(f"{tiff.byteorder}{'H' if tag.dtype == 3 else 'I'}", content, tag.valueoffset, 160)
    path.write_bytes(content)
    with pytest.raises(UnreadableImageError, match="incomplete"):
        _read(path)
