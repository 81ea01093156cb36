from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest

from napari_mito_predict.errors import ImageContentError, UnsupportedImageError
from napari_mito_predict.models import Normalisation
from napari_mito_predict.prediction.normalize import as_float, measure, normalise

PLAIN = Normalisation(clip_percentiles=None)


@pytest.mark.parametrize("clip", [None, (0.1, 99.9), (5.0, 95.0)])
def test_zero_mean_and_unit_variance_of_the_clipped_volume(clip):
    volume = np.random.default_rng(0).gamma(2, 100, (5, 30, 40)).astype(np.float32)
    volume[2, 3, 4] = 1e6
    result = normalise(volume, measure(volume, Normalisation(clip_percentiles=clip)))
    assert result.dtype == np.float32
    assert abs(result.mean(dtype=np.float64)) < 1e-5
    assert result.std(dtype=np.float64) == pytest.approx(1, abs=1e-4)
    assert (result.max() < 50) == (clip is not None)


@pytest.mark.parametrize("clip", [None, (0.1, 99.9), (0.0, 100.0), (3.3, 50.0)])
@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("shape", [(1, 2, 2), (3, 7, 9), (5, 40, 50)])
def test_a_histogram_tells_what_the_values_tell(shape, dtype, clip):
    largest = np.iinfo(dtype).max
    volume = np.random.default_rng(0).integers(0, largest, shape, dtype, endpoint=True)
    of_counts = measure(volume, Normalisation(clip_percentiles=clip))
    of_values = measure(volume.astype(np.float64), Normalisation(clip_percentiles=clip))
    np.testing.assert_allclose(astuple(of_counts), astuple(of_values), rtol=1e-12)
    np.testing.assert_array_equal(normalise(volume, of_counts), normalise(volume.astype(np.float32), of_counts))


def test_a_large_offset_costs_no_digits():
    volume = 2**30 + np.random.default_rng(0).integers(0, 20, (3, 40, 40)).astype(np.int32)
    expected = (volume - volume.mean()) / volume.std()
    np.testing.assert_allclose(normalise(as_float(volume), measure(as_float(volume), PLAIN)), expected, rtol=1e-5)


@pytest.mark.parametrize("dtype", ["?", "u1", "i1", ">u2", "<i2", "i4", "u4", ">i4", "f2", ">f4", "f8", ">f8", "i8"])
def test_every_real_dtype_gives_the_same_answer(dtype):
    volume = np.random.default_rng(0).integers(0, 2, (3, 10, 10))
    values = as_float(volume.astype(dtype))
    assert values.dtype in (np.float32, np.float64)
    np.testing.assert_allclose(
        normalise(values, measure(values, PLAIN)), (volume - volume.mean()) / volume.std(), rtol=1e-5
    )


@pytest.mark.parametrize("dtype", ["c8", "c16", "O", "U3", "M8[s]"])
def test_what_is_no_number_is_refused(dtype):
    with pytest.raises(UnsupportedImageError, match="whole or decimal numbers"):
        as_float(np.zeros((2, 2, 2), dtype))


@pytest.mark.parametrize("value", [0, 7, 1e-30, 1e30])
def test_a_constant_volume_has_no_contrast(value):
    volume = np.full((2, 5, 5), value, np.float32)
    with pytest.raises(ImageContentError, match=r"no contrast \(time point 3\)"):
        measure(volume, PLAIN, where="time point 3")


def test_contrast_in_outliers_only_is_no_contrast():
    volume = np.zeros((4, 100, 100), np.float32)
    volume[0, 0, 0] = 1
    with pytest.raises(ImageContentError, match="nearly all values are 0"):
        measure(volume, Normalisation(clip_percentiles=(0.1, 99.9)))


def test_the_input_is_not_changed():
    volume = np.random.default_rng(0).normal(size=(2, 5, 5)).astype(np.float32)
    volume.setflags(write=False)
    normalise(volume, measure(volume, Normalisation()))


KINDS = [
    (Normalisation(kind="robust"), lambda values: _quartiles(values)),
    (Normalisation(kind="range", percentiles=(1.0, 99.8)), lambda values: _range(values, 1, 99.8)),
    (Normalisation(kind="range", percentiles=(0.0, 100.0)), lambda values: _range(values, 0, 100)),
]


def _quartiles(values):
    lower, median, upper = np.percentile(values, [25, 50, 75])
    return median, upper - lower


def _range(values, first, second):
    low, high = np.percentile(values, [first, second])
    return low, high - low


@pytest.mark.parametrize(("normalisation", "expected"), KINDS)
@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "f4", "f8"])
@pytest.mark.parametrize("shape", [(1, 3, 3), (3, 7, 10), (4, 150, 160)])
def test_other_kinds_take_percentiles_of_the_whole_volume(normalisation, expected, dtype, shape):
    volume = np.random.default_rng(1).gamma(2, 30, shape).clip(0, 255).astype(dtype)
    offset, scale = expected(volume.astype(np.float64))
    found = measure(volume, normalisation)
    assert (found.offset, found.scale) == pytest.approx((offset, scale), rel=1e-6)
    np.testing.assert_allclose(
        normalise(volume, found), (volume.astype(np.float64) - offset) / scale, rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("kind", ["robust", "range"])
@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_other_kinds_leave_out_what_was_never_recorded(kind, dtype):
    volume = np.random.default_rng(2).normal(3000, 200, (6, 40, 60)).astype(dtype)
    percentiles = (1.0, 99.0) if kind == "range" else None
    normalisation = Normalisation(kind=kind, percentiles=percentiles)
    expected = measure(volume, normalisation)
    bordered = np.pad(volume, ((1, 1), (30, 30), (20, 0)))
    assert measure(bordered, normalisation) == expected


@pytest.mark.parametrize("kind", ["robust", "range"])
def test_other_kinds_need_contrast_too(kind):
    normalisation = Normalisation(kind=kind, percentiles=(15.0, 60.0) if kind == "range" else None)
    volume = np.full((3, 20, 20), 9, np.uint16)
    volume[:, :4] = np.arange(20)
    with pytest.raises(ImageContentError, match="too many values are 9"):
        measure(volume, normalisation)


def test_fixed_numbers_need_no_statistics():
    normalisation = Normalisation(kind="fixed", offset=100, scale=25)

    class NeverRead(np.ndarray):
        def __array_finalize__(self, made_from):
            pass

        def __getitem__(self, key):
            raise AssertionError("the volume was read")

    volume = np.zeros((2, 4, 4), np.uint16).view(NeverRead)
    found = measure(volume, normalisation)
    np.testing.assert_array_equal(normalise(np.full((2, 3, 3), 150, np.uint16), found), 2.0)
