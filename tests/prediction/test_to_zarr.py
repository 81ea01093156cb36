"""Predictions written while they are computed: the same numbers and files as predicted and saved as a whole."""

from __future__ import annotations

import json
import re
import tracemalloc
from collections.abc import Iterator
from math import prod
from pathlib import Path

import numpy as np
import pytest

from napari_mito_predict.errors import (
    ImageContentError,
    OutputError,
    OutputExistsError,
    PredictionCancelled,
    UnwritableOutputError,
)
from napari_mito_predict.image import open_image, write_ome_tiff
from napari_mito_predict.image.names import record_path
from napari_mito_predict.models import Target
from napari_mito_predict.models.record import PredictionRecord, read_record
from napari_mito_predict.prediction import plan_prediction, predict_to_zarr, run, run_to_zarr, save_composite
from napari_mito_predict.prediction.result import Block, Output

pytest.importorskip("zarr", minversion="3", exc_type=ImportError, reason="pip install napari-mito-predict[zarr]")

OPTIONS = {"device": "cpu", "precision": "32", "voxel_size_um": (0.3, 0.1, 0.1)}


class Running:
    """A run, and its plan, of one output that computes nothing: strips of 8 rows, time point after time point."""

    def __init__(self, shape: tuple[int, int, int, int], fails: BaseException | None = None) -> None:
        self.outputs = {"dna": Output("dna", Target(name="dna", stain="DNA"), "m", shape, "TZYX", (None,) * 3, None)}
        self.shape, self.fails = shape, fails
        self.result_bytes = 4 * prod(shape)
        self.started = self.closed = False

    @property
    def plan(self) -> Running:
        return self

    def blocks(self) -> Iterator[Block]:
        self.started = True
        t, z, y, x = self.shape
        try:
            for frame in range(t):
                for start in range(0, y, 8):
                    data = np.full((1, z, 8, x), frame, np.float32)
                    place = (slice(frame, frame + 1), slice(0, z), slice(start, start + 8), slice(0, x))
                    yield Block("dna", frame, place, data, 0, 0)
                if self.fails:
                    raise self.fails
        finally:
            self.closed = True

    def record(self, key: str) -> PredictionRecord:
        return PredictionRecord(target=key)


@pytest.fixture
def models(make_model, make_unet, make_fake):
    """One model of two targets and one of one."""
    both = make_model(make_unet(out_channels=2), name="both", targets=("mitochondria", "dna"), simulated=True)
    return [both, make_model(make_fake(), name="other", targets=("dna",))]


def paths_of(plan, folder: Path) -> dict[str, Path]:
    return {key: folder / f"{key.replace('/', ' ')}.ome.zarr" for key in plan.outputs}


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def same_record(path: Path, record: PredictionRecord) -> bool:
    written = json.loads(record_path(path).read_text(encoding="utf-8"))
    assert read_record(path) == PredictionRecord.model_validate(written)
    changing = {"created": "", "image_id": ""}
    return written | changing == record.to_dict() | changing


def same_files(folder: Path, other: Path) -> bool:
    """Whether two images are the same but for what no two have in common: the moment and the id of each."""
    contents = []
    for found in (files(folder), files(other)):
        contents.append({name: re.sub(rb'"(created|image_id)": "[^"]*"', b"", text) for name, text in found.items()})
    return contents[0] == contents[1]


@pytest.mark.parametrize("tile", ["auto", (8, 16, 16)])
@pytest.mark.parametrize(
    ("shape", "voxel_size_um"), [((6, 40, 44), (0.3, 0.1, 0.1)), ((3, 5, 40, 44), (0.3, 0.13, 0.13))]
)
def test_equals_the_whole_bit_for_bit(models, noise, tmp_path, shape, voxel_size_um, tile):
    options = OPTIONS | {"tile": tile, "voxel_size_um": voxel_size_um}
    plan = plan_prediction(noise(*shape), models, **options)
    paths = paths_of(plan, tmp_path)
    assert predict_to_zarr(plan, paths) == list(paths.values())
    whole = run(plan_prediction(noise(*shape), models, **options)).predict()
    assert len(whole) == 3
    for key, prediction in whole.items():
        np.testing.assert_array_equal(open_image(paths[key]).lazy(0).compute().reshape(shape), prediction.data)
        assert same_record(paths[key], prediction.record)
    (tmp_path / "saved").mkdir()
    for key, prediction in whole.items():
        assert same_files(prediction.save(tmp_path / "saved" / paths[key].name), paths[key])


def test_series_of_planes(make_model, make_unet, noise, tmp_path):
    """A model along time: its blocks go through all time points of one Z step."""
    path = write_ome_tiff(tmp_path / "a.ome.tif", noise(6, 24, 28), axes="TYX", channel_names=["TL"])
    model = make_model(make_unet(), third_axes=("t",))
    plan = plan_prediction(path, model, device="cpu", precision="32", tile=(4, 8, 8))
    (written,) = predict_to_zarr(plan, {"mitochondria": tmp_path / "b.ome.zarr"})
    whole = run(plan_prediction(path, model, device="cpu", precision="32", tile=(4, 8, 8))).predict()["mitochondria"]
    np.testing.assert_array_equal(open_image(written).lazy(0).compute().reshape(whole.data.shape), whole.data)


def test_a_plane(make_model, make_fake, noise, tmp_path):
    model = make_model(make_fake(ndim=2), third_axes=())
    (written,) = predict_to_zarr(
        plan_prediction(noise(20, 24), model, device="cpu"), {"mitochondria": tmp_path / "a.zarr"}
    )
    whole = run(plan_prediction(noise(20, 24), model, device="cpu")).predict()["mitochondria"]
    np.testing.assert_array_equal(open_image(written).read()[0], whole.data)


@pytest.mark.parametrize("shape", [(6, 40, 44), (2, 6, 40, 44)])
def test_channels_of_one_file(models, noise, tmp_path, shape):
    plan = plan_prediction(noise(*shape), models, **OPTIONS)
    path = tmp_path / "µ 細胞_predicted.ome.zarr"
    assert predict_to_zarr(plan, path) == [path]
    (tmp_path / "saved").mkdir()
    whole = run(plan_prediction(noise(*shape), models, **OPTIONS)).predict()
    saved = save_composite(list(whole.values()), tmp_path / "saved" / path.name)
    assert same_files(path, saved)
    record, other = (json.loads(record_path(p).read_text(encoding="utf-8")) for p in (path, saved))
    assert record["disclaimer"] == other["disclaimer"] != ""
    assert [channel["channel"] for channel in record["channels"]] == [
        channel.name for channel in open_image(path).channels
    ]


def test_memory_does_not_grow_with_the_output(tmp_path):
    def peak(frames: int) -> int:
        execution = Running((frames, 4, 256, 256))
        tracemalloc.start()
        try:
            run_to_zarr(execution, {"dna": tmp_path / f"{frames}.ome.zarr"})
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    frame = 4 * 4 * 256 * 256
    peak(1)  # imports and caches
    few, many = peak(5), peak(20)
    # Two threads write, each with a frame and what it is compressed to; one more frame comes meanwhile. How much of
    # that is there at a time differs from run to run, but does not grow with the number of frames.
    assert many < few + 2 * frame
    assert many < 5 * frame


@pytest.mark.parametrize("error", [PredictionCancelled("cancelled"), KeyboardInterrupt(), OSError(5, "of the input")])
def test_after_a_failure_everything_is_as_before(tmp_path, error):
    target = {"dna": tmp_path / "a.ome.zarr"}
    for _ in range(2):  # where nothing was, and where an older result is
        before = files(tmp_path)
        execution = Running((3, 2, 16, 16), error)
        with pytest.raises(type(error)) as caught:
            run_to_zarr(execution, target, overwrite=True)
        assert caught.value is error
        assert execution.closed
        assert files(tmp_path) == before
        run_to_zarr(Running((1, 2, 16, 16)), target, overwrite=True)


def test_a_full_disk_stops_the_computation(tmp_path, monkeypatch):
    import zarr

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zarr.Array, "__setitem__", full)
    execution = Running((3, 2, 16, 16))
    with pytest.raises(UnwritableOutputError, match="No space left"):
        run_to_zarr(execution, {"dna": tmp_path / "a.ome.zarr"})
    assert execution.closed
    assert not list(tmp_path.iterdir())


def test_cancelling_a_real_run(models, noise, tmp_path):
    plan, asked = plan_prediction(noise(6, 40, 44), models, **OPTIONS, tile=(8, 16, 16)), []

    def cancel() -> bool:
        asked.append(1)
        return len(asked) > 20

    with pytest.raises(PredictionCancelled):
        predict_to_zarr(plan, paths_of(plan, tmp_path), cancel=cancel)
    assert not list(tmp_path.iterdir())


def test_a_run_that_fails_at_a_later_time_point(models, noise, tmp_path):
    data = noise(3, 6, 40, 44).astype(np.float32)
    data[2, 1, 1, 1] = np.nan
    plan = plan_prediction(data, models, **OPTIONS)
    with pytest.raises(ImageContentError):
        predict_to_zarr(plan, tmp_path / "a.ome.zarr")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("existing", ["a.ome.zarr", "a.prediction.json"])
def test_existing_results_are_refused_before_anything_is_computed(tmp_path, existing):
    (tmp_path / existing).write_text("mine", encoding="utf-8")
    execution = Running((1, 2, 16, 16))
    with pytest.raises(OutputExistsError):
        run_to_zarr(execution, {"dna": tmp_path / "a.ome.zarr"})
    assert not execution.started
    assert files(tmp_path) == {existing: b"mine"}
    run_to_zarr(execution, {"dna": tmp_path / "a.ome.zarr"}, overwrite=True)
    assert open_image(tmp_path / "a.ome.zarr").sizes["Z"] == 2


def test_the_place_is_checked_before_anything_is_computed(tmp_path):
    execution = Running((1, 2, 16, 16))
    with pytest.raises(UnwritableOutputError, match="does not exist"):
        run_to_zarr(execution, {"dna": tmp_path / "nowhere" / "a.ome.zarr"})
    execution.outputs["dna"] = Output(**{**vars(execution.outputs["dna"]), "shape": (2**20, 2**10, 2**20, 2**20)})
    with pytest.raises(UnwritableOutputError, match="bytes are needed"):
        run_to_zarr(execution, {"dna": tmp_path / "a.ome.zarr"})
    assert not execution.started


def test_paths_have_to_fit_the_outputs(models, noise, tmp_path):
    plan = plan_prediction(noise(6, 40, 44), models, **OPTIONS)
    with pytest.raises(OutputError, match="given for dna; the plan predicts mitochondria, dna/both, dna/other"):
        predict_to_zarr(plan, {"dna": tmp_path / "a.ome.zarr"})
    with pytest.raises(OutputError, match="the same path"):
        predict_to_zarr(plan, dict.fromkeys(plan.outputs, tmp_path / "a.ome.zarr"))
    assert not list(tmp_path.iterdir())
