"""``mito-predict simulate`` with fissions and fusions."""

from __future__ import annotations

import pytest

from napari_mito_predict._tables import read_table


def test_events_are_written_beside_the_files(mito_predict, tmp_path):
    pytest.importorskip("waveorder", reason="the simulator's optics: pip install napari-mito-predict[simulate]")
    options = ["--series", "-n", 1, "--size", 32, "--planes", 8, "--step", "20", "--fissions", "3"]
    outcome = mito_predict("simulate", tmp_path, *options)
    assert outcome.code == 0, outcome.err
    rows = read_table(tmp_path / "cell_0000.events.csv")
    assert rows
    assert {row["kind"] for row in rows} == {"fission"}


def test_there_are_no_events_in_a_stack(mito_predict, tmp_path):
    outcome = mito_predict("simulate", tmp_path, "--fusions", "1")
    assert outcome.code == 2
    assert "time series" in outcome.err
