"""A prediction and its record are there together or not at all, and what cannot be written is known beforehand."""

from __future__ import annotations

import os
import shutil
import sys
from collections import namedtuple
from dataclasses import replace

import pytest

from napari_mito_predict._files import LONGEST_NAME
from napari_mito_predict._tables import read_table
from napari_mito_predict.errors import UnwritableOutputError
from napari_mito_predict.evaluation.matching import match
from napari_mito_predict.models.record import read_record
from napari_mito_predict.prediction import plan_prediction, predict_to_zarr
from napari_mito_predict.prediction.batch import stages
from napari_mito_predict.prediction.batch.inputs import Entry
from napari_mito_predict.prediction.batch.local import predict_batch
from napari_mito_predict.prediction.batch.outcome import State, write_outcomes
from napari_mito_predict.prediction.batch.settings import FileFormat
from napari_mito_predict.prediction.execute import run

Usage = namedtuple("Usage", "total used free")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
@pytest.mark.parametrize("file_format", FileFormat)
def test_names_that_are_no_text(record, settings, tmp_path, file_format):
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    entry = Entry(record(os.fsdecode(b"f\xe9ld.ome.tif"), folder=folder))
    settings = replace(settings, file_format=file_format)
    (outcome,) = predict_batch([entry], settings)
    assert outcome.state is State.DONE, outcome.reason
    (path,) = outcome.files.values()
    assert read_record(path).input.path == f"{tmp_path}/caf?/f?ld.ome.tif"
    (again,) = predict_batch([entry], settings)
    assert again.state is State.THERE_ALREADY
    pairs, skipped = match(settings.folder, folder)
    assert (pairs, skipped) == ([(path, entry.path)], [])
    write_outcomes(tmp_path / "table.csv", [outcome])
    assert read_table(tmp_path / "table.csv")[0]["file"].endswith("f?ld.ome.tif")


LONGEST_STEM = LONGEST_NAME - len(".prediction.json")
"""The name of the record is longer than that of the image."""


@pytest.fixture
def write(record, tiny, tmp_path):
    """Predict and write, in the format that the suffix says."""
    plan = plan_prediction(record("a.ome.tif"), tiny, device="cpu", precision="32")
    (tmp_path / "written").mkdir()

    def write(path):
        if path.suffix == ".zarr":
            predict_to_zarr(plan, path)
        else:
            run(plan).predict()["mitochondria"].save(path)

    return write


@pytest.mark.parametrize("suffix", [".ome.tif", ".ome.zarr"])
def test_the_longest_name(write, tmp_path, suffix):
    path = tmp_path / "written" / ("x" * LONGEST_STEM + suffix)
    write(path)
    assert read_record(path) is not None
    assert len(list(path.parent.iterdir())) == 2


@pytest.mark.parametrize("length", [LONGEST_STEM + 1, 230, 240, 255, 300])
@pytest.mark.parametrize("suffix", [".ome.tif", ".ome.zarr"])
def test_longer_names(write, tmp_path, length, suffix):
    path = tmp_path / "written" / ("x" * length + suffix)
    with pytest.raises(UnwritableOutputError, match="shorter name"):
        write(path)
    assert not list(path.parent.iterdir())


@pytest.mark.parametrize("file_format", FileFormat)
def test_a_disk_that_is_too_small_is_known_before_anything_is_computed(record, settings, monkeypatch, file_format):
    entry = Entry(record("a.ome.tif"))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10_000, 9_000, 1_000))
    monkeypatch.setattr(stages, "run", lambda *_: pytest.fail("computed"))
    (outcome,) = predict_batch([entry], replace(settings, file_format=file_format))
    assert "1000 are free" in outcome.reason
    assert not list(settings.folder.iterdir())
