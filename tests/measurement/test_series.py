"""Fissions, fusions and speed of an image, with what is known of each number."""

from __future__ import annotations

import numpy as np
import pytest

from napari_mito_predict import from_array, measure
from napari_mito_predict._tables import read_table
from napari_mito_predict.errors import MeasurementError, NoSeriesError
from napari_mito_predict.measurement import (
    DYNAMICS_MEASURES,
    DynamicsSettings,
    Measurements,
    MeasureSettings,
    Origin,
    Structure,
    judge_dynamics,
    measure_dynamics,
    write_tables,
)
from napari_mito_predict.report.measurement.page import render

SIZE = (None, 0.1, 0.1)
CUT_AT = 1
"""First frame in which the upper tubule is two."""


@pytest.fixture(scope="module")
def movie() -> np.ndarray:
    """Three frames of (48, 64) pixels with two tubules, one of which divides."""
    frames = np.full((3, 48, 64), 10, np.uint16)
    frames[:, 12:16, 6:58] = 200
    frames[:, 32:36, 6:40] = 150
    frames[CUT_AT:, 12:16, 28:35] = 10
    return frames


def image_of(pixels: np.ndarray, step_s: float | None = 6.0, channel: str = "TMRM"):
    axes = "TYX"[-pixels.ndim :]
    return from_array(
        pixels, axes=axes, channel_names=[channel], voxel_size_um=SIZE, time_step_s=step_s, name="cells.tif"
    )


@pytest.fixture(scope="module")
def found(movie) -> Measurements:
    return measure(image_of(movie), dynamics=True)


def test_a_series_gives_what_its_labels_and_pixels_give(movie) -> None:
    labels = []
    found = measure(
        image_of(movie), dynamics=True, on_labels=lambda t, all_: labels.append(all_[Structure.MITOCHONDRIA])
    )
    alone = measure_dynamics(labels, SIZE[1:], 6.0, pixels=movie)
    table = found.dynamics.frames
    for name, column in (("fissions", "fissions"), ("speed", "speed_um_per_s"), ("pcc_first", "pcc_first")):
        rows = table[table["measure"] == name]
        np.testing.assert_array_equal(rows["value"].to_numpy(), alone.frames[column].to_numpy(float))
        assert rows["t"].tolist() == [0, 1, 2]
        assert rows["time_s"].tolist() == [0, 6, 12]
    summary = found.dynamics.series.set_index("measure")["value"]
    assert summary["fissions_per_min"] == pytest.approx(1 / ((2 + 3) * 6 / 60))
    assert summary["speed"] == alone.summary["speed_um_per_s"]


def test_an_event_has_its_labels_place_and_verdict(found) -> None:
    (event,) = found.dynamics.events.to_dict("records")
    assert (event["image"], event["kind"], event["t"], event["time_s"]) == ("cells", "fission", CUT_AT, 6.0)
    assert (event["y_um"], event["x_um"]) == pytest.approx((1.35, 3.1), abs=0.2)
    assert (event["predicted_by"], event["verdict"], event["why"]) == ("", "recorded", "")
    objects = found.objects[Structure.MITOCHONDRIA]
    assert {event["part_1"], event["part_2"]} <= set(objects[objects["t"] == CUT_AT]["label"])


def test_every_measure_is_in_a_table_with_its_unit(found) -> None:
    rows = [*found.dynamics.series.to_dict("records"), *found.dynamics.frames.to_dict("records")]
    assert {row["measure"] for row in rows} == {measure.name for measure in DYNAMICS_MEASURES}
    units = {row["measure"]: row["unit"] for row in rows}
    assert (units["speed"], units["displacement"], units["fissions_per_min"]) == ("µm/s", "µm", "1/min")
    assert {row["verdict"] for row in rows} == {"recorded"}


def test_tables_of_a_series_are_written_beside_the_others(found, movie, tmp_path) -> None:
    quiet = measure(image_of(movie[:1].repeat(2, axis=0)), dynamics=True)
    written = write_tables([quiet, found], tmp_path / "t.csv", objects=False)
    assert [path.name for path in written] == ["t.csv", "t_series.csv", "t_frames.csv", "t_events.csv"]
    assert [row["kind"] for row in read_table(tmp_path / "t_events.csv")] == ["fission"]
    write_tables([quiet], tmp_path / "t.csv", objects=False)
    assert read_table(tmp_path / "t_events.csv") == []


def test_the_report_has_the_dynamics(found, movie) -> None:
    assert "Fissions, fusions and movement" in render([found])
    assert "Fissions, fusions and movement" not in render([measure(image_of(movie))])


# ------------------------------------------------------------------------------------------ what cannot be
def test_without_being_asked_nothing_is_followed(movie) -> None:
    assert measure(image_of(movie)).dynamics is None


@pytest.mark.parametrize(
    ("frames", "channel", "message"),
    [(1, "TMRM", r"cells\.tif has one time point"), (3, "DAPI", "only nuclei and nucleoids are measured")],
)
def test_what_is_no_series_of_mitochondria_is_refused(movie, frames: int, channel: str, message: str) -> None:
    with pytest.raises(NoSeriesError, match=message):
        measure(image_of(movie[:frames], channel=channel), dynamics=True)


def test_an_unknown_time_step_is_said_and_can_be_stated(movie) -> None:
    unknown = measure(image_of(movie, None), dynamics=True)
    assert "time-step-unknown" in {finding.code for finding in unknown.findings}
    values = unknown.dynamics.series.set_index("measure")["value"]
    assert values["fissions"] == 1
    assert values[["speed", "fissions_per_min"]].isna().all()
    stated = measure(image_of(movie, None), dynamics=True, time_step_s=3.0)
    assert not stated.findings
    assert stated.time_step_s == 3.0
    assert stated.dynamics.events["time_s"].tolist() == [3.0]
    with pytest.raises(MeasurementError, match="larger than 0"):
        measure(image_of(movie), dynamics=True, time_step_s=0.0)


# ------------------------------------------------------------------------------------------ verdicts
@pytest.mark.parametrize(
    ("origin", "dimensions", "verdict", "why"),
    [
        pytest.param(Origin(), 3, "recorded", "", id="recording"),
        pytest.param(
            Origin("mito-z", simulated=True),
            3,
            "not supported",
            "simulated series that it never saw, 12",
            id="simulated",
        ),
        pytest.param(Origin("mito-z"), 3, "not supported", "not even on simulated cells: ", id="real"),
        pytest.param(Origin("mito-z"), 2, "not tested", "nobody tested", id="in planes, tested in stacks"),
        pytest.param(Origin("mito-t"), 2, "not supported", "not even on simulated cells: ", id="in planes"),
        pytest.param(Origin("dna-z"), 3, "not tested", "nobody tested", id="another model"),
        pytest.param(Origin("gone"), 3, "not tested", "is not here", id="no such model"),
        pytest.param(Origin("mito-t", weights_sha256="0" * 64), 2, "not tested", "other weights", id="other weights"),
        pytest.param(Origin("mito-t", default_settings=False), 2, "not tested", "other settings", id="other settings"),
    ],
)
def test_verdicts_of_dynamics_are_those_of_the_card(origin: Origin, dimensions: int, verdict: str, why: str) -> None:
    found = judge_dynamics(origin, dimensions)
    assert set(found) == {measure.name for measure in DYNAMICS_MEASURES}
    for name in ("fissions", "fusions_per_min", "speed", "pcc_first"):
        assert found[name].verdict == verdict
        assert why in found[name].why


def test_settings_of_dynamics_are_used_and_told(movie) -> None:
    settings = MeasureSettings(dynamics=DynamicsSettings(least_diameter=3.0))
    found = measure(image_of(movie), dynamics=True, settings=settings)
    assert found.dynamics.events.empty, "nothing is as large"
    assert found.dynamics.settings.least_diameter == 3.0
    assert "Over time (not all of it the defaults): Optical flow" in render([found])


# ------------------------------------------------------------------------------------------ end to end
def test_a_fission_of_a_simulated_recording_is_found() -> None:
    pytest.importorskip("waveorder", reason="the simulator's optics: pip install napari-mito-predict[simulate]")
    from napari_mito_predict.simulation import Dynamics, simulate_series

    often = Dynamics(fissions_per_min=2.0, fusions_per_min=0.0, apart_um=0.4)
    movie = simulate_series(7, frames=3, step_s=20.0, shape_yx=(96, 96), planes=10, dynamics=often)
    (true,) = [event for event in movie.dynamics.events() if event["in_view"]]
    recorded = from_array(
        movie.data[1],
        axes="TZYX",
        channel_names=["TMRM"],
        voxel_size_um=movie.voxel_size_um,
        time_step_s=movie.time_step_s,
    )
    (event,) = measure(recorded, dynamics=True).dynamics.events.to_dict("records")
    assert (event["kind"], event["t"]) == (true["kind"], true["frame"])
    away = [event[axis] - true[axis] for axis in ("z_um", "y_um", "x_um")]
    assert np.linalg.norm(away) < 1.5
