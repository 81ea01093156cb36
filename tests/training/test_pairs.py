"""Splitting by field."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mito_predict.errors import TrainingDataError
from napari_mito_predict.training.config import Data, Split
from napari_mito_predict.training.pairs import find_files, split_fields


def _files(count: int) -> list[Path]:
    return [Path(f"field{i:02d}.czi") for i in range(count)]


@given(st.integers(1, 60), st.floats(0, 0.5), st.floats(0, 0.5), st.integers(0, 5))
def test_every_field_goes_to_exactly_one_part(count: int, test: float, validation: float, seed: int) -> None:
    fields = split_fields(_files(count), Split(test=test, validation=validation, seed=seed))
    together = [*fields.training, *fields.validation, *fields.test]
    assert sorted(together) == _files(count)
    assert fields.training


def test_the_papers_split() -> None:
    fields = split_fields(_files(40), Split())
    assert (len(fields.training), len(fields.validation), len(fields.test)) == (27, 3, 10)
    assert split_fields(_files(40), Split()) == fields
    assert split_fields(_files(40), Split(seed=1)) != fields
    assert not split_fields(_files(40), Split(test=0)).test


def test_named_fields() -> None:
    fields = split_fields(_files(6), Split(test=("field03",), validation=("field00", "field01")))
    assert fields.test == (Path("field03.czi"),)
    assert fields.validation == (Path("field00.czi"), Path("field01.czi"))
    with pytest.raises(TrainingDataError, match="field09"):
        split_fields(_files(6), Split(test=("field09",)))
    with pytest.raises(TrainingDataError, match="used twice"):
        split_fields(_files(6), Split(test=("field03",), validation=("field03",)))
    with pytest.raises(TrainingDataError, match="none to train on"):
        split_fields(_files(2), Split(test=("field00", "field01")))


def test_patterns(tmp_path: Path) -> None:
    for name in ("b.czi", "a.czi", "c.tif"):
        (tmp_path / name).touch()
    found = find_files(Data(files=(str(tmp_path / "*.czi"), str(tmp_path / "a.czi"))))
    assert [path.name for path in found] == ["a.czi", "b.czi"]
    with pytest.raises(TrainingDataError, match="nothing"):
        find_files(Data(files=(str(tmp_path / "nothing*.czi"),)))
