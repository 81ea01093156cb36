"""``mito-predict predict`` and ``evaluate``, on small files and a tiny network."""

from __future__ import annotations

import json
import shutil
import sys

import imagecodecs
import numpy as np
import pytest
import tifffile

from napari_mito_predict.image import open_image, write_ome_tiff
from napari_mito_predict.models import Architecture, save_model
from napari_mito_predict.networks import build_network
from napari_mito_predict.prediction import Execution, predict

VOXEL_UM = (0.15, 0.11, 0.11)


@pytest.fixture
def stack(make_czi):
    """A CZI with transmitted light and TMRM, 8 x 36 x 44, at the sampling of the tiny model."""
    data = np.random.default_rng(1).integers(100, 4000, (1, 2, 8, 36, 44), np.uint16)
    path, _ = make_czi("cells.czi", data, scale_um=VOXEL_UM)
    return path


@pytest.fixture
def predicted(mito_predict, installed, stack, tmp_path):
    """The folder with the prediction of `stack`."""
    outcome = mito_predict("predict", stack, "-o", tmp_path / "out", "-m", "tiny")
    assert outcome.code == 0, outcome.err
    return tmp_path / "out"


def test_writes_prediction_and_record(predicted, stack):
    assert sorted(path.name for path in predicted.iterdir()) == [
        "cells_mitochondria.ome.tif",
        "cells_mitochondria.prediction.json",
    ]
    image = open_image(predicted / "cells_mitochondria.ome.tif")
    assert image.sizes == {"T": 1, "C": 1, "Z": 8, "Y": 36, "X": 44}
    assert image.voxel_size_um == pytest.approx(VOXEL_UM)
    record = json.loads((predicted / "cells_mitochondria.prediction.json").read_text(encoding="utf-8"))
    assert record["model"]["name"] == "tiny"
    assert record["input"]["path"] == str(stack)


def test_says_where_the_model_comes_from(mito_predict, installed, stack, tmp_path):
    outcome = mito_predict("predict", stack, "-o", tmp_path / "out", "-m", "tiny", "--json")
    assert "not validated on real ones" in outcome.err
    (record,) = json.loads(outcome.out)
    assert record["target"] == "mitochondria"
    assert record["output"] == str(tmp_path / "out" / "cells_mitochondria.ome.tif")


def test_a_light_for_each_model_with_its_reasons(mito_predict, installed, stack, tmp_path):
    other = stack.with_name("others.czi")
    shutil.copy(stack, other)
    outcome = mito_predict("predict", stack, other, "-o", tmp_path / "out", "-m", "tiny", "--json")
    assert "cells: tiny: red. Of the places that were looked at, 0.0 % hold anything but noise" in outcome.err
    assert "others: tiny: red. For reasons said above." in outcome.err
    light = json.loads(outcome.out)[0]["lights"]["tiny"]
    assert light["colour"] == "red"
    assert {"nothing-but-noise", "simulated-model", "not-compared"} <= {reason["code"] for reason in light["reasons"]}
    record = json.loads((tmp_path / "out" / "cells_mitochondria.prediction.json").read_text(encoding="utf-8"))
    assert record["light"] == "red"


def test_strict_refuses_what_is_not_green_before_anything_is_computed(mito_predict, installed, stack, tmp_path):
    outcome = mito_predict("predict", stack, "-o", tmp_path / "out", "-m", "tiny", "--strict")
    assert outcome.code == 1
    assert "only green was asked for. tiny: red. " in outcome.err
    assert "not validated on real ones" in outcome.err, "all reasons"
    assert not list((tmp_path / "out").iterdir())
    (tmp_path / "cells.txt").write_text("no image", encoding="utf-8")
    several = mito_predict("predict", stack, tmp_path / "cells.txt", "-o", tmp_path / "out", "-m", "tiny", "--strict")
    assert several.code == 1
    assert several.err.count("Skipped") == 2


def test_an_image_can_be_predicted_pixel_for_pixel(mito_predict, installed, stack, tmp_path):
    size = ("--voxel-size", "0.15", "0.13", "0.13")
    outcome = mito_predict("predict", stack, "-o", tmp_path, "-m", "tiny", "--no-resample", *size)
    assert "off by 1.18 along y, x" in outcome.err
    record = json.loads((tmp_path / "cells_mitochondria.prediction.json").read_text(encoding="utf-8"))
    assert not record["parameters"]["resampled"]


def test_tile_does_not_change_the_result(mito_predict, predicted, stack, tmp_path):
    mito_predict("predict", stack, "-o", tmp_path / "tiled", "-m", "tiny", "--tile", "8x16x16", "--precision", "32")
    mito_predict("predict", stack, "-o", tmp_path / "whole", "-m", "tiny", "--tile", "whole", "--precision", "32")
    tiled, whole = (open_image(tmp_path / f / "cells_mitochondria.ome.tif").read() for f in ("tiled", "whole"))
    np.testing.assert_allclose(tiled, whole, atol=1e-4 * whole.std())


def test_the_mean_over_orientations(mito_predict, predicted, stack, tmp_path):
    assert _orientations(predicted) == 1
    done = mito_predict("predict", stack, "-o", tmp_path / "mean", "-m", "tiny", "--tta", "--precision", "32")
    assert done.code == 0, done.err
    assert _orientations(tmp_path / "mean") == 8
    found = open_image(tmp_path / "mean" / "cells_mitochondria.ome.tif").read()
    expected = predict(stack, "tiny", tta=True, precision="32")["mitochondria"].data
    np.testing.assert_array_equal(found, expected)


def _orientations(folder):
    record = json.loads((folder / "cells_mitochondria.prediction.json").read_text(encoding="utf-8"))
    return record["parameters"]["orientations"]


def test_a_network_that_looks_at_the_whole_field(mito_predict, installed, tiny_card, stack, tmp_path):
    network = build_network("gvtnet", arguments := {"ndim": 3, "depth": 2, "base_channels": 4})
    card = tiny_card.model_copy(update={"architecture": Architecture(kind="gvtnet", arguments=arguments)})
    save_model(installed, card, network.eval(), np.zeros((1, 8, 16, 16), np.float32))
    for tile in ("8x16x16", "whole"):
        done = mito_predict("predict", stack, "-o", tmp_path / tile, "-m", "tiny", "--tile", tile, "--precision", "32")
        assert done.code == 0, done.err
    tiled, whole = (open_image(tmp_path / f / "cells_mitochondria.ome.tif").read() for f in ("8x16x16", "whole"))
    np.testing.assert_allclose(tiled, whole, atol=1e-4 * whole.std())


def test_existing_results_are_kept_unless_told(mito_predict, predicted, stack):
    target = predicted / "cells_mitochondria.ome.tif"
    before = target.read_bytes()
    outcome = mito_predict("predict", stack, "-o", predicted, "-m", "tiny")
    assert outcome.code == 1
    assert "exists already" in outcome.err
    assert target.read_bytes() == before
    assert mito_predict("predict", stack, "-o", predicted, "-m", "tiny", "--overwrite").code == 0


def test_folder_skips_what_cannot_be_predicted(mito_predict, installed, stack, tmp_path):
    (stack.parent / "broken.czi").write_bytes(b"no image at all")
    (stack.parent / "notes.txt").write_text("not even tried", encoding="utf-8")
    outcome = mito_predict("predict", stack.parent, "-o", tmp_path / "out", "-m", "tiny")
    assert outcome.code == 1
    assert outcome.err.count("broken.czi") == 1
    assert "notes.txt" not in outcome.err
    assert "1 of 2 images could not be predicted" in outcome.err
    assert (tmp_path / "out" / "cells_mitochondria.ome.tif").exists()


def test_what_is_to_be_known_is_said_once(mito_predict, installed, stack, tmp_path):
    (stack.parent / "more.czi").write_bytes(stack.read_bytes())
    outcome = mito_predict("predict", stack.parent, "-o", tmp_path / "out", "-m", "tiny")
    assert outcome.code == 0, outcome.err
    assert outcome.err.count("not validated on real ones") == 1


def test_folder_leaves_out_predictions(mito_predict, installed, stack):
    folder = stack.parent
    assert mito_predict("predict", folder, "-o", folder, "-m", "tiny").code == 0
    again = mito_predict("predict", folder, "-o", folder, "-m", "tiny", "--overwrite", "--json")
    assert [record["input"] for record in json.loads(again.out)] == [str(stack)]


def test_a_folder_skips_predictions_with_the_reason(mito_predict, installed, stack, predicted):
    """Copied among the scans, under another name and without its record."""
    copy = stack.parent / "scan 2.tif"
    copy.write_bytes((predicted / "cells_mitochondria.ome.tif").read_bytes())
    outcome = mito_predict("predict", stack.parent, "-o", stack.parent / "again", "-m", "tiny", "--json")
    assert outcome.code == 0, outcome.err
    assert [record["input"] for record in json.loads(outcome.out)] == [str(stack)]
    assert f"Skipped {copy}: this is no recording (a prediction by tiny)" in outcome.err


@pytest.mark.parametrize("channel", [[], ["--channel", "0"], ["--channel", "mitochondria"]])
def test_nothing_is_predicted_from_a_prediction(mito_predict, predicted, tmp_path, channel):
    copy = tmp_path / "renamed.tif"
    copy.write_bytes((predicted / "cells_mitochondria.ome.tif").read_bytes())
    outcome = mito_predict("predict", copy, "-o", tmp_path / "again", "-m", "tiny", *channel)
    assert outcome.code == 1
    assert "a prediction by tiny" in outcome.err
    assert "recorded transmitted light" in outcome.err
    assert not list((tmp_path / "again").iterdir())


def test_a_folder_of_predictions_only(mito_predict, predicted, tmp_path):
    (predicted / "more.ome.tif").write_bytes((predicted / "cells_mitochondria.ome.tif").read_bytes())
    outcome = mito_predict("predict", predicted, "-o", tmp_path / "again", "-m", "tiny")
    assert outcome.code == 1
    assert "only predictions" in outcome.err


def test_a_prediction_beside_its_light_is_not_predicted_from(mito_predict, installed, stack, predicted, tmp_path):
    light, stain = (open_image(stack).read(channel=c) for c in range(2))
    made = open_image(predicted / "cells_mitochondria.ome.tif")
    both = tmp_path / "both.ome.tif"
    names = ["ESID", "TMRM", made.channels[0].name]
    write_ome_tiff(
        both, np.stack([light, stain, made.read()]), axes="CZYX", channel_names=names, voxel_size_um=VOXEL_UM
    )
    assert mito_predict("predict", both, "-o", tmp_path / "from light", "-m", "tiny").code == 0
    refused = mito_predict("predict", both, "-o", tmp_path / "no", "-m", "tiny", "--channel", "2")
    assert refused.code == 1
    assert "a prediction by tiny" in refused.err


def test_folder_without_images(mito_predict, tmp_path):
    (tmp_path / "in").mkdir()
    outcome = mito_predict("predict", tmp_path / "in", "-o", tmp_path / "out")
    assert outcome.code == 1
    assert "no CZI" in outcome.err


def test_two_images_of_one_name(mito_predict, installed, stack, tmp_path):
    twin = tmp_path / "other" / "cells.ome.tif"
    twin.parent.mkdir()
    write_ome_tiff(twin, open_image(stack).read(channel=0), axes="ZYX", channel_names=["ESID"], voxel_size_um=VOXEL_UM)
    outcome = mito_predict("predict", stack, twin, "-o", tmp_path / "out", "-m", "tiny", "--overwrite")
    assert outcome.code == 1
    assert "another image of the same name" in outcome.err


def test_channel_by_name(mito_predict, installed, make_czi, tmp_path):
    data = np.random.default_rng(1).integers(100, 4000, (1, 2, 8, 36, 44), np.uint16)
    path, _ = make_czi("unnamed.czi", data, channel_names=["first", "second"], scale_um=VOXEL_UM)
    refused = mito_predict("predict", path, "-o", tmp_path / "out", "-m", "tiny")
    assert refused.code == 1
    assert "second" in refused.err
    chosen = mito_predict("predict", path, "-o", tmp_path / "out", "-m", "tiny", "--channel", "second")
    assert chosen.code == 0
    record = json.loads((tmp_path / "out" / "unnamed_mitochondria.prediction.json").read_text(encoding="utf-8"))
    assert record["input"]["channel"] == {"index": 1, "name": "second"}


def test_unwritable_output_is_noticed_before_anything(mito_predict, stack, tmp_path, monkeypatch):
    taken = tmp_path / "taken"
    taken.write_text("a file", encoding="utf-8")
    module = sys.modules["napari_mito_predict.cli.predict"]  # the package's attribute of that name is the function
    monkeypatch.setattr(module, "_open", lambda *_: pytest.fail("opened an image"))
    outcome = mito_predict("predict", stack, "-o", taken)
    assert outcome.code == 1
    assert "taken" in outcome.err


@pytest.mark.parametrize(
    "arguments", [["-m", "nonsense"], ["--device", "abacus"], ["--scene", "7"], ["--channel", "9"]]
)
def test_wrong_choices_are_one_line(mito_predict, installed, stack, tmp_path, arguments):
    outcome = mito_predict("predict", stack, "-o", tmp_path / "out", "-m", "tiny", *arguments)
    assert outcome.code == 1
    assert outcome.err.startswith("Error: ")
    assert outcome.err.count("\n") == 1


def test_all_scenes(mito_predict, installed, tmp_path):
    path = tmp_path / "scenes.ome.tif"
    noise = np.random.default_rng(2).integers(100, 4000, (2, 8, 36, 44), np.uint16)
    with tifffile.TiffWriter(path, ome=True) as writer:
        for name, data in zip(("left", "right"), noise, strict=True):
            sizes = {"PhysicalSizeX": 0.11, "PhysicalSizeY": 0.11, "PhysicalSizeZ": 0.15}
            writer.write(data, metadata={"axes": "ZYX", "Name": name, "Channel": {"Name": ["ESID"]}, **sizes})
    first = mito_predict("predict", path, "-o", tmp_path / "first", "-m", "tiny")
    assert "2 scenes" in first.err
    outcome = mito_predict("predict", path, "-o", tmp_path / "all", "-m", "tiny", "--scene", "all")
    assert outcome.code == 0, outcome.err
    names = sorted(path.name for path in (tmp_path / "all").glob("*.ome.tif"))
    assert names == ["scenes_mitochondria.ome.tif", "scenes_scene1_mitochondria.ome.tif"]


def test_fields_of_a_plate(mito_predict, installed, tmp_path):
    """A field is predicted by its folder or by its name; on the plate the names are said."""
    zarr = pytest.importorskip("zarr", minversion="3", exc_type=ImportError)
    plate = zarr.open_group(tmp_path / "plate", mode="w", zarr_format=2)
    plate.attrs["plate"] = {"wells": [{"path": "A/1"}, {"path": "B/12"}]}
    axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    scale = [{"type": "scale", "scale": [0.15, 0.11, 0.11]}]
    multiscales = [{"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}]}]
    noise = np.random.default_rng(2).integers(100, 4000, (8, 36, 44), np.uint16)
    for well in ("A/1", "B/12"):
        plate.create_group(well).attrs["well"] = {"images": [{"path": "0"}]}
        field = plate.create_group(f"{well}/0")
        field.attrs.update({"multiscales": multiscales, "omero": {"channels": [{"label": "BF"}]}})
        field.create_array("0", shape=noise.shape, dtype="u2", chunks=(1, 36, 44))[:] = noise
    first = mito_predict("predict", tmp_path / "plate", "-o", tmp_path / "first", "-m", "tiny")
    assert first.code == 0, first.err
    assert 'plate holds 2 scenes: A/1/0, B/12/0. This is the first. Others: --scene "B/12/0"' in first.err
    for number, arguments in enumerate([["plate/A/1/0"], ["plate/B/12"], ["plate", "--scene", "B/12/0"]]):
        outcome = mito_predict(
            "predict", tmp_path / arguments[0], "-o", tmp_path / str(number), "-m", "tiny", *arguments[1:]
        )
        assert outcome.code == 0, outcome.err
        assert len(list((tmp_path / str(number)).glob("*.ome.tif"))) == 1
    names = {path.name for path in tmp_path.glob("[0-2]/*.ome.tif")}
    assert names == {f"plate_{part}_mitochondria.ome.tif" for part in ("A_1_0", "B_12", "scene1")}
    (tmp_path / "plate" / "A" / "1" / "0" / "0" / ".zarray").write_text("{", encoding="utf-8")
    rest = mito_predict("predict", tmp_path / "plate", "-o", tmp_path / "rest", "-m", "tiny", "--scene", "all")
    assert rest.code == 1
    assert f"Skipped {tmp_path / 'plate'}, scene A/1/0: " in rest.err
    assert "1 of 2 images could not be predicted" in rest.err
    assert [path.name for path in (tmp_path / "rest").glob("*.ome.tif")] == ["plate_scene1_mitochondria.ome.tif"]
    row = mito_predict("predict", tmp_path / "plate" / "A", "-o", tmp_path / "row", "-m", "tiny")
    assert (row.code, row.err.count("\n")) == (1, 1)
    assert "no OME-Zarr image" in row.err


def test_a_time_series_gets_the_bundled_pair_for_series(mito_predict, make_czi, tmp_path):
    data = np.random.default_rng(1).integers(100, 4000, (8, 1, 1, 36, 44), np.uint16)
    path, _ = make_czi("series.czi", data, channel_names=["ESID"])
    outcome = mito_predict("predict", path, "-o", tmp_path / "out", "--json")
    assert outcome.code == 0, outcome.err
    assert [record["target"] for record in json.loads(outcome.out)] == ["mitochondria", "dna"]
    record = json.loads((tmp_path / "out" / "series_dna.prediction.json").read_text(encoding="utf-8"))
    assert (record["model"]["name"], record["parameters"]["third_axis"]) == ("dna-t", "series")
    assert open_image(tmp_path / "out" / "series_dna.ome.tif").sizes == {"T": 8, "C": 1, "Z": 1, "Y": 36, "X": 44}


@pytest.fixture
def plane(tmp_path):
    """A single plane as PNG, which knows neither its light nor its pixels."""
    path = tmp_path / "plane.png"
    light = np.random.default_rng(1).integers(0, 255, (24, 28), np.uint8)
    path.write_bytes(imagecodecs.png_encode(light))
    return path


def test_a_plane_gets_the_installed_model_of_real_cells(mito_predict, real_models, plane, tmp_path):
    outcome = mito_predict("predict", plane, "-o", tmp_path / "out", "--json")
    assert outcome.code == 0, outcome.err
    assert [record["target"] for record in json.loads(outcome.out)] == ["mitochondria"]
    record = json.loads((tmp_path / "out" / "plane_mitochondria.prediction.json").read_text(encoding="utf-8"))
    assert (record["model"]["name"], record["model"]["licence"]) == ("mito-2d", "GPL-3.0-only")


def test_a_plane_of_other_pixels_does_not_but_is_told_of_it(mito_predict, real_models, plane, tmp_path):
    size = ("--voxel-size", "1", "0.5", "0.5")
    outcome = mito_predict("predict", plane, "-o", tmp_path / "out", *size)
    assert outcome.code == 1
    assert "mito-2d is for single planes, but not chosen by itself" in outcome.err
    assert "mito-z needs a z-stack" in outcome.err
    named = mito_predict("predict", plane, "-o", tmp_path / "out", *size, "-m", "mito-2d")
    assert named.code == 0, named.err
    assert "nothing is resampled for it" in named.err


def test_without_it_a_plane_is_told_where_to_get_it(mito_predict, plane, tmp_path):
    outcome = mito_predict("predict", plane, "-o", tmp_path / "out")
    assert outcome.code == 1
    assert "pip install ./real-models" in outcome.err
    assert "mito-z needs a z-stack, but plane is a single plane" in outcome.err


def test_evaluate_finds_the_truth_channel(mito_predict, predicted, stack):
    outcome = mito_predict("evaluate", predicted / "cells_mitochondria.ome.tif", stack, "--json", "--planes")
    assert outcome.code == 0, outcome.err
    record = json.loads(outcome.out)
    assert record["truth_channel"].startswith("TMRM")
    a = open_image(predicted / "cells_mitochondria.ome.tif").read()
    b = open_image(stack).read(channel="TMRM")
    assert record["pcc"] == pytest.approx(np.corrcoef(a.ravel(), b.ravel())[0, 1], abs=1e-6)
    assert [plane["z"] for plane in record["planes"]] == list(range(8))
    assert record["planes"][3]["pcc"] == pytest.approx(np.corrcoef(a[3].ravel(), b[3].ravel())[0, 1], abs=1e-6)


def test_evaluate_prints_a_table(mito_predict, predicted, stack):
    outcome = mito_predict("evaluate", predicted / "cells_mitochondria.ome.tif", stack, "--truth-channel", "1")
    assert outcome.code == 0, outcome.err
    assert {"pcc", "ssim_global", "r2"} <= set(outcome.out.split())


def test_evaluate_asks_when_the_truth_is_unclear(mito_predict, stack, tmp_path):
    other = tmp_path / "other.ome.tif"
    write_ome_tiff(other, np.zeros((8, 36, 44), np.float32), axes="ZYX", channel_names=["something"])
    outcome = mito_predict("evaluate", other, stack)
    assert outcome.code == 1
    assert "--truth-channel" in outcome.err


def test_evaluate_refuses_other_sizes(mito_predict, predicted, make_czi):
    path, _ = make_czi("small.czi")
    outcome = mito_predict("evaluate", predicted / "cells_mitochondria.ome.tif", path)
    assert outcome.code == 1
    assert outcome.err.count("\n") == 1


def test_all_targets_in_one_file(mito_predict, installed, stack, tmp_path):
    outcome = mito_predict("predict", stack, "-o", tmp_path / "out", "-m", "tiny", "--composite")
    assert outcome.code == 0, outcome.err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "cells_predicted.ome.tif",
        "cells_predicted.prediction.json",
    ]
    again = mito_predict("predict", stack, "-o", tmp_path / "out", "-m", "tiny", "--composite")
    assert again.code == 1
    assert "exists already" in again.err


@pytest.mark.parametrize("composite", [False, True])
def test_ome_zarr_is_written_while_predicting(mito_predict, installed, stack, tmp_path, monkeypatch, composite):
    pytest.importorskip("zarr", minversion="3", exc_type=ImportError, reason="pip install napari-mito-predict[zarr]")
    flags = ["-m", "tiny", "--precision", "32", "--json", *(["--composite"] if composite else [])]
    whole = mito_predict("predict", stack, "-o", tmp_path / "tiff", *flags)
    monkeypatch.setattr(Execution, "predict", lambda *_, **__: pytest.fail("held the whole result"))
    outcome = mito_predict("predict", stack, "-o", tmp_path / "ö", *flags, "--format", "ome-zarr")
    assert outcome.code == 0, outcome.err
    assert "not validated on real ones" in outcome.err
    (record,), (other,) = json.loads(outcome.out), json.loads(whole.out)
    assert record["target"] == other["target"] == "mitochondria"
    assert f"Wrote {record['output']}" in outcome.err
    name = "cells_predicted" if composite else "cells_mitochondria"
    assert sorted(p.name for p in (tmp_path / "ö").iterdir()) == [f"{name}.ome.zarr", f"{name}.prediction.json"]
    a, b = open_image(record["output"]), open_image(other["output"])
    np.testing.assert_array_equal(a.read(), b.read())
    assert (a.channels[0].name, a.voxel_size_um) == (b.channels[0].name, pytest.approx(b.voxel_size_um))


def test_an_existing_ome_zarr_is_kept_unless_told(mito_predict, installed, stack, tmp_path):
    pytest.importorskip("zarr", minversion="3", exc_type=ImportError, reason="pip install napari-mito-predict[zarr]")
    target = tmp_path / "cells_mitochondria.ome.zarr"
    target.mkdir()
    arguments = ("predict", stack, "-o", tmp_path, "-m", "tiny", "--format", "ome-zarr")
    outcome = mito_predict(*arguments)
    assert outcome.code == 1
    assert "exists already" in outcome.err
    assert not list(target.iterdir())
    assert mito_predict(*arguments, "--overwrite").code == 0
    assert open_image(target).sizes["Z"] == 8


def test_what_does_not_fit_into_memory_is_refused_with_the_way_out(
    mito_predict, installed, stack, tmp_path, monkeypatch
):
    monkeypatch.setattr("napari_mito_predict.prediction.plan.free_memory", lambda device: 4 * 8 * 36 * 44 - 1)
    monkeypatch.setattr(Execution, "blocks", lambda *_, **__: pytest.fail("computed before it was known"))
    outcome = mito_predict("predict", stack, "-o", tmp_path / "out", "-m", "tiny")
    assert outcome.code == 1
    assert "--format ome-zarr" in outcome.err
    assert not list((tmp_path / "out").iterdir())


def test_a_prediction_is_no_input(mito_predict, installed, tmp_path):
    data = np.random.default_rng(0).random((1, 8, 32, 32), np.float32)
    folder = tmp_path / "in"
    folder.mkdir()
    path = folder / "copy.ome.tif"
    write_ome_tiff(path, data, axes="CZYX", channel_names=["TMRM predicted (mito-z)"])
    outcome = mito_predict("predict", path, "-o", tmp_path / "out", "-m", "tiny", "--channel", "0")
    assert outcome.code == 1
    assert "prediction by mito-z" in outcome.err
    assert not list((tmp_path / "out").iterdir())


@pytest.fixture
def stopped(make_czi):
    """Three time points, the last of which was stopped at Z 5."""
    data = np.random.default_rng(1).integers(100, 4000, (3, 2, 8, 36, 44), np.uint16)
    skip = {(2, c, z) for c in (0, 1) for z in (5, 6, 7)}
    return make_czi("cells.czi", data, scale_um=VOXEL_UM, skip=skip)[0]


def test_what_is_complete_of_a_stopped_recording_is_predicted(mito_predict, installed, stopped, tmp_path):
    refused = mito_predict("predict", stopped, "-o", tmp_path / "out", "-m", "tiny")
    assert refused.code == 1
    assert "1 of 3 time points of ESID-T1 are incomplete: 2" in refused.err
    assert "Use the time points 0 to 1 (counted from 0), which are complete. (--times, --planes)" in refused.err
    assert not list((tmp_path / "out").iterdir()), "nothing was computed"
    done = mito_predict("predict", stopped, "-o", tmp_path / "out", "-m", "tiny", "--times", "0-1")
    assert done.code == 0, done.err
    image = open_image(tmp_path / "out" / "cells_mitochondria.ome.tif")
    assert image.sizes == {"T": 2, "C": 1, "Z": 8, "Y": 36, "X": 44}
    record = json.loads((tmp_path / "out" / "cells_mitochondria.prediction.json").read_text(encoding="utf-8"))
    assert (record["input"]["time_points"], record["input"]["z_steps"]) == ([0, 1], None)
    scored = mito_predict("evaluate", tmp_path / "out", stopped, "--json")
    assert scored.code == 0, scored.err


def test_some_z_steps_of_all_time_points(mito_predict, installed, stopped, tmp_path):
    done = mito_predict("predict", stopped, "-o", tmp_path / "out", "-m", "tiny", "--planes", "1-4")
    assert done.code == 0, done.err
    part = open_image(tmp_path / "out" / "cells_mitochondria.ome.tif")
    assert (part.sizes["T"], part.sizes["Z"]) == (3, 4)
    whole = open_image(stopped).crop(planes=range(1, 5)).read(2)
    expected = predict(whole, "tiny", voxel_size_um=VOXEL_UM)["mitochondria"].data
    np.testing.assert_allclose(part.read(2), expected, atol=1e-4)


def test_a_part_that_is_not_there_is_refused(mito_predict, installed, stopped, tmp_path):
    outcome = mito_predict("predict", stopped, "-o", tmp_path / "out", "-m", "tiny", "--times", "2-3")
    assert outcome.code == 1
    assert "there are no time points 2 to 3; valid are 0 to 2" in outcome.err


@pytest.mark.parametrize("size", ["0", "nan", "-0.1", "inf", "1e-4", "2000"])
def test_voxel_sizes_that_cannot_be_are_refused(mito_predict, installed, stack, tmp_path, size):
    outcome = mito_predict("predict", stack, "-o", tmp_path / "out", "-m", "tiny", "--voxel-size", "0.15", "0.11", size)
    assert outcome.code == 1
    assert "cannot be: give each size in micrometres, from 0.001 to 1000" in outcome.err


@pytest.mark.parametrize(("pixel", "why"), [("0.01", "8 x 36 x 44 to 8 x 3 x 4"), ("2", "x 655 x 800")])
def test_a_voxel_size_that_leaves_nothing_to_see_is_refused(mito_predict, installed, stack, tmp_path, pixel, why):
    outcome = mito_predict("predict", stack, "-o", tmp_path / "out", "-m", "tiny", "--voxel-size", "0.15", pixel, pixel)
    assert outcome.code == 1
    assert why in outcome.err
    assert "Check the voxel size" in outcome.err


def test_a_laser_line_is_a_name(mito_predict, installed, make_czi, tmp_path):
    data = np.random.default_rng(1).integers(100, 4000, (1, 3, 8, 36, 44), np.uint16)
    path, _ = make_czi("lasers.czi", data, scale_um=VOXEL_UM, channel_names=("405", "488", "640"))
    outcome = mito_predict("predict", path, "-o", tmp_path / "out", "-m", "tiny", "--channel", "640")
    assert outcome.code == 0, outcome.err
    record = json.loads((tmp_path / "out" / "lasers_mitochondria.prediction.json").read_text(encoding="utf-8"))
    assert record["input"]["channel"] == {"index": 2, "name": "640"}
