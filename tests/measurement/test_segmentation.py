"""From pixels to labels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from napari_mito_predict.errors import ImageContentError, MeasurementCancelled, MeasurementError
from napari_mito_predict.measurement import (
    MitochondriaSettings,
    NucleiSettings,
    Progress,
    PunctaSettings,
    blocks,
    label_objects,
    segment_mitochondria,
    segment_nuclei,
    segment_puncta,
)
from napari_mito_predict.measurement.voxels import Voxels

SIZE = (0.1, 0.1)


@pytest.mark.parametrize("method", ["local", "ridge"])
def test_three_tubes_are_three_mitochondria(picture, draw, method) -> None:
    labels = segment_mitochondria(picture, SIZE, MitochondriaSettings(method=method))
    assert labels.dtype == np.int32
    assert labels.max() == 3
    tubes = [((2, 2), (2, 7)), ((5, 2), (7, 6)), ((8, 8), (8, 8.6))]
    truth = draw((96, 96), SIZE, tubes, 0.2) > 0
    found = labels > 0
    assert 2 * np.sum(truth & found) / (truth.sum() + found.sum()) > 0.75


@given(gain=st.floats(0.01, 100), offset=st.floats(-1000, 1000))
@settings(max_examples=8, deadline=None)
def test_brightness_and_offset_do_not_matter(gain, offset) -> None:
    light = gaussian_filter(np.pad(np.ones((4, 40)), 20) * 100, 1.2)
    expected = segment_mitochondria(light, SIZE) > 0
    found = segment_mitochondria(light * gain + offset, SIZE) > 0
    assert np.mean(found != expected) < 0.005  # float32: a threshold may fall on the other side of a value


@pytest.mark.parametrize("axes", [(0,), (1,), (0, 1)])
def test_a_flipped_image_gives_flipped_labels(picture, axes) -> None:
    expected = segment_mitochondria(picture, SIZE) > 0
    found = segment_mitochondria(np.flip(picture, axes), SIZE) > 0
    assert np.array_equal(np.flip(found, axes), expected)


@pytest.mark.parametrize("method", ["local", "ridge"])
def test_strips_change_nothing(picture, monkeypatch, method) -> None:
    wanted = MitochondriaSettings(method=method)
    whole = segment_mitochondria(picture, SIZE, wanted)
    monkeypatch.setattr(blocks, "_VOXELS", 96 * 30)
    assert np.array_equal(segment_mitochondria(picture, SIZE, wanted), whole)


def test_a_tube_along_z_is_as_wide_as_one_along_x(draw) -> None:
    spacing = (0.3, 0.1, 0.1)
    segments = [((1.5, 1, 1), (4.5, 1, 1)), ((3, 2, 2.5), (3, 2, 5.5))]
    tubes = draw((20, 30, 70), spacing, segments, 0.25)
    light = gaussian_filter(tubes * 100.0, [0.15 / step for step in spacing])
    labels = segment_mitochondria(light, spacing)
    assert labels.max() == 2
    for segment in segments:
        tube = draw(light.shape, spacing, [segment], 0.25) > 0
        found = labels == labels[tube][0]
        assert found.sum() == pytest.approx(tube.sum(), rel=0.05)


@pytest.mark.parametrize("value", [0, 7])
def test_an_empty_image_has_no_objects(value) -> None:
    blank = np.full((40, 40), value, np.uint16)
    assert not segment_mitochondria(blank, SIZE).any()
    assert not segment_nuclei(blank, SIZE).any()
    assert not segment_puncta(blank, SIZE).any()


def test_noise_alone_is_hardly_anything() -> None:
    noise = np.random.default_rng(0).poisson(100, (128, 128))
    assert np.mean(segment_mitochondria(noise, SIZE) > 0) < 0.005


def test_nuclei_that_touch_are_two_and_holes_are_filled() -> None:
    places = np.indices((60, 100))
    image = np.zeros((60, 100))
    for x in (32, 66):
        image[np.hypot(places[0] - 30, places[1] - x) < 18] = 100
    image[28:32, 30:34] = 0
    labels = segment_nuclei(image, (0.5, 0.5))
    assert labels.max() == 2
    assert labels[30, 32]
    assert labels[30, 66]
    assert labels[30, 32] != labels[30, 66]
    assert segment_nuclei(image, (0.5, 0.5), NucleiSettings(split=40.0)).max() == 1
    assert segment_nuclei(np.stack([image] * 3), (1.0, 0.5, 0.5)).max() == 2


def test_nuclei_under_uneven_light() -> None:
    places = np.indices((60, 160))
    image = np.zeros((60, 160))
    for x, brightness in ((40, 25), (120, 100)):
        image[np.hypot(places[0] - 30, places[1] - x) < 12] = brightness
    assert segment_nuclei(image, (0.5, 0.5)).max() == 1
    assert segment_nuclei(image, (0.5, 0.5), NucleiSettings(local=True)).max() == 2


def test_puncta_outside_of_the_nucleus() -> None:
    rng = np.random.default_rng(1)
    image = rng.normal(100, 1, (80, 80))
    places = [(10, 10), (10, 40), (40, 12), (60, 60)]
    for y, x in places:
        image[y, x] += 2000
    image = gaussian_filter(image, 1)
    nuclei = np.zeros((80, 80), np.int32)
    nuclei[50:, 50:] = 1
    assert segment_puncta(image, SIZE).max() == 4
    labels = segment_puncta(image, SIZE, outside=nuclei)
    assert labels.max() == 3
    assert not labels[nuclei > 0].any()
    assert segment_puncta(image, SIZE, PunctaSettings(threshold=1e6)).max() == 0
    assert not segment_puncta(image, SIZE, outside=np.ones_like(nuclei)).any()


def test_unknown_size_takes_lengths_in_pixels(picture) -> None:
    assert np.array_equal(segment_mitochondria(picture, None), segment_mitochondria(picture, SIZE))
    ridge = MitochondriaSettings(method="ridge")  # its lengths are the defaults, so they fit
    assert segment_mitochondria(picture, None, ridge).max() == 3
    with pytest.raises(MeasurementError, match="micrometres"):
        segment_mitochondria(picture, None, MitochondriaSettings(smoothing=0.2))


@pytest.mark.parametrize("name", ["smoothing", "least_diameter", "threshold"])
def test_settings_are_positive(name) -> None:
    with pytest.raises(MeasurementError, match=name):
        MitochondriaSettings(**{name: 0.0})


def test_unusable_pixels_are_refused() -> None:
    with pytest.raises(MeasurementError, match="neither"):
        segment_mitochondria(np.zeros((2, 2, 2, 2)), None)
    with pytest.raises(ImageContentError):
        segment_nuclei(np.array([[np.nan, 1], [2, 3]]), None)


def test_the_input_is_left_alone_and_progress_ends_when_told(picture) -> None:
    before = picture.copy()
    heard: list[str] = []
    segment_mitochondria(picture, SIZE, progress=Progress(lambda done, total, text: heard.append(text)))
    assert np.array_equal(picture, before)
    assert set(heard) == {"removing background", "thresholding"}
    with pytest.raises(MeasurementCancelled):
        segment_mitochondria(picture, SIZE, progress=Progress(should_stop=lambda: True))


def test_small_objects_are_left_out_and_numbers_have_no_gaps() -> None:
    mask = np.zeros((10, 20), bool)
    mask[1, 1] = mask[5:8, 5:8] = mask[4, 8] = mask[2:4, 15:18] = True
    assert label_objects(mask, Voxels.of(None, 2)).max() == 3
    labels = label_objects(mask, Voxels.of(None, 2), least_diameter=2.0)
    assert labels.max() == 2
    assert labels[1, 1] == 0
    assert labels[4, 8] == labels[5, 7]  # they touch by a corner
