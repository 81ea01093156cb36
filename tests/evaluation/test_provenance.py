"""A record is that of its image: found by the rule it was written by, and by no other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from napari_mito_predict.evaluation.matching import truths_in
from napari_mito_predict.image.names import record_path
from napari_mito_predict.models.record import PredictionRecord, find_record, read_record

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
