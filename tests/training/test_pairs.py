"""Reading fields: two files on two grids, time series, single planes, and what does not belong together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_mito_predict.errors import TrainingDataError
from napari_mito_predict.image import Level
from napari_mito_predict.image.pixel_digest import pixel_digest
from napari_mito_predict.models import Normalisation
from napari_mito_predict.training.fields import Field, Place
from napari_mito_predict.training.pairs import open_field, prepare, read_volumes


def _field(given: Path, truth: Path, channels: tuple[object, object] = (None, None)) -> Field:
    return Field("f", Place(given, channels[0]), (Place(truth, channels[1]),))  # type: ignore[arg-type]


def _smooth(shape: tuple[int, ...]) -> np.ndarray:
    grid = np.meshgrid(*(np.linspace(0, 3, n) for n in shape), indexing="ij")
    return 1000 + 300 * np.sum([np.sin(g) for g in grid], axis=0)


def test_truth_on_another_grid_is_resampled_and_said(tmp_path: Path, write_field) -> None:
    light = write_field(tmp_path / "light.ome.tif", _smooth((8, 40, 48))[None], ["TL"], voxel=(0.2, 0.2, 0.2))
    truth = write_field(tmp_path / "truth.ome.tif", _smooth((8, 80, 96))[None], ["TMRM"], voxel=(0.2, 0.1, 0.1))
    opened = open_field(_field(light, truth))
    assert {f.code for f in opened.findings} == {"resampled"}
    assert "96 voxels of 0.1 µm along X, resampled to 48 of 0.2 µm" in opened.findings[-1].message
    pair = prepare(next(read_volumes(opened)), opened, (0.2, 0.2, 0.2), Normalisation())
    assert pair.input.shape == (8, 40, 48)
    assert pair.truth.shape == (1, 8, 40, 48)
    difference = np.abs(pair.input.astype(float) - pair.truth[0].astype(float))
    assert np.quantile(difference, 0.99) < 0.1  # the darkest and brightest voxels of the input are clipped
    assert abs(float(pair.truth.astype(np.float64).std()) - 1) < 0.02


@pytest.mark.parametrize(
    ("shape", "voxel", "code"),
    [
        ((8, 40, 40), (0.2, 0.2, 0.2), "other-extent"),
        ((8, 40, 24), (0.2, 0.2, 0.2), "other-extent"),
    ],
)
def test_another_field_of_view_is_an_error(tmp_path: Path, write_field, shape, voxel, code) -> None:
    light = write_field(tmp_path / "light.ome.tif", _smooth((8, 40, 48))[None], ["TL"], voxel=(0.2, 0.2, 0.2))
    truth = write_field(tmp_path / "truth.ome.tif", _smooth(shape)[None], ["TMRM"], voxel=voxel)
    opened = open_field(_field(light, truth))
    assert [(f.level, f.code) for f in opened.findings] == [(Level.ERROR, code)]


def test_time_series_and_single_planes(tmp_path: Path, write_field) -> None:
    data = np.random.default_rng(0).integers(0, 1000, (5, 2, 1, 30, 32))
    series = write_field(tmp_path / "series.ome.tif", data, ["TL", "TMRM"], axes="TCZYX")
    opened = open_field(_field(series, series, ("TL", "TMRM")))
    assert (opened.third_axis, opened.volumes, opened.shape) == ("t", 1, (5, 30, 32))
    assert opened.shape_at((None, 0.22, 0.11)) == (5, 15, 32)
    plane = write_field(tmp_path / "plane.ome.tif", data[0, :, 0], ["TL", "TMRM"], axes="CYX")
    opened = open_field(_field(plane, plane, ("TL", "TMRM")))
    assert (opened.third_axis, opened.shape) == (None, (30, 32))
    raw = next(read_volumes(opened))
    np.testing.assert_array_equal(raw.input, data[0, 0, 0])
    stacks = write_field(tmp_path / "stacks.ome.tif", data.repeat(4, axis=2), ["TL", "TMRM"], axes="TCZYX")
    opened = open_field(_field(stacks, stacks, ("TL", "TMRM")))
    assert (opened.third_axis, opened.volumes) == ("z", 5)
    assert len(list(read_volumes(opened))) == 5


def test_a_file_of_several_channels_needs_a_name(tmp_path: Path, write_field) -> None:
    data = np.random.default_rng(0).integers(0, 1000, (2, 8, 30, 32))
    both = write_field(tmp_path / "both.ome.tif", data, ["TMRM", "SYBR"])
    with pytest.raises(TrainingDataError, match=r"several channels \(0 \"TMRM\", 1 \"SYBR\"\)"):
        open_field(_field(both, both))
    with pytest.raises(TrainingDataError, match=r"none\.czi"):
        open_field(_field(tmp_path / "none.czi", both))


@pytest.mark.parametrize(("axes", "shape"), [("CZYX", (2, 3, 30, 32)), ("TCYX", (3, 2, 30, 32)), ("CYX", (2, 30, 32))])
def test_a_field_is_recognised_by_any_of_its_channels_at_the_first_time_point(
    tmp_path: Path, write_field, axes: str, shape: tuple[int, ...]
) -> None:
    data = np.random.default_rng(0).integers(0, 1000, shape)
    path = write_field(tmp_path / "a.ome.tif", data, ["TL", "TMRM"], axes)
    opened = open_field(_field(path, path, (0, 1)))
    found = next(read_volumes(opened)).first_stacks(opened)
    assert found == tuple(pixel_digest(opened.image.read(0, channel)) for channel in (0, 1))


def test_the_digest_is_of_pixels_not_of_files(tmp_path: Path, write_field) -> None:
    data = np.random.default_rng(0).integers(0, 1000, (2, 8, 30, 32))
    paths = [
        write_field(tmp_path / f"{name}.ome.tif", data, names)
        for name, names in (("a", ["TL", "TMRM"]), ("b", ["BF", "TMRM"]))
    ]
    digests = [next(read_volumes(open_field(_field(p, p, (0, 1))))).digest() for p in paths]
    assert digests[0] == digests[1]
    other = write_field(tmp_path / "c.ome.tif", data + 1, ["TL", "TMRM"])
    assert next(read_volumes(open_field(_field(other, other, (0, 1))))).digest() != digests[0]
