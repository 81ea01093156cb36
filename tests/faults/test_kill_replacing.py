"""A prediction that is killed at each step while it replaces another: image and record are never of two predictions."""

from __future__ import annotations

import json
import multiprocessing
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_mito_predict import _files
from napari_mito_predict.errors import EvaluationError
from napari_mito_predict.image import open_image, open_scenes, write_ome_tiff
from napari_mito_predict.image.names import record_path
from napari_mito_predict.models import ModelCard, save_model
from napari_mito_predict.models.record import PredictionRecord, read_record
from napari_mito_predict.prediction import predict
from napari_mito_predict.prediction.batch.outcome import State
from napari_mito_predict.prediction.many import predict_many

if TYPE_CHECKING:
    from napari_mito_predict.networks.unet import UNet

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a process that is forked")

SHAPE = (8, 24, 28)
OPTIONS = {"device": "cpu", "precision": "32", "tile": (8, 16, 16)}
KILLED = 9
MOST_STEPS = 20
DYING = Path(__file__).with_name("predict_and_die.py")
"""A process of the fork server imports no tests: it runs this file."""


@pytest.fixture(scope="module")
def server() -> multiprocessing.context.ForkServerContext:
    """Makes processes in which everything is imported already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["napari_mito_predict.prediction.many"])
    return context


@pytest.fixture
def models(tmp_path: Path, tiny_card: ModelCard, tiny_network: UNet) -> dict[str, Path]:
    """Two of one target, which predict differently."""
    found = {}
    for name, factor in (("old", 1.0), ("new", 2.0)):
        for parameter in tiny_network.parameters():
            parameter.data *= factor
        found[name] = tmp_path / name
        card = tiny_card.model_copy(update={"name": name})
        save_model(found[name], card, tiny_network, np.zeros((1, 8, 16, 16), np.float32))
    return found


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """A stack in a folder of its own."""
    data = np.random.default_rng(0).integers(100, 4000, (1, *SHAPE), np.uint16)
    (tmp_path / "scans").mkdir()
    path = tmp_path / "scans" / "cells.ome.tif"
    return write_ome_tiff(path, data, axes="CZYX", channel_names=["Brightfield"], voxel_size_um=(0.15, 0.11, 0.11))


def _replace_and_die(
    server: multiprocessing.context.ForkServerContext, check: Callable[[], None], *arguments: object, **options: object
) -> int:
    """Predict again and again, each time killed one step later, until it ends by itself; give how often it did not."""
    for step in range(MOST_STEPS):
        given = {"step": step, "arguments": arguments, "options": options}
        process = server.Process(target=runpy.run_path, args=(str(DYING), given))
        process.start()
        process.join(60)
        check()
        if process.exitcode == 0:
            return step
        assert process.exitcode == KILLED
    pytest.fail(f"more than {MOST_STEPS} steps")


@pytest.mark.parametrize("file_format", ["ome-tiff", "ome-zarr"])
def test_beside_an_image_its_own_record(
    server: multiprocessing.context.ForkServerContext,
    models: dict[str, Path],
    scan: Path,
    tmp_path: Path,
    file_format: str,
) -> None:
    expected = {
        name: predict(open_image(scan), model, **OPTIONS)["mitochondria"].data for name, model in models.items()
    }
    assert np.abs(expected["old"] - expected["new"]).max() > 0
    out = tmp_path / "out"
    options = OPTIONS | {"file_format": file_format}
    (outcome,) = predict_many(scan, out, models["old"], **options)
    (image,) = outcome.files.values()
    seen = set()

    def check() -> None:
        _files.remove_abandoned(out)  # as whoever comes next does
        record = read_record(image)
        assert record is not None
        np.testing.assert_array_equal(open_image(image).read(), expected[record.model.name])
        assert open_image(image).channels[0].prediction.model == record.model.name
        beside = PredictionRecord.model_validate_json(record_path(image).read_bytes())
        seen.add((record.model.name, beside.model.name))
        if beside.model.name != record.model.name:
            (again,) = predict_many(scan, out, models["new"], **options)
            assert again.state is State.THERE_ALREADY, "all of it is there but the record beside"
            assert PredictionRecord.model_validate_json(record_path(image).read_bytes()) == record

    steps = _replace_and_die(server, check, scan, out, models["new"], **options, overwrite=True)
    assert steps >= 2
    assert ("old", "old") in seen
    assert ("new", "old") in seen, "killed between image and record"
    assert ("new", "new") in seen
    assert sorted(path.name for path in out.iterdir()) == [image.name, record_path(image).name]


@pytest.mark.parametrize("own", [False, True], ids=["into the plate", "into a new one"])
def test_in_a_plate(
    server: multiprocessing.context.ForkServerContext,
    models: dict[str, Path],
    make_plate: Callable[..., Path],
    tmp_path: Path,
    own: bool,
) -> None:
    """What is not listed when a run is killed is listed by the next one; what was replaced is the old or the new."""
    plate = make_plate("0.5", (1, 1, *SHAPE))
    folder = tmp_path / "out" if own else None
    if own:
        folder.mkdir()
    written = folder / "screen_predicted.ome.zarr" if own else plate
    field = "A/1/0" if own else "A/1/0predicted"
    options = OPTIONS | {"scene": "A/1/0", "into_plate": True}
    (light,) = [image for name, image in open_scenes(plate) if name == "A/1/0"]
    expected = {name: predict(light, model, **OPTIONS)["mitochondria"].data for name, model in models.items()}

    def resume() -> None:
        """After a first run that was killed."""
        (outcome,) = predict_many(plate, folder, models["old"], **options)
        assert outcome.state in (State.DONE, State.THERE_ALREADY), outcome.reason
        scenes = dict(open_scenes(written))
        assert field in scenes, "listed"
        np.testing.assert_array_equal(scenes[field].read(), expected["old"])
        _unlist(written, field)

    def check() -> None:
        for level in (written, *(written / field).parents):
            _files.remove_abandoned(level)
        record = read_record(written / field)
        assert record is not None
        np.testing.assert_array_equal(open_image(written / field).read(), expected[record.channels[0].model.name])

    resume()
    resume()
    predict_many(plate, folder, models["old"], **options)
    assert _replace_and_die(server, check, plate, folder, models["new"], **options, overwrite=True) >= 2
    assert read_record(written / field).channels[0].model.name == "new"


def _unlist(plate: Path, field: str) -> None:
    """As if the run had been killed before the well listed its image."""
    metadata = plate / field.rpartition("/")[0] / "zarr.json"
    document = json.loads(metadata.read_text(encoding="utf-8"))
    images = document["attributes"]["ome"]["well"]["images"]
    images[:] = [entry for entry in images if entry["path"] != Path(field).name]
    metadata.write_text(json.dumps(document), encoding="utf-8")


def test_the_record_of_another_image_is_not_believed(models: dict[str, Path], scan: Path, tmp_path: Path) -> None:
    predictions = {name: predict(open_image(scan), model, **OPTIONS)["mitochondria"] for name, model in models.items()}
    paths = {name: one.save(tmp_path / f"{name}.ome.tif") for name, one in predictions.items()}
    paths["old"].write_bytes(paths["new"].read_bytes())
    record = read_record(paths["old"])
    assert record is not None
    assert record.model.name == "new"
    assert open_image(paths["old"]).channels[0].prediction.model == "new"
    write_ome_tiff(paths["old"], predictions["new"].data, axes="ZYX", overwrite=True)
    with pytest.raises(EvaluationError, match=r"old\.prediction\.json: this record was written for another image"):
        read_record(paths["old"])
    edited = record_path(paths["new"])
    text = edited.read_text(encoding="utf-8").replace('"target": "mitochondria"', '"target": "by hand"')
    edited.write_text(text, encoding="utf-8")
    assert read_record(paths["new"]).target == "by hand", "that beside may be edited"
    edited.unlink()
    assert read_record(paths["new"]).target == "mitochondria"
