"""Options as people type them, and what a pipe gets."""

from __future__ import annotations

import io
import json
import math
import sys
from pathlib import Path

import pytest
import typer

from napari_mito_predict.cli import _console
from napari_mito_predict.errors import UnwritableOutputError


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("auto", "auto"),
        ("whole", "whole"),
        ("64x256x128", (64, 256, 128)),
    ],
)
def test_parse_tile(text, meant):
    assert _console.parse_tile(text) == meant


@pytest.mark.parametrize("text", ["", "64", "256x256", "0x10x10", "64x", "1x2x3x4", "-1x2x3", "AUTO"])
def test_parse_tile_refuses(text):
    with pytest.raises(typer.BadParameter, match="64x256x256"):
        _console.parse_tile(text)


@pytest.mark.parametrize(("text", "meant"), [(None, None), ("3", range(3, 4)), ("0-12", range(13))])
def test_parse_range(text, meant):
    assert _console.parse_range(text) == meant


@pytest.mark.parametrize("text", ["", "-1", "2-1", "1-", "a", "1:2", "1-2-3"])
def test_parse_range_refuses(text):
    with pytest.raises(typer.BadParameter, match="like 0-12"):
        _console.parse_range(text)


def test_json_knows_no_nan(capsys):
    _console.print_json({"pcc": math.nan, "planes": (1.5, -math.inf), "path": Path("µ") / "x"})
    assert json.loads(capsys.readouterr().out) == {"pcc": None, "planes": [1.5, None], "path": str(Path("µ") / "x")}


def test_no_progress_bar_in_a_pipe(capsys):
    with _console.progress("Predicting") as on_progress:
        on_progress(1, 2, "")
    assert capsys.readouterr() == ("", "")


def test_progress_bar_on_a_terminal(monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(screen, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    with _console.progress("Predicting") as on_progress:
        on_progress(1, 2, "")
    assert "Predicting" in screen.getvalue()


def test_tables_do_not_wrap_in_a_pipe(capsys):
    _console.print_table(["FILE", "PCC"], [["f" * 120, "[0.5]"]])
    header, row = capsys.readouterr().out.splitlines()
    assert header.split() == ["FILE", "PCC"]
    assert row.split() == ["f" * 120, "[0.5]"]


def test_prepare_folder_makes_it_and_leaves_nothing(tmp_path):
    _console.prepare_folder(tmp_path / "a" / "µ")
    assert not list((tmp_path / "a" / "µ").iterdir())


def test_prepare_folder_refuses_a_file(tmp_path):
    (tmp_path / "taken").write_text("", encoding="utf-8")
    with pytest.raises(UnwritableOutputError, match="taken"):
        _console.prepare_folder(tmp_path / "taken")


@pytest.mark.parametrize("command", ["simulate", "predict"])
def test_folders_that_cannot_be_written_to_are_named(mito_predict, tmp_path, command):
    blocked = tmp_path / "file"
    blocked.write_text("")
    arguments = {"simulate": [blocked], "predict": ["a.czi", "-o", blocked]}[command]
    outcome = mito_predict(command, *arguments)
    assert outcome.code == 1
    assert str(blocked) in outcome.err
    assert "unexpected" not in outcome.err
    assert "Choose another folder" in outcome.err
