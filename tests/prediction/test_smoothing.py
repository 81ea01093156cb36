"""Smoothing along time: what scipy gives for the whole, however and in whatever order the blocks come."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter1d

from napari_mito_predict.errors import SmoothingError
from napari_mito_predict.image import from_array, open_image
from napari_mito_predict.models.record import PredictionRecord, read_record
from napari_mito_predict.prediction import (
    RunContext,
    iter_predict,
    plan_prediction,
    predict,
    predict_to_zarr,
    run,
    save_composite,
)
from napari_mito_predict.prediction.smoothing import smoothed
from napari_mito_predict.prediction.tiles import Span
from napari_mito_predict.prediction.viewport import Viewport

CPU = {"device": "cpu", "precision": "32"}
CLOSE = {"rtol": 1e-6, "atol": 1e-6}


def expected(plain, frames):
    return gaussian_filter1d(plain, frames / 4, axis=0, radius=frames // 2, mode="nearest")


@pytest.mark.parametrize("frames", [3, 5])
@pytest.mark.parametrize("tile", ["auto", (4, 12, 16)])
@pytest.mark.parametrize("third_axes", [("z",), ("t",), ()])
def test_equals_the_filter_of_the_whole(make_model, make_unet, noise, third_axes, tile, frames):
    """Of stacks one after the other, of series of Z steps, which tiles divide along time too, and of planes."""
    planes = 2 if third_axes == ("t",) else 4
    size = (0.3, 0.1, 0.1)
    if third_axes == ("t",):
        series, tile = noise(7, 1, 22, 31), tile if tile == "auto" else (2, 12, 16)
    else:
        series = noise(6, planes, 22, 31)
    network = make_unet(2 if not third_axes else 3, 1, base_channels=2)
    model = make_model(network, third_axes=third_axes, voxel_size_um=(None, 0.1, 0.1))
    plain = predict(series, model, tile=tile, voxel_size_um=size, **CPU)["mitochondria"].data
    found = predict(series, model, tile=tile, voxel_size_um=size, smooth_time=frames, **CPU)["mitochondria"].data
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected(plain, frames), **CLOSE)
    assert np.abs(found - plain).max() > 0.1 * plain.std(), "there is something to smooth"


def test_the_time_point_that_is_looked_at_comes_first(make_model, make_unet, noise):
    """Nothing of it is painted before it is final, and nothing twice."""
    series, model = noise(5, 4, 22, 31), make_model(make_unet(3, 1, base_channels=2))
    plan = plan_prediction(series, model, smooth_time=3, **CPU)
    viewport = Viewport(t=3, z=1, y=Span(2, 9), x=Span(3, 9))
    found = np.full(series.shape, np.nan, np.float32)
    for block in run(plan, RunContext(viewport=viewport)).blocks():
        assert np.isnan(found[block.slices]).all()
        assert block.slices[0] == slice(block.t, block.t + 1)
        found[block.slices] = block.data
    plain = predict(series, model, **CPU)["mitochondria"].data
    np.testing.assert_allclose(found, expected(plain, 3), **CLOSE)


@pytest.mark.parametrize("order", [(3, 0, 1, 2, 4, 5), (5, 4, 3, 2, 1, 0), (0, 2, 4, 1, 3, 5)])
def test_any_order_of_time_points(make_model, make_unet, noise, order):
    """And no more is held than is still needed: what came is overwritten by whoever gave it."""
    series, model = noise(6, 4, 16, 16), make_model(make_unet(3, 1, base_channels=2))
    plan = plan_prediction(series, model, **CPU)
    blocks = sorted(run(plan).blocks(), key=lambda block: order.index(block.t))
    outputs = {key: replace(output, smooth_time=3) for key, output in plan.outputs.items()}

    def given():
        for block in blocks:
            data = block.data.copy()
            yield replace(block, data=data)
            data[:] = np.nan

    found = np.full(series.shape, np.nan, np.float32)
    for block in smoothed(given(), outputs, 3):
        found[block.slices] = block.data
    plain = predict(series, model, **CPU)["mitochondria"].data
    np.testing.assert_allclose(found, expected(plain, 3), **CLOSE)


def test_blocks_come_as_soon_as_they_can(make_model, make_unet, noise):
    """Time point 0 with time point 1, which is the last that it needs."""
    plan = plan_prediction(noise(5, 4, 16, 16), make_model(make_unet(3, 1, base_channels=2)), smooth_time=3, **CPU)
    seen = [(block.t, block.done) for block in run(plan).blocks()]
    assert [t for t, _ in seen] == [0, 1, 2, 3, 4]
    assert [done for _, done in seen] == [2, 3, 4, 5, 5]


def test_where_memory_runs_out(make_model, make_fake, noise):
    """What is left of a volume is predicted in smaller parts; its blocks are those of the other volumes."""
    fake = make_fake(stride=2, field=5)
    calls = []

    def full(window):
        calls.append(window.numel())
        if len(calls) > 4 and window.numel() > 2000:
            raise torch.OutOfMemoryError

    fake.on_call = full
    series, model = noise(4, 4, 31, 30), make_model(fake)
    found = predict(series, model, tile=(8, 16, 16), smooth_time=3, **CPU)["mitochondria"].data
    assert len(calls) > 4 * 4, "some parts were computed anew"
    fake.on_call = None
    plain = predict(series, model, tile=(8, 16, 16), **CPU)["mitochondria"].data
    np.testing.assert_allclose(found, expected(plain, 3), rtol=1e-5, atol=1e-5)


def test_closing_ends_the_run(make_model, make_unet, noise):
    blocks = iter_predict(noise(5, 4, 16, 16), make_model(make_unet(3, 1, base_channels=2)), smooth_time=3, **CPU)
    next(blocks)
    blocks.close()
    with pytest.raises(StopIteration):
        next(blocks)


def test_files_and_records_say_it(make_model, make_unet, noise, tmp_path):
    pytest.importorskip("zarr", minversion="3", exc_type=ImportError)
    image = from_array(noise(4, 4, 20, 22), axes="TZYX", voxel_size_um=(0.3, 0.1, 0.1), name="cells")
    model = make_model(make_unet(3, 1, base_channels=2, out_channels=2), targets=("mitochondria", "dna"))
    options = {"channel": 0, "smooth_time": 3, **CPU}
    found = predict(image, model, **options)
    written = predict_to_zarr(plan_prediction(image, model, **options), tmp_path / "a.ome.zarr")
    written.append(save_composite(list(found.values()), tmp_path / "b.ome.tif"))
    for path in written:
        again = open_image(path)
        for i, prediction in enumerate(found.values()):
            np.testing.assert_array_equal(again.lazy(i).compute(), prediction.data)
        record = read_record(path)
        assert record is not None
        assert [channel.parameters.smooth_time for channel in record.channels] == [3, 3]
        assert all(channel.prediction.model == "tiny" for channel in again.channels), "it is known as a prediction"
        assert "DNA predicted (tiny): smoothed over 3 time points." in _description(path)
    assert found["dna"].record.parameters.smooth_time == 3


def _description(path):
    """What the file says of itself."""
    import json

    import tifffile

    if path.is_dir():
        return json.loads((path / "zarr.json").read_text())["attributes"]["napari_mito_predict"]["description"]
    with tifffile.TiffFile(path) as file:
        return file.ome_metadata


def test_records_of_before_are_not_smoothed():
    record = PredictionRecord.model_validate({"schema_version": 2, "parameters": {"tiling": "exact"}})
    assert record.parameters.smooth_time == 1


@pytest.mark.parametrize(
    ("shape", "frames", "words"),
    [
        ((4, 20, 22), 3, "mitochondria has one"),
        ((1, 4, 20, 22), 3, "has one"),
        ((3, 4, 20, 22), 5, "the series has 3"),
        ((5, 4, 20, 22), 2, "give an odd number from 3"),
        ((5, 4, 20, 22), -1, "give an odd number from 3"),
        ((5, 4, 20, 22), 0, "give an odd number from 3"),
    ],
)
def test_what_cannot_be_smoothed_is_refused(make_model, make_fake, noise, shape, frames, words):
    with pytest.raises(SmoothingError, match=words):
        plan_prediction(noise(*shape), make_model(make_fake()), smooth_time=frames, **CPU)


def test_an_array_of_time_points_alone_has_a_time_axis(make_model, make_unet, noise):
    model = make_model(make_unet(3, 1, base_channels=2), third_axes=("t",))
    series = noise(6, 20, 22)
    plain = predict(series, model, **CPU)["mitochondria"].data
    found = predict(series, model, smooth_time=3, **CPU)["mitochondria"]
    assert found.output.axes == "TYX"
    np.testing.assert_allclose(found.data, expected(plain, 3), **CLOSE)


def test_the_estimate_counts_what_is_held(make_model, make_fake, noise):
    series, model = noise(6, 4, 20, 22), make_model(make_fake())
    once, smooth = (plan_prediction(series, model, smooth_time=n, **CPU).estimate_bytes for n in (1, 3))
    assert smooth - once == (3 + 4) * 4 * 4 * 20 * 22
