"""All problems are said at once and before the first iteration; data larger than memory is kept on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import psutil
import pytest
import tifffile

from napari_mito_predict.errors import TrainingDataError
from napari_mito_predict.image import Level
from napari_mito_predict.training import train
from napari_mito_predict.training.checks import check_batch, check_shift, explain
from napari_mito_predict.training.data import FieldReader, load_data, make_store
from napari_mito_predict.training.pairs import Pair
from napari_mito_predict.training.store import PairStore, store_size


def _reports(config) -> dict[str, object]:
    reader = FieldReader(config)
    return {field.name: reader.read(field)[1] for field in reader.all_fields}


def test_all_problems_are_listed_at_once(fields: Path, make_config, write_field) -> None:
    good = tifffile.imread(fields / "field0.ome.tif")
    blank = good.copy()
    blank[1] = 7
    write_field(fields / "blank.ome.tif", blank, ["TL", "TMRM"])
    write_field(fields / "no truth.ome.tif", good, ["TL", "DAPI"])
    write_field(fields / "plane.ome.tif", good[:, 0], ["TL", "TMRM"], axes="CYX")
    (fields / "cut.ome.tif").write_bytes((fields / "field1.ome.tif").read_bytes()[:5000])
    config = make_config(fields, "run")
    with pytest.raises(TrainingDataError) as caught:
        train(config)
    text = str(caught.value)
    assert len(text.splitlines()) == 4
    for part in ("blank: TMRM: every pixel has the value 7", "no truth", "plane: a single plane", "cut.ome.tif"):
        assert part in text
    assert (config.output / "status.json").exists()
    train(make_config(fields, "run2", data=_without(config, ["blank", "no truth", "plane", "cut"]), iterations=1))


def test_each_problem_names_its_field_once(fields: Path, make_config, write_field) -> None:
    """A field that was fine when it was opened and is cut when it is read; and one of another kind."""
    good = tifffile.imread(fields / "field0.ome.tif")
    write_field(fields / "plane.ome.tif", good[:, 0], ["TL", "TMRM"], axes="CYX")
    reader = FieldReader(make_config(fields, "run"))
    (fields / "field1.ome.tif").write_bytes((fields / "field1.ome.tif").read_bytes()[:5000])
    for name in ("field1", "plane"):
        field = next(field for field in reader.all_fields if field.name == name)
        (line,) = explain(name, reader.read(field)[1].findings)
        assert line.startswith(f"{name}: ")
        assert line.count(f"{name}: ") == 1


def _without(config, names: list[str]) -> dict[str, object]:
    return config.data.model_dump() | {"exclude": names}


def test_saturated_truth_and_few_fields_are_warnings(tmp_path: Path, make_config, write_field) -> None:
    for i in range(2):
        light = np.random.default_rng(i).normal(1000, 100, (12, 40, 44))
        truth = np.where(light > 1050, 65535, light)
        write_field(tmp_path / f"f{i}.ome.tif", np.stack([light, truth]), ["TL", "TMRM"])
    run = train(make_config(tmp_path, "run", iterations=1))
    log = (run.path / "log.txt").read_text(encoding="utf-8")
    assert "TMRM: " in log
    assert "saturated" in log
    assert "Only 2 usable fields" in log
    assert "strips" in run.model.card.training.notes


def test_the_same_field_in_two_parts_is_refused(fields: Path, make_config) -> None:
    (fields / "copy.ome.tif").write_bytes((fields / "field0.ome.tif").read_bytes())
    split = {"test": ["copy"], "validation": ["field1"]}
    with pytest.raises(TrainingDataError, match=r"field0, copy hold the same pixels.*test and training"):
        train(make_config(fields, "run", split=split))
    split = {"test": ["field1"], "validation": ["field2"]}
    run = train(make_config(fields, "run2", split=split, iterations=1))
    assert "hold the same pixels" in (run.path / "log.txt").read_text(encoding="utf-8")


def test_one_field_only(tmp_path: Path, make_config, write_field) -> None:
    light = np.random.default_rng(0).normal(1000, 100, (12, 40, 120))
    write_field(tmp_path / "only.ome.tif", np.stack([light, 2000 - light]), ["TL", "TMRM"])
    run = train(make_config(tmp_path, "run", iterations=2))
    assert run.status.state == "done"
    assert "mitochondria, validation fields" in run.model.card.metrics


def test_a_batch_larger_than_the_data_is_said() -> None:
    pairs = [Pair("f", np.zeros((8, 32, 32), np.float16), np.zeros((1, 8, 32, 32), np.float16))]
    assert not check_batch(pairs, (8, 16, 16), 4)
    (finding,) = check_batch(pairs, (8, 16, 16), 5)
    assert (finding.level, finding.code) == (Level.WARNING, "batch-larger-than-data")
    assert "room for only 4" in finding.message


def test_kept_on_disk_it_trains_the_same(fields: Path, make_config) -> None:
    runs = [train(make_config(fields, place, cache=place, iterations=3)) for place in ("memory", "disk")]
    rows = [[{**row, "seconds": 0} for row in run.metrics] for run in runs]
    assert rows[0] == rows[1]
    assert not (runs[1].path / "cache").exists()


def test_disk_is_chosen_where_memory_is_short(fields: Path, make_config, tmp_path: Path) -> None:
    config = make_config(fields, "run")
    reader = FieldReader(config)
    size = store_size(list(reader.opened.values()), 1, reader.sampling.voxel_size_um)
    assert size == 4 * 12 * 40 * 44 * 2 * 2
    assert make_store(config, reader, tmp_path, free=10 * size).folder is None
    assert make_store(config, reader, tmp_path, free=size).folder == tmp_path


def test_memory_stays_bounded_with_the_store_on_disk(tmp_path: Path, make_config, write_field) -> None:
    """Twenty fields of 8 MB each are prepared; what stays in the process's own memory is not of that size."""
    (tmp_path / "many").mkdir()
    for i in range(20):
        data = np.random.default_rng(i).integers(0, 4000, (2, 4, 700, 700), np.uint16)
        write_field(tmp_path / "many" / f"f{i}.ome.tif", data, ["TL", "TMRM"])
    config = make_config(tmp_path / "many", "run", cache="disk")
    reader = FieldReader(config, look_for_shifts=False)
    store = PairStore(tmp_path / "cache")
    load_data(reader, store)  # imports, pools
    before = _own_memory()
    data = load_data(reader, store)
    kept = sum(pair.input.nbytes + pair.truth.nbytes for pair in data.training)
    assert kept > 90e6
    assert _own_memory() - before < 0.4 * kept
    assert all(isinstance(pair.input, np.memmap) for pair in data.training)


def _own_memory() -> int:
    """Bytes of this process that are not mapped files."""
    info = psutil.Process().memory_info()
    return int(info.rss - info.shared) if hasattr(info, "shared") else int(info.rss)


def test_shift_against_the_start_model_is_found_and_shown() -> None:
    rng = np.random.default_rng(0)
    truth = np.zeros((12, 128, 128), np.float32)
    for z, y, x in rng.integers((2, 8, 8), (10, 120, 120), (60, 3)):
        truth[z - 1 : z + 2, y - 3 : y + 4, x - 3 : x + 4] += rng.uniform(1, 3)
    light = rng.standard_normal(truth.shape).astype(np.float16)

    def found(moved: np.ndarray):
        noisy = moved + rng.normal(0, 0.5, moved.shape)
        pair = Pair("f", light, noisy[None].astype(np.float16))
        return check_shift(pair, lambda given: [truth], ("mitochondria",), along_third=True)

    assert found(truth) == ([], None)
    ((finding,), picture) = found(np.roll(truth, (4, -3), (1, 2)))
    assert finding.level is Level.WARNING
    assert "+4.0 voxels in Y, -3.0 voxels in X" in finding.message
    assert picture is not None
    assert picture.shape == (128, 128 + 4 + 128, 3)
    unrelated = rng.standard_normal(truth.shape)
    assert found(unrelated) == ([], None)


def test_deleted_and_damaged_inputs_after_the_checks(fields: Path, make_config, monkeypatch, caplog) -> None:
    """Training goes on from what was read; a test field that is gone is left out, and that is said."""
    from napari_mito_predict.training import lifecycle

    write = lifecycle._write_reports

    def write_and_delete(run, data):
        write(run, data)
        for path in fields.iterdir():
            path.unlink()

    monkeypatch.setattr(lifecycle, "_write_reports", write_and_delete)
    run = train(make_config(fields, "run", iterations=2))
    assert run.status.state == "done"
    assert "is left out" in caplog.text
    assert run.model.name == "test-model"
