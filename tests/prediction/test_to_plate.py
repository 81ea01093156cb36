"""Predictions into a plate: beside each field in its well, with the numbers of any other prediction."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_mito_predict.errors import OutputError, OutputExistsError, PredictedInputError
from napari_mito_predict.image import open_image, open_scenes
from napari_mito_predict.models.record import read_record
from napari_mito_predict.prediction import plan_prediction, predict, predict_into_field, run, run_into_new_plate

pytest.importorskip("zarr", minversion="3", exc_type=ImportError, reason="pip install napari-mito-predict[zarr]")

OPTIONS = {"device": "cpu", "precision": "32"}


def files(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def interrupt(window):
    if window.std() > 0:
        raise KeyboardInterrupt
    return window


@pytest.fixture
def model(make_model, make_fake):
    return make_model(make_fake(targets=2), targets=("mitochondria", "dna"), simulated=True)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_every_field_of_a_plate(make_plate, model, version):
    plate = make_plate(version)
    for _, image in list(open_scenes(plate)):
        written = predict_into_field(plan_prediction(image, model, **OPTIONS))
        assert written == plate / f"{image.scenes[image.scene]}predicted"
    scenes = dict(open_scenes(plate))
    assert len(scenes) == 2 * 2 * 2 * 2
    original, added = scenes["B/1/1"], scenes["B/1/1predicted"]
    predicted = predict(original, model, **OPTIONS)
    for channel, key in enumerate(("mitochondria", "dna")):
        np.testing.assert_array_equal(added.read(0, channel), predicted[key].data)
        assert added.channels[channel].prediction.model == "tiny"
    assert added.voxel_size_um == original.voxel_size_um
    record = read_record(written)
    assert [part.target for part in record.channels] == ["mitochondria", "dna"]
    assert record.channels[0].input.scene == "B/2/1"
    assert not [*plate.rglob("*.prediction.json"), *plate.rglob(".*.partial.*")]
    with pytest.raises(PredictedInputError):
        plan_prediction(added, model, **OPTIONS)


def test_again(make_plate, model):
    plate = make_plate("0.5")
    plan = plan_prediction(open_image(plate), model, **OPTIONS)
    predict_into_field(plan)
    with pytest.raises(OutputExistsError, match=r"0predicted: is in this plate already"):
        predict_into_field(plan)
    assert predict_into_field(plan, suffix="other").name == "0other"
    predict_into_field(plan, overwrite=True)
    assert [*dict(open_scenes(plate / "A" / "1"))] == ["0", "1", "0predicted", "0other"]


def test_a_failure_leaves_the_plate_as_it_was(make_plate, make_model, make_fake):
    plate = make_plate("0.4")
    before = files(plate)
    network = make_fake()
    plan = plan_prediction(open_image(plate), make_model(network), **OPTIONS)
    network.on_call = interrupt
    with pytest.raises(KeyboardInterrupt):
        predict_into_field(plan)
    assert files(plate) == before


def test_what_is_no_field_is_refused_before_anything_is_computed(model, noise):
    with pytest.raises(OutputError, match="no field of a plate"):
        predict_into_field(plan_prediction(noise(3, 20, 24), model, voxel_size_um=(0.3, 0.1, 0.1), **OPTIONS))


def test_a_plate_of_its_own_appears_with_its_first_field(make_plate, make_model, make_fake, tmp_path):
    network = make_fake()
    plan = plan_prediction(open_image(make_plate("0.4")), make_model(network), **OPTIONS)
    network.on_call = interrupt
    with pytest.raises(KeyboardInterrupt):
        run_into_new_plate(run(plan), tmp_path / "new.ome.zarr")
    assert [path.name for path in tmp_path.iterdir()] == ["screen.zarr"]
    network.on_call = None
    written = run_into_new_plate(run(plan), tmp_path / "new.ome.zarr")
    assert written == tmp_path / "new.ome.zarr" / "A" / "1" / "0"
    assert read_record(written).channels[0].input.name == "screen.zarr"
    with pytest.raises(OutputExistsError, match="exists already"):
        run_into_new_plate(run(plan), tmp_path / "new.ome.zarr")
    with pytest.raises(OutputExistsError, match="no plate of predictions"):
        run_into_new_plate(run(plan), tmp_path / "screen.zarr", overwrite=True)
