"""Fissions and fusions from labels that overlap."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import label

from napari_mito_predict.measurement.dynamics import measure_dynamics
from napari_mito_predict.measurement.overlaps import ObjectEvent, events_between, lasting
from napari_mito_predict.measurement.settings import DynamicsSettings
from napari_mito_predict.measurement.voxels import Voxels

UM = Voxels((0.1, 0.1), "um")
STILL = (np.zeros((2, 40, 48), np.float32),) * 2
SETTINGS = DynamicsSettings(lasting=1)
ROWS = 4


def _rods(cut: np.ndarray) -> np.ndarray:
    """Rods one below the other, in each of which some may be cut in two; (ROWS,) to labels (40, 48)."""
    mask = np.zeros((40, 48), bool)
    for row, is_cut in enumerate(cut):
        mask[10 * row + 2 : 10 * row + 6, 4:44] = True
        if is_cut:
            mask[10 * row + 2 : 10 * row + 6, 20:26] = False
    return label(mask)[0]


def _between(before: np.ndarray, after: np.ndarray) -> list[ObjectEvent]:
    return events_between(before, after, STILL, UM, 1, SETTINGS)


def test_a_rod_that_is_cut_divides_where_it_is_cut() -> None:
    before = _rods(np.array([False, False]))
    after = _rods(np.array([False, True]))
    (event,) = _between(before, after)
    assert (event.kind, event.frame) == ("fission", 1)
    assert event.whole == before[13, 10]
    assert set(event.parts) == {after[13, 10], after[13, 40]}
    assert event.place == pytest.approx((1.35, 2.25), abs=0.06)
    (undone,) = _between(after, before)
    assert (undone.kind, undone.place, undone.parts) == ("fusion", event.place, event.parts)


def test_three_parts_are_two_events() -> None:
    before = _rods(np.array([False]))
    after = before.copy()
    after[:, 14:18] = 0
    after[:, 28:32] = 0
    events = _between(before, label(after)[0])
    assert [event.kind for event in events] == ["fission", "fission"]
    assert sorted(event.place[1] for event in events) == pytest.approx([1.55, 2.95], abs=0.06)


def test_what_is_small_or_hardly_shares_anything_is_no_part() -> None:
    before = _rods(np.array([False]))
    crumb = before.copy()
    crumb[:, 40:42] = 0
    assert not _between(before, label(crumb)[0])
    neighbour = before.copy()
    neighbour[5:15, 10:20] = 2
    assert not _between(before, neighbour)


def test_another_object_that_moved_close_is_no_part() -> None:
    before = np.zeros((40, 48), int)
    before[10:14, 4:30] = 1
    before[10:14, 33:43] = 2
    after = np.zeros_like(before)
    after[10:14, 4:22] = 1
    after[10:14, 24:34] = 2
    assert not _between(before, after)


def test_a_drift_wider_than_a_rod_is_followed() -> None:
    before = np.zeros((40, 48), int)
    before[10:14, 4:44] = 1
    after = np.zeros_like(before)
    after[16:20, 4:20] = 1
    after[16:20, 26:44] = 2
    assert not _between(before, after), "without the flow"
    there = np.zeros((2, 40, 48), np.float32)
    there[0] = 6
    (event,) = events_between(before, after, (there, -there), UM, 1, SETTINGS)
    assert event.kind == "fission"


def _event(kind: str, frame: int, x: float) -> ObjectEvent:
    return ObjectEvent(kind, frame, (0.0, x), 1, (2, 3))


def test_what_is_undone_at_once_at_the_same_place_is_flicker() -> None:
    events = [
        _event("fission", 1, 0.0),
        _event("fusion", 2, 0.5),
        _event("fission", 3, 9.0),
        _event("fusion", 4, 5.0),
        _event("fission", 5, 2.0),
        _event("fusion", 8, 2.0),
    ]
    assert lasting(events, 3, 1.0) == events[2:]
    assert lasting(events, 4, 1.0) == events[2:4]
    assert lasting(events, 1, 1.0) == events


def test_the_pair_nearest_in_time_goes_first() -> None:
    events = [_event("fission", 1, 0.0), _event("fusion", 3, 0.0), _event("fission", 4, 0.0)]
    assert lasting(events, 4, 1.0) == events[:1]


STATES = arrays(bool, st.tuples(st.integers(2, 5), st.just(ROWS)))


@settings(max_examples=6, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(states=STATES, backwards=st.booleans(), first=st.integers(0, 1000))
def test_every_cut_and_join_of_a_series_is_counted(states: np.ndarray, backwards: bool, first: int) -> None:
    if backwards:
        states = states[::-1]
    frames = [_rods(state) for state in states]
    # Any numbers do, and others in every frame.
    frames = [np.where(frame > 0, first + (frame * 7 + number) % 61 + 1, 0) for number, frame in enumerate(frames)]
    found = measure_dynamics(frames, (0.1, 0.1), 2.0, settings=SETTINGS)
    change = np.diff(states.astype(int), axis=0)
    assert found.frames["fissions"].tolist() == [0, *(change > 0).sum(axis=1)]
    assert found.frames["fusions"].tolist() == [0, *(change < 0).sum(axis=1)]
    assert found.frames["count"].tolist() == (ROWS + states.sum(axis=1)).tolist()
    assert found.summary["balance"] == states[-1].sum() - states[0].sum()
