from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from typer.testing import CliRunner, Result

from napari_mito_predict.cli import app
from napari_mito_predict.errors import UnknownAxesError, UnreadableImageError
from napari_mito_predict.image import write_ome_tiff

MakeCzi = Callable[..., tuple[Path, np.ndarray]]


def info(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["info", *map(str, arguments)])


def test_table_for_people(make_czi: MakeCzi) -> None:
    result = info(make_czi(custom={"time_step_s": 2.5})[0])
    assert result.exit_code == 0
    for words in ("T 2, C 2, Z 3, Y 20, X 28 (uint16)", "z 0.5, y 0.1, x 0.1 µm", "2.5 s", "ESID-T1", "mitochondria"):
        assert words in result.stdout


def test_json_for_scripts(make_czi: MakeCzi) -> None:
    path, _ = make_czi(scale_um=None)
    record = json.loads(info(path, "--json").stdout)
    scene = record["scenes"][0]
    assert record["file"] == str(path)
    assert scene["sizes"] == {"T": 2, "C": 2, "Z": 3, "Y": 20, "X": 28}
    assert scene["voxel_size_um"] == [None, None, None]
    assert [channel["role"] for channel in scene["channels"]] == ["transmitted", "mitochondria"]
    assert "voxel-size-unknown" in {finding["code"] for finding in scene["findings"]}
    assert len(json.loads(info(path, path, "--json").stdout)) == 2


def test_a_scene_that_does_not_open_is_said_beside_the_others(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr", minversion="3", exc_type=ImportError)
    well = zarr.open_group(tmp_path / "well", mode="w", zarr_format=2)
    well.attrs["well"] = {"images": [{"path": "0"}, {"path": "1"}, {"path": "2"}]}
    for name in ("0", "2"):
        field = well.create_group(name)
        field.attrs["multiscales"] = [{"axes": ["z", "y", "x"], "datasets": [{"path": "0"}]}]
        field.create_array("0", shape=(2, 8, 9), dtype="u2", chunks=(2, 8, 9))[:] = 1
    result = info(tmp_path / "well")
    assert result.exit_code == 1
    assert result.stdout.count("T 1, C 1, Z 2, Y 8, X 9") == 2
    assert "Scene 1: 1\n  Error: " in result.stdout
    scenes = json.loads(info(tmp_path / "well", "--json").stdout)["scenes"]
    assert ["error" in scene for scene in scenes] == [False, True, False]


def test_unknown_is_said(make_czi: MakeCzi) -> None:
    result = info(make_czi(scale_um=None, channel_names=("", ""))[0])
    assert "Voxel size: unknown" in result.stdout
    assert "(no name)" in result.stdout
    assert "No channel looks like transmitted light" in result.stdout


def test_pixels_are_looked_at_on_request(make_czi: MakeCzi) -> None:
    path, _ = make_czi(data=np.full((1, 1, 5, 20, 28), 7, np.uint16), channel_names=("TL",))
    assert "no contrast" not in info(path).stdout
    assert "no contrast" in info(path, "--pixels").stdout


def test_a_prediction_is_called_one(tmp_path: Path) -> None:
    path = tmp_path / "renamed.tif"
    data = np.random.default_rng(0).normal(size=(8, 20, 28)).astype(np.float32)
    write_ome_tiff(path, data, axes="ZYX", channel_names=["TMRM predicted (mito-z)"], predicted_by=["mito-z"])
    assert "a prediction by mito-z" in info(path).stdout
    (scene,) = json.loads(info(path, "--json").stdout)["scenes"]
    mark = {"model": "mito-z", "evidence": "marker", "simulated": False}
    assert [channel["prediction"] for channel in scene["channels"]] == [mark]
    assert "prediction" in {finding["code"] for finding in scene["findings"]}


def test_axes_can_be_given(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((5, 20, 28), np.uint8), photometric="minisblack", metadata=None)
    assert isinstance(info(path).exception, UnknownAxesError)
    assert "Z 5" in info(path, "--axes", "ZYX").stdout


def test_one_bad_file_does_not_hide_the_others(make_czi: MakeCzi, tmp_path: Path) -> None:
    bad = tmp_path / "bad.czi"
    bad.write_bytes(b"version https://git-lfs.github.com/spec/v1")
    assert isinstance(info(bad).exception, UnreadableImageError)  # `main` makes one line and exit code 1 of it
    result = info(bad, make_czi()[0])
    assert result.exit_code == 1
    assert "Git-LFS pointer" in result.stderr
    assert "ESID-T1" in result.stdout


def test_nothing_given_is_a_wrong_command() -> None:
    assert info().exit_code == 2


def test_device_says_what_computes() -> None:
    said = info("--device").stdout
    assert "Predictions run on" in said
    assert "mito-z: " in said or "single precision" in said, "where half precision is used, what it does to each model"
