"""What else a TIFF may hold: samples, types of numbers, further axes, further series; and what is done to it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_mito_predict.errors import ImageError, UnknownAxesError, UnsupportedImageError
from napari_mito_predict.image import ImageSource, open_image

GREY = "minisblack"
RNG = np.random.default_rng(0)
STACK = RNG.integers(0, 200, (5, 32, 48)).astype(np.uint16)
LAYOUTS: dict[str, dict[str, Any]] = {
    "strips": {},
    "big-endian": {"byteorder": ">"},
    "tiles": {"tile": (16, 16)},
    "compressed": {"compression": "zlib"},
    "LZW": {"compression": "lzw", "rowsperstrip": 7},
    "predictor": {"compression": "zlib", "predictor": True},
    "BigTIFF": {"bigtiff": True, "compression": "zlib", "byteorder": ">"},
}
DTYPES = [np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.float16, np.float32, np.float64, np.bool_]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_layouts_and_types(tmp_path: Path, layout: str, dtype: Any) -> None:
    options = LAYOUTS[layout]
    if "predictor" in options and dtype in (np.bool_, np.float16):
        pytest.skip("not written by tifffile")
    pixels = STACK.astype(dtype) if dtype is not np.bool_ else STACK > 100
    path = tmp_path / "a.tif"
    try:
        tifffile.imwrite(path, pixels, photometric=GREY, metadata={"axes": "ZYX"}, **options)
    except NotImplementedError:
        pytest.skip("not written by this tifffile")
    image = open_image(path)
    assert image.dtype == dtype
    np.testing.assert_array_equal(image.read(), pixels)
    np.testing.assert_array_equal(image.read(z=3), pixels[3:4])


def test_complex_numbers_are_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, STACK.astype(np.complex64), photometric=GREY, metadata={"axes": "ZYX"})
    with pytest.raises(UnsupportedImageError, match="complex"):
        open_image(path).read()


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_samples(tmp_path: Path, planar: str) -> None:
    """Five grey ones are channels; three colours are a picture."""
    pixels = STACK if planar == "separate" else np.moveaxis(STACK, 0, -1).copy()
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, pixels, photometric=GREY, planarconfig=planar, metadata=None)
    image = open_image(path)
    assert (image.sizes["C"], image.is_rgb) == (5, False)
    for c in range(5):
        np.testing.assert_array_equal(image.read(0, c)[0], STACK[c])
    for samples in (3, 4):
        colours = pixels[:samples] if planar == "separate" else pixels[..., :samples]
        tifffile.imwrite(path, colours, photometric="rgb", planarconfig=planar, metadata=None)
        assert open_image(path).is_rgb


def test_grey_with_transparency(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    pixels = np.stack([STACK[0], np.full_like(STACK[0], 9)], -1)
    tifffile.imwrite(path, pixels, photometric=GREY, planarconfig="contig", extrasamples=["unassalpha"], metadata=None)
    image = open_image(path)
    assert image.sizes["C"] == 1
    assert "transparent" in image.warnings[0]
    np.testing.assert_array_equal(image.read()[0], STACK[0])


def test_known_axes_that_are_none_of_ours_are_scenes(tmp_path: Path) -> None:
    pixels = RNG.integers(0, 60000, (2, 3, 4, 20, 24), np.uint16)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, pixels, photometric=GREY, metadata={"axes": "RAZYX"})
    image = open_image(path)
    assert len(image.scenes) == 6
    assert image.scenes[5] == "position 2, angle 3"
    assert "2 positions and 3 angles" in image.warnings[0]
    np.testing.assert_array_equal(image.with_scene("position 2, angle 1").read(), pixels[1, 0])


def test_axes_that_only_the_user_knows(tmp_path: Path) -> None:
    pixels = RNG.integers(0, 60000, (2, 4, 20, 24), np.uint16)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, pixels, photometric=GREY, metadata={"axes": "QZYX"})
    with pytest.raises(UnknownAxesError, match="--axes"):
        open_image(path)
    image = open_image(path, axes="RZYX")
    assert image.scenes == ("position 1", "position 2")
    np.testing.assert_array_equal(image.with_scene(1).read(), pixels[1])


def test_axes_are_of_the_series_that_they_fit(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        for plane in STACK:
            writer.write(plane, metadata=None, contiguous=False, photometric=GREY)
        writer.write(STACK[0, :10, :10], metadata=None, contiguous=False, photometric=GREY)
    image = open_image(path, axes="ZYX")
    np.testing.assert_array_equal(image.read(), STACK)
    np.testing.assert_array_equal(image.with_scene(1).read()[0], STACK[0, :10, :10])
    with pytest.raises(UnknownAxesError, match="do not fit"):
        open_image(path, axes="TZYX")
    with pytest.raises(UnknownAxesError):
        open_image(path)
    assert open_image(path, scene=1).sizes["Z"] == 1


def test_levels_of_a_pyramid_are_no_scenes(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(STACK, subifds=1, metadata={"axes": "ZYX"}, photometric=GREY, tile=(16, 16))
        writer.write(STACK[:, ::2, ::2], subfiletype=1, photometric=GREY, tile=(16, 16))
    image = open_image(path)
    assert len(image.scenes) == 1
    np.testing.assert_array_equal(image.read(), STACK)


def test_a_compression_that_nobody_reads_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, STACK, photometric=GREY, metadata={"axes": "ZYX"}, compression="zlib")
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tiff:
        places = [page.aspage().tags["Compression"].valueoffset for page in tiff.pages]
    for place in places:
        content[place : place + 2] = (34661).to_bytes(2, "little")  # JBIG
    path.write_bytes(content)
    with pytest.raises(ImageError) as caught:
        open_image(path).read()
    assert "damaged" not in str(caught.value)


def _read_plane(image: ImageSource, z: int) -> np.ndarray:
    return image.read(z=z)


def test_many_threads(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, STACK, photometric=GREY, metadata={"axes": "ZYX"}, compression="zlib", tile=(16, 16))
    image = open_image(path)
    with ThreadPoolExecutor(8) as threads:
        planes = list(threads.map(lambda z: _read_plane(image, z % 5), range(200)))
    for number, plane in enumerate(planes):
        np.testing.assert_array_equal(plane[0], STACK[number % 5])
    path.rename(tmp_path / "b.tif")  # nothing stays open
