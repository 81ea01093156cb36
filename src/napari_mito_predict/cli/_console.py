"""What the commands share: tables, messages, progress bars and the small parsers of their options."""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

OnProgress = Callable[[int, int, str], None]

_WIDTH_IN_A_PIPE = 200


def console(*, errors: bool = False) -> Console:
    """A console on standard output, or on standard error; wide enough in a pipe that nothing wraps."""
    from rich.console import Console

    stream = sys.stderr if errors else sys.stdout
    return Console(stderr=errors, width=None if stream.isatty() else _WIDTH_IN_A_PIPE, highlight=False)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a plain table to standard output."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    console().print(table)


def print_json(value: Any) -> None:
    """Print JSON for scripts; numbers that JSON does not know (NaN) become null."""
    typer.echo(json.dumps(jsonable(value), indent=2, ensure_ascii=False))


def jsonable(value: Any) -> Any:
    """`value` with NaN and infinity as ``None``, paths as text and tuples as lists."""
    if isinstance(value, float) and not (float("-inf") < value < float("inf")):
        return None
    if isinstance(value, dict):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def say(message: str) -> None:
    """Tell the person something on standard error, where it does not disturb a pipe."""
    typer.echo(message, err=True)


@contextmanager
def progress(title: str) -> Iterator[OnProgress]:
    """A progress bar on a terminal, nothing in a pipe; yields a function ``(done, total, message)``."""
    if not sys.stderr.isatty():
        yield lambda done, total, message: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(errors=True), transient=True) as bar:
        task = bar.add_task(title, total=None)

        def update(done: int, total: int, message: str) -> None:
            bar.update(task, completed=done, total=total, description=f"{title} {message}".strip())

        yield update


def prepare_folder(folder: Path) -> None:
    """Make `folder` and try to write into it, before anything is computed for it.

    Raises
    ------
    UnwritableOutputError
        It cannot be made, or nothing can be written there.
    """
    from napari_mito_predict.errors import UnwritableOutputError

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UnwritableOutputError(
            f"{folder}: cannot be written to ({error.strerror or error}). Choose another folder with -o."
        ) from error


def index_or_name(text: str | None) -> int | str | None:
    """``"0"`` is the index 0, ``"TMRM"`` a name."""
    if text is None:
        return None
    return int(text) if text.isdecimal() else text


def channel_choice(text: str | None) -> int | str | None:
    """A channel as people type it: number from 0, role (``mitochondria``), or name; ``None`` stays."""
    from napari_mito_predict.image import ChannelRole

    if text is not None and text.lower() in set(ChannelRole):
        return ChannelRole(text.lower())
    return index_or_name(text)


def parse_tile(text: str) -> str | tuple[int, int, int]:
    """``auto``, ``whole``, or sizes such as ``64x256x256`` (z, y, x) in voxels."""
    if text in ("auto", "whole"):
        return text
    sizes = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)x([1-9]\d*)", text)
    if sizes is None:
        raise typer.BadParameter(f"'{text}' is neither auto, whole, nor sizes like 64x256x256 (z, y, x)")
    return int(sizes[1]), int(sizes[2]), int(sizes[3])
