"""A training as a line for a terminal, and where its folder goes."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from napari_mito_predict._files import atomic_write_text
from napari_mito_predict.errors import UnwritableOutputError
from napari_mito_predict.training.runs import runs_folder

if TYPE_CHECKING:
    from napari_mito_predict.training.config import TrainingConfig


def free_folder(name: str, parent: Path | None = None) -> Path:
    """A folder for a run of that name which is not there yet."""
    parent = (parent or runs_folder()).absolute()
    return next(path for path in numbered(parent, name) if not path.exists())


def command_for(config: TrainingConfig) -> str:
    """Write the request into a file of its own, and give the command that trains it.

    Raises
    ------
    UnwritableOutputError
        The folder of runs cannot be written to.
    """
    config = config.model_copy(update={"output": free_folder(config.name, config.output.parent)})
    text = config.to_yaml()
    folder = runs_folder().absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # The same request again finds its own file, and gives the same command.
        path = next(p for p in numbered(folder, config.name, ".yaml") if not p.exists() or _text_of(p) == text)
    except OSError as error:
        raise UnwritableOutputError(f"could not be written to ({error.strerror or error}).", file=folder) from error
    atomic_write_text(path, text)
    command = ["mito-predict", "train", str(path)]
    if sys.platform == "win32":
        return subprocess.list2cmdline(command)
    return shlex.join(command)


def numbered(folder: Path, name: str, suffix: str = "") -> Iterator[Path]:
    """``name``, ``name-2``, ``name-3`` and so on in a folder, without an end."""
    yield folder / f"{name}{suffix}"
    for i in count(2):
        yield folder / f"{name}-{i}{suffix}"


def _text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")
