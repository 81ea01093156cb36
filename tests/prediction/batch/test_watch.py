"""A folder that somebody writes into: each file once, whole."""

from __future__ import annotations

import os
import shutil
import threading
import time

import pytest

from napari_mito_predict.errors import UnreadableImageError
from napari_mito_predict.prediction.batch.local import predict_batch
from napari_mito_predict.prediction.batch.outcome import State
from napari_mito_predict.prediction.batch.watch import watch

QUICK = {"every_s": 0.05, "quiet_s": 0.5, "patience_s": 1.5}


def entries_until(folder, done, seconds=60.0):
    """What is found until `done` says so of all that was found."""
    found = []
    end = time.monotonic() + seconds
    for entry in watch(folder, stop=lambda: done(found) or time.monotonic() > end, **QUICK):
        if entry is not None:
            found.append(entry.path.name)
    return found


def test_a_file_that_grows_and_one_that_is_renamed(record, settings, tmp_path):
    whole = record("whole.ome.tif", 1, tmp_path / "elsewhere")
    moved = record("moved.ome.tif", 2, tmp_path / "elsewhere")
    folder = tmp_path / "scans"
    folder.mkdir()
    content = whole.read_bytes()
    grown_at = []

    def grow():
        with (folder / "growing.ome.tif").open("wb") as stream:
            for part in range(10):
                stream.write(content[len(content) * part // 10 : len(content) * (part + 1) // 10])
                stream.flush()
                time.sleep(0.1)
        grown_at.append(time.monotonic())
        os.replace(moved, folder / "moved.ome.tif")

    writer = threading.Thread(target=grow)
    writer.start()
    outcomes = []
    end = time.monotonic() + 60
    for outcome in predict_batch(
        watch(folder, stop=lambda: len(outcomes) == 2 or time.monotonic() > end, **QUICK), settings
    ):
        assert grown_at
        outcomes.append(outcome)
    writer.join()
    assert sorted(outcome.entry.path.name for outcome in outcomes) == ["growing.ome.tif", "moved.ome.tif"]
    assert {outcome.state for outcome in outcomes} == {State.DONE}


def test_what_never_opens_is_given_in_the_end(tmp_path):
    (tmp_path / "broken.czi").write_bytes(b"ZISRAWFILE")
    assert entries_until(tmp_path, lambda found: len(found) == 1) == ["broken.czi"]


def test_what_is_written_anew_is_given_again(record):
    path = record("a.ome.tif", 1)
    other = path.with_name("b.ome.tif")

    def done(found):
        if len(found) == 1 and not other.exists():
            shutil.copy(path, other)
            record("a.ome.tif", 2)
        return len(found) == 3

    assert sorted(entries_until(path.parent, done)) == ["a.ome.tif", "a.ome.tif", "b.ome.tif"]


def test_no_folder(tmp_path):
    with pytest.raises(UnreadableImageError, match="is no folder"):
        next(watch(tmp_path / "nowhere"))
