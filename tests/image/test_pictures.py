"""PNG and JPEG files as people have them: 8 and 16 bits, grey as colour, pictures, half a file."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import pytest

from napari_mito_predict.errors import UnreadableImageError, UnsupportedImageError
from napari_mito_predict.image import check_image, list_images, open_image

GREY8 = np.random.default_rng(0).integers(0, 256, (20, 30), np.uint8)
GREY16 = np.random.default_rng(1).integers(0, 65536, (20, 30), np.uint16)


def _write(path: Path, pixels: np.ndarray) -> Path:
    path.write_bytes(imagecodecs.png_encode(pixels))
    return path


def _opaque(grey: np.ndarray, samples: int) -> np.ndarray:
    """`grey` in each of the samples, the last of which is full where it is the transparency."""
    pixels = np.stack([grey] * samples, axis=-1)
    if samples in (2, 4):
        pixels[..., -1] = np.iinfo(grey.dtype).max
    return pixels


@pytest.mark.parametrize("grey", [GREY8, GREY16], ids=["8 bit", "16 bit"])
@pytest.mark.parametrize("samples", [1, 2, 3, 4], ids=["grey", "grey+alpha", "RGB", "RGBA"])
def test_grey_is_read_however_it_is_stored(tmp_path: Path, grey: np.ndarray, samples: int) -> None:
    stored = grey if samples == 1 else _opaque(grey, samples)
    image = open_image(_write(tmp_path / "plane.png", stored))
    assert image.name == "plane"
    assert image.sizes == {"T": 1, "C": 1, "Z": 1, "Y": 20, "X": 30}
    assert image.dtype == grey.dtype
    assert image.voxel_size_um == (None, None, None)
    assert image.unsupported == ""
    assert image.warnings == ()
    read = image.read()
    assert read.dtype == grey.dtype
    np.testing.assert_array_equal(read, grey[None])


@pytest.mark.parametrize("samples", [3, 4])
def test_a_colour_picture_is_refused_with_the_reason(tmp_path: Path, samples: int) -> None:
    pixels = _opaque(GREY8, samples)
    pixels[3, 4, 1] ^= 1
    image = open_image(_write(tmp_path / "picture.png", pixels))
    assert image.is_rgb
    assert [finding.code for finding in check_image(image)] == ["unsupported"]
    with pytest.raises(UnsupportedImageError, match=r"picture\.png.*RGB colour"):
        image.read()


def test_transparency_is_said(tmp_path: Path) -> None:
    pixels = _opaque(GREY8, 4)
    pixels[:5, :, 3] = 0
    image = open_image(_write(tmp_path / "plane.png", pixels))
    assert "transparent" in image.warnings[0]
    np.testing.assert_array_equal(image.read()[0], GREY8)


def test_half_a_file_is_no_image(tmp_path: Path) -> None:
    whole = imagecodecs.png_encode(GREY8)
    cut = tmp_path / "cut.png"
    cut.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnreadableImageError, match=r"cut\.png.*damaged or incomplete"):
        open_image(cut).read()
    cut.write_bytes(whole[:20])
    with pytest.raises(UnreadableImageError, match=r"cut\.png.*damaged or incomplete"):
        open_image(cut)
    cut.write_bytes(imagecodecs.png_encode(_opaque(GREY8, 3))[:-40])
    with pytest.raises(UnreadableImageError, match=r"cut\.png.*damaged or incomplete"):
        open_image(cut)


def _write_jpeg(path: Path, pixels: np.ndarray) -> Path:
    path.write_bytes(imagecodecs.jpeg8_encode(pixels))
    return path


@pytest.mark.parametrize("samples", [1, 3], ids=["grey", "RGB"])
def test_a_grey_jpeg_is_read_and_its_compression_said_whatever_it_is_called(tmp_path: Path, samples: int) -> None:
    flat = np.full((20, 30), 100, np.uint8)
    image = open_image(_write_jpeg(tmp_path / "plane.png", flat if samples == 1 else _opaque(flat, samples)))
    assert image.sizes == {"T": 1, "C": 1, "Z": 1, "Y": 20, "X": 30}
    assert "a JPEG: its compression" in image.warnings[0]
    read = image.read()
    assert (read.dtype, read.shape) == (np.uint8, (1, 20, 30))
    np.testing.assert_array_equal(read[0], flat)


def test_a_colour_jpeg_is_refused_with_the_reason(tmp_path: Path) -> None:
    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels[..., 0] = 200
    image = open_image(_write_jpeg(tmp_path / "photo.jpg", pixels))
    assert image.name == "photo"
    with pytest.raises(UnsupportedImageError, match=r"photo\.jpg.*RGB colour"):
        image.read()


def test_half_a_jpeg_is_no_image(tmp_path: Path) -> None:
    whole = imagecodecs.jpeg8_encode(GREY8)
    cut = tmp_path / "cut.jpg"
    for length in (4, 100, len(whole) // 2, len(whole) - 40):
        cut.write_bytes(whole[:length])
        with pytest.raises(UnreadableImageError, match=r"cut\.jpg.*JPEG is damaged or incomplete"):
            open_image(cut).read()


def test_pictures_count_in_a_folder_without_recordings(tmp_path: Path) -> None:
    for name in ("a.png", "b.PNG", "c.jpeg", "d.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in list_images(tmp_path)] == ["a.png", "b.PNG", "c.jpeg"]
    (tmp_path / "e.czi").touch()
    assert [path.name for path in list_images(tmp_path)] == ["e.czi"], "pictures beside a recording"
