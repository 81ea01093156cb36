"""Files of Zeiss' LSM and of MetaMorph: what their own tags say, and pages that need correction."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_mito_predict.errors import UnknownAxesError, UnreadableImageError
from napari_mito_predict.image import open_image

LSM_TAG = 34412
PRIVATE_TAG = 65000
Z_STACK, TIME_SERIES, TIME_SERIES_OF_STACKS, LINES = 0, 3, 6, 2


def _pixels(shape: Sequence[int], dtype: Any) -> np.ndarray:
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape).astype(dtype)


def _write_lsm(
    path: Path,
    pixels: np.ndarray,
    scan: int,
    *,
    stamps: Sequence[float] = (),
    interval: float = 0.0,
    positions: int = 0,
    **options: Any,
) -> Path:
    """Write ``(pages, C, Y, X)`` as LSM: each page has all channels, with a thumbnail behind it."""
    pages, channels, height, width = pixels.shape
    steps = pages // max(1, positions)
    sizes = {Z_STACK: (steps, 1), TIME_SERIES: (1, steps), TIME_SERIES_OF_STACKS: (3, steps // 3), LINES: (1, height)}
    depth, times = sizes[scan]
    info = bytearray(400)
    struct.pack_into("<2I8i", info, 0, 67127628, 400, width, height, depth, channels, times, 2, 8, 8)
    struct.pack_into("<3d", info, 40, 1e-7, 2e-7, 3e-7)
    struct.pack_into("<H", info, 88, scan)
    struct.pack_into("<d", info, 112, interval)
    struct.pack_into("<2i", info, 264, positions, 0)
    thumbnail = np.zeros((8, 8, 3), np.uint8)
    with tifffile.TiffWriter(path) as writer:
        for number, page in enumerate(pixels):
            extra = [(PRIVATE_TAG, 1, len(info), bytes(info), True)] if number == 0 else []
            kind: dict[str, Any] = {"photometric": "minisblack", "metadata": None, "contiguous": False}
            shape = page if channels > 1 else page[0]
            separate = {"planarconfig": "separate"} if channels > 1 else {}
            writer.write(shape, extratags=extra, rowsperstrip=height, **separate, **kind, **options)
            writer.write(thumbnail, subfiletype=1, photometric="rgb", metadata=None, contiguous=False, **options)
    with tifffile.TiffFile(path) as tiff:
        tag = tiff.pages.first.tags[PRIVATE_TAG]
        bits_tags = [page.aspage().tags["BitsPerSample"].offset for page in tiff.pages][::2]
    content = bytearray(path.read_bytes())
    struct.pack_into("<H", content, tag.offset, LSM_TAG)  # only now: tifffile corrects what it reads of an LSM
    if channels == 2:
        # Two numbers of bits fit into their tag; LSM files have them elsewhere all the same.
        for place in bits_tags:
            struct.pack_into("<I", content, place + 8, len(content))
            content += struct.pack("<2H", *[pixels.dtype.itemsize * 8] * 2)
    if stamps:
        struct.pack_into("<I", content, tag.valueoffset + 132, len(content))
        content += struct.pack(f"<2i{len(stamps)}d", 8 + 8 * len(stamps), len(stamps), *stamps)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_lsm_stack(tmp_path: Path, channels: int, dtype: Any) -> None:
    pixels = _pixels((5, channels, 20, 24), dtype)
    image = open_image(_write_lsm(tmp_path / "a.lsm", pixels, Z_STACK))
    assert image.name == "a"
    assert len(image.scenes) == 1, "thumbnails are none"
    assert image.sizes == {"T": 1, "C": channels, "Z": 5, "Y": 20, "X": 24}
    assert image.dtype == dtype
    assert image.voxel_size_um == pytest.approx((0.3, 0.2, 0.1))
    for c in range(channels):
        np.testing.assert_array_equal(image.read(0, c), pixels[:, c])
        np.testing.assert_array_equal(image.read(0, c, z=3), pixels[3:4, c])


def test_lsm_in_time(tmp_path: Path) -> None:
    pixels = _pixels((6, 2, 20, 24), np.uint16)
    path = _write_lsm(tmp_path / "a.lsm", pixels, TIME_SERIES_OF_STACKS, stamps=(10.0, 12.5))
    image = open_image(path)
    assert image.sizes == {"T": 2, "C": 2, "Z": 3, "Y": 20, "X": 24}
    assert image.time_step_s == 2.5
    for t in range(2):
        np.testing.assert_array_equal(image.read(t, 1), pixels[3 * t : 3 * t + 3, 1])
    series = open_image(_write_lsm(tmp_path / "b.lsm", pixels, TIME_SERIES, interval=4.0))
    assert series.sizes == {"T": 6, "C": 2, "Z": 1, "Y": 20, "X": 24}
    assert series.time_step_s == 4
    np.testing.assert_array_equal(series.read(4, 0), pixels[4:5, 0])


def test_lsm_with_positions(tmp_path: Path) -> None:
    pixels = _pixels((6, 1, 20, 24), np.uint16)
    image = open_image(_write_lsm(tmp_path / "a.lsm", pixels, Z_STACK, positions=2))
    assert image.scenes == ("position 1", "position 2")
    np.testing.assert_array_equal(image.with_scene("position 2").read(), pixels[3:, 0])
    assert "2 positions" in image.warnings[0]


def test_a_compressed_lsm(tmp_path: Path) -> None:
    """Byte counts of compressed LSM files are those of the pixels, and have to be corrected."""
    pixels = _pixels((4, 2, 20, 24), np.uint16) // 1000
    path = _write_lsm(tmp_path / "a.lsm", pixels, Z_STACK, compression="lzw")
    np.testing.assert_array_equal(open_image(path).read(0, 1), pixels[:, 1])


@pytest.mark.skipif(
    tifffile.__version__.startswith("2023."), reason="this tifffile takes the lines of a line scan for an image"
)
def test_a_line_scan_is_no_image(tmp_path: Path) -> None:
    path = _write_lsm(tmp_path / "a.lsm", _pixels((1, 1, 20, 24), np.uint8), LINES)
    with pytest.raises(UnknownAxesError, match="no image with rows and columns"):
        open_image(path)


def test_a_cut_lsm(tmp_path: Path) -> None:
    path = _write_lsm(tmp_path / "a.lsm", _pixels((5, 2, 20, 24), np.uint16), Z_STACK)
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(UnreadableImageError):
        open_image(path)


def _write_stk(path: Path, pixels: np.ndarray, *, distance_um: float = 0.0, step_ms: int = 0) -> Path:
    """Write ``(planes, Y, X)`` as STK: a single directory, with all planes behind the first one."""
    planes = len(pixels)
    dates = b"".join(
        struct.pack("<6I", round(distance_um * 1000), 1000, 2460000, 1000 + step_ms * number, 2460000, 0)
        for number in range(planes)
    )
    unit = b"um\0"
    # Of UIC1 and UIC2, the count is that of entries or planes; both are patched in below.
    extra = [(33628, 4, 2, (4, 1), True), (33629, 4, 2, (0, 0), True), (33630, 4, 2, (0, 0), True)]
    with tifffile.TiffWriter(path, byteorder="<") as writer:
        writer.write(pixels[0], photometric="minisblack", metadata=None, extratags=extra, rowsperstrip=pixels.shape[1])
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path, is_stk=False) as tiff:
        entries = {tag.code: tag.offset for tag in tiff.pages.first.tags}
        at = tiff.pages.first.dataoffsets[0]
    content[at:] = pixels.tobytes()
    places = {33629: (5, planes, dates), 33630: (5, planes, struct.pack("<2I", 500, 1) * planes)}
    for code, (kind, count, value) in places.items():
        struct.pack_into("<HHII", content, entries[code], code, kind, count, len(content))
        content += value
    fraction_at = len(content)
    content += struct.pack("<2I", 1, 5) + struct.pack("<I", len(unit)) + unit
    uic1 = struct.pack("<8I", 4, fraction_at, 5, fraction_at, 6, fraction_at + 8, 3, 1)
    struct.pack_into("<HHII", content, entries[33628], 33628, 4, 4, len(content))
    content += uic1
    path.write_bytes(content)
    return path


def test_stk_stack(tmp_path: Path) -> None:
    pixels = _pixels((5, 20, 24), np.uint16)
    image = open_image(_write_stk(tmp_path / "a.stk", pixels, distance_um=0.5))
    assert image.name == "a"
    assert image.sizes["Z"] == 5
    assert image.voxel_size_um == (0.5, 0.2, 0.2)
    np.testing.assert_array_equal(image.read(), pixels)


def test_stk_series(tmp_path: Path) -> None:
    pixels = _pixels((5, 20, 24), np.uint16)
    image = open_image(_write_stk(tmp_path / "a.stk", pixels, step_ms=1500))
    assert image.sizes["T"] == 5
    assert image.time_step_s == 1.5
    np.testing.assert_array_equal(image.read(3)[0], pixels[3])


def test_a_cut_stk(tmp_path: Path) -> None:
    path = _write_stk(tmp_path / "a.stk", _pixels((5, 20, 24), np.uint16), distance_um=0.5)
    path.write_bytes(path.read_bytes()[:-4000])
    with pytest.raises(UnreadableImageError):
        open_image(path)
