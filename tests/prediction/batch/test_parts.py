"""A long series in parts: the same files as from one run, whoever writes them, and none before all are there."""

from __future__ import annotations

import os
import pickle
import re
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_mito_predict._files import remove
from napari_mito_predict.errors import PredictionCancelled
from napari_mito_predict.image import open_image, write_ome_tiff
from napari_mito_predict.models import ModelCard, save_model
from napari_mito_predict.prediction.batch import parts, worker
from napari_mito_predict.prediction.batch.cluster import local_cluster, predict_on_cluster
from napari_mito_predict.prediction.batch.inputs import Entry
from napari_mito_predict.prediction.batch.local import predict_batch
from napari_mito_predict.prediction.batch.outcome import Outcome, State
from napari_mito_predict.prediction.batch.parts import Division, Sharing
from napari_mito_predict.prediction.batch.settings import BatchSettings, FileFormat
from napari_mito_predict.prediction.batch.tasks import give_names

if TYPE_CHECKING:
    from distributed import Client

    from napari_mito_predict.networks.unet import UNet

WRITER = "000000-1-00000000"
TIMES = 9


@pytest.fixture
def series(tmp_path: Path) -> Entry:
    """Nine stacks with the truth; one has a blank plane, which is said of the image."""
    data = np.random.default_rng(0).integers(100, 4000, (TIMES, 2, 8, 24, 24), np.uint16)
    data[5, 0, 2] = 7
    path = tmp_path / "series.ome.tif"
    names = ["Brightfield", "TMRM"]
    write_ome_tiff(path, data, axes="TCZYX", channel_names=names, voxel_size_um=(0.15, 0.11, 0.11), time_step_s=5)
    return Entry(path)


@pytest.fixture
def zarr_settings(settings: BatchSettings) -> BatchSettings:
    """As OME-Zarr."""
    return replace(settings, file_format=FileFormat.OME_ZARR)


@pytest.fixture
def model_of_series(tmp_path: Path, tiny_card: ModelCard, tiny_network: UNet) -> str:
    """One that takes time for its third axis."""
    given = tiny_card.input.model_copy(update={"third_axes": ("t",), "third_axis_step": {"t": 5.0}})
    card = tiny_card.model_copy(update={"name": "tiny-t", "input": given})
    save_model(tmp_path / "tiny-t", card, tiny_network, np.zeros((1, 8, 16, 16), np.float32))
    return str(tmp_path / "tiny-t")


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planes of 24 pixels have two resolutions, and four chunks in a shard."""
    monkeypatch.setattr("napari_mito_predict.image.zarr_pyramid._LARGEST_SIDE", 12)


def divide(entry: Entry, settings: BatchSettings, threads: int = 1000) -> Division | Outcome:
    return worker.predict_entry(entry, settings, Sharing(threads, WRITER))


def finish(division: Division, settings: BatchSettings) -> Outcome:
    """What workers and the process that asks them do, as they would: all of it can be sent."""
    division = pickle.loads(pickle.dumps(division))
    written = [worker.predict_part(division, settings, times) for times in reversed(division.parts)]
    finished = pickle.loads(pickle.dumps(worker.finish_entry(division, settings, written)))
    give_names(finished)
    return finished.outcome


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def of_one_run(entry: Entry, settings: BatchSettings) -> tuple[Outcome, dict[str, bytes]]:
    here = replace(settings, folder=settings.folder.with_name("here"))
    here.folder.mkdir()
    (outcome,) = predict_batch([entry], here)
    assert outcome.state is State.DONE, outcome.reason
    return outcome, files_in(here.folder)


def without_moment(files: dict[str, bytes]) -> dict[str, bytes]:
    """All files; of records all but when they were made, and for which of equal images."""
    return {name: re.sub(rb'"(created|image_id)": "[^"]*"', b"", content) for name, content in files.items()}


@pytest.mark.parametrize("options", [{}, {"smooth_time": 3}, {"composite": True}], ids=str)
def test_parts_give_the_files_of_one_run(series, zarr_settings, options, monkeypatch):
    monkeypatch.setattr("napari_mito_predict.prediction.flicker._NOTICED", 0.001)
    settings = replace(zarr_settings, composite=options.get("composite", False))
    if "smooth_time" in options:
        settings = replace(settings, plan=settings.plan | options)
    division = divide(series, settings)
    assert isinstance(division, Division)
    assert len(division.parts) == (3 if "smooth_time" in options else TIMES)
    assert not [path for path in settings.folder.iterdir() if not path.name.startswith(".")], "half a result"
    outcome = finish(division, settings)
    expected, files = of_one_run(series, settings)
    assert without_moment(files_in(settings.folder)) == without_moment(files)
    assert len({name for name in files if "/1/" in name}) > TIMES, "two resolutions"
    assert (outcome.state, outcome.pcc, outcome.lights) == (State.DONE, expected.pcc, expected.lights)
    assert [finding.code for finding in outcome.findings if finding.code != "divided"] == [
        finding.code for finding in expected.findings
    ]
    assert {"flicker", "blank-planes"} <= {finding.code for finding in expected.findings}
    assert divide(series, settings).state is State.THERE_ALREADY


def test_a_part_is_written_again_over_what_a_killed_worker_left(series, zarr_settings):
    division = divide(series, zarr_settings, threads=2)
    (unfinished,) = division.folders
    half = unfinished / "0" / "c" / "3" / "0" / "0" / "0" / "0"
    half.parent.mkdir(parents=True)
    half.write_bytes(b"half a shard")
    finish(divide(series, zarr_settings, threads=2), zarr_settings)  # what is begun twice is not begun anew
    _, files = of_one_run(series, zarr_settings)
    assert without_moment(files_in(zarr_settings.folder)) == without_moment(files)


def test_workers_stop_when_nobody_wants_the_image_any_more(series, zarr_settings, monkeypatch):
    division = divide(series, zarr_settings)
    write = parts.write_blocks

    def write_after_all_is_removed(execution, files, writers):
        remove(division.folders[0])
        write(execution, files, writers)

    monkeypatch.setattr(parts, "write_blocks", write_after_all_is_removed)
    with pytest.raises(PredictionCancelled):
        worker.predict_part(division, zarr_settings, division.parts[0])
    assert not list(zarr_settings.folder.iterdir())


@pytest.mark.parametrize("why", ["one thread", "short", "OME-TIFF", "a model of time series"])
def test_what_is_predicted_whole(series, zarr_settings, why, monkeypatch, model_of_series):
    threads, settings = 2, zarr_settings
    if why == "one thread":
        threads = 1
    elif why == "short":
        monkeypatch.setattr(parts, "LONG", TIMES + 1)
    elif why == "OME-TIFF":
        settings = replace(settings, file_format=FileFormat.OME_TIFF)
    else:
        settings = replace(settings, models=(model_of_series,))
    outcome = divide(series, settings, threads)
    assert outcome.state is State.DONE, outcome.reason


def test_one_worker_is_killed_and_one_series_fails(series, zarr_settings, tmp_path):
    data = np.random.default_rng(1).normal(1000, 100, (TIMES, 1, 8, 24, 24)).astype(np.float32)
    data[6] = np.nan
    bad = Entry(tmp_path / "bad.ome.tif")
    write_ome_tiff(bad.path, data, axes="TCZYX", channel_names=["Brightfield"], voxel_size_um=(0.15, 0.11, 0.11))
    outcomes = {}
    with local_cluster(2, threads=1) as client:
        _cancel_when_divided(series, replace(zarr_settings, folder=tmp_path / "cancelled"), client)
        workers = client.run(os.getpid)
        for outcome in predict_on_cluster([bad, series], zarr_settings, client):
            if not outcomes:
                os.kill(next(iter(workers.values())), signal.SIGKILL)
            outcomes[outcome.entry] = outcome
    assert outcomes[bad].state is State.FAILED
    assert "time point 7" in outcomes[bad].reason
    assert outcomes[series].state is State.DONE
    assert "divided" in {finding.code for finding in outcomes[series].findings}
    here, _ = of_one_run(series, zarr_settings)
    written, expected = (open_image(each.files["mitochondria"]) for each in (outcomes[series], here))
    for t in range(TIMES):
        np.testing.assert_array_equal(written.read(t, 0), expected.read(t, 0))
    names = {path.name for path in zarr_settings.folder.iterdir()}
    assert names == {"series_mitochondria.ome.zarr", "series_mitochondria.prediction.json"}


def _cancel_when_divided(series: Entry, settings: BatchSettings, client: Client) -> None:
    settings.folder.mkdir()
    of_this_process = f"-{os.getpid()}-"

    def cancel() -> bool:
        return any(of_this_process in path.name for path in settings.folder.iterdir())

    with pytest.raises(PredictionCancelled):
        list(predict_on_cluster([series], settings, client, cancel=cancel))
    end = time.monotonic() + 30
    while list(settings.folder.iterdir()) and time.monotonic() < end:
        time.sleep(0.1)  # until workers notice
    assert not list(settings.folder.iterdir())
