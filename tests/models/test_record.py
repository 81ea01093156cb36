"""A record is that of its image: found by the rule it was written by, and by no other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from napari_mito_predict.errors import EvaluationError
from napari_mito_predict.evaluation.matching import truths_in
from napari_mito_predict.image import Finding, Level
from napari_mito_predict.image.names import record_path
from napari_mito_predict.models.record import (
    SCHEMA_VERSION,
    DeviceUse,
    InputRecord,
    PredictionRecord,
    find_record,
    read_record,
)

NAMES = [
    "cells.tif",
    "cells.day2.tif",
    "cells.day2.ome.tif",
    "cells.ome.day2.tif",
    "cells.tif.day2.tiff",
    "cells.day2.v3.ome.zarr",
    "cells.0.5um.OME.TIF",
    "cells.zarr",
]


@pytest.mark.parametrize("name", NAMES)
def test_an_image_finds_the_record_that_was_written_for_it(tmp_path: Path, name: str) -> None:
    record_path(tmp_path / name).write_text(json.dumps({"target": name}), encoding="utf-8")
    assert read_record(tmp_path / name) == PredictionRecord(target=name)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("cells.tif", "cells.zarr")])
def test_no_image_finds_the_record_of_another(tmp_path: Path, name: str) -> None:
    record_path(tmp_path / "cells.tif").write_text("{}", encoding="utf-8")
    assert find_record(tmp_path / name) is None
    assert read_record(tmp_path / name) is None


def test_an_image_named_after_a_prediction_is_a_truth(tmp_path: Path) -> None:
    for name in ("cells.tif", "cells.day2.tif"):
        (tmp_path / name).touch()
    record_path(tmp_path / "cells.tif").write_text("{}", encoding="utf-8")
    assert truths_in(tmp_path) == [tmp_path / "cells.day2.tif"]


def test_a_record_reads_as_it_was_written(tmp_path: Path) -> None:
    finding = Finding(Level.WARNING, "far", "Voxels are far off.", "Check them.", model="mito-z", values={"z": 2.5})
    record = PredictionRecord(
        target="dna",
        input=InputRecord(name="cells ä", voxel_size_um=(None, 0.1, 0.1)),
        computed_on=(DeviceUse(device="cuda", device_name="GPU", precision="bf16"), DeviceUse(device="cpu")),
        findings=(finding,),
    )
    record.write(tmp_path / "cells.ome.tif")
    assert read_record(tmp_path / "cells.ome.tif") == record
    assert record.notes == ("Voxels are far off. Check them.",)
    written = json.loads((tmp_path / "cells.prediction.json").read_text(encoding="utf-8"))
    assert written["schema_version"] == SCHEMA_VERSION
    assert "stain" not in written, "what nobody said is not written"


def test_records_of_the_first_version_are_read(tmp_path: Path) -> None:
    """It had no schema version, notes as sentences, and one device among the parameters."""
    old = {
        "target": "mitochondria",
        "input": {
            "name": "cells",
            "scene": "A1",
            "channel": {"index": 0, "name": "TL"},
            "voxel_size_um": [None, 0.1, 0.1],
        },
        "model": {"name": "mito-z", "weights_sha256": "ab", "simulated": True},
        "parameters": {"device": "mps", "device_name": "Apple GPU", "precision": "16", "tile": [16, 64, 64]},
        "notes": ["One.", "Two."],
        "versions": {"torch": "2.10"},
        "created": "2026-01-01T00:00:00+00:00",
        "added by hand": 1,
    }
    record_path(tmp_path / "cells.tif").write_text(json.dumps(old), encoding="utf-8")
    record = read_record(tmp_path / "cells.tif")
    assert record is not None
    assert record.notes == ("One.", "Two.")
    assert record.computed_on == (DeviceUse(device="mps", device_name="Apple GPU", precision="16"),)
    assert record.parameters.tile == (16, 64, 64)
    assert record.model.simulated


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "cannot be read"),
        ("", "cannot be read"),
        ("[" * 100_000, "cannot be read"),
        ("[1]", "no record of a prediction"),
        ('{"schema_version": 99}', "written by a newer version"),
        ('{"input": 3}', "no record of a prediction .input"),
        ('{"findings": [{"level": "purple", "code": "x", "message": "y"}]}', "no record of a prediction"),
    ],
)
def test_what_is_no_record_is_named(tmp_path: Path, content: str, said: str) -> None:
    record_path(tmp_path / "cells.tif").write_text(content, encoding="utf-8")
    with pytest.raises(EvaluationError, match=rf"cells\.prediction\.json: .*{said}"):
        read_record(tmp_path / "cells.tif")
