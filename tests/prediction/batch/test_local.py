"""A batch in one process: every image gets an outcome, and nothing is predicted twice."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest

from napari_mito_predict._files import unfinished_path
from napari_mito_predict._tables import read_table
from napari_mito_predict.errors import OutputError, OutputExistsError, PredictionCancelled, UnreadableImageError
from napari_mito_predict.evaluation import evaluate
from napari_mito_predict.image import open_image
from napari_mito_predict.models import save_model
from napari_mito_predict.models.record import read_record
from napari_mito_predict.prediction import predict
from napari_mito_predict.prediction.batch import stages
from napari_mito_predict.prediction.batch.inputs import Entry, find_entries
from napari_mito_predict.prediction.batch.local import predict_batch
from napari_mito_predict.prediction.batch.outcome import State, summary, write_outcomes
from napari_mito_predict.prediction.batch.settings import FileFormat
from napari_mito_predict.prediction.many import run_batch

SAMPLE = np.zeros((1, 8, 16, 16), np.float32)


def test_one_bad_file_stops_no_other(record, settings, tmp_path):
    record("a.ome.tif", 1)
    (tmp_path / "scans" / "b.czi").write_bytes(b"ZISRAWFILE and no more")
    record("c.ome.tif", 2)
    outcomes = list(predict_batch(find_entries([tmp_path / "scans"]), settings))
    assert [outcome.state for outcome in outcomes] == [State.DONE, State.FAILED, State.DONE]
    assert outcomes[1].reason
    assert summary(outcomes) == "2 done, 1 failed"
    for name in "ac":
        written = open_image(settings.folder / f"{name}_mitochondria.ome.tif").read()
        expected = predict(tmp_path / "scans" / f"{name}.ome.tif", "tiny", precision="32")["mitochondria"].data
        np.testing.assert_array_equal(written, expected)


@pytest.mark.parametrize("file_format", FileFormat)
@pytest.mark.parametrize("composite", [False, True])
def test_what_is_there_is_not_predicted_again(record, settings, file_format, composite):
    settings = replace(settings, file_format=file_format, composite=composite)
    entries = [Entry(record("a.ome.tif", 1)), Entry(record("b.ome.tif", 2))]
    first = list(predict_batch(entries[:1], settings))
    (path,) = first[0].files.values()
    written = path.stat().st_mtime_ns
    again = list(predict_batch(entries, settings))
    assert [outcome.state for outcome in again] == [State.THERE_ALREADY, State.DONE]
    assert path.stat().st_mtime_ns == written


@pytest.mark.parametrize("file_format", FileFormat)
def test_what_a_killed_run_left_goes_and_what_another_writes_stays(record, settings, file_format):
    entry = Entry(record("a.ome.tif", 1))
    mine = unfinished_path(settings.folder / f"b_mitochondria{file_format.suffix}")
    mine.mkdir()
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    mine.with_name(mine.name.replace(f"-{os.getpid()}-", f"-{ended.pid}-")).mkdir()
    (outcome,) = predict_batch([entry], replace(settings, file_format=file_format))
    assert outcome.state is State.DONE
    assert [path.name for path in settings.folder.glob(".*")] == [mine.name]


@pytest.mark.parametrize("change", ["pixels", "part", "orientations", "voxel size"])
def test_what_is_there_of_something_else_is_kept_and_named(record, settings, change):
    entry = Entry(record("a.ome.tif", 1))
    list(predict_batch([entry], settings))
    other = settings
    if change == "pixels":
        record("a.ome.tif", 2)
    elif change == "part":
        other = replace(settings, planes=range(2, 6))
    elif change == "orientations":
        other = replace(settings, plan={**settings.plan, "tta": True})
    else:
        other = replace(settings, plan={**settings.plan, "voxel_size_um": (0.15, 0.12, 0.12)})
    (outcome,) = predict_batch([entry], other)
    assert outcome.state is State.FAILED
    assert isinstance(outcome.error, OutputExistsError)
    (outcome,) = predict_batch([entry], replace(other, overwrite=True))
    assert outcome.state is State.DONE


def test_tiles_make_no_other_prediction(record, settings):
    entry = Entry(record("a.ome.tif", 1))
    list(predict_batch([entry], settings))
    (outcome,) = predict_batch([entry], replace(settings, plan={**settings.plan, "tile": (8, 16, 16)}))
    assert outcome.state is State.THERE_ALREADY


def test_a_record_without_its_image_is_no_result(record, settings):
    entry = Entry(record("a.ome.tif", 1))
    ((path,),) = [outcome.files.values() for outcome in predict_batch([entry], settings)]
    path.unlink()
    (outcome,) = predict_batch([entry], settings)
    assert outcome.state is State.DONE


@pytest.mark.parametrize("file_format", FileFormat)
def test_says_how_well_it_fits_the_truth(record, settings, file_format):
    path = record("a.ome.tif", 1)
    (outcome,) = predict_batch([Entry(path)], replace(settings, file_format=file_format))
    truth = open_image(path).read(0, "mitochondria")
    predicted = open_image(outcome.files["mitochondria"]).read()
    assert outcome.pcc["mitochondria"] == pytest.approx(evaluate(predicted, truth).pcc, abs=1e-6)


def test_predictions_beside_their_inputs_are_left_out(record, settings, tmp_path):
    path = record("a.ome.tif", 1)
    beside = replace(settings, folder=path.parent)
    list(predict_batch(find_entries([path.parent]), beside))
    again = list(predict_batch(find_entries([path.parent]), beside))
    assert [outcome.state for outcome in again] == [State.THERE_ALREADY, State.LEFT_OUT]


@pytest.mark.parametrize("given", [list, iter], ids=["listed", "found while a folder is watched"])
def test_two_images_of_one_name(record, settings, tmp_path, given):
    entries = [Entry(record("a.ome.tif", 1)), Entry(record("A.tif", 2, tmp_path / "more"))]
    outcomes = list(run_batch(given(entries), replace(settings, overwrite=True)))
    assert [outcome.state for outcome in outcomes] == [State.DONE, State.FAILED]
    assert isinstance(outcomes[1].error, OutputError)
    assert read_record(outcomes[0].files["mitochondria"]).input.path.endswith("a.ome.tif")


def test_cancelled_between_two_images(record, settings):
    entries = [Entry(record(f"{number}.ome.tif", number)) for number in range(3)]
    outcomes = []

    def cancel() -> bool:
        return bool(outcomes)

    with pytest.raises(PredictionCancelled):
        for outcome in predict_batch(entries, settings, cancel=cancel):
            outcomes.append(outcome)
    # The second one was computed when the first one was given.
    assert [outcome.state for outcome in outcomes] == [State.DONE, State.DONE]
    assert not list(settings.folder.glob(".*"))
    states = [each.state for each in predict_batch(entries, settings)]
    assert states == [State.THERE_ALREADY, State.THERE_ALREADY, State.DONE]


def test_an_outcome_is_told_while_the_next_image_is_computed(record, settings):
    entries = [Entry(record(f"{number}.ome.tif", number)) for number in range(2)]
    told = threading.Event()

    def cancel() -> bool:
        """Lets the second image wait for the outcome of the first one."""
        return begun[1:] != [] and not told.wait(30)

    begun = []
    outcomes = predict_batch(
        entries,
        settings,
        on_image=lambda each: begun.append(each.entry),
        on_outcome=lambda outcome: told.set(),
        cancel=cancel,
    )
    assert [outcome.state for outcome in outcomes] == [State.DONE, State.DONE]


def test_patterns(record, tmp_path):
    record("day1/a.ome.tif")
    record("day2/b.ome.tif")
    record("day2/c.png.ome.tif")
    found = find_entries([str(tmp_path / "scans" / "**" / "[ab]*.tif")])
    assert [entry.path.name for entry in found] == ["a.ome.tif", "b.ome.tif"]
    with pytest.raises(UnreadableImageError, match="no file fits"):
        find_entries([str(tmp_path / "*.lif")])


def test_the_table(record, settings, tmp_path):
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / "b.tif").write_bytes(b"")
    record("a.ome.tif", 1)
    outcomes = list(predict_batch(find_entries([tmp_path / "scans"]), settings))
    write_outcomes(tmp_path / "table.csv", outcomes)
    header, first, second = (tmp_path / "table.csv").read_text(encoding="utf-8").splitlines()
    assert header == "file,scene,state,reason,seconds,light tiny,pcc mitochondria,written"
    assert ",done," in first
    assert "empty" in second


def test_the_table_of_a_second_run_keeps_lights_and_scores(record, settings, tmp_path):
    record("a.ome.tif", 1)
    entries = find_entries([tmp_path / "scans"])
    table = tmp_path / "table.csv"
    write_outcomes(table, list(predict_batch(entries, settings)))
    (first,) = read_table(table)
    write_outcomes(table, list(predict_batch(entries, settings)))
    (second,) = read_table(table)
    assert (first.pop("state"), second.pop("state")) == ("done", "there already")
    del first["seconds"], second["seconds"]
    assert first == second


@pytest.mark.parametrize("file_format", FileFormat)
def test_killed_between_two_files_of_one_image(record, settings, file_format, tiny_card, tiny_network, tmp_path):
    """What is there of an image is no obstacle for the rest of it."""
    save_model(tmp_path / "other", tiny_card.model_copy(update={"name": "other"}), tiny_network, SAMPLE)
    both = replace(settings, models=("tiny", str(tmp_path / "other")), file_format=file_format)
    entry = Entry(record("a.ome.tif", 1))
    (first,) = predict_batch([entry], both)
    gone = next(iter(first.files.values()))
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    (again,) = predict_batch([entry], both)
    assert again.state is State.DONE, again.reason
    assert all(path.exists() for path in again.files.values())


def test_an_unforeseen_fault_stops_no_other(record, settings, monkeypatch):
    entries = [Entry(record("a.ome.tif", 1)), Entry(record("b.ome.tif", 2))]
    whole = stages.plan_prediction

    def faulty(image, *arguments, **options):
        if image.name == "a":
            raise ZeroDivisionError("of somebody else")
        return whole(image, *arguments, **options)

    monkeypatch.setattr(stages, "plan_prediction", faulty)
    first, second = predict_batch(entries, settings)
    assert "ZeroDivisionError: of somebody else" in first.reason
    assert second.state is State.DONE
