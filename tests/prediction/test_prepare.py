"""Windows are the same, whether made of the whole prepared volume or one by one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from napari_mito_predict.image import from_array
from napari_mito_predict.prediction import plan_prediction
from napari_mito_predict.prediction.known_statistics import KnownStatistics
from napari_mito_predict.prediction.prepare import measured, prepare
from napari_mito_predict.prediction.tiles import plan_tiles

CPU = {"device": "cpu", "precision": "32"}


def _plan(make_model, make_fake, volume, **options):
    model = make_model(make_fake(), **options)
    image = from_array(volume, axes="ZYX", voxel_size_um=(0.3, 0.13, 0.1), channel_names=["TL"])
    return plan_prediction(image, model, channel=0, **CPU)


def _raw(plan):
    (job,) = plan.jobs
    (volume,) = plan.subject.volumes(job.layout)
    return volume.read(plan.subject, lambda: None), job


@pytest.mark.parametrize("clip", [None, (1.0, 99.0)])
@pytest.mark.parametrize("threads", [1, 3])
def test_windows_of_a_known_volume_equal_those_of_a_measured_one(make_model, make_fake, noise, clip, threads):
    raw, job = _raw(_plan(make_model, make_fake, noise(9, 70, 55), clip=clip))
    known = KnownStatistics()
    first = prepare(raw, job, known=known)
    lazily = prepare(raw, job, known=known)
    at_once = prepare(raw, job, known=known)
    at_once.resample_once(threads)
    assert first._resampled is not None
    assert lazily._resampled is None
    assert at_once._resampled is not None
    grid = plan_tiles(job.shape, stride=(4, 4, 4), receptive_field=(9, 9, 9), core=(64, 24, 16))
    for tile in itertools.islice(grid, 20):
        expected = first.window(grid, tile.read)
        assert expected.shape == tuple(span.size for span in tile.read)
        np.testing.assert_allclose(lazily.window(grid, tile.read), expected, atol=1e-4)
        np.testing.assert_allclose(at_once.window(grid, tile.read), expected, atol=1e-4)


def test_without_resampling_nothing_is_made_whole(make_model, make_fake, noise):
    raw, job = _raw(plan_prediction(noise(9, 30, 30), make_model(make_fake()), **CPU))
    prepared = prepare(raw, job)
    prepared.resample_once(2)
    assert prepared._resampled is None


def test_padding_is_by_reflection(make_model, make_fake, noise):
    raw, job = _raw(_plan(make_model, make_fake, noise(9, 30, 30)))
    prepared = prepare(raw, job)
    (tile,) = plan_tiles(job.shape, stride=(4, 4, 4), receptive_field=(9, 9, 9), core=job.shape)
    padding = [(axis.before, axis.padded - axis.size - axis.before) for axis in job.grid.axes]
    volume = prepared.window(job.grid, tuple(axis.inside for axis in job.grid.axes))
    np.testing.assert_array_equal(prepared.window(job.grid, tile.read), np.pad(volume, padding, "reflect"))


def test_a_volume_that_was_changed_is_measured_again(make_model, make_fake, noise):
    """A layer's pixels may change behind our back; statistics of what they were would be a convincing lie."""
    raw, job = _raw(_plan(make_model, make_fake, noise(9, 30, 30)))
    known = KnownStatistics()
    before, _ = measured(raw, job, known=known)
    assert measured(raw.copy(), job, known=known) == (before, None), "nothing was done for the same values"
    raw[0] = 0
    after, _ = measured(raw, job, known=known)
    assert after != before
    assert after == measured(raw, job)[0]
