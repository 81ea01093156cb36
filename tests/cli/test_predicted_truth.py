"""``mito-predict evaluate`` with a truth that is a prediction itself: refused, or said wherever its scores go."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pytest
import tifffile

from napari_mito_predict.image import open_image, write_ome_tiff

VOXEL_UM = (0.15, 0.11, 0.11)
FLAG = "--allow-prediction-as-truth"
SAID = "The truth is itself a prediction by tiny"


@pytest.fixture
def scan(tmp_path):
    """One field with transmitted light and TMRM, 8 x 36 x 44."""
    path = tmp_path / "scans" / "cells.ome.tif"
    path.parent.mkdir()
    data = np.random.default_rng(1).integers(100, 4000, (2, 8, 36, 44), np.uint16)
    return write_ome_tiff(path, data, axes="CZYX", channel_names=["ESID", "TMRM"], voxel_size_um=VOXEL_UM)


def _predict(mito_predict, scan, folder, *arguments):
    outcome = mito_predict("predict", scan, "-o", folder, "-m", "tiny", "--precision", "32", *arguments)
    assert outcome.code == 0, outcome.err


@pytest.fixture
def prediction(mito_predict, installed, scan, tmp_path):
    """The prediction of `scan` by the model `tiny`, with its record."""
    _predict(mito_predict, scan, tmp_path / "out")
    return tmp_path / "out" / "cells_mitochondria.ome.tif"


def _copied(prediction, truth):
    shutil.copy(prediction, truth)


def _resaved(prediction, truth):
    with tifffile.TiffFile(prediction) as tiff:
        tifffile.imwrite(truth, tiff.asarray(), description=tiff.ome_metadata.encode(), metadata=None)


def _resaved_by_imagej(prediction, truth):
    with tifffile.TiffFile(prediction) as tiff:
        kept = {"axes": "ZYX", "Info": tiff.ome_metadata, "spacing": 0.15, "unit": "um"}
        tifffile.imwrite(truth, tiff.asarray(), imagej=True, metadata=kept, resolution=(1 / 0.11, 1 / 0.11))


@pytest.mark.parametrize("copy", [_copied, _resaved, _resaved_by_imagej])
def test_a_copy_of_the_prediction_is_no_truth(mito_predict, prediction, tmp_path, copy):
    copy(prediction, tmp_path / "truth.tif")
    for more in ([], ["--pcc-only"], ["--truth-channel", "0"]):
        outcome = mito_predict("evaluate", prediction, tmp_path / "truth.tif", *more)
        assert outcome.code == 1
        assert "is itself a prediction by tiny" in outcome.err
        assert "recorded fluorescence" in outcome.err
        assert FLAG in outcome.err
        assert "1.0000" not in outcome.out


def test_a_prediction_with_its_record_and_a_composite_are_no_truth(mito_predict, prediction, scan, tmp_path):
    _predict(mito_predict, scan, tmp_path / "zarr", "--composite", "--format", "ome-zarr")
    (composite,) = (tmp_path / "zarr").glob("*.zarr")
    renamed = composite.rename(tmp_path / "truth.zarr")
    for truth in (prediction, renamed):
        outcome = mito_predict("evaluate", prediction, truth)
        assert outcome.code == 1
        assert "is itself a prediction by tiny" in outcome.err


def test_swapped_files_are_told(mito_predict, prediction, scan):
    outcome = mito_predict("evaluate", scan, prediction)
    assert outcome.code == 1
    assert "as the last file" in outcome.err


def test_asked_for_by_name_it_is_said_wherever_the_scores_go(mito_predict, prediction, tmp_path):
    truth = tmp_path / "truth.tif"
    _copied(prediction, truth)
    page, table = tmp_path / "r.html", tmp_path / "r.csv"
    asked = ("evaluate", prediction, truth, FLAG)
    outcome = mito_predict(*asked, "--json", "--report", page, "--csv", table)
    assert outcome.code == 0, outcome.err
    record = json.loads(outcome.out)
    assert record["truth_is_prediction_by"] == "tiny"
    assert any(SAID in note for note in record["notes"])
    assert page.read_text(encoding="utf-8").count(SAID) >= 2, "at the top and at the field"
    with table.open(encoding="utf-8", newline="") as stream:
        assert {row["truth_is_prediction_by"] for row in csv.DictReader(stream)} == {"tiny"}
    assert SAID in " ".join(mito_predict(*asked).out.split())
    assert SAID in mito_predict(*asked, "--pcc-only").err
    assert SAID in json.loads(mito_predict(*asked, "--pcc-only", "--json").out)["note"]


def test_a_recorded_truth_is_no_prediction(mito_predict, prediction, scan):
    record = json.loads(mito_predict("evaluate", prediction, scan, "--json").out)
    assert record["truth_is_prediction_by"] is None
    assert not record["notes"]


def test_in_a_folder_the_recording_is_found_beside_copies_of_predictions(mito_predict, prediction, scan):
    _copied(prediction, scan.parent / prediction.name)
    outcome = mito_predict("evaluate", prediction.parent, scan.parent, "--json")
    assert outcome.code == 0, outcome.err
    (result,) = json.loads(outcome.out)["results"]
    assert result["truth"] == str(scan)
    predicted_now = mito_predict("evaluate", scan.parent, "-m", "tiny", "--json")
    assert predicted_now.code == 0, predicted_now.err
    assert [result["truth"] for result in json.loads(predicted_now.out)["results"]] == [str(scan)]


def test_a_folder_of_predictions_is_no_folder_of_truths(mito_predict, prediction, tmp_path):
    (tmp_path / "other").mkdir()
    _copied(prediction, tmp_path / "other" / prediction.name)
    refused = mito_predict("evaluate", prediction.parent, tmp_path / "other")
    assert refused.code == 1
    assert "is itself a prediction by tiny" in refused.err
    allowed = mito_predict("evaluate", prediction.parent, tmp_path / "other", FLAG)
    assert allowed.code == 0, allowed.err
    assert SAID in allowed.err


def test_predicted_now_it_needs_a_recorded_truth_too(mito_predict, prediction, scan, tmp_path, monkeypatch):
    made = open_image(prediction)
    both = tmp_path / "both.ome.tif"
    data = np.stack([open_image(scan).read(channel=0), made.read()])
    names = ["ESID", made.channels[0].name]
    write_ome_tiff(both, data, axes="CZYX", channel_names=names, voxel_size_um=VOXEL_UM)
    assert mito_predict("evaluate", both, "-m", "tiny", FLAG).code == 0
    monkeypatch.setattr(
        "napari_mito_predict.prediction.predicted_cases.predict", lambda *_, **__: pytest.fail("predicted in vain")
    )
    refused = mito_predict("evaluate", both, "-m", "tiny")
    assert refused.code == 1
    assert "is itself a prediction by tiny" in refused.err


def test_a_prediction_is_no_repeat_of_the_truth(mito_predict, prediction, scan, tmp_path):
    _copied(prediction, tmp_path / "again.tif")
    outcome = mito_predict("evaluate", prediction, scan, "--repeat", tmp_path / "again.tif")
    assert outcome.code == 1
    assert "a second recording" in outcome.err


def test_a_copy_without_a_word_is_asked_about(mito_predict, prediction, tmp_path):
    """In 8 bits, as if it had been recorded."""
    values = open_image(prediction).read()
    levels = (255 * (values - values.min()) / np.ptp(values)).astype(np.uint8)
    truth = write_ome_tiff(tmp_path / "t.ome.tif", levels, axes="ZYX", channel_names=["TMRM"], voxel_size_um=VOXEL_UM)
    outcome = mito_predict("evaluate", prediction, truth)
    assert outcome.code == 0, outcome.err
    assert "as only copies do" in " ".join(outcome.out.split())
