from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_mito_predict.errors import UnknownAxesError, UnsupportedImageError
from napari_mito_predict.image import check_image, open_image

# tifffile takes three planes for colour unless told otherwise.
GREY = "minisblack"
STACK = np.random.default_rng(0).integers(0, 60000, (2, 2, 3, 18, 26), np.uint16)  # TCZYX


def test_ome_tiff(tmp_path: Path) -> None:
    path = tmp_path / "cells.ome.tif"
    metadata = {
        "axes": "TCZYX",
        "Channel": {"Name": ["TL", "TMRM"]},
        "PhysicalSizeX": 100,
        "PhysicalSizeXUnit": "nm",
        "PhysicalSizeY": 0.1,
        "PhysicalSizeYUnit": "µm",
        "TimeIncrement": 500,
        "TimeIncrementUnit": "ms",
    }
    tifffile.imwrite(path, STACK, metadata=metadata)
    image = open_image(path)
    assert image.name == "cells"
    assert list(image.sizes.values()) == [2, 2, 3, 18, 26]
    assert [(channel.name, channel.role.value) for channel in image.channels] == [
        ("TL", "transmitted"),
        ("TMRM", "mitochondria"),
    ]
    assert image.voxel_size_um == (None, pytest.approx(0.1), pytest.approx(0.1))
    assert image.time_step_s == 0.5
    np.testing.assert_array_equal(image.read(1, "TMRM"), STACK[1, 1])
    np.testing.assert_array_equal(image.read(1, "TMRM", z=2), STACK[1, 1, 2:])
    np.testing.assert_array_equal(image.lazy("TL").compute(), STACK[:, 0])


def test_ome_tiff_with_several_images(tmp_path: Path) -> None:
    path = tmp_path / "two.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as writer:
        writer.write(STACK[0, 0], metadata={"axes": "ZYX", "Name": "left"})
        writer.write(STACK[0, 1, :2], metadata={"axes": "ZYX", "Name": "right"})
    image = open_image(path, scene="right")
    assert image.scenes == ("left", "right")
    assert image.sizes["Z"] == 2
    np.testing.assert_array_equal(image.read(), STACK[0, 1, :2])
    np.testing.assert_array_equal(image.with_scene(0).read(), STACK[0, 0])


def test_ome_tiff_over_several_files(tmp_path: Path) -> None:
    paths = _file_set(tmp_path)
    image = open_image(paths[0])
    assert image.sizes["T"] == 2
    np.testing.assert_array_equal(image.read(1), STACK[1, 0])


def _file_set(folder: Path) -> list[Path]:
    """An OME-TIFF of two time points, one file for each."""
    names = [folder / f"t{t}.ome.tif" for t in range(2)]
    ids = [f"urn:uuid:0000000{t}-0000-4000-8000-000000000000" for t in range(2)]
    parts = "".join(
        f'<TiffData FirstT="{t}" FirstZ="{z}" IFD="{z}" PlaneCount="1"><UUID FileName="{names[t].name}">{ids[t]}</UUID>'
        "</TiffData>"
        for t in range(2)
        for z in range(3)
    )
    for t, path in enumerate(names):
        xml = (
            f'<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="{ids[t]}">'
            '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" '
            f'SizeX="26" SizeY="18" SizeC="1" SizeZ="3" SizeT="2"><Channel ID="Channel:0:0" SamplesPerPixel="1"/>'
            f"{parts}</Pixels></Image></OME>"
        )
        tifffile.imwrite(path, STACK[t, 0], description=xml, metadata=None, photometric=GREY)
    return names


def test_imagej(tmp_path: Path) -> None:
    path = tmp_path / "ij.tif"
    metadata = {"axes": "TZCYX", "spacing": 0.5, "unit": "um", "finterval": 3.0, "Labels": ["BF", "DAPI"] * 6}
    tifffile.imwrite(path, STACK.transpose(0, 2, 1, 3, 4), imagej=True, metadata=metadata, resolution=(10, 5))
    image = open_image(path)
    assert image.voxel_size_um == (0.5, pytest.approx(0.2), pytest.approx(0.1))
    assert image.time_step_s == 3
    assert [channel.role.value for channel in image.channels] == ["transmitted", "dna"]
    np.testing.assert_array_equal(image.read(1, 1), STACK[1, 1])


def test_imagej_in_pixels_has_no_size(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "ij.tif", STACK[0, 0], imagej=True, metadata={"axes": "ZYX"})
    assert open_image(tmp_path / "ij.tif").voxel_size_um == (None, None, None)


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_tifffile(tmp_path: Path, compression: str | None, byteorder: str) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, STACK[0, 0], metadata={"axes": "ZYX"}, photometric=GREY, compression=compression, byteorder=byteorder
    )
    read = open_image(path).read()
    np.testing.assert_array_equal(read, STACK[0, 0])
    assert read.dtype == open_image(path).dtype == np.uint16


def test_bigtiff_and_float(tmp_path: Path) -> None:
    data = np.random.default_rng(0).normal(size=(3, 18, 26)).astype(np.float32)
    tifffile.imwrite(tmp_path / "a.tif", data, bigtiff=True, photometric=GREY, metadata={"axes": "TYX"})
    image = open_image(tmp_path / "a.tif")
    assert image.sizes["T"] == 3
    np.testing.assert_array_equal(image.read(2)[0], data[2])


def test_a_single_plain_page_is_a_plane(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", STACK[0, 0, 0], metadata=None)
    image = open_image(tmp_path / "a.tif")
    assert list(image.sizes.values()) == [1, 1, 1, 18, 26]
    np.testing.assert_array_equal(image.read()[0], STACK[0, 0, 0])


@pytest.mark.parametrize("metadata", [None, {}])
def test_silent_axes_are_asked_for_never_guessed(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, STACK[0, 0], photometric=GREY, metadata=metadata)
    with pytest.raises(UnknownAxesError, match=r'a\.tif.*\(3, 18, 26\).*axes="ZYX".*--axes'):
        open_image(path)
    for axes, axis in (("ZYX", "Z"), ("tyx", "T"), ("CYX", "C")):
        assert open_image(path, axes=axes).sizes[axis] == 3
    np.testing.assert_array_equal(open_image(path, axes="TYX").read(2)[0], STACK[0, 0, 2])


@pytest.mark.parametrize("axes", ["YX", "QYX", "ZZX", "ZCT"])
def test_axes_that_do_not_fit(tmp_path: Path, axes: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", STACK[0, 0], photometric=GREY, metadata=None)
    with pytest.raises(UnknownAxesError, match="do not fit an image of shape"):
        open_image(tmp_path / "a.tif", axes=axes)


def test_planes_that_are_not_stored_as_planes(tmp_path: Path) -> None:
    """Some programs write Y, X, Z; the user says so."""
    tifffile.imwrite(tmp_path / "a.tif", STACK[0, 0].transpose(1, 2, 0).copy(), metadata=None, photometric=GREY)
    image = open_image(tmp_path / "a.tif", axes="YXZ")
    assert list(image.sizes.values()) == [1, 1, 3, 18, 26]
    np.testing.assert_array_equal(image.read(), STACK[0, 0])
    np.testing.assert_array_equal(image.read(z=1), STACK[0, 0, 1:2])


def test_colour_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((18, 26, 3), np.uint8), photometric="rgb")
    image = open_image(tmp_path / "a.tif")
    assert image.is_rgb
    assert [finding.level for finding in check_image(image)] == ["error"]
    with pytest.raises(UnsupportedImageError, match="RGB"):
        image.read()
