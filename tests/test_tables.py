"""Tables come back as they were written, and no cell is run by a spreadsheet."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pytest

from napari_mito_predict._tables import read_table, write_table

if TYPE_CHECKING:
    from pathlib import Path


def test_text_that_looks_like_a_formula_is_guarded_and_comes_back(tmp_path: Path) -> None:
    rows = [{"name": name, "pcc": "-0.5"} for name in ("=cmd()", "@x", "-1+1", "\tx", "'quoted'", "field 1", "")]
    path = tmp_path / "scores.csv"
    write_table(path, ("name", "pcc"), rows)
    with path.open(newline="", encoding="utf-8") as stream:
        shown = [row["name"] for row in csv.DictReader(stream)]
    assert shown == ["'=cmd()", "'@x", "'-1+1", "'\tx", "'quoted'", "field 1", ""]
    assert read_table(path) == rows


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"a,b\n1\n", b"a,b\n1,2,3\n"])
def test_what_is_no_table_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "scores.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"empty|decode|number of cells"):
        read_table(path)
