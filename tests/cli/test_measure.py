"""``mito-predict measure``."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_mito_predict import from_array, predict
from napari_mito_predict._tables import read_table
from napari_mito_predict.image import write_ome_tiff
from napari_mito_predict.models import find_model, read_card
from napari_mito_predict.models.record import InputRecord, ModelRecord, PredictionRecord

SIZE = (None, 0.1, 0.1)


@pytest.fixture
def stain() -> np.ndarray:
    image = np.full((64, 64), 10, np.uint16)
    image[20:24, 5:50] = 200
    image[40:44, 10:30] = 150
    return image


@pytest.fixture
def recorded(tmp_path, stain):
    path = tmp_path / "in" / "cells.ome.tif"
    path.parent.mkdir()
    write_ome_tiff(path, stain, axes="YX", channel_names=["TMRM"], voxel_size_um=SIZE)
    return path


def test_a_folder_with_a_bad_file(mito_predict, recorded, tmp_path) -> None:
    (recorded.parent / "bad.tif").write_bytes(b"no image")
    output = tmp_path / "table.csv"
    done = mito_predict("measure", recorded.parent, "-o", output)
    assert done.code == 1
    assert "Skipped bad.tif" in done.err
    assert f"Wrote {output}" in done.err
    rows = {row["measure"]: row for row in read_table(output)}
    assert rows["count"]["value"] == "2"
    assert rows["count"]["verdict"] == "recorded"
    assert rows["total_area"]["unit"] == "µm²"
    assert len(read_table(tmp_path / "table_mitochondria.csv")) == 2


def test_predictions_of_one_image_are_one_field(mito_predict, stain, tmp_path) -> None:
    for name, role in (("cells_mitochondria", "TMRM"), ("cells_dna", "DAPI"), ("cells_mitochondria_uncertainty", "x")):
        path = tmp_path / f"{name}.ome.tif"
        write_ome_tiff(path, stain, axes="YX", channel_names=[role], voxel_size_um=SIZE, predicted_by=["m"])
        quantity = "uncertainty" if "uncertainty" in name else "prediction"
        source = InputRecord(name="cells.czi", sha256_ends="ab")
        PredictionRecord(target=role, input=source, model=ModelRecord(name="m"), quantity=quantity).write(path)
    done = mito_predict("measure", tmp_path, "--json", "--fields-only")
    assert done.code == 0
    rows = json.loads(done.out)
    assert {row["image"] for row in rows} == {"cells"}
    assert {row["structure"] for row in rows} == {"mitochondria", "nuclei", "nucleoids"}
    assert {row["verdict"] for row in rows} == {"not tested", "not supported"}
    assert "not here" in rows[0]["why"]


def test_a_prediction_by_a_bundled_model_is_marked_in_tables_and_report(mito_predict, tmp_path) -> None:
    light = np.random.default_rng(0).normal(100, 5, (8, 32, 32)).astype(np.float32)
    light[:, 8:24, 8:24] -= 20
    image = from_array(light, axes="ZYX", channel_names=["TL"], voxel_size_um=(0.29, 0.11, 0.11), name="cells")
    predict(image, "dna-z", device="cpu", precision="32")["dna"].save(tmp_path / "cells_dna.ome.tif")
    table = tmp_path / "table.csv"
    report = tmp_path / "report.html"
    done = mito_predict("measure", tmp_path / "cells_dna.ome.tif", "-o", table, "--report", report)
    assert done.code == 0
    assert f"Wrote {report}" in done.err
    verdicts = read_card(find_model("dna-z")).verdicts
    assert all(verdict.simulated for verdict in verdicts), "nothing is known of real cells"
    failed = {verdict.measure for verdict in verdicts if verdict.verdict == "not supported"}
    rows = {f"{row['structure']}.{row['measure']}": row for row in read_table(table)}
    assert {row["predicted_by"] for row in rows.values()} == {"dna-z"}
    assert rows.pop("nucleoids.mean_intensity")["verdict"] == "not supported"
    for name, row in rows.items():
        assert row["verdict"] == ("not supported" if name in failed else "not tested")
    assert all(row["why"] for row in rows.values())
    for name in ("nuclei", "nucleoids"):
        assert {row["verdict"] for row in read_table(tmp_path / f"table_{name}.csv")} <= {"not supported"}
    page = report.read_text(encoding="utf-8")
    assert "not supported" in page
    assert "not validated on real ones" in page
    assert "predicted by dna-z" in page


def test_a_report_needs_no_table_and_names_what_was_skipped(mito_predict, recorded, tmp_path) -> None:
    (recorded.parent / "bad.tif").write_bytes(b"no image")
    report = tmp_path / "report.html"
    done = mito_predict("measure", recorded.parent, "--report", report)
    assert done.code == 1
    assert "total_area" in done.out
    page = report.read_text(encoding="utf-8")
    assert "bad.tif" in page
    assert "TMRM" in page
    refused = mito_predict("measure", recorded, "--report", tmp_path / "gone" / "r.html")
    assert "does not exist" in refused.err


def test_what_the_file_does_not_tell_is_said_by_options(mito_predict, stain, tmp_path) -> None:
    path = tmp_path / "plain.tif"
    write_ome_tiff(path, stain, axes="YX")
    asked = mito_predict("measure", path)
    assert asked.code == 1
    assert "--channel" in asked.err
    told = mito_predict("measure", path, "--channel", "mitochondria=0", "--voxel-size", "0.3", "0.1", "0.1")
    assert told.code == 0
    assert "µm²" in told.out
    assert "nuclei" not in told.out
    pixels = mito_predict("measure", path, "--channel", "mitochondria=0", "--method", "ridge")
    assert pixels.code == 0
    assert "px²" in pixels.out
    assert "in pixels" in pixels.err


@pytest.mark.parametrize(
    "wrong",
    [("--channel", "0"), ("--channel", "cell=0"), ("--structure", "golgi"), ("--time-step", "0"), ("--dynamics",)],
)
def test_wrong_options_are_refused_at_once(mito_predict, recorded, wrong) -> None:
    assert mito_predict("measure", recorded, *wrong).code == 2


def test_nothing_there(mito_predict, tmp_path) -> None:
    assert "no such" in mito_predict("measure", tmp_path / "gone.tif").err
    assert "no image" in mito_predict("measure", tmp_path).err
    missing = mito_predict("measure", tmp_path, "-o", tmp_path / "gone" / "t.csv")
    assert missing.code == 1
    assert "does not exist" in missing.err


def test_dynamics_of_a_series_and_not_of_a_still(mito_predict, recorded, stain, tmp_path) -> None:
    cut = stain.copy()
    cut[20:24, 25:32] = 10
    movie = recorded.parent / "movie.ome.tif"
    write_ome_tiff(movie, np.stack([stain, cut]), axes="TYX", channel_names=["TMRM"], voxel_size_um=SIZE)
    output = tmp_path / "table.csv"
    done = mito_predict("measure", recorded.parent, "--dynamics", "-o", output)
    assert done.code == 1
    assert "Skipped cells.ome.tif: cells has one time point" in done.err
    assert "(--dynamics)" in done.err
    assert "(--time-step)" in done.err
    assert [row["kind"] for row in read_table(tmp_path / "table_events.csv")] == ["fission"]
    assert {row["image"] for row in read_table(tmp_path / "table_frames.csv")} == {"movie"}
    timed = mito_predict("measure", movie, "--dynamics", "--time-step", 30, "-o", output)
    assert timed.code == 0
    assert [row["time_s"] for row in read_table(tmp_path / "table_events.csv")] == ["30"]
