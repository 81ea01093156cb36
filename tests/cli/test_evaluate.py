"""``mito-predict evaluate``: files, folders, models side by side, and its three kinds of output."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import tifffile

from napari_mito_predict.evaluation import evaluate
from napari_mito_predict.image import ImageSource, open_image, write_ome_tiff

VOXEL_UM = (0.15, 0.11, 0.11)
NAMES = ("ESID", "TMRM", "SYBR Gold")


@pytest.fixture
def scans(tmp_path):
    """A folder of two fields with transmitted light, TMRM and SYBR Gold, 8 x 36 x 44 each."""
    folder = tmp_path / "scans"
    folder.mkdir()
    for seed, name in enumerate(("one", "two")):
        data = np.random.default_rng(seed).integers(100, 4000, (3, 8, 36, 44), np.uint16)
        write_ome_tiff(folder / f"{name}.ome.tif", data, axes="CZYX", channel_names=NAMES, voxel_size_um=VOXEL_UM)
    return folder


@pytest.fixture
def predicted(mito_predict, installed, scans, tmp_path):
    """The predictions of both fields by the model `tiny`."""
    outcome = mito_predict("predict", scans, "-o", tmp_path / "tiny", "-m", "tiny", "--precision", "32")
    assert outcome.code == 0, outcome.err
    return tmp_path / "tiny"


@pytest.fixture
def better(scans, tmp_path):
    """Predictions of both fields that are the truth with noise, by a model of the name `better`."""
    folder = tmp_path / "better"
    folder.mkdir()
    for name in ("one", "two"):
        truth = open_image(scans / f"{name}.ome.tif").read(channel="TMRM").astype(np.float32)
        data = (truth - truth.mean()) / truth.std() + np.random.default_rng(9).normal(0, 1, truth.shape)
        path = folder / f"{name}_mitochondria.ome.tif"
        write_ome_tiff(
            path, data.astype(np.float32), axes="ZYX", channel_names=["TMRM predicted (better)"], voxel_size_um=VOXEL_UM
        )
        record = {"target": "mitochondria", "model": {"name": "better"}, "input": {"path": f"{name}.ome.tif"}}
        path.with_name(f"{name}_mitochondria.prediction.json").write_text(json.dumps(record), encoding="utf-8")
    return folder


def test_one_file_prints_all_measures(mito_predict, predicted, scans):
    arguments = (predicted / "one_mitochondria.ome.tif", scans / "one.ome.tif")
    outcome = mito_predict("evaluate", *arguments, "--json")
    assert outcome.code == 0, outcome.err
    record = json.loads(outcome.out)
    expected = evaluate(open_image(arguments[0]).read(), open_image(arguments[1]).read(channel="TMRM"))
    for name in ("pcc", "ssim_global", "ssim_windowed", "r2", "nrmse", "psnr", "mae", "voxels"):
        assert record[name] == pytest.approx(getattr(expected, name)), name
    assert record["disclaimer"].startswith("Trained on simulated cells")
    assert "planes" not in record
    assert "0.1-99.9 percentiles" in record["normalisation"]
    table = mito_predict("evaluate", *arguments, "--planes")
    assert "not validated on real ones" in table.out
    assert {"ssim_global", "ssim_windowed", "mae"} <= set(table.out.split())
    assert "0.1-99.9 percentiles" in table.err


def test_report_and_table_are_written(mito_predict, predicted, scans, tmp_path):
    outcome = mito_predict(
        "evaluate", predicted, scans, "--report", tmp_path / "r.html", "--csv", tmp_path / "r.csv", "--json"
    )
    assert outcome.code == 0, outcome.err
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "not validated on real ones" in page
    assert "data:image/png;base64," in page
    assert str(scans / "two.ome.tif") in page
    rows = list(csv.DictReader((tmp_path / "r.csv").read_text(encoding="utf-8").splitlines()))
    assert {row["field"] for row in rows} == {"one", "two"}
    record = json.loads(outcome.out)
    assert [result["field"] for result in record["results"]] == ["one", "two"]
    assert float(rows[0]["pcc"]) == pytest.approx(record["results"][0]["pcc"], abs=1e-8)


def test_two_folders_name_a_winner(mito_predict, predicted, better, scans, tmp_path):
    outcome = mito_predict("evaluate", predicted, better, scans, "--report", tmp_path / "r.html", "--json")
    assert outcome.code == 0, outcome.err
    found = {c["metric"]: c for c in json.loads(outcome.out)["comparisons"]}
    assert found["pcc"]["winner"] == found["nrmse"]["winner"] == "better"
    assert found["pcc"]["fields"] == ["one", "two"]
    assert found["pcc"]["differences"][0]["model"] == "tiny"
    assert "better has the best mean PCC over 2 fields" in (tmp_path / "r.html").read_text(encoding="utf-8")
    table = mito_predict("evaluate", predicted, better, scans)
    assert "WINNER" in table.out
    assert "2 of 2" in table.out


def test_models_predict_on_the_fly(mito_predict, installed, predicted, scans):
    outcome = mito_predict("evaluate", scans, "-m", "tiny", "--json")
    assert outcome.code == 0, outcome.err
    now = json.loads(outcome.out)["results"]
    assert [(result["field"], result["model"]) for result in now] == [("one", "tiny"), ("two", "tiny")]
    before = json.loads(mito_predict("evaluate", predicted, scans, "--json").out)["results"]
    assert [result["pcc"] for result in now] == pytest.approx([result["pcc"] for result in before], abs=0.02)
    assert now[0]["disclaimer"]


def test_predictions_may_lie_beside_their_truth(mito_predict, installed, scans):
    mito_predict("predict", scans, "-o", scans, "-m", "tiny")
    outcome = mito_predict("evaluate", scans, scans, "--json")
    assert outcome.code == 0, outcome.err
    assert len(json.loads(outcome.out)["results"]) == 2


def test_what_cannot_be_compared_is_left_out_with_the_reason(mito_predict, better, scans):
    (scans / "two.ome.tif").unlink()
    outcome = mito_predict("evaluate", better, scans)
    assert outcome.code == 1
    assert "two_mitochondria.ome.tif: no truth" in outcome.err
    assert "one" in outcome.out


def test_the_scene_is_the_one_predicted_from(mito_predict, installed, tmp_path):
    path = tmp_path / "scenes.ome.tif"
    noise = np.random.default_rng(2).integers(100, 4000, (2, 2, 8, 36, 44), np.uint16)
    with tifffile.TiffWriter(path, ome=True) as writer:
        for name, data in zip(("left", "right"), noise, strict=True):
            sizes = {"PhysicalSizeX": 0.11, "PhysicalSizeY": 0.11, "PhysicalSizeZ": 0.15}
            writer.write(data, metadata={"axes": "CZYX", "Name": name, "Channel": {"Name": ["ESID", "TMRM"]}, **sizes})
    mito_predict("predict", path, "-o", tmp_path / "out", "-m", "tiny", "--scene", "all")
    outcome = mito_predict("evaluate", tmp_path / "out", path, "--json")
    assert outcome.code == 0, outcome.err
    found = {result["field"]: result["pcc"] for result in json.loads(outcome.out)["results"]}
    assert len(found) == 2
    second = open_image(tmp_path / "out" / "scenes_scene1_mitochondria.ome.tif").read()
    expected = np.corrcoef(second.ravel(), noise[1, 1].ravel())[0, 1]
    assert next(value for field, value in found.items() if "right" in field) == pytest.approx(expected, abs=1e-6)


def test_pcc_only_streams(mito_predict, predicted, scans, monkeypatch):
    expected = json.loads(mito_predict("evaluate", predicted, scans, "--json").out)["results"]
    read = ImageSource.read

    def read_plane(image, t, channel, z):  # a call without z, which reads a whole stack, does not fit
        return read(image, t, channel, z)

    monkeypatch.setattr(ImageSource, "read", read_plane)
    outcome = mito_predict("evaluate", predicted, scans, "--pcc-only", "--json")
    assert outcome.code == 0, outcome.err
    assert [row["pcc"] for row in json.loads(outcome.out)] == pytest.approx([r["pcc"] for r in expected], abs=1e-6)
    assert "PCC" in mito_predict("evaluate", predicted, scans, "--pcc-only").out


def test_mask_and_repeat(mito_predict, predicted, scans, tmp_path):
    mask = np.zeros((8, 36, 44), np.uint8)
    mask[:, :20] = 1
    write_ome_tiff(tmp_path / "mask.ome.tif", mask, axes="ZYX", voxel_size_um=VOXEL_UM)
    outcome = mito_predict(
        "evaluate", predicted / "one_mitochondria.ome.tif", scans / "one.ome.tif", "--mask", tmp_path / "mask.ome.tif",
        "--repeat", scans / "one.ome.tif", "--json",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    record = json.loads(outcome.out)
    assert record["regions"]["mask"]["voxels"] == mask.sum()
    assert record["noise_ceiling_pcc"] == pytest.approx(1)


@pytest.mark.parametrize("option", ["--report", "--csv"])
def test_an_output_that_cannot_be_written_is_told_first(mito_predict, scans, tmp_path, option):
    outcome = mito_predict("evaluate", scans, scans, option, tmp_path / "missing" / "out.html")
    assert outcome.code == 1
    assert "missing" in outcome.err
    assert outcome.err.count("\n") == 1


def test_wrong_use_is_told(mito_predict, scans, tmp_path):
    assert mito_predict("evaluate", scans).code == 2
    assert mito_predict("evaluate").code == 2
    outcome = mito_predict("evaluate", tmp_path / "nothing.tif", scans / "one.ome.tif")
    assert outcome.code == 1
    assert "nothing.tif" in outcome.err
    unknown = mito_predict("evaluate", scans, "-m", "nonsense")
    assert unknown.code == 1
    assert "nonsense" in unknown.err


def test_other_voxel_sizes_name_both_files(mito_predict, better, scans):
    path = better / "one_mitochondria.ome.tif"
    data = open_image(path).read()
    write_ome_tiff(path, data, axes="ZYX", channel_names=["TMRM"], voxel_size_um=(0.3, 0.11, 0.11), overwrite=True)
    outcome = mito_predict("evaluate", path, scans / "one.ome.tif")
    assert outcome.code == 1
    assert "one_mitochondria.ome.tif" in outcome.err
    assert "voxel sizes" in outcome.err
    assert outcome.err.count("\n") == 1


def test_predicting_on_the_fly_has_one_progress_bar(mito_predict, installed, scans, monkeypatch):
    """rich allows one live display at a time: the bar of the prediction used to start inside that of the comparison."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    outcome = mito_predict("evaluate", scans / "one.ome.tif", "-m", "tiny", "--json")
    assert outcome.code == 0, outcome.err
    assert json.loads(outcome.out)["results"][0]["model"] == "tiny"
