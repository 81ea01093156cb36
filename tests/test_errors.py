"""Errors know the file that they are about: no reader has to find it in the message."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from napari_mito_predict import errors
from napari_mito_predict.errors import MitoPredictError, UnreadableImageError
from napari_mito_predict.image import open_image


def test_the_message_begins_with_the_file() -> None:
    error = UnreadableImageError("the file is empty.", file=Path("cells.czi"))
    assert str(error) == "cells.czi: the file is empty."
    assert error.file == Path("cells.czi")
    assert str(UnreadableImageError("nothing there.")) == "nothing there."


def test_a_reader_who_knows_the_file_is_told_the_reason_only() -> None:
    error = UnreadableImageError("the file is empty.", file=Path("cells.czi"))
    assert error.reason_about(Path("cells.czi")) == error.reason_about("cells.czi") == "the file is empty."
    assert error.reason_about(Path("other.czi")) == "cells.czi: the file is empty."
    assert UnreadableImageError("nothing there.").reason_about("cells.czi") == "nothing there."


def test_errors_come_back_whole_from_other_processes() -> None:
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, MitoPredictError):
            error = pickle.loads(pickle.dumps(kind("no space left.", file=Path("cells.czi"))))
            assert type(error) is kind
            assert str(error) == "cells.czi: no space left."


def test_what_opens_an_image_says_which(tmp_path: Path) -> None:
    path = tmp_path / "cells.czi"
    path.touch()
    with pytest.raises(UnreadableImageError) as caught:
        open_image(path)
    assert caught.value.file == path
