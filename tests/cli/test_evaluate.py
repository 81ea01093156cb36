"""``mito-predict evaluate``: files, folders, models side by side, and its three kinds of output."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import tifffile

from napari_mito_predict.evaluation import evaluate, noise_ceiling
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


def test_what_needs_no_network_stands_beside_the_models(mito_predict, predicted, better, scans):
    outcome = mito_predict("evaluate", predicted, better, scans, "--baselines")
    assert outcome.code == 0, outcome.err
    rows = [line.split() for line in outcome.out.splitlines() if line.startswith(("one ", "two "))]
    assert [(row[0], " ".join(row[2:-6])) for row in rows] == [
        (field, name) for field in ("one", "two") for name in ("tiny", "better", "blurred input", "local contrast")
    ]
    assert "No baselines" not in outcome.err
    one = mito_predict("evaluate", predicted / "one_mitochondria.ome.tif", scans / "one.ome.tif", "--baselines")
    assert "fine_pcc, local contrast" in one.out


def test_baselines_that_cannot_be_had_are_named(mito_predict, better, scans, tmp_path):
    """The light is not in the file of the truth, and nothing says where it is."""
    truth = tmp_path / "truth" / "one.ome.tif"
    truth.parent.mkdir()
    pixels = open_image(scans / "one.ome.tif").read(channel="TMRM")
    write_ome_tiff(truth, pixels, axes="ZYX", channel_names=["TMRM"], voxel_size_um=VOXEL_UM)
    outcome = mito_predict("evaluate", better / "one_mitochondria.ome.tif", truth, "--baselines")
    assert outcome.code == 0, outcome.err
    assert "No baselines for" in outcome.err
    assert "blurred input" not in outcome.out


def test_two_folders_name_a_winner(mito_predict, predicted, better, scans, tmp_path):
    outcome = mito_predict("evaluate", predicted, better, scans, "--report", tmp_path / "r.html", "--json")
    assert outcome.code == 0, outcome.err
    found = {c["metric"]: c for c in json.loads(outcome.out)["comparisons"]}
    assert found["pcc"]["winner"] == found["nrmse"]["winner"] == "better"
    assert found["pcc"]["fields"] == ["one", "two"]
    assert found["pcc"]["differences"][0]["model"] == "tiny"
    assert "better has the best mean in every measure over 2 fields" in (tmp_path / "r.html").read_text(
        encoding="utf-8"
    )
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


def test_pcc_only_drops_nothing_silently(mito_predict, predicted, scans, tmp_path):
    table = tmp_path / "scores.csv"
    outcome = mito_predict("evaluate", predicted, scans, "--pcc-only", "--csv", table)
    assert outcome.code == 2
    assert "--pcc-only gives" in outcome.err
    assert not table.exists()


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


@pytest.fixture
def again(scans, tmp_path):
    """A folder with other recordings of both fields: two of `one`, one of `two`; 200 counts of noise."""
    folder = tmp_path / "again"
    folder.mkdir()
    for seed, name in enumerate(("one_1", "one_2", "two")):
        data = open_image(scans / f"{name[:3]}.ome.tif").read(channel="TMRM")
        noisy = (data + np.random.default_rng(seed).normal(0, 200, data.shape)).astype(np.float32)
        path = folder / f"{name}.ome.tif"
        write_ome_tiff(path, noisy, axes="ZYX", channel_names=["TMRM"], voxel_size_um=VOXEL_UM)
    return folder


def test_repeats_of_a_folder_give_each_field_its_own_ceiling(mito_predict, better, scans, again, tmp_path):
    outcome = mito_predict("evaluate", better, scans, "--repeat", again, "--report", tmp_path / "r.html", "--json")
    assert outcome.code == 0, outcome.err
    found = {result["field"]: result["noise_ceiling_pcc"] for result in json.loads(outcome.out)["results"]}
    read = {path.name[:-8]: open_image(path).read(channel=0) for path in again.iterdir()}
    truths = {name: open_image(scans / f"{name}.ome.tif").read(channel="TMRM") for name in ("one", "two")}
    assert found["one"] == pytest.approx(noise_ceiling([truths["one"], read["one_1"], read["one_2"]]), abs=1e-6)
    assert found["two"] == pytest.approx(noise_ceiling([truths["two"], read["two"]]), abs=1e-6)
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert f"{found['one']:.3f}, from 3 recordings of the truth" in page
    files = mito_predict(
        "evaluate", better, scans, "--repeat", again / "one_1.ome.tif", "--repeat", again / "two.ome.tif", "--json"
    )
    assert all(0.9 < result["noise_ceiling_pcc"] < 1 for result in json.loads(files.out)["results"])


def test_a_repeat_without_a_truth_is_told(mito_predict, better, scans, again):
    (again / "one_1.ome.tif").rename(again / "other.ome.tif")
    outcome = mito_predict("evaluate", better, scans, "--repeat", again)
    assert outcome.code == 1
    assert "other.ome.tif: a repeat, but no truth of its name" in outcome.err
    assert "one" in outcome.out


def test_a_repeat_of_another_size_is_one_line(mito_predict, better, scans, tmp_path):
    path = tmp_path / "repeat.ome.tif"
    write_ome_tiff(path, np.zeros((8, 36, 40), np.uint16), axes="ZYX", voxel_size_um=VOXEL_UM)
    outcome = mito_predict("evaluate", better / "one_mitochondria.ome.tif", scans / "one.ome.tif", "--repeat", path)
    assert outcome.code == 1
    assert "repeat.ome.tif has other sizes than" in outcome.err
    assert outcome.err.count("\n") == 1


# ------------------------------------------------------------------ what cannot be compared

STACK = np.random.default_rng(3).normal(0, 1, (8, 36, 44)).astype(np.float32)


@pytest.mark.parametrize(
    ("data", "axes", "said"),
    [
        (STACK[:, :, :40], "ZYX", "have different sizes"),
        (STACK[0], "YX", "one is a single plane and the other is not"),
        (np.ones_like(STACK), "ZYX", "the prediction is constant"),
        (np.full_like(STACK, np.nan), "ZYX", "share no finite voxel"),
    ],
    ids=["shape", "plane", "constant", "nan"],
)
@pytest.mark.parametrize("options", [(), ("--report",)])
def test_what_cannot_be_compared_is_one_line_with_both_files(mito_predict, scans, tmp_path, data, axes, said, options):
    path = tmp_path / "made.ome.tif"
    write_ome_tiff(path, data, axes=axes, channel_names=["TMRM predicted (x)"], voxel_size_um=VOXEL_UM)
    report = tmp_path / "r.html"
    outcome = mito_predict("evaluate", path, scans / "one.ome.tif", *options, *([report] if options else []))
    assert outcome.code == 1
    assert outcome.err.count("\n") == 1, outcome.err
    for words in (said, "made.ome.tif", "one.ome.tif"):
        assert words in outcome.err
    assert not report.exists()


@pytest.mark.parametrize("value", [7, np.nan])
def test_a_truth_without_content_is_one_line(mito_predict, tmp_path, value):
    for name, data in (("made", STACK), ("truth", np.full_like(STACK, value))):
        write_ome_tiff(tmp_path / f"{name}.ome.tif", data, axes="ZYX", channel_names=[name], voxel_size_um=VOXEL_UM)
    outcome = mito_predict("evaluate", tmp_path / "made.ome.tif", tmp_path / "truth.ome.tif")
    assert outcome.code == 1
    assert outcome.err.count("\n") == 1, outcome.err
    assert "constant or not finite" in outcome.err
    assert "truth.ome.tif" in outcome.err


def test_some_nan_are_left_out_and_counted(mito_predict, tmp_path, scans):
    data = STACK.copy()
    data[0, 0, :5] = np.nan
    write_ome_tiff(tmp_path / "made.ome.tif", data, axes="ZYX", channel_names=["TMRM"], voxel_size_um=VOXEL_UM)
    outcome = mito_predict("evaluate", tmp_path / "made.ome.tif", scans / "one.ome.tif", "--json")
    assert outcome.code == 0, outcome.err
    record = json.loads(outcome.out)
    assert record["voxels_not_finite"] == 5
    assert record["voxels"] == STACK.size - 5


def test_a_prediction_is_no_truth_unless_allowed(mito_predict, predicted, tmp_path):
    path = predicted / "one_mitochondria.ome.tif"
    copy = tmp_path / "looks like a recording.ome.tif"
    copy.write_bytes(path.read_bytes())
    refused = mito_predict("evaluate", path, copy)
    assert refused.code == 1
    assert copy.name in refused.err
    assert "prediction by tiny" in refused.err
    report = tmp_path / "report.html"
    allowed = mito_predict("evaluate", path, copy, "--allow-prediction-as-truth", "--report", report)
    assert allowed.code == 0, allowed.err
    assert "is itself a prediction by tiny" in report.read_text(encoding="utf-8")
