from __future__ import annotations

import json

import numpy as np
import pytest

from napari_mito_predict.errors import OutputExistsError, PredictedInputError, UnwritableOutputError
from napari_mito_predict.image import open_image, write_ome_tiff
from napari_mito_predict.image.names import record_path
from napari_mito_predict.models.record import PredictionRecord
from napari_mito_predict.prediction import predict


@pytest.fixture
def prediction(make_model, make_fake, noise):
    model = make_model(make_fake(), name="mito-z", simulated=True)
    return predict(noise(6, 20, 24), model, voxel_size_um=(0.3, 0.1, 0.1), device="cpu")["mitochondria"]


def test_saved_and_read_again(prediction, tmp_path):
    path = tmp_path / "zellen µ.ome.tif"
    assert prediction.save(path) == path
    image = open_image(path)
    np.testing.assert_array_equal(image.read(0, 0), prediction.data)
    assert image.channels[0].name == "MITOCHONDRIA predicted (mito-z)"
    assert image.voxel_size_um == pytest.approx((0.3, 0.1, 0.1))
    record = json.loads((tmp_path / "zellen µ.prediction.json").read_text(encoding="utf-8"))
    assert record == prediction.record.to_dict() | {"image_id": record["image_id"]}
    assert record["disclaimer"] == "Trained on simulated cells, not validated on real ones."
    assert record["model"]["simulated"] is True


@pytest.mark.parametrize("suffix", [".ome.tif", ".tif", ".ome.zarr"])
def test_saved_copied_and_renamed_it_is_a_prediction_and_not_predicted_from(prediction, tmp_path, suffix):
    if suffix.endswith("zarr"):
        pytest.importorskip("zarr", minversion="3", exc_type=ImportError, reason="writes OME-Zarr")
    path = prediction.save(tmp_path / f"cells{suffix}")
    (mark,) = (channel.prediction for channel in open_image(path).channels)
    assert (mark.model, mark.evidence, mark.simulated) == ("mito-z", "record", True)
    renamed = path.rename(tmp_path / f"anything{suffix}")
    (mark,) = (channel.prediction for channel in open_image(renamed).channels)
    assert (mark.model, mark.evidence, mark.simulated) == ("mito-z", "marker", True)
    for channel in (None, 0):
        with pytest.raises(PredictedInputError, match="a prediction by mito-z"):
            predict(renamed, "mito-z", channel=channel, device="cpu")


@pytest.mark.parametrize("shape", [(20, 24), (2, 6, 20, 24)])
def test_other_axes(make_model, make_fake, noise, tmp_path, shape):
    flat = len(shape) == 2
    model = make_model(make_fake(ndim=2 if flat else 3), third_axes=() if flat else ("z",))
    found = predict(noise(*shape), model, device="cpu")["mitochondria"]
    found.save(tmp_path / "a.tif")
    image = open_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(image.lazy(0).compute().reshape(shape), found.data)


def test_existing_results_are_kept(prediction, tmp_path):
    path = tmp_path / "a.ome.tif"
    record_path(path).write_text("mine", encoding="utf-8")
    with pytest.raises(OutputExistsError):
        prediction.save(path)
    assert not path.exists()
    prediction.save(path, overwrite=True)
    with pytest.raises(OutputExistsError):
        prediction.save(path)
    with pytest.raises(UnwritableOutputError):
        prediction.save(tmp_path / "absent" / "a.ome.tif")


@pytest.mark.parametrize(
    ("name", "record"),
    [
        ("a.ome.tif", "a.prediction.json"),
        ("a.b.OME.TIFF", "a.b.prediction.json"),
        ("a.tif", "a.prediction.json"),
        ("a.ome.zarr", "a.prediction.json"),
        ("a", "a.prediction.json"),
    ],
)
def test_the_record_is_beside(tmp_path, name, record):
    assert record_path(tmp_path / name) == tmp_path / record


def test_the_record_says_how_it_was_made(make_model, make_fake, noise, tmp_path):
    path = tmp_path / "cells.ome.tif"
    write_ome_tiff(
        path, noise(2, 6, 20, 24), axes="CZYX", channel_names=["TL", "TMRM"], voxel_size_um=(0.3, 0.15, 0.15)
    )
    found = predict(path, make_model(make_fake(), name="mito-z"), device="cpu", precision="32", tile=(64, 8, 8))
    record = found["mitochondria"].record.to_dict()
    assert json.loads(json.dumps(record)) == record
    assert PredictionRecord.model_validate(record) == found["mitochondria"].record
    assert record["input"]["path"] == str(path)
    assert len(record["input"]["sha256_ends"]) == 64
    assert record["input"]["channel"] == {"index": 0, "name": "TL"}
    assert record["parameters"]["resampled"] is True
    assert record["parameters"]["shape_predicted"] == [6, 30, 36]
    assert record["computed_on"][0]["precision"] == "32"
    assert record["disclaimer"] == ""
    assert {"python", "torch", "numpy", "napari-mito-predict"} <= set(record["versions"])
    assert any("resampled" in note for note in found["mitochondria"].record.notes)


def test_notes_about_other_models_stay_with_them(make_model, make_fake, noise):
    models = [
        make_model(make_fake(), name="a", targets=("mitochondria",), simulated=True),
        make_model(make_fake(), name="b", targets=("dna",)),
    ]
    found = predict(noise(6, 16, 16), models, voxel_size_um=(0.3, 0.1, 0.1), device="cpu")
    assert any(note.startswith("a: Trained on simulated") for note in found["mitochondria"].record.notes)
    assert not any("simulated" in note for note in found["dna"].record.notes)


def test_notes_without_a_name_in_front_stay_with_their_model_too(make_model, make_fake, noise):
    models = [
        make_model(make_fake(), name="fine", targets=("mitochondria",), voxel_size_um=(0.3, 0.05, 0.05)),
        make_model(make_fake(), name="same", targets=("dna",), voxel_size_um=(0.3, 0.1, 0.1)),
        make_model(make_fake(), name="coarse", targets=("er",), voxel_size_um=(0.3, 0.25, 0.25)),
    ]
    found = predict(noise(6, 16, 16), models, voxel_size_um=(0.3, 0.1, 0.1), device="cpu")
    notes = {key: " ".join(prediction.record.notes) for key, prediction in found.items()}
    assert "fine was trained at" in notes["mitochondria"]
    assert "coarse was trained at" in notes["er"]
    assert "resampled" not in notes["dna"]
    for key, others in {"mitochondria": ("same", "coarse"), "dna": ("fine", "coarse"), "er": ("fine", "same")}.items():
        assert not any(name in notes[key] for name in others)


def test_an_unknown_voxel_size_is_that_of_each_model(make_model, make_fake, noise):
    models = [
        make_model(make_fake(), name="fine", targets=("mitochondria",), voxel_size_um=(0.3, 0.05, 0.05)),
        make_model(make_fake(), name="coarse", targets=("dna",), voxel_size_um=(0.3, 0.25, 0.25)),
    ]
    found = predict(noise(6, 16, 16), models, device="cpu")
    notes = {key: " ".join(prediction.record.notes) for key, prediction in found.items()}
    assert "taken to be that of fine" in notes["mitochondria"]
    assert "coarse" not in notes["mitochondria"]
    assert "taken to be that of coarse" in notes["dna"]
    assert "fine" not in notes["dna"]
