"""Files with the structure of those that people reported trouble with, and what is right for each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from napari_mito_predict.errors import ImageError, UnknownAxesError
from napari_mito_predict.image import ChannelRole, check_image, open_image

UM = (0.3, 0.1, 0.1)
Z12 = (1, 1, 12, 64, 96)


class Expected(NamedTuple):
    sizes: tuple[int, int, int, int, int]  # T C Z Y X
    voxel_size_um: tuple[float | None, float | None, float | None] = UM
    names: tuple[str | None, ...] = (None,)
    scenes: tuple[str, ...] = ()
    axes: str | None = None
    said: str = ""
    readable: bool = True


MM = (1, 2, 12, 32, 48)
MM_NAMES = ("BF", "DAPI")
POSITIONS = ("Pos0", "Pos1")
UNKNOWN = (None, None, None)
FILES = {
    "01_positions_MMStack_Default.ome.tif": Expected(MM, names=MM_NAMES, scenes=POSITIONS, said="2 positions"),
    "01_separate/*Pos0*.tif": Expected(MM, names=MM_NAMES, scenes=POSITIONS, said="2 positions"),
    "01_separate/*Pos1*.tif": Expected(MM, names=MM_NAMES, scenes=POSITIONS, said="2 positions"),
    "03_stopped_MMStack_Default.ome.tif": Expected((3, *MM[1:]), names=MM_NAMES, said="time point 2 lacks Z 7-11"),
    "04_tag_MMStack_Default.ome.tif": Expected((2, *MM[1:]), names=MM_NAMES, said="Pixels are not affected"),
    "05a_imagej_zstep_1um.tif": Expected(Z12, (1.0, 0.1, 0.1)),
    "05c_imagej_spacing_negative.tif": Expected(Z12),
    "05d_real_scifio_sample_ovule.tiff": Expected((1, 1, 32, 128, 128), (0.235, 0.15, 0.15)),
    "05d_scifio_cm.tif": Expected(Z12),
    "05e_bioformats_cm.tif": Expected(Z12, (None, 0.1, 0.1)),
    "05f_imagej_mixed_types.tif": Expected(Z12),
    "06a_metadata_only_first.ome.tif": Expected(Z12, names=("TL",)),
    "08_stack_and_thumbnail.tif": Expected((1, 1, 6, 64, 96), UNKNOWN, axes="ZYX"),
    "09a_two_channels.lsm": Expected((1, 2, 12, 48, 64), names=(None, None)),
    "10_companion/part.ome.tif": Expected(Z12, names=("TL",)),
    "10_companion/set.companion.ome": Expected(Z12, names=("TL",)),
    "11a_lasers.ome.tif": Expected((1, 3, 12, 48, 64), names=("405", "488", "640")),
    "12a_plate.zarr": Expected(Z12, scenes=("A/1/0",)),
    "12a_plate.zarr/A/1": Expected(Z12),
    "12a_plate.zarr/A/1/0": Expected(Z12),
    "12b_shard_larger.zarr": Expected(Z12),
    "12d_scale_of_three_for_czyx.zarr": Expected(
        (1, 2, 12, 48, 64), UNKNOWN, (None, None), said="3 numbers for 4 axes"
    ),
    "12e_scale_by_path.zarr": Expected(Z12, UNKNOWN, said="not understood"),
    "12f_series_by_name.zarr": Expected(Z12, scenes=("first", "second")),
    "13a_two_views.czi": Expected((1, 1, 12, 48, 64), names=("TL",), scenes=("*view 0*", "*view 1*"), said="2 views"),
    "13b_airyscan_beside_tpmt.czi": Expected((1, 2, 12, 48, 64), names=("AS", "T PMT")),
    "13c_camera_compression.czi": Expected(
        (1, 1, 12, 48, 64), names=("TL",), said="unsupported compression", readable=False
    ),
    "14_five_grey_samples.tif": Expected((1, 5, 1, 64, 96), UNKNOWN, (None,) * 5),
    "16_real_bfconvert_rgba.tiff": Expected((1, 1, 1, 25, 26), UNKNOWN, said="RGB colour image", readable=False),
}


@pytest.fixture(scope="session")
def reported(real_data: Path) -> Path:
    """The folder of these files, beside that of the real recordings."""
    folder = real_data.parent / "cases" / "files"
    if not folder.is_dir():
        pytest.skip(f"the reported files are not at {folder}")
    return folder


def test_every_file_is_tested(reported: Path) -> None:
    named = {name.partition("/")[0] for name in FILES}
    assert {path.name for path in reported.iterdir() if path.name != "README.md"} == named


@pytest.mark.filterwarnings("ignore::UserWarning:zarr")
@pytest.mark.parametrize("name", FILES)
def test_what_is_in_it(reported: Path, name: str) -> None:
    expected = FILES[name]
    (path,) = reported.glob(name)
    image = open_image(path, axes=expected.axes)
    if expected.scenes:
        assert len(image.scenes) == len(expected.scenes)
        for found, pattern in zip(image.scenes, expected.scenes, strict=True):
            assert Path(found.replace("/", "_")).match(pattern.replace("/", "_"))
    for index in range(len(expected.scenes) or 1):
        scene = image.with_scene(index)
        assert tuple(scene.sizes.values()) == expected.sizes
        assert tuple(channel.name for channel in scene.channels) == expected.names
        assert _known(scene.voxel_size_um) == pytest.approx(_known(expected.voxel_size_um))
        if expected.readable:
            _read_what_is_there(scene)
        said = [*scene.warnings, scene.unsupported]
        assert expected.said in " ".join(said)
        if not expected.said:
            assert not any(said)


def _known(sizes: tuple[float | None, ...]) -> dict[str, float]:
    return {axis: size for axis, size in zip("zyx", sizes, strict=True) if size is not None}


def _read_what_is_there(image: Any) -> None:
    for channel in image.channels:
        if image.why_unsupported(channel):
            continue
        stack = image.read(0, channel.index)
        assert stack.shape == tuple(image.sizes[axis] for axis in "ZYX")
        assert np.ptp(stack) > 0


def test_what_only_the_pixels_tell(reported: Path) -> None:
    mixed = open_image(reported / "05f_imagej_mixed_types.tif")
    assert mixed.dtype == np.uint16
    assert mixed.read()[4:].max() > 255, "never modulo 256"
    lasers = open_image(reported / "11a_lasers.ome.tif")
    np.testing.assert_array_equal(lasers.read(0, "640"), lasers.read(0, 2))
    views = open_image(reported / "13a_two_views.czi")
    assert not np.array_equal(views.read(), views.with_scene(1).read())
    with pytest.raises(UnknownAxesError, match="--axes"):
        open_image(reported / "08_stack_and_thumbnail.tif")


def test_the_light_beside_raw_airyscan(reported: Path) -> None:
    image = open_image(reported / "13b_airyscan_beside_tpmt.czi")
    assert image.channel().name == "T PMT"
    assert [finding.level for finding in check_image(image) if finding.level == "error"] == []
    assert image.read(0, "T PMT").shape == (12, 48, 64)
    with pytest.raises(ImageError, match="Airyscan"):
        image.read(0, "AS")


PREDICTED = {
    "01_positions_MMStack_Default.ome.tif": ["--scene", "Pos1"],
    "03_stopped_MMStack_Default.ome.tif": ["--times", "0-1"],
    "04_tag_MMStack_Default.ome.tif": [],
    "08_stack_and_thumbnail.tif": ["--axes", "ZYX", "--voxel-size", "0.3", "0.1", "0.1"],
    "09a_two_channels.lsm": ["--channel", "0"],
    "10_companion/set.companion.ome": [],
    "11a_lasers.ome.tif": ["--channel", "640"],
    "12a_plate.zarr/A/1/0": [],
    "12d_scale_of_three_for_czyx.zarr": ["--channel", "0", "--voxel-size", "0.3", "0.1", "0.1"],
    "12f_series_by_name.zarr": ["--scene", "second"],
    "13a_two_views.czi": ["--scene", "1"],
    "13b_airyscan_beside_tpmt.czi": [],
}


@pytest.mark.parametrize("name", PREDICTED)
def test_it_is_predicted_from(reported: Path, name: str, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="predicting needs torch")
    from typer.testing import CliRunner

    from napari_mito_predict.cli import app

    command = ["predict", str(reported / name), "-o", str(tmp_path), "-m", "mito-z", *PREDICTED[name]]
    outcome = CliRunner().invoke(app, command)
    assert outcome.exit_code == 0, outcome.output
    (record,) = (json.loads(path.read_text(encoding="utf-8")) for path in tmp_path.glob("*.prediction.json"))
    (file,) = tmp_path.glob("*.ome.tif")
    predicted = open_image(file)
    assert predicted.channels[0].role == ChannelRole.MITOCHONDRIA
    assert np.isfinite(predicted.read()).all()
    if name.startswith("11a"):
        assert record["input"]["channel"] == {"index": 2, "name": "640"}
    if name.startswith("13b"):
        assert record["input"]["channel"]["name"] == "T PMT"
    if name.startswith("03"):
        assert record["input"]["time_points"] == [0, 1]
        assert predicted.sizes["T"] == 2
