"""Numbers of a series: counts, lengths, movement, correlation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, shift

from napari_mito_predict.errors import MeasurementCancelled, MeasurementError
from napari_mito_predict.evaluation import pcc
from napari_mito_predict.measurement import DynamicsSettings, Progress, measure_dynamics

SPACING = (0.2, 0.1, 0.1)


@pytest.fixture(scope="module")
def blobs() -> np.ndarray:
    """A smooth image of (64, 64) pixels from 0 to 1."""
    spots = np.zeros((64, 64))
    rng = np.random.default_rng(0)
    spots[rng.integers(12, 52, 25), rng.integers(12, 52, 25)] = 1
    smooth = gaussian_filter(spots, 2.5)
    return smooth / smooth.max()


def _labels(image: np.ndarray) -> np.ndarray:
    from scipy.ndimage import label

    return label(image > 0.3)[0]


@pytest.mark.parametrize("way", [(1.0, 0.0), (0.6, -0.8), (-2.0, 1.5)])
def test_a_shift_has_the_speed_of_the_shift(blobs: np.ndarray, way: tuple[float, float]) -> None:
    movie = [shift(blobs, np.multiply(frame, way), order=3) for frame in range(3)]
    found = measure_dynamics([_labels(frame) for frame in movie], (0.2, 0.2), 4.0, pixels=movie)
    expected = 0.2 * np.hypot(*way)
    assert found.frames["displacement_um"][1:].to_numpy() == pytest.approx(expected, rel=0.06)
    assert found.summary["speed_um_per_s"] == pytest.approx(expected / 4, rel=0.06)
    assert not len(found.events)


def test_pixels_that_are_not_square_give_true_ways(blobs: np.ndarray) -> None:
    movie = [blobs, shift(blobs, (1.0, 0.0), order=3)]
    found = measure_dynamics([_labels(frame) for frame in movie], (0.3, 0.1), 1.0, pixels=movie)
    assert found.frames["displacement_um"][1] == pytest.approx(0.3, rel=0.1)


def test_nothing_happens_in_a_still_series(blobs: np.ndarray) -> None:
    labels = np.stack([_labels(blobs)] * 3)
    found = measure_dynamics(labels, (0.1, 0.1), 5.0, pixels=np.stack([blobs] * 3))
    assert found.frames["displacement_um"][1:].tolist() == [0, 0]
    assert found.frames["pcc_previous"][1:].to_numpy() == pytest.approx(1)
    assert found.frames["pcc_first"].to_numpy() == pytest.approx(1)
    assert not len(found.events)
    assert found.summary["fissions_per_min"] == found.summary["fusions_per_min"] == 0
    assert np.isnan(found.summary["pcc_half_time"])


def test_a_stack_is_measured_in_space_and_its_planes_move_in_the_plane() -> None:
    first = np.zeros((7, 32, 48), int)
    first[2:5, 10:14, 4:44] = 5
    second = np.roll(first, 1, axis=1)
    second[:, :, 20:26] = 0
    second[:, :, 26:][second[:, :, 26:] > 0] = 2
    found = measure_dynamics([first, second], SPACING, 10.0)
    assert found.frames["count"].tolist() == [1, 2]
    assert found.frames["mean_length_um"][0] == pytest.approx(3.7, abs=0.3), "40 voxels, less a radius at each end"
    (event,) = found.events.to_dict("records")
    assert (event["kind"], event["frame"], event["time_s"], event["whole"]) == ("fission", 1, 10.0, 5)
    assert (event["z_um"], event["y_um"], event["x_um"]) == pytest.approx((0.6, 1.25, 2.25), abs=0.06)
    assert found.summary["fissions_per_min"] == pytest.approx(6)


def test_rates_are_for_each_object_and_minute() -> None:
    frame = np.zeros((48, 48), int)
    for number in range(4):
        frame[4 + 10 * number : 8 + 10 * number, 4:44] = number + 1
    cut = frame.copy()
    cut[:10, 20:26] = 0
    cut[:10, 26:][cut[:10, 26:] > 0] = 9
    found = measure_dynamics([frame, frame, cut], (0.1, 0.1), 15.0)
    assert found.summary["fissions_per_min"] == pytest.approx(1 / (8 * 15 / 60))


def test_correlation_falls_off_from_the_first_frame(blobs: np.ndarray) -> None:
    movie = [shift(blobs, (4 * frame, 0), order=1) for frame in range(4)]
    found = measure_dynamics([_labels(frame) for frame in movie], (0.1, 0.1), 3.0, pixels=movie)
    decay = found.frames["pcc_first"].to_numpy()
    assert decay == pytest.approx([pcc(frame, movie[0]) for frame in movie])
    assert (np.diff(decay) < 0).all()
    below = found.frames["time_s"][decay < 0.5].min()
    assert found.summary["pcc_half_time"] == below


def test_without_sizes_and_times_numbers_are_in_pixels_and_frames(blobs: np.ndarray) -> None:
    movie = [blobs, shift(blobs, (1.0, 0.0), order=3)]
    found = measure_dynamics([_labels(frame) for frame in movie], None, None, pixels=movie)
    assert found.frames["displacement_px"][1] == pytest.approx(1, rel=0.06)
    assert found.frames[["time_s", "speed_px_per_s"]].isna().all(axis=None)
    assert np.isnan(found.summary["fissions_per_min"])


def test_frames_without_objects_are_no_error() -> None:
    found = measure_dynamics(np.zeros((3, 16, 16), int), (0.1, 0.1), 1.0)
    assert found.frames["count"].tolist() == [0, 0, 0]
    assert found.frames["mean_length_um"].isna().all()


def test_labels_are_not_changed_and_taken_one_by_one(blobs: np.ndarray) -> None:
    labels = _labels(blobs)
    labels.setflags(write=False)
    taken = []

    def frames():
        for number in range(3):
            taken.append(number)
            yield labels

    told = []
    progress = Progress(on_progress=lambda done, total, _: told.append((done, total, len(taken))))
    measure_dynamics(frames(), (0.1, 0.1), 1.0, total=3, progress=progress)
    assert told == [(0, 3, 1), (1, 3, 2), (2, 3, 3)]


def test_it_stops_when_it_is_told_to(blobs: np.ndarray) -> None:
    asked = iter([False, True])
    with pytest.raises(MeasurementCancelled):
        measure_dynamics([_labels(blobs)] * 3, (0.1, 0.1), 1.0, progress=Progress(should_stop=lambda: next(asked)))


FRAME = np.ones((8, 8), int)


@pytest.mark.parametrize(
    ("labels", "given", "message"),
    [
        ([], {}, "no frame"),
        ([FRAME, FRAME[:4]], {}, r"frame 1 has the shape \(4, 8\)"),
        ([FRAME], {"pixels": [FRAME, FRAME]}, "frame 1 has no labels"),
        ([FRAME, FRAME], {"pixels": [FRAME * 1.0]}, "frame 1 has no pixels"),
        ([FRAME], {"pixels": [FRAME[:4]]}, "labels of"),
        ([FRAME], {"step_s": 0.0}, "larger than 0"),
        ([FRAME], {"voxel_size_um": None, "settings": DynamicsSettings(near=2.0)}, "micrometres"),
    ],
)
def test_what_cannot_be_measured_is_said(labels: list[np.ndarray], given: dict, message: str) -> None:
    arguments = {"voxel_size_um": (0.1, 0.1), "step_s": 1.0, **given}
    with pytest.raises(MeasurementError, match=message):
        measure_dynamics(labels, **arguments)
