"""Files of others: nothing but files is opened, with a bound, and what a parser raises is about the file."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from napari_mito_predict._reading import open_file, parsing, read_bytes, read_text
from napari_mito_predict.errors import EvaluationError, UnreadableImageError

unix = pytest.mark.skipif(sys.platform == "win32", reason="no pipes and devices among files there")


@unix
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    for name in ("pipe", "link"):
        with pytest.raises(OSError, match="a pipe or a device"):
            open_file(tmp_path / name)
    with pytest.raises(OSError, match="a pipe or a device"):
        open_file("/dev/zero")


@unix
def test_what_became_a_pipe_since_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(b"x")
    regular = os.stat(tmp_path / "file")
    monkeypatch.setattr(os, "stat", lambda *_, **__: regular)
    with pytest.raises(OSError, match="a pipe or a device"):
        open_file(tmp_path / "pipe")


@pytest.mark.parametrize("name", [".", "missing", "x" * 300, "a\0b"])
def test_what_is_no_file_is_an_error_of_the_system(tmp_path: Path, name: str) -> None:
    with pytest.raises(OSError, match=r".") as caught:
        open_file(tmp_path / name)
    assert caught.value.strerror


def test_no_more_is_read_than_expected(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes("\ufeffäb".encode())
    assert read_bytes(tmp_path / "text", 6) == "\ufeffäb".encode()
    assert read_text(tmp_path / "text", 6) == "äb"
    with pytest.raises(OSError, match="larger than such a file may be, 5 bytes"):
        read_bytes(tmp_path / "text", 5)


@pytest.mark.parametrize(
    "error", [KeyError("x"), RecursionError("too deep"), AssertionError(), OSError(5, "no answer")]
)
def test_whatever_a_parser_raises_is_about_the_file(error: Exception) -> None:
    with (
        pytest.raises(UnreadableImageError, match=r"^a\.tif: damaged \(.+\)\.$") as caught,
        parsing("a.tif", UnreadableImageError, "damaged"),
    ):
        raise error
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [MemoryError(), KeyboardInterrupt(), EvaluationError("said already")])
def test_what_says_nothing_of_a_file_passes(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, parsing("a.tif", UnreadableImageError, "damaged"):
        raise error
    assert caught.value is error
