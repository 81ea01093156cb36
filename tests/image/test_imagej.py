"""Descriptions of ImageJ, SCIFIO and Bio-Formats, calibrated the way ImageJ does."""

from __future__ import annotations

import struct
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_mito_predict.errors import ImageError, UnreadableImageError
from napari_mito_predict.image import open_image

GREY = "minisblack"
STACK = np.random.default_rng(0).integers(0, 60000, (4, 20, 24), np.uint16)
HYPERSTACK = np.random.default_rng(0).integers(0, 60000, (2, 3, 4, 20, 24), np.uint16)  # TZC


def _write(path: Path, description: str, pixels: np.ndarray = STACK, **options: Any) -> Path:
    """Write plain pages with a description in the first; resolution in pixels per unit, and the unit's number."""
    options = {"resolution": (10, 5), "resolutionunit": 1} | options
    tifffile.imwrite(path, pixels, description=description.encode(), metadata=None, photometric=GREY, **options)
    return path


def _imagej(*lines: str, slices: int = 4) -> str:
    return "\n".join(("ImageJ=1.54f", f"images={slices}", f"slices={slices}", *lines, ""))


@pytest.mark.parametrize(
    ("lines", "size"),
    [
        (["unit=micron", "spacing=0.5"], (0.5, 0.2, 0.1)),
        (["unit=um", "spacing=0.5"], (0.5, 0.2, 0.1)),
        (["unit=µm", "spacing=0.5"], (0.5, 0.2, 0.1)),
        (["unit=\\u00B5m", "spacing=0.5"], (0.5, 0.2, 0.1)),
        (["unit=nm", "spacing=500"], (0.5, 0.0002, 0.0001)),
        (["unit=mm", "spacing=0.5"], (500, 200, 100)),
        (["unit=inch", "spacing=0.5"], (12700, 5080, 2540)),
        (["unit=micron"], (1, 0.2, 0.1)),
        (["unit=micron", "spacing=-0.5"], (0.5, 0.2, 0.1)),
        (["unit=micron", "spacing=0"], (None, 0.2, 0.1)),
        (["unit=micron", "yunit=nm", "zunit=nm", "spacing=500"], (0.5, 0.0002, 0.1)),
        (["unit=pixel", "spacing=0.5"], (None, None, None)),
        (["spacing=0.5"], (None, None, None)),
        ([], (None, None, None)),
    ],
)
def test_units(tmp_path: Path, lines: list[str], size: tuple[float | None, ...]) -> None:
    image = open_image(_write(tmp_path / "a.tif", _imagej(*lines)))
    assert image.voxel_size_um == pytest.approx(size)
    np.testing.assert_array_equal(image.read(), STACK)


def test_a_plane_has_no_step(tmp_path: Path) -> None:
    image = open_image(_write(tmp_path / "a.tif", "ImageJ=1.54f\nunit=micron\n", STACK[0]))
    assert image.voxel_size_um == pytest.approx((None, 0.2, 0.1))


@pytest.mark.parametrize(
    ("lines", "resolution", "size"),
    [
        (["unit=um", "spacing=0.3"], 100000, (0.3, 0.1, 0.1)),
        (["unit=micron", "spacing=0.3"], 100000, (0.3, 0.1, 0.1)),
        ([], 100000, (None, 0.1, 0.1)),
        (["unit=cm", "spacing=0.3"], 100000, (3000, 0.1, 0.1)),
        (["unit=micron", "spacing=0.3"], 10, (0.3, 0.1, 0.1)),
        (["unit=pixel"], 100000, (None, None, None)),
        ([], 28, (None, None, None)),
        ([], 0, (None, None, None)),
    ],
)
def test_pixels_per_centimetre(tmp_path: Path, lines: list[str], resolution: int, size: Any) -> None:
    options = {"resolution": (resolution, resolution), "resolutionunit": 3}
    assert open_image(_write(tmp_path / "a.tif", _imagej(*lines), **options)).voxel_size_um == pytest.approx(size)


def test_dots_per_inch_are_for_printers(tmp_path: Path) -> None:
    options = {"resolution": (254000, 254000), "resolutionunit": 2}
    assert open_image(_write(tmp_path / "a.tif", _imagej(), **options)).voxel_size_um == (None, None, None)
    plain = open_image(_write(tmp_path / "b.tif", "", STACK[0], **options))
    assert plain.voxel_size_um == (None, None, None)


@pytest.mark.parametrize(("per_centimetre", "size"), [(28, None), (118, None), (472, None), (100000, 0.1)])
def test_a_plain_file_counts_where_nobody_prints_so_finely(
    tmp_path: Path, per_centimetre: int, size: float | None
) -> None:
    options = {"resolution": (per_centimetre, per_centimetre), "resolutionunit": 3}
    image = open_image(_write(tmp_path / "a.tif", "", STACK[0], **options))
    assert image.voxel_size_um == (None, size, size)


@pytest.mark.parametrize(
    ("scales", "units", "size"),
    [
        ("0.1,0.2,0.5", "micrometer,micrometer,micrometer", (0.5, 0.2, 0.1)),
        ("100,200,500", "nm,nm,nm", (0.5, 0.2, 0.1)),
        ("0.1,0.2,0.5", "null,null,null", (None, 0.2, 0.1)),
        ("0.1,0.2", "micron,micron", (None, 0.2, 0.1)),
    ],
)
def test_scifio(tmp_path: Path, scales: str, units: str, size: Any) -> None:
    lists = f"axes=X,Y,Z\nlengths=24,20,4\nscales={scales}\nunits={units}"
    text = f"SCIFIO=0.43\n{lists}\nimages=4\nslices=4\nhyperstack=true\n"
    path = _write(tmp_path / "a.tif", text, resolution=(100000, 50000), resolutionunit=3)
    image = open_image(path)
    assert image.sizes["Z"] == 4
    assert image.voxel_size_um == pytest.approx(size)


@pytest.mark.parametrize("order", [*map("".join, permutations("czt"))])
def test_hyperstacks_of_every_order(tmp_path: Path, order: str) -> None:
    """Of the three letters, the first runs fastest."""
    axes = order[::-1].upper()
    pixels = HYPERSTACK.transpose([*("TZC".index(axis) for axis in axes), 3, 4]).copy()
    sizes = "images=24\nchannels=4\nslices=3\nframes=2"
    text = f"ImageJ=1.54f\n{sizes}\nhyperstack=true\norder={order}\nunit=um\nfinterval=2\n"
    image = open_image(_write(tmp_path / "a.tif", text, pixels.reshape(24, 20, 24)))
    assert image.sizes == {"T": 2, "C": 4, "Z": 3, "Y": 20, "X": 24}
    assert image.time_step_s == 2
    for t in range(2):
        np.testing.assert_array_equal(image.read(t, 3), HYPERSTACK[t, :, 3])


@pytest.mark.parametrize("big_endian", [True, False])
def test_one_directory_for_all_planes(tmp_path: Path, big_endian: bool) -> None:
    """As ImageJ writes stacks of more than 4 GiB."""
    order = ">" if big_endian else "<"
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, STACK[0], description=_imagej("unit=um"), metadata=None, byteorder=order, software="x")
    with tifffile.TiffFile(path) as tiff:
        at = tiff.pages.first.dataoffsets[0]
    path.write_bytes(path.read_bytes()[:at] + STACK.astype(f"{order}u2").tobytes())
    image = open_image(path)
    np.testing.assert_array_equal(image.read(), STACK)
    np.testing.assert_array_equal(image.read(z=2), STACK[2:3])
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UnreadableImageError, match="incomplete"):
        open_image(path)


def test_planes_of_several_types_become_the_one_that_holds_all(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        for number, plane in enumerate(STACK):
            text = _imagej() if number == 0 else None
            pixels = (plane % 256).astype(np.uint8) if number < 2 else plane
            writer.write(pixels, description=text, metadata=None, contiguous=False, photometric=GREY, software="x")
    image = open_image(path)
    assert image.dtype == np.uint16
    np.testing.assert_array_equal(image.read(), np.concatenate([STACK[:2] % 256, STACK[2:]]))
    assert image.read(z=0).dtype == np.uint16


def test_planes_of_several_sizes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        for number, plane in enumerate(STACK):
            text = _imagej() if number == 0 else None
            pixels = plane if number < 2 else plane[:10]
            writer.write(pixels, description=text, metadata=None, contiguous=False, photometric=GREY, software="x")
    with pytest.raises(ImageError):
        open_image(path)


def test_samples_that_bio_formats_calls_channels(tmp_path: Path) -> None:
    text = "ImageJ=\nhyperstack=true\nimages=3\nchannels=3\nslices=1\nframes=1\n"
    pixels = np.moveaxis(STACK[:3], 0, -1).astype(np.uint8)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, pixels, photometric=GREY, planarconfig="contig", description=text, metadata=None)
    image = open_image(path)
    assert image.sizes["C"] == 3, "tifffile writes what the samples are"
    _forget(path, 338)
    assert open_image(path).is_rgb


def _forget(path: Path, code: int) -> None:
    """Turn a tag into one that nobody knows."""
    with tifffile.TiffFile(path) as tiff:
        at = tiff.pages.first.tags[code].offset
    content = bytearray(path.read_bytes())
    struct.pack_into("<H", content, at, 65100)
    path.write_bytes(content)
