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
"""Told ``(done, total, message)``."""

_COMMANDS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters other than tab and new line, escape sequences among them, and those that turn text around."""
_WIDTH_IN_A_PIPE = 200
"""Characters. rich takes 80 where there is no terminal, and would wrap tables that scripts take apart."""


def console(*, errors: bool = False) -> Console:
    """A console on standard output, or on standard error; wide enough in a pipe that nothing wraps."""
    from rich.console import Console

    stream = sys.stderr if errors else sys.stdout
    if stream.isatty():
        return Console(stderr=errors, highlight=False)
    return Console(stderr=errors, highlight=False, width=_WIDTH_IN_A_PIPE)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a plain table to standard output."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, map(printable, row)))
    console().print(table)


def echo(text: object = "", *, err: bool = False, nl: bool = True, **style: Any) -> None:
    """Print text to standard output, or to standard error, by `printable`; `style` as `typer.style` takes it."""
    typer.secho(printable(str(text)), err=err, nl=nl, **style)


def printable(text: str) -> str:
    """`text` without what a terminal takes for a command: names of files and what files say are of anybody's making."""
    return _COMMANDS.sub("\N{REPLACEMENT CHARACTER}", text)


def print_json(value: Any) -> None:
    """Print JSON for scripts, see `json_text`."""
    echo(_COMMANDS.sub(lambda found: f"\\u{ord(found[0]):04x}", json_text(value)))


def json_text(value: Any) -> str:
    """`value` as indented JSON: paths as text, tuples as lists, and null for numbers JSON does not know (NaN)."""
    from pydantic_core import to_jsonable_python

    return json.dumps(to_jsonable_python(value, inf_nan_mode="null"), indent=2, ensure_ascii=False)


def say(message: str) -> None:
    """Print a line for people to standard error, where it does not disturb a pipe."""
    echo(message, err=True)


@contextmanager
def progress(title: str) -> Iterator[OnProgress]:
    """Show a progress bar on a terminal, nothing in a pipe; yields the function that moves it."""
    if not sys.stderr.isatty():
        yield lambda done, total, message: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(errors=True), transient=True) as bar:
        task = bar.add_task(title, total=None)

        def update(done: int, total: int, message: str) -> None:
            bar.update(task, completed=done, total=total, description=printable(f"{title} {message}".strip()))

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
            f"cannot be written to ({error.strerror or error}). Choose another folder.", file=folder
        ) from error


def parse_range(text: str | None) -> range | None:
    """``3-20`` are the numbers from 3 to 20, ``3`` is that one alone, and none means all."""
    if text is None:
        return None
    numbers = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", text.strip())
    if numbers is None or int(numbers[2] or numbers[1]) < int(numbers[1]):
        raise typer.BadParameter(f"'{text}' is neither a number from 0 nor a first and a last one, like 0-12")
    return range(int(numbers[1]), int(numbers[2] or numbers[1]) + 1)


def parse_tile(text: str) -> str | tuple[int, int, int]:
    """``auto``, ``whole``, or sizes such as ``64x256x256`` (z, y, x) in voxels."""
    if text in ("auto", "whole"):
        return text
    sizes = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)x([1-9]\d*)", text)
    if sizes is None:
        raise typer.BadParameter(f"'{text}' is neither auto, whole, nor sizes like 64x256x256 (z, y, x)")
    return int(sizes[1]), int(sizes[2]), int(sizes[3])
