from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from napari_mito_predict.errors import OutputExistsError, UnreadableImageError, UnwritableOutputError
from napari_mito_predict.simulation import (
    Conditions,
    Job,
    SimulatedImage,
    conditions_for,
    czi,
    read_provenance,
    simulate_files,
    simulate_series,
    write_czi,
)

pytest.importorskip("waveorder", reason="the simulator's optics: pip install napari-mito-predict[simulate]")
pyczi = pytest.importorskip("pylibCZIrw.czi", reason="pip install napari-mito-predict[simulate]")

SEED, SHAPE = 3, (16, 64, 64)  # of the fixture `stack`


def test_stack_comes_back_as_it_was(stack: SimulatedImage, tmp_path: Path) -> None:
    path = tmp_path / "Zelle µ 1.czi"
    write_czi(path, stack)
    with pyczi.open_czi(str(path)) as document:
        assert document.total_bounding_box["Z"] == (0, SHAPE[0])
        assert document.total_bounding_box["C"] == (0, 3)
        for channel in range(3):
            plane = document.read(plane={"T": 0, "Z": 5, "C": channel})[..., 0]
            np.testing.assert_array_equal(plane, stack.data[channel, 0, 5])
        information = document.metadata["ImageDocument"]["Metadata"]
    names = [c["@Name"] for c in information["Information"]["Image"]["Dimensions"]["Channels"]["Channel"]]
    assert names == ["ESID-T1", "TMRM-T1", "SYBR Gold-T2"]
    metres = {item["@Id"]: float(item["Value"]) for item in information["Scaling"]["Items"]["Distance"]}
    assert metres == pytest.approx({"X": 0.11e-6, "Y": 0.11e-6, "Z": 0.15e-6})
    assert list(tmp_path.iterdir()) == [path], "no temporary file may stay"


def test_file_says_that_it_is_simulated(stack: SimulatedImage, tmp_path: Path) -> None:
    write_czi(tmp_path / "a.czi", stack)
    found = read_provenance(tmp_path / "a.czi")
    assert found["simulated_by"] == "napari-mito-predict"
    assert found["seed"] == SEED
    assert "time_step_s" not in found
    assert json.loads(str(found["conditions"]))["wavelength_um"] == stack.conditions.wavelength_um


def test_series_keeps_its_time_step(tmp_path: Path) -> None:
    series = simulate_series(SEED, Conditions.matched(), frames=2, step_s=2.5, shape_yx=(48, 64))
    write_czi(tmp_path / "series.czi", series)
    assert read_provenance(tmp_path / "series.czi")["time_step_s"] == 2.5
    with pyczi.open_czi(str(tmp_path / "series.czi")) as document:
        assert document.total_bounding_box["T"] == (0, 2)
        plane = document.read(plane={"T": 1, "Z": 0, "C": 1})[..., 0]
    np.testing.assert_array_equal(plane, series.data[1, 1, 0])


def test_missing_folder_is_named(stack: SimulatedImage, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder", encoding="utf-8")
    with pytest.raises(UnwritableOutputError, match=r"a\.czi"):
        write_czi(blocked / "a.czi", stack)


def test_not_a_czi_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.czi").write_bytes(b"no CZI at all" * 100)
    with pytest.raises(UnreadableImageError, match=r"a\.czi"):
        read_provenance(tmp_path / "a.czi")


def _jobs(folder: Path, count: int) -> list[Job]:
    return [Job(folder / f"cell_{i}.czi", i, conditions_for(i, photons=500), (8, 48, 48)) for i in range(count)]


def test_files_that_are_there_are_kept(tmp_path: Path) -> None:
    jobs = _jobs(tmp_path / "new", 2)
    assert list(simulate_files(jobs[:1])) == [jobs[0].path]
    before = jobs[0].path.stat().st_mtime_ns
    assert list(simulate_files(jobs)) == [job.path for job in jobs]
    assert jobs[0].path.stat().st_mtime_ns == before


def test_processes_write_the_same_files(tmp_path: Path) -> None:
    alone, together = _jobs(tmp_path / "alone", 2), _jobs(tmp_path / "together", 2)
    list(simulate_files(alone))
    assert sorted(simulate_files(together, processes=2)) == [job.path for job in together]
    for one, other in zip(alone, together, strict=True):
        with pyczi.open_czi(str(one.path)) as a, pyczi.open_czi(str(other.path)) as b:
            plane = {"T": 0, "Z": 4, "C": 1}
            np.testing.assert_array_equal(a.read(plane=plane), b.read(plane=plane))


def test_files_of_another_request_are_not_taken_for_ours(tmp_path: Path) -> None:
    (job,) = _jobs(tmp_path, 1)
    list(simulate_files([job]))
    noisier = dataclasses.replace(job, conditions=dataclasses.replace(job.conditions, photons=100))
    with pytest.raises(OutputExistsError, match="conditions"):
        list(simulate_files([noisier]))


@pytest.mark.parametrize(("step_s", "accepted"), [(None, True), (2.5, False)], ids=["stack", "series"])
def test_only_a_series_of_version_1_has_other_pixels(
    step_s: float | None, accepted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = Job(tmp_path / "cell.czi", SEED, Conditions.matched(), (3, 32, 32), step_s)
    monkeypatch.setattr(czi, "SIMULATOR_VERSION", 1)
    list(simulate_files([job]))
    if accepted:
        assert list(simulate_files([job])) == [job.path]
    else:
        with pytest.raises(OutputExistsError, match="simulator_version"):
            list(simulate_files([job]))


@pytest.mark.parametrize("randomise", [False, True])
def test_conditions_follow_the_seed_and_what_is_asked(randomise: bool) -> None:
    drawn = conditions_for(7, randomise=randomise)
    assert conditions_for(7, randomise=randomise) == drawn
    asked = conditions_for(7, randomise=randomise, flip_z=True, photons=100)
    assert asked == dataclasses.replace(drawn, flip_z=not drawn.flip_z, photons=100)
