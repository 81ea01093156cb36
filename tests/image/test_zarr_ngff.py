"""OME-Zarr as other programs write it, versions 0.1 to 0.5: read, or one clear line; nothing dropped without a word."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_mito_predict.errors import (
    ImageError,
    MetadataError,
    UnknownAxesError,
    UnreadableImageError,
    UnsupportedImageError,
)
from napari_mito_predict.image import is_zarr, list_images, open_image

zarr = pytest.importorskip("zarr", minversion="3", exc_type=ImportError, reason="pip install napari-mito-predict[zarr]")

STACK = np.random.default_rng(0).integers(1, 60000, (3, 18, 26), np.uint16)
JSON = dict[str, Any]


def axes(names: str, unit: str | None = "micrometer") -> list[JSON]:
    types = {"t": "time", "c": "channel"} | dict.fromkeys("zyx", "space")
    found: list[JSON] = [{"name": name, "type": types[name]} for name in names]
    for axis in found:
        if unit and axis["type"] == "space":
            axis["unit"] = unit
    return found


def scaled(*scale: Any) -> list[JSON]:
    return [{"type": "scale", "scale": list(scale)}]


def multiscale(names: str = "zyx", *scale: Any, **other: Any) -> JSON:
    dataset: JSON = {"path": "0", "coordinateTransformations": scaled(*scale or (0.3, 0.1, 0.1))}
    return {"version": "0.4", "axes": axes(names), "datasets": [dataset]} | other


def write(path: Path, text: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text if isinstance(text, str) else json.dumps(text), encoding="utf-8")


def write_group(folder: Path, attributes: JSON) -> Path:
    write(folder / ".zgroup", {"zarr_format": 2})
    write(folder / ".zattrs", attributes)
    return folder


def write_array(folder: Path, data: np.ndarray) -> None:
    """An array of format 2 as one uncompressed chunk."""
    metadata: JSON = {"zarr_format": 2, "shape": data.shape, "chunks": data.shape, "dtype": data.dtype.str}
    metadata |= {"compressor": None, "fill_value": 0, "order": "C", "filters": None}
    write(folder / ".zarray", metadata)
    (folder / ".".join("0" * data.ndim)).write_bytes(data.tobytes())


def write_image(folder: Path, data: np.ndarray = STACK, described: JSON | None = None, **attributes: Any) -> Path:
    write_array(folder / "0", data)
    return write_group(folder, {"multiscales": [described or multiscale()]} | attributes)


def write_v3(folder: Path, ome: JSON, data: np.ndarray = STACK, **options: Any) -> Path:
    group = zarr.open_group(folder, mode="w", zarr_format=3)
    group.attrs["ome"] = ome
    group.create_array("0", shape=data.shape, dtype=data.dtype, **options)[:] = data
    return folder


def write_plate(folder: Path, fields: dict[str, list[str]], present: Callable[[str], bool] = lambda _: True) -> Path:
    """A plate whose fields hold their number in every pixel."""
    wells = [{"path": well, "rowIndex": 0, "columnIndex": number} for number, well in enumerate(fields)]
    columns = [{"name": well.split("/")[1]} for well in fields]
    write_group(folder, {"plate": {"version": "0.4", "rows": [{"name": "A"}], "columns": columns, "wells": wells}})
    number = 0
    for well, names in fields.items():
        if not present(well):
            continue
        write_group(folder / well, {"well": {"version": "0.4", "images": [{"path": name} for name in names]}})
        for name in names:
            number += 1
            write_image(folder / well / name, np.full((2, 8, 9), number, np.uint16))
    return folder


# -------------------------------------------------------------------------------------------------------- versions
VERSIONS: dict[str, tuple[JSON, np.ndarray, tuple[float | None, ...]]] = {
    "0.1": ({"version": "0.1", "datasets": [{"path": "0"}]}, STACK[None, None], (None,) * 3),
    "0.2": ({"version": "0.2", "name": "a", "datasets": [{"path": "0"}]}, STACK[None, None], (None,) * 3),
    "0.3": ({"version": "0.3", "axes": ["z", "y", "x"], "datasets": [{"path": "0"}]}, STACK, (None,) * 3),
    "0.4": (multiscale(), STACK, (0.3, 0.1, 0.1)),
    "no version": ({k: v for k, v in multiscale().items() if k != "version"}, STACK, (0.3, 0.1, 0.1)),
    "in nanometres": (multiscale(axes=axes("zyx", "nanometer")), STACK, (3e-4, 1e-4, 1e-4)),
}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_of_format_2(tmp_path: Path, version: str) -> None:
    described, data, voxel_size = VERSIONS[version]
    image = open_image(write_image(tmp_path / "a.zarr", data, described))
    assert image.warnings == ()
    assert image.voxel_size_um == pytest.approx(voxel_size)
    np.testing.assert_array_equal(image.read(), STACK)


@pytest.mark.parametrize("version", ["0.5", "0.4", None])
def test_format_3(tmp_path: Path, version: str | None) -> None:
    ome = {"version": version, "multiscales": [multiscale()]} if version else {"multiscales": [multiscale()]}
    image = open_image(write_v3(tmp_path / "a.zarr", ome, chunks=(1, 9, 13)))
    assert (image.voxel_size_um, image.warnings) == ((0.3, 0.1, 0.1), ())
    np.testing.assert_array_equal(image.read(), STACK)


def test_newer_metadata_are_not_guessed_at(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.zarr", described=multiscale(version="0.6"))
    with pytest.raises(UnknownAxesError, match=r"NGFF 0\.6; 0\.1 to 0\.5 are understood"):
        open_image(path)
    image = open_image(path, axes="zyx")
    assert image.voxel_size_um == (None, None, None)
    assert "nothing is known but the pixels" in image.warnings[0]
    np.testing.assert_array_equal(image.read(), STACK)


# ----------------------------------------------------------------------------------- wrong, and the pixels certain
DATASET: JSON = {"path": "0"}
WITHOUT_SIZE: dict[str, tuple[JSON, str]] = {
    "a scale of two numbers": (multiscale("zyx", 0.1, 0.1), "2 numbers for 3 axes"),
    "a scale of texts": (multiscale("zyx", "a", "b", "c"), "should be a valid number"),
    "a scale of null": (multiscale("zyx", None, None, None), "should be a valid number"),
    "a scale by path": (
        multiscale(datasets=[DATASET | {"coordinateTransformations": [{"type": "scale", "path": "scales"}]}]),
        "scale: Field required",
    ),
    "another transformation": (
        multiscale(datasets=[DATASET | {"coordinateTransformations": [{"type": "affine", "affine": [[1]]}]}]),
        "Input should be 'scale'",
    ),
    "no list": (multiscale(datasets=[DATASET | {"coordinateTransformations": 3}]), "expected a list of objects"),
    "of the image": (multiscale(coordinateTransformations=scaled(1, 2)), "scale of the image: 2 numbers for 3 axes"),
}


@pytest.mark.parametrize("fault", WITHOUT_SIZE)
def test_a_scale_that_is_not_understood_leaves_the_size_unknown(tmp_path: Path, fault: str) -> None:
    described, said = WITHOUT_SIZE[fault]
    image = open_image(write_image(tmp_path / "a.zarr", described=described))
    assert image.voxel_size_um == (None, None, None)
    assert said in image.warnings[0]
    assert "--voxel-size" in image.warnings[0]
    np.testing.assert_array_equal(image.read(), STACK)


def test_three_numbers_for_four_axes(tmp_path: Path) -> None:
    data = np.stack([STACK, STACK + 1])
    image = open_image(write_image(tmp_path / "a.zarr", data, multiscale("czyx", 0.3, 0.1, 0.1)))
    assert (image.sizes["C"], image.voxel_size_um) == (2, (None, None, None))
    assert "3 numbers for 4 axes" in image.warnings[0]
    np.testing.assert_array_equal(image.read(channel=1), STACK + 1)


@pytest.mark.parametrize("unit", ["pixel", "furlong", 7, ["micrometer"]])
def test_a_unit_that_nobody_knows(tmp_path: Path, unit: Any) -> None:
    image = open_image(write_image(tmp_path / "a.zarr", described=multiscale(axes=axes("zyx", unit))))
    assert image.voxel_size_um == (None, None, None)
    assert "is not understood; sizes in it count as unknown" in image.warnings[0]


def test_numbers_of_zero_and_beyond_are_no_sizes(tmp_path: Path) -> None:
    described = json.dumps({"multiscales": [multiscale("zyx", 0, -0.1, 0.25)]}).replace("-0.1", "NaN")
    write(write_image(tmp_path / "a.zarr") / ".zattrs", described)
    assert open_image(tmp_path / "a.zarr").voxel_size_um == (None, None, 0.25)


def test_channels_without_colour_and_called_by_numbers(tmp_path: Path) -> None:
    data = np.stack([STACK] * 4)
    channels = [{"label": 640, "color": "nonsense"}, {"label": "DAPI", "extra": {}}, {}, {"label": None}]
    omero = {"channels": channels, "rdefs": "nonsense"}
    image = open_image(write_image(tmp_path / "a.zarr", data, multiscale("czyx", 1, 1, 1, 1), omero=omero))
    assert [channel.name for channel in image.channels] == ["640", "DAPI", None, None]
    assert image.warnings == ()


@pytest.mark.parametrize(
    ("omero", "said"),
    [
        ({"channels": [{"label": "a"}]}, "describe 1 channels, and it has 2"),
        ({"channels": ["a", "b"]}, "omero.channels"),
        (["a", "b"], "omero.channels"),
    ],
)
def test_channels_that_do_not_fit_are_said(tmp_path: Path, omero: Any, said: str) -> None:
    image = open_image(
        write_image(tmp_path / "a.zarr", np.stack([STACK] * 2), multiscale("czyx", 1, 1, 1, 1), omero=omero)
    )
    assert [channel.name for channel in image.channels] == [None, None]
    assert said in image.warnings[0]


# -------------------------------------------------------------------------------------------------------------- axes
AXES_FAULTS: dict[str, tuple[JSON, str]] = {
    "of another number": (multiscale("yx"), "describe 2 axes"),
    "twice": (multiscale(axes=axes("zxx")), "each once"),
    "unknown": (multiscale(axes=[{"name": "angle"}, *axes("yx")]), "'angle', 'y', 'x'"),
    "no names": (multiscale(axes=[{"type": "space"}] * 3), r"axes\.0\.name: Field required"),
    "numbers": (multiscale(axes=[0, 1, 2]), "not understood"),
    "an object": (multiscale(axes={"z": 0}), "not understood"),
    "of another type": (multiscale(axes=[{"name": "z", "type": "time"}, *axes("yx")]), "z is of type time"),
    "not said": ({"version": "0.4", "datasets": [{"path": "0"}]}, "do not say what the axes are"),
}


@pytest.mark.parametrize("fault", AXES_FAULTS)
def test_axes_that_are_not_understood_can_be_given(tmp_path: Path, fault: str) -> None:
    described, said = AXES_FAULTS[fault]
    path = write_image(tmp_path / "a.zarr", described=described)
    with pytest.raises(UnknownAxesError, match=said) as caught:
        open_image(path)
    assert "`axes`" in str(caught.value)
    assert "damaged" not in str(caught.value)
    image = open_image(path, axes="tyx")
    assert image.sizes["T"] == 3
    np.testing.assert_array_equal(image.read(2), STACK[2:])


@pytest.mark.parametrize("given", ["ZY", "ZZX", "ABC", "ZYXC", ""])
def test_axes_that_do_not_fit(tmp_path: Path, given: str) -> None:
    with pytest.raises(UnknownAxesError, match=r"do not fit an image of shape \(3, 18, 26\)"):
        open_image(write_image(tmp_path / "a.zarr"), axes=given)


def test_given_axes_keep_the_voxel_size(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.zarr", described=multiscale(axes=[{"name": "q"}, *axes("yx")]))
    assert open_image(path, axes="ZYX").voxel_size_um == (None, 0.1, 0.1)


def test_another_axis_of_one_entry_is_left_out_with_a_word(tmp_path: Path) -> None:
    described = multiscale("zyx", 1, 0.3, 0.1, 0.1, axes=[{"name": "angle"}, *axes("zyx")])
    image = open_image(write_image(tmp_path / "a.zarr", STACK[None], described))
    assert image.warnings == ("The axis 'angle' is not known; it has one entry, so that nothing is lost.",)
    assert image.voxel_size_um == (0.3, 0.1, 0.1)
    np.testing.assert_array_equal(image.read(), STACK)


def test_each_entry_of_another_axis_can_be_a_scene(tmp_path: Path) -> None:
    described = multiscale("zyx", 1, 0.3, 0.1, 0.1, axes=[{"name": "angle"}, *axes("zyx")], name="cells")
    path = write_image(tmp_path / "a.zarr", np.stack([STACK, STACK + 1]), described)
    with pytest.raises(UnknownAxesError, match="R: each entry is a scene of its own"):
        open_image(path)
    image = open_image(path, axes="RZYX")
    assert image.scenes == ("cells, angle 0", "cells, angle 1")
    np.testing.assert_array_equal(image.read(), STACK)
    second = image.with_scene("cells, angle 1")
    np.testing.assert_array_equal(second.read(), STACK + 1)
    np.testing.assert_array_equal(second.read(z=2), STACK[2:] + 1)


def test_axes_in_any_order_and_by_their_full_names(tmp_path: Path) -> None:
    named = [{"name": "channel", "type": "channel"}, *axes("xzy"), {"name": "Time", "type": "time", "unit": "second"}]
    data = np.stack([STACK, STACK + 1]).transpose(0, 3, 1, 2)[..., None]
    image = open_image(write_image(tmp_path / "a.zarr", data, multiscale("zyx", 1, 0.1, 0.3, 0.2, 5, axes=named)))
    assert (image.voxel_size_um, image.time_step_s) == ((0.3, 0.2, 0.1), 5)
    np.testing.assert_array_equal(image.read(0, 1), STACK + 1)


def test_a_bare_array(tmp_path: Path) -> None:
    write_array(tmp_path / "a.zarr", STACK)
    with pytest.raises(UnknownAxesError, match=r"array without metadata of an image.*\(3, 18, 26\)"):
        open_image(tmp_path / "a.zarr")
    np.testing.assert_array_equal(open_image(tmp_path / "a.zarr", axes="ZYX").read(), STACK)
    write(tmp_path / "a.zarr" / ".zattrs", {"_ARRAY_DIMENSIONS": ["t", "y", "x"]})
    assert open_image(tmp_path / "a.zarr").sizes["T"] == 3


def test_a_bare_array_of_format_3_that_names_its_axes(tmp_path: Path) -> None:
    array = zarr.create_array(
        tmp_path / "a.zarr", shape=STACK.shape, dtype=STACK.dtype, zarr_format=3, dimension_names=list("zyx")
    )
    array[:] = STACK
    np.testing.assert_array_equal(open_image(tmp_path / "a.zarr").read(), STACK)


# ------------------------------------------------------------------------------------------- plates, wells, series
def test_a_plate_lists_its_fields_and_each_opens(tmp_path: Path) -> None:
    path = write_plate(tmp_path / "plate", {"A/1": ["0", "1"], "A/2": ["site_7"]})
    image = open_image(path)
    assert (image.scenes, image.warnings) == (("A/1/0", "A/1/1", "A/2/site_7"), ())
    assert image.voxel_size_um == (0.3, 0.1, 0.1)
    assert [int(image.with_scene(name).read().max()) for name in image.scenes] == [1, 2, 3]
    well = open_image(path / "A" / "1")
    assert well.scenes == ("0", "1")
    assert int(well.with_scene("1").read().max()) == 2
    assert int(open_image(path / "A" / "2" / "site_7").read().max()) == 3
    with pytest.raises(UnreadableImageError, match="no OME-Zarr image"):
        open_image(path / "A")


@pytest.mark.parametrize("version", ["0.1", "0.3"])
def test_wells_of_older_versions_are_paths_only(tmp_path: Path, version: str) -> None:
    path = write_plate(tmp_path / "plate", {"A/1": ["0"]})
    write(path / ".zattrs", {"plate": {"version": version, "wells": [{"path": "A/1"}]}})
    assert open_image(path).scenes == ("A/1/0",)


def test_wells_that_are_not_there_are_left_out_with_a_word(tmp_path: Path) -> None:
    path = write_plate(tmp_path / "plate", {"A/1": ["0"], "A/2": ["0"], "A/3": ["0"]}, lambda well: well != "A/2")
    write(path / "A" / "3" / ".zattrs", "[")
    image = open_image(path)
    assert image.scenes == ("A/1/0",)
    assert image.warnings == (
        "2 wells or fields are left out, because they are not there or not understood: A/2, A/3.",
    )


@pytest.mark.parametrize(
    "plate", [None, [], {}, {"wells": None}, {"wells": [None]}, {"wells": [{"path": "../B/1"}]}, {"wells": [{}] * 99}]
)
def test_a_plate_that_is_not_understood(tmp_path: Path, plate: Any) -> None:
    with pytest.raises(MetadataError, match="plate"):
        open_image(write_group(tmp_path / "plate", {"plate": plate}))


def test_a_plate_of_more_wells_than_there_are(tmp_path: Path) -> None:
    path = write_group(tmp_path / "plate", {"plate": {"wells": [{"path": f"A/{i}"} for i in range(20_000)]}})
    with pytest.raises(UnsupportedImageError, match=r"20,000 wells in one plate"):
        open_image(path)


def test_a_large_plate_opens_without_opening_its_fields(tmp_path: Path) -> None:
    fields = [{"path": str(number)} for number in range(9)]
    wells = [f"{row}/{column}" for row in "ABCDEFGHIJKLMNOP" for column in range(1, 25)]
    for well in wells:
        write(tmp_path / "plate" / well / ".zattrs", {"well": {"images": fields}})
    write_group(tmp_path / "plate", {"plate": {"wells": [{"path": well} for well in wells]}})
    write_image(tmp_path / "plate" / "A" / "1" / "0")
    start = time.monotonic()
    image = open_image(tmp_path / "plate")
    assert time.monotonic() - start < 10
    assert (len(image.scenes), image.scenes[-1]) == (3456, "P/24/8")
    with pytest.raises(UnreadableImageError, match="no multiscales metadata"):
        image.with_scene("P/24/8")


def write_collection(folder: Path, names: Iterator[str] | list[str]) -> Path:
    write_group(folder, {"bioformats2raw.layout": 3})
    for number, name in enumerate(names):
        write_image(folder / name, np.full((2, 8, 9), number, np.uint16))
    return folder


XML = '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image Name="left"/><Image Name="right"/></OME>'


def test_series_in_the_order_of_the_metadata(tmp_path: Path) -> None:
    path = write_collection(tmp_path / "a.zarr", ["first", "second"])
    write_group(path / "OME", {"series": ["second", "first"]})
    image = open_image(path)
    assert image.scenes == ("second", "first")
    assert int(image.read().max()) == 1
    write(path / "OME" / "METADATA.ome.xml", XML)
    assert open_image(path).scenes == ("left", "right")
    assert int(open_image(path, scene="left").read().max()) == 1
    write(path / "OME" / "METADATA.ome.xml", XML.replace("right", "left"))
    assert open_image(path).scenes == ("second", "first"), "names that do not tell them apart"


def test_series_without_metadata_are_groups_with_images(tmp_path: Path) -> None:
    path = write_collection(tmp_path / "a.zarr", ["more", "10", "9"])
    write_group(path / "labels", {"labels": ["cells"]})
    write_array(path / "8", STACK)
    (path / "notes").mkdir()
    image = open_image(path)
    assert image.scenes == ("9", "10", "more")
    assert [int(image.with_scene(i).read().max()) for i in range(3)] == [2, 1, 0]


def test_series_that_are_not_there(tmp_path: Path) -> None:
    path = write_collection(tmp_path / "a.zarr", ["first"])
    write_group(path / "OME", {"series": ["first", "second"]})
    image = open_image(path)
    assert image.scenes == ("first",)
    assert "1 series are left out" in image.warnings[0]


@pytest.mark.parametrize("series", [3, [], [1], [None], {"a": 1}])
def test_series_that_are_not_understood(tmp_path: Path, series: Any) -> None:
    path = write_collection(tmp_path / "a.zarr", ["first"])
    write_group(path / "OME", {"series": series})
    image = open_image(path)
    assert image.scenes == ("first",)
    assert "list of series is not understood" in image.warnings[0]


def test_labels_are_no_image(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImageError, match="no OME-Zarr image"):
        open_image(write_group(tmp_path / "labels", {"labels": ["cells"]}))


def test_several_multiscales_are_scenes(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.zarr")
    write_array(path / "1", STACK + 1)
    second = multiscale(name="second", datasets=[{"path": "1"}])
    write(path / ".zattrs", {"multiscales": [multiscale(name="first"), second]})
    image = open_image(path, scene="second")
    assert image.scenes == ("first", "second")
    np.testing.assert_array_equal(image.read(), STACK + 1)


# ----------------------------------------------------------------------------------------------- paths and folders
@pytest.mark.parametrize("path", ["../b.zarr/0", "..", "/etc", "C:\\images", "\\\\host\\share", "0/../../b.zarr/0", ""])
def test_no_path_leads_out_of_the_folder(tmp_path: Path, path: str) -> None:
    write_image(tmp_path / "b.zarr")
    inside = write_image(tmp_path / "a.zarr", described=multiscale(datasets=[{"path": path}]))
    with pytest.raises(UnsupportedImageError, match="leads out of this folder"):
        open_image(inside)
    write_collection(tmp_path / "c.zarr", ["0"])
    write_group(tmp_path / "c.zarr" / "OME", {"series": [path]})
    with pytest.raises(UnsupportedImageError, match="leads out of this folder"):
        open_image(tmp_path / "c.zarr")


@pytest.mark.skipif(os.name == "nt", reason="making links needs rights that testers may not have")
def test_no_link_leads_out_of_the_folder(tmp_path: Path) -> None:
    outside = write_image(tmp_path / "b.zarr")
    path = write_image(tmp_path / "a.zarr")
    shutil.rmtree(path / "0")
    for target in (outside / "0", path / "0", tmp_path):
        (path / "0").symlink_to(target)
        with pytest.raises(UnsupportedImageError, match="leads out of this folder"):
            open_image(path)
        (path / "0").unlink()


NO_FILES = ["pipe", "device", "folder"]


@pytest.mark.skipif(os.name == "nt", reason="there are no such files")
@pytest.mark.parametrize(
    ("name", "what"),
    [("0/0.0.0", "link to nothing"), *itertools.product([".zattrs", "0/.zarray", "0/.zattrs", "0/0.0.0"], NO_FILES)],
)
def test_what_is_no_file_is_not_read(tmp_path: Path, name: str, what: str) -> None:
    path = write_image(tmp_path / "a.zarr")
    write(path / "0" / ".zattrs", {})
    (path / name).unlink()
    if what == "pipe":
        os.mkfifo(path / name)
    elif what == "folder":
        (path / name).mkdir()
    else:
        (path / name).symlink_to("/dev/zero" if what == "device" else tmp_path / "nowhere")
    with pytest.raises(UnreadableImageError, match="no file"):
        open_image(path).read()


def test_a_folder_is_known_by_what_is_in_it(tmp_path: Path) -> None:
    write_plate(tmp_path / "plate", {"A/1": ["0"]})
    write_image(tmp_path / "image")
    write_array(tmp_path / "array", STACK)
    write_v3(tmp_path / "newer", {"multiscales": [multiscale()]})
    (tmp_path / "called.zarr").mkdir()
    (tmp_path / "folder").mkdir()
    (tmp_path / "file.txt").touch()
    expected = ["array", "called.zarr", "image", "newer", "plate"]
    assert [path.name for path in list_images(tmp_path)] == expected
    assert is_zarr(tmp_path / "plate" / "A" / "1" / "0")
    assert not is_zarr(tmp_path / "file.txt")


# ----------------------------------------------------------------------------------------------------------- chunks
def test_a_shard_larger_than_the_image_is_complete(tmp_path: Path) -> None:
    path = write_v3(tmp_path / "a.zarr", {"multiscales": [multiscale()]}, chunks=(1, 16, 16), shards=(4, 32, 32))
    image = open_image(path)
    assert image.warnings == ()
    np.testing.assert_array_equal(image.read(), STACK)


def test_missing_shards_are_counted_as_files(tmp_path: Path) -> None:
    path = write_v3(tmp_path / "a.zarr", {"multiscales": [multiscale()]}, chunks=(1, 9, 13), shards=(1, 18, 26))
    (path / "0" / "c" / "1" / "0" / "0").unlink()
    assert "1 of 3 chunks are missing" in open_image(path).warnings[0]


@pytest.mark.parametrize("location", ["start", "end"])
def test_chunks_that_are_not_in_their_shard_are_counted(tmp_path: Path, location: str) -> None:
    """Of nine chunks in three shards, each of which has room for more; zarr leaves out those of zeros."""
    data = STACK.copy()
    data[1] = 0
    data[1, 0, 0] = 1
    shards = zarr.codecs.ShardingCodec(chunk_shape=(1, 9, 13), index_location=location)
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=3)
    group.attrs["ome"] = {"multiscales": [multiscale()]}
    array = group.create_array(
        "0", shape=data.shape, dtype="u2", chunks=(2, 27, 26), serializer=shards, compressors=None, filters=None
    )
    array[:] = data
    image = open_image(tmp_path / "a.zarr")
    assert "3 chunks are missing in shards and read as zeros" in image.warnings[0]
    np.testing.assert_array_equal(image.read(), data)


@pytest.mark.parametrize("separator", [".", "/"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("fill_value", [0, 7])
def test_format_2_in_all_its_ways(tmp_path: Path, separator: str, order: str, fill_value: int) -> None:
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    group.attrs["multiscales"] = [multiscale()]
    encoding = {"name": "v2", "separator": separator}
    array = group.create_array(
        "0", shape=STACK.shape, dtype="u2", chunks=(1, 10, 26), order=order, fill_value=fill_value,
        chunk_key_encoding=encoding,
    )  # fmt: skip
    array[:] = STACK
    image = open_image(tmp_path / "a.zarr")
    assert image.warnings == ()
    np.testing.assert_array_equal(image.read(), STACK)
    (tmp_path / "a.zarr" / "0" / separator.join("100")).unlink()
    again = open_image(tmp_path / "a.zarr")
    expected = STACK.copy()
    expected[1, :10] = fill_value
    np.testing.assert_array_equal(again.read(), expected)
    assert (
        "1 of 6 chunks are missing and read as " + ("the fill value 7" if fill_value else "zeros") in again.warnings[0]
    )


def test_files_that_are_no_chunks_of_it_do_not_count(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.zarr")
    (path / "0" / "0.0.0").rename(path / "0" / "1.0.0")
    shutil.copy(path / "0" / "1.0.0", path / "0" / "notes 0.0.0")
    assert "1 of 1 chunks are missing" in open_image(path).warnings[0]


def test_more_files_than_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_mito_predict.image.zarr_stored._MOST_COUNTED", 2)
    path = write_v3(tmp_path / "a.zarr", {"multiscales": [multiscale()]}, chunks=(1, 18, 26))
    image = open_image(path)
    assert image.warnings == (
        "Its chunks were not counted, as they are too many; any that are missing are read as zeros.",
    )
    np.testing.assert_array_equal(image.read(), STACK)


HUGE: dict[str, tuple[JSON, str]] = {
    "x": ({"shape": [3, 18, 2**40]}, "announce stacks of|in .* files by its declared size"),
    "chunks without number": ({"shape": [3, 2**20, 2**20], "chunks": [1, 1, 1]}, "in .* files by its declared size"),
    "nearly all chunks missing": ({"shape": [300, 180, 26], "chunks": [1, 1, 26]}, "of the 54,000 chunks"),
    "z": ({"shape": [2**40, 18, 26]}, "entries along Z"),
    "chunk": ({"chunks": [3, 2**20, 2**20]}, "those of more than 8 GiB"),
    "beyond numbers": ({"shape": [3, 18, 2**70]}, "the sizes are"),
    "below numbers": ({"shape": [3, 18, -1]}, "the sizes are"),
    "empty": ({"shape": [0, 18, 26]}, "empty"),
    "empty chunks": ({"chunks": [0, 18, 26]}, "empty"),
    "fractions": ({"shape": [3, 18, 2.5]}, "the sizes are"),
    "texts": ({"chunks": ["3", 18, 26]}, "the sizes of chunks are"),
    "null": ({"shape": None}, "the sizes are"),
    "of other axes": ({"chunks": [3, 18]}, "chunks of 2 axes in an array of 3"),
}


@pytest.mark.parametrize("fault", HUGE)
def test_declared_sizes_are_judged_before_anything_is_made_of_them(tmp_path: Path, fault: str) -> None:
    change, said = HUGE[fault]
    path = write_image(tmp_path / "a.zarr")
    metadata = json.loads((path / "0" / ".zarray").read_text(encoding="utf-8"))
    write(path / "0" / ".zarray", metadata | change)
    start = time.monotonic()
    with pytest.raises(ImageError, match=said):
        open_image(path).read()
    assert time.monotonic() - start < 5


def test_a_chunk_that_would_grow_without_end(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.zarr")
    metadata = json.loads((path / "0" / ".zarray").read_text(encoding="utf-8"))
    write(path / "0" / ".zarray", metadata | {"compressor": {"id": "gzip", "level": 1}})
    (path / "0" / "0.0.0").write_bytes(gzip.compress(bytes(2**20)) + bytes(2**21))
    with pytest.raises(UnreadableImageError, match=r"a chunk of it is a file of .* bytes, and holds 2,808"):
        open_image(path).read()


def test_resolutions_that_are_not_in_order_are_said(tmp_path: Path) -> None:
    coarse, fine = ({"path": "0", "coordinateTransformations": scaled(0.3, step, step)} for step in (0.2, 0.1))
    image = open_image(write_image(tmp_path / "a.zarr", described=multiscale(datasets=[coarse, fine])))
    assert "another one is finer than the first" in image.warnings[0]
    assert open_image(write_image(tmp_path / "b.zarr", described=multiscale(datasets=[fine, coarse]))).warnings == ()


def test_a_compression_that_nobody_reads_is_no_damage(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.zarr")
    metadata = json.loads((path / "0" / ".zarray").read_text(encoding="utf-8"))
    write(path / "0" / ".zarray", metadata | {"compressor": {"id": "of-our-own"}})
    with pytest.raises(UnsupportedImageError, match=r"compression that is not read here.*of-our-own"):
        open_image(path)


@pytest.mark.parametrize("deep", [90, 900, 20_000])
def test_metadata_of_any_depth(tmp_path: Path, deep: int) -> None:
    path = write_image(tmp_path / "a.zarr")
    for name in (".zattrs", "0/.zarray"):
        before = (path / name).read_text(encoding="utf-8")
        write(path / name, before[:-1] + ', "more": ' + "[" * deep + "]" * deep + "}")
        if deep < 100:
            open_image(path)
        else:
            with pytest.raises(UnreadableImageError, match=r"nested|cannot be read"):
                open_image(path)
        write(path / name, before)
