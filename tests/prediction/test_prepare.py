"""Windows are the same, whether made of the whole prepared volume or one by one."""

from __future__ import annotations

import gc
import itertools

import numpy as np
import pytest

from napari_mito_predict.image import from_array
from napari_mito_predict.prediction import plan_prediction
from napari_mito_predict.prediction.prepare import KnownStatistics, prepare
from napari_mito_predict.prediction.tiles import plan_tiles

CPU = {"device": "cpu", "precision": "32"}


def _plan(make_model, make_fake, volume, **options):
    model = make_model(make_fake(), **options)
    image = from_array(volume, axes="ZYX", voxel_size_um=(0.3, 0.13, 0.1), channel_names=["TL"])
    return plan_prediction(image, model, channel=0, **CPU)


@pytest.mark.parametrize("clip", [None, (1.0, 99.0)])
def test_windows_of_a_known_volume_equal_those_of_a_measured_one(make_model, make_fake, noise, clip):
    plan = _plan(make_model, make_fake, noise(9, 70, 55), clip=clip)
    (job,), known = plan.jobs, KnownStatistics()
    (volume,) = plan.subject.volumes(job.layout)
    raw = volume.read(plan.subject, lambda: None)
    measured = prepare(raw, plan.subject, volume, job, known)
    lazily = prepare(raw, plan.subject, volume, job, known)
    assert measured._whole is not None
    assert lazily._whole is None
    grid = plan_tiles(job.shape, stride=(4, 4, 4), receptive_field=(9, 9, 9), core=(64, 24, 16))
    for tile in itertools.islice(grid, 20):
        expected = measured.window(grid, tile.read)
        assert expected.shape == tuple(span.size for span in tile.read)
        np.testing.assert_allclose(lazily.window(grid, tile.read), expected, atol=1e-4)


def test_without_resampling_nothing_is_made_whole(make_model, make_fake, noise):
    plan = plan_prediction(noise(9, 30, 30), make_model(make_fake()), **CPU)
    (job,) = plan.jobs
    (volume,) = plan.subject.volumes(job.layout)
    prepared = prepare(volume.read(plan.subject, lambda: None), plan.subject, volume, job)
    assert prepared._whole is None


def test_padding_is_by_reflection(make_model, make_fake, noise):
    plan = _plan(make_model, make_fake, noise(9, 30, 30))
    (job,) = plan.jobs
    (volume,) = plan.subject.volumes(job.layout)
    prepared = prepare(volume.read(plan.subject, lambda: None), plan.subject, volume, job)
    (tile,) = plan_tiles(job.shape, stride=(4, 4, 4), receptive_field=(9, 9, 9), core=job.shape)
    axes = job.grid.axes
    padding = [(axis.before, axis.padded - axis.size - axis.before) for axis in axes]
    np.testing.assert_array_equal(prepared.window(job.grid, tile.read), np.pad(prepared._whole, padding, "reflect"))


def test_what_is_known_is_forgotten_with_its_image(make_model, make_fake, noise):
    plan, known = _plan(make_model, make_fake, noise(9, 30, 30)), KnownStatistics()
    (job,) = plan.jobs
    (volume,) = plan.subject.volumes(job.layout)
    prepare(volume.read(plan.subject, lambda: None), plan.subject, volume, job, known)
    assert len(known._of) == 1
    del plan
    gc.collect()
    assert len(known._of) == 0
