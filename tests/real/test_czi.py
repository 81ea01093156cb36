"""What we say about recordings of real microscopes, compared with what ZEISS's own library says."""

from __future__ import annotations

import sys
import tracemalloc
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import xmltodict
from typer.testing import CliRunner

from napari_mito_predict.errors import UnreadableImageError, UnsupportedImageError
from napari_mito_predict.image import check_image, open_image
from napari_mito_predict.image.czi_reader import open_library

pyczi = pytest.importorskip("pylibCZIrw.czi", reason="the second reader: pip install pylibCZIrw")


class Expected(NamedTuple):
    sizes: tuple[int, int, int, int, int]  # T C Z Y X
    names: tuple[str | None, ...]
    roles: str  # first letters
    voxel_size_um: tuple[float | None, float | None, float | None]
    time_step_s: float | None = None
    scenes: int = 1


FILES = {
    "brightfield_2d": Expected((1, 1, 1, 325, 475), ("Bright",), "t", (None, 1.08333, 1.08333)),
    "four_channels_t3_z3_two_scenes": Expected(
        (3, 4, 3, 32, 32), ("AF647", "AF568", "AF488", "DAPI"), "oood", (2.54, 0.620483, 0.620483), 7.25, 2
    ),
    "hyperstack_t3_z5_c2": Expected(
        (3, 2, 5, 170, 240), ("LED555", "LED470"), "oo", (0.32, 0.0905767, 0.0905767), 60.0
    ),
    "lsm880_tpmt_mosaic_t2_z2": Expected((2, 2, 2, 512, 512), ("Ch1", "T PMT"), "ot", (4.0, 1.66053, 1.66053), 6.046),
    "lsm880_tpmt_mosaic_z2": Expected((1, 2, 2, 512, 510), ("Ch1", "T PMT"), "ot", (4.0, 0.830266, 0.830266)),
    "lsm880_two_scenes_z2": Expected((1, 1, 2, 251, 251), ("ChA",), "o", (0.3, 0.195644, 0.195644), None, 2),
    "mislabelled_c_and_z_swapped": Expected((3, 5, 2, 170, 240), (None,) * 5, "ooooo", (None, None, None)),
    "mosaic_2d": Expected((1, 1, 1, 624, 1756), ("EGFP",), "o", (1.0, 1.08333, 1.08333)),
    "rgb_multichannel": Expected(
        (1, 7, 1, 81, 147),
        ("Bright", "Pol_0", "Pol_15", "Pol_30", "Pol_45", "Pol_60", "Pol_75"),
        "ttttttt",
        (None, 2.95849, 2.95849),
    ),
    "two_scenes_far_apart": Expected((1, 1, 1, 440, 544), ("AF488",), "o", (None, 0.1, 0.1), None, 2),
    "well_2d": Expected((1, 1, 1, 1024, 1024), ("AF568",), "o", (None, 0.457151, 0.457151)),
    "zstd_t3_z6": Expected((3, 1, 6, 200, 300), ("LED555",), "o", (0.32, 0.0905767, 0.0905767), 60.0),
}


@pytest.fixture(params=FILES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def known(sizes: tuple[float | None, ...]) -> dict[str, float]:
    return {axis: size for axis, size in zip("zyx", sizes, strict=True) if size is not None}


def test_every_recording_is_tested(real_data: Path) -> None:
    assert {path.stem for path in (real_data / "czi").glob("*.czi")} == {*FILES, "not_a_czi_lfs_pointer"}


def test_description(real_data: Path, name: str) -> None:
    expected = FILES[name]
    image = open_image(real_data / "czi" / f"{name}.czi")
    assert len(image.scenes) == expected.scenes
    for index in range(expected.scenes):
        scene = image.with_scene(index)
        assert tuple(scene.sizes.values()) == expected.sizes
        assert tuple(channel.name for channel in scene.channels) == expected.names
        assert "".join(channel.role[0] for channel in scene.channels) == expected.roles
        assert known(scene.voxel_size_um) == pytest.approx(known(expected.voxel_size_um), rel=1e-5)
        if expected.time_step_s is None:
            assert scene.time_step_s is None
        else:
            assert scene.time_step_s == pytest.approx(expected.time_step_s, rel=0.01)
        assert not scene.simulated


def test_description_as_pylibczirw_has_it(real_data: Path, name: str) -> None:
    path = real_data / "czi" / f"{name}.czi"
    image = open_image(path)
    with pyczi.open_czi(str(path)) as document:
        box = document.total_bounding_box_no_pyramid
        rectangles = document.scenes_bounding_rectangle_no_pyramid
        metadata = xmltodict.parse(document.raw_metadata, force_list=("Channel", "Distance"))
    for axis in "TCZ":
        first, end = box.get(axis, (0, 1))
        assert image.sizes[axis] == end - first
    whole = [(box["X"][1] - box["X"][0], box["Y"][1] - box["Y"][0])]
    areas = [(rectangle.w, rectangle.h) for rectangle in rectangles.values()] or whole
    scenes = [image.with_scene(index) for index in range(len(image.scenes))]
    assert [(scene.sizes["X"], scene.sizes["Y"]) for scene in scenes] == areas
    information = metadata["ImageDocument"]["Metadata"]
    channels = information["Information"]["Image"]["Dimensions"]["Channels"]["Channel"]
    assert [channel.name or "" for channel in image.channels] == [channel.get("@Name", "") for channel in channels]
    metres = {item["@Id"]: float(item["Value"]) for item in information["Scaling"]["Items"]["Distance"]}
    theirs = tuple(metres[axis] * 1e6 if metres.get(axis) else None for axis in "ZYX")
    assert known(image.voxel_size_um) == pytest.approx(known(theirs))


def test_every_plane_as_pylibczirw_reads_it(real_data: Path, name: str) -> None:
    path = real_data / "czi" / f"{name}.czi"
    image = open_image(path)
    if image.is_rgb:
        pytest.skip("colour is refused, see below")
    with pyczi.open_czi(str(path)) as document:
        rectangles = document.scenes_bounding_rectangle_no_pyramid
        for index in range(len(image.scenes)):
            scene = image.with_scene(index)
            where: dict[str, Any] = {"roi": tuple(rectangles[index]), "scene": index} if rectangles else {}
            for t in range(scene.sizes["T"]):
                for c in range(scene.sizes["C"]):
                    planes = [
                        document.read(plane={"T": t, "C": c, "Z": z}, **where)[..., 0] for z in range(scene.sizes["Z"])
                    ]
                    np.testing.assert_array_equal(scene.read(t, c), np.stack(planes))


@pytest.mark.parametrize("name", ["four_channels_t3_z3_two_scenes", "hyperstack_t3_z5_c2", "zstd_t3_z6"])
def test_time_step_from_blocks_agrees_with_the_attachment(real_data: Path, name: str) -> None:
    path = real_data / "czi" / f"{name}.czi"
    stamps = open_library(path).time_stamps_s()
    image = open_image(path)
    assert len(stamps) == image.sizes["T"]
    assert image.time_step_s == pytest.approx((stamps[-1] - stamps[0]) / (len(stamps) - 1), rel=0.01)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="here it is czifile that we read them with")
@pytest.mark.filterwarnings("ignore")  # czifile of 2019 is old
def test_time_stamps_as_czifile_has_them(real_data: Path, name: str) -> None:
    czifile = pytest.importorskip("czifile")
    path = real_data / "czi" / f"{name}.czi"
    with czifile.CziFile(path) as document:
        attachments = {found.attachment_entry.content_file_type: found for found in document.attachments()}
        theirs = attachments["CZTIMS"].data(raw=False) if "CZTIMS" in attachments else []
    assert tuple(open_library(path).time_stamps_s()) == pytest.approx(tuple(theirs))


def test_colour_is_refused_by_name(real_data: Path) -> None:
    image = open_image(real_data / "czi" / "rgb_multichannel.czi")
    assert image.is_rgb
    assert "error" in {finding.level for finding in check_image(image, 0)}
    with pytest.raises(UnsupportedImageError, match=r"rgb_multichannel\.czi.*RGB"):
        image.read()


def test_mislabelled_recording_opens_with_warnings(real_data: Path) -> None:
    image = open_image(real_data / "czi" / "mislabelled_c_and_z_swapped.czi")
    assert "None of the 5 channels has a name" in image.warnings[0]
    assert {finding.code for finding in check_image(image, 0)} >= {"reader", "voxel-size-unknown", "not-transmitted"}


def test_scenes_far_apart_cost_no_more_than_their_pixels(real_data: Path) -> None:
    tracemalloc.start()
    try:
        image = open_image(real_data / "czi" / "two_scenes_far_apart.czi", scene=1)
        pixels = image.read()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert pixels.shape == (1, 440, 544)
    assert peak < 60 * 2**20, "the whole slide would be 76 MiB and more"


def test_lfs_pointer(real_data: Path) -> None:
    with pytest.raises(UnreadableImageError, match=r"not_a_czi_lfs_pointer\.czi.*Git-LFS pointer"):
        open_image(real_data / "czi" / "not_a_czi_lfs_pointer.czi")


def test_info_command_on_all(real_data: Path) -> None:
    import json

    from napari_mito_predict.cli import app

    paths = [str(real_data / "czi" / f"{name}.czi") for name in FILES]
    result = CliRunner().invoke(app, ["info", "--json", *paths])
    assert result.exit_code == 0, result.output
    for record, expected in zip(json.loads(result.stdout), FILES.values(), strict=True):
        assert tuple(record["scenes"][0]["sizes"].values()) == expected.sizes
        assert [channel["name"] for channel in record["scenes"][0]["channels"]] == list(expected.names)


def test_real_tiffs(real_data: Path) -> None:
    stack = open_image(real_data / "phase_stack_to_dapi" / "motor_neurons_phase_z13.tif")
    assert (stack.sizes["Z"], stack.sizes["T"], stack.read(z=12).shape) == (13, 1, (1, 1024, 1024))
    for path in (real_data / "phase_to_nuclei").glob("*.tif"):
        image = open_image(path)
        assert list(image.sizes.values()) == [1, 1, 1, 1080, 1280]
        assert image.read().any()
