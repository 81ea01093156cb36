"""Fissions and fusions in simulated series."""

from __future__ import annotations

import numpy as np
import pytest

from napari_mito_predict._tables import read_table
from napari_mito_predict.errors import OutputExistsError, SimulationError
from napari_mito_predict.simulation import (
    Conditions,
    Dynamics,
    Job,
    SimulatedImage,
    binned,
    events_path,
    read_provenance,
    simulate_files,
    simulate_series,
)
from napari_mito_predict.simulation.cell import draw_cell
from napari_mito_predict.simulation.drawn_events import draw_history
from napari_mito_predict.simulation.history import History, with_room
from napari_mito_predict.simulation.label_balls import label_balls
from napari_mito_predict.simulation.network import Network
from napari_mito_predict.simulation.shapes import Grid

OFTEN = Dynamics(0.3, 0.3)
DURATION_S = 240.0


def _history(seed: int, dynamics: Dynamics = OFTEN, size_um: float = 14.0) -> History:
    cell, nucleoids = with_room(
        draw_cell(np.random.default_rng(seed), ((0.0, 0.0), (size_um, size_um))), dynamics.apart_um
    )
    return draw_history(np.random.default_rng((seed, 2)), cell.mitochondria, nucleoids, dynamics, DURATION_S)


@pytest.fixture(scope="module")
def histories() -> list[History]:
    return [_history(seed) for seed in range(3)]


def _kinds(history: History) -> list[tuple[str, float]]:
    return [(change.event.kind, change.event.time_s) for change in history.changes]


def _points(history: History, number: int, time_s: float) -> np.ndarray:
    return history.mitochondria(time_s).points[history.objects_at(time_s) == number]


def _gap(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.linalg.norm(first[:, None] - second[None], axis=2).min())


def test_a_seed_gives_the_same_events_and_another_one_others(histories: list[History]) -> None:
    assert _kinds(_history(6)) == _kinds(_history(6))
    assert _kinds(_history(6)) != _kinds(histories[0])


def test_nothing_happens_at_a_rate_of_none() -> None:
    history = _history(6, Dynamics(0, 0))
    assert not history.changes
    np.testing.assert_array_equal(history.mitochondria(200.0).points, history.start.points)


def test_both_kinds_happen_about_as_often_as_asked_for() -> None:
    history = _history(1, Dynamics(0.1, 0.1), size_um=40.0)
    expected = 0.1 * len(np.unique(history.objects[0])) * DURATION_S / 60
    kinds = [kind for kind, _ in _kinds(history)]
    assert expected > 50
    assert 0.5 * expected < kinds.count("fission") < 1.3 * expected
    assert 0.3 * expected < kinds.count("fusion") < 1.3 * expected


def test_every_event_ends_and_begins_the_objects_that_it_names(histories: list[History]) -> None:
    for history in histories:
        assert history.changes
        for change, before, after in zip(history.changes, history.objects[:-1], history.objects[1:], strict=True):
            event = change.event
            gone, come = {event.whole}, set(event.parts)
            if event.kind == "fusion":
                gone, come = come, gone
            assert set(before) - set(after) == gone
            assert set(after) - set(before) == come


def test_objects_are_the_connected_parts_of_the_network(histories: list[History]) -> None:
    start = histories[0].start
    network = Network(start)
    assert network.degree().sum() == 2 * (len(start.points) - len(start.potential)), "no loops, and nothing loose"
    for number in range(len(start.potential)):
        balls = np.flatnonzero(start.owner == number)
        assert set(network.reached(int(balls[0]))) == set(balls.tolist())


def test_the_ends_of_a_fission_retract(histories: list[History]) -> None:
    fissions = [(h, c.event) for h in histories for c in h.changes if c.event.kind == "fission"]
    assert len(fissions) > 5
    for history, event in fissions:
        change = next(c for c in history.changes if c.event is event)
        moved = history.mitochondria(event.time_s + 60).points[change.balls]
        sides = np.flatnonzero(np.diff(change.distance) < 0)
        assert len(sides) == 1, "two sides, each from its end outwards"
        first, second = np.split(moved, [sides[0] + 1])
        assert 0.4 < _gap(first, second) < 1.3, "1 um along a straight tubule, less if it bends"
        before = history.mitochondria(event.time_s).points[change.balls]
        assert _gap(*np.split(before, [sides[0] + 1])) < 0.2
        assert np.linalg.norm(event.place - before[[0, sides[0] + 1]].mean(axis=0)) < 1e-6


def test_a_tubule_is_constricted_before_it_divides(histories: list[History]) -> None:
    history = histories[0]
    change = next(c for c in history.changes if c.event.kind == "fission" and c.event.time_s > 60)
    neck = change.balls[0]
    radius = [history.mitochondria(change.event.time_s + since).radius[neck] for since in (-40, -10, 0, 60)]
    assert radius[0] == history.start.radius[neck] > radius[1] > radius[2]
    assert radius[3] == pytest.approx(radius[0], rel=0.01)


def test_an_end_reaches_what_it_fuses_with(histories: list[History]) -> None:
    fusions = [(h, c) for h in histories for c in h.changes if c.event.kind == "fusion"]
    assert len(fusions) > 5
    for history, change in fusions:
        event = change.event
        if event.time_s < 25:
            continue
        tip = change.balls[np.argmin(change.distance)]
        now = history.mitochondria(event.time_s).points[tip]
        early = history.mitochondria(event.time_s - 21).points[tip]
        np.testing.assert_allclose(now, event.place, atol=1e-6)
        assert 0.3 < np.linalg.norm(early - event.place) <= 1.2 + 1e-6
        just_before = event.time_s - 1e-6
        assert _gap(_points(history, event.parts[0], just_before), _points(history, event.parts[1], just_before)) < 0.2


def test_mitochondria_lie_apart() -> None:
    cell = draw_cell(np.random.default_rng(4), ((0.0, 0.0), (14.0, 14.0)))
    roomy, nucleoids = with_room(cell, 0.3)
    mitochondria = roomy.mitochondria
    assert 5 < len(mitochondria.potential) < len(cell.mitochondria.potential)
    gaps = np.linalg.norm(mitochondria.points[:, None] - mitochondria.points[None], axis=2)
    gaps -= mitochondria.radius[:, None] + mitochondria.radius[None]
    other = mitochondria.owner[:, None] != mitochondria.owner[None]
    assert gaps[other].min() >= 0.3
    np.testing.assert_allclose(mitochondria.points[nucleoids], roomy.nucleoids.points, atol=1e-9)


@pytest.mark.parametrize("settings", [(-0.1, 0, 0), (0, float("nan"), 0), (0, 0, float("inf"))])
def test_impossible_settings_are_refused(settings: tuple[float, float, float]) -> None:
    with pytest.raises(SimulationError, match="finite number that is not negative"):
        Dynamics(*settings)


def test_labels_are_those_of_the_nearest_ball() -> None:
    rng = np.random.default_rng(0)
    grid = Grid((5, 12, 14), (0.3, 0.1, 0.1), (0.0, 0.0, 0.0))
    points = rng.uniform(-0.2, 1.5, (20, 3))
    radius = rng.uniform(0.1, 0.4, 20)
    labels = rng.integers(1, 6, 20)
    voxels = np.stack(np.meshgrid(*grid.axes(), indexing="ij"), axis=-1)
    relative = np.linalg.norm(voxels[..., None, :] - points, axis=-1) / radius
    expected = np.where(relative.min(axis=-1) < 1, labels[relative.argmin(axis=-1)], 0)
    np.testing.assert_array_equal(label_balls(grid, points, radius, labels), expected)


@pytest.fixture(scope="module")
def series() -> SimulatedImage:
    pytest.importorskip("waveorder", reason="the simulator's optics: pip install napari-mito-predict[simulate]")
    return simulate_series(0, frames=3, step_s=30.0, shape_yx=(64, 64), planes=16, dynamics=Dynamics(1.0, 1.0, 0.0))


def test_labels_are_where_the_image_is_bright(series: SimulatedImage) -> None:
    assert series.data.shape == (3, 3, 16, 64, 64)
    for frame, image in enumerate(series.truth.mitochondria):
        labels = series.dynamics.labels(frame)
        assert labels.shape == image.shape
        assert image[labels > 0].mean() > 2.5 * image[labels == 0].mean()


def test_events_say_when_and_where(series: SimulatedImage) -> None:
    events = series.dynamics.events()
    assert {event["kind"] for event in events} == {"fission", "fusion"}
    assert [event["time_s"] for event in events] == sorted(event["time_s"] for event in events)
    assert any(event["in_view"] for event in events)
    for event in events:
        assert event["frame"] == int(np.ceil(event["time_s"] / 30))
        objects = (series.dynamics.axes(event["frame"] - 1)[2], series.dynamics.axes(event["frame"])[2])
        points, _, _ = series.dynamics.axes(event["frame"])
        place = np.array([event["z_um"], event["y_um"], event["x_um"]])
        assert np.linalg.norm(points - place, axis=1).min() < 3
        whole = objects[0] if event["kind"] == "fission" else objects[1]
        later = [other for other in events if event["whole"] in (other["part_1"], other["part_2"], other["whole"])]
        assert event["whole"] in whole or len(later) > 1


def test_binned_labels_have_the_shape_of_the_image(series: SimulatedImage) -> None:
    coarse = binned(series, 2)
    assert coarse.dynamics.labels(0).shape == coarse.data.shape[2:] == (16, 32, 32)
    fine = series.dynamics.labels(0)
    assert np.mean(coarse.dynamics.labels(0) > 0) == pytest.approx(np.mean(fine > 0), rel=0.1)
    assert coarse.dynamics.events()[0]["y_um"] == pytest.approx(series.dynamics.events()[0]["y_um"] - 0.055)


def test_one_plane_of_a_wide_field_has_the_labels_of_its_image() -> None:
    pytest.importorskip("waveorder", reason="the simulator's optics: pip install napari-mito-predict[simulate]")
    wide = simulate_series(3, frames=2, step_s=60.0, shape_yx=(48, 560), dynamics=OFTEN)
    assert wide.data.shape == (3, 2, 1, 48, 560)
    labels = wide.dynamics.labels(1)
    image = wide.truth.mitochondria[1]
    assert labels.shape == image.shape
    assert image[labels > 0].mean() > 2 * image[labels == 0].mean()
    assert wide.dynamics.events()


def test_a_file_has_a_table_of_its_events(tmp_path) -> None:
    pytest.importorskip("waveorder", reason="the simulator's optics: pip install napari-mito-predict[simulate]")
    pytest.importorskip("pylibCZIrw", reason="the writer of CZI files")
    path = tmp_path / "cell.czi"
    job = Job(path, 3, Conditions.matched(), (3, 32, 32), step_s=30.0, dynamics=Dynamics(3.0, 3.0))
    assert list(simulate_files([job])) == [path]
    rows = read_table(events_path(path))
    assert rows
    assert {"kind", "time_s", "y_um", "in_view"} <= set(rows[0])
    assert read_provenance(path)["dynamics"] == Dynamics(3.0, 3.0).to_json()
    assert list(simulate_files([job])) == [path], "kept"
    without = Job(path, 3, Conditions.matched(), (3, 32, 32), step_s=30.0)
    with pytest.raises(OutputExistsError, match="dynamics"):
        list(simulate_files([without]))
