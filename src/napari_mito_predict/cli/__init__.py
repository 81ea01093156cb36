"""The command line ``mito-predict``: one file per command, no logic of their own.

Nothing here, nor at the top of a command's file, imports torch, Qt, napari or even numpy: `--help` has to be instant.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
from typing import Annotated

import typer

from napari_mito_predict.cli import models, runs
from napari_mito_predict.cli._console import echo, printable
from napari_mito_predict.cli.demo import demo
from napari_mito_predict.cli.evaluate import evaluate
from napari_mito_predict.cli.info import info
from napari_mito_predict.cli.measure import measure
from napari_mito_predict.cli.predict import predict
from napari_mito_predict.cli.simulate import simulate
from napari_mito_predict.cli.study import study
from napari_mito_predict.cli.train import train
from napari_mito_predict.errors import MitoPredictError

_SPOKEN_FOR = ("tifffile", "bioio")
"""Loggers of libraries: whatever of theirs concerns the user is said by an error or a warning of our own."""

app = typer.Typer(
    name="mito-predict",
    help="Predict mitochondria (TMRM) and DNA (SYBR Gold) from transmitted light alone.",
    epilog="Start with `mito-predict info FILE`, then `mito-predict predict FILE -o DIR`.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(info)
app.command()(predict)
app.command()(evaluate)
app.command()(measure)
app.command()(train)
app.add_typer(runs.app, name="runs")
app.add_typer(models.app, name="models")
app.command()(simulate)
app.command()(study)
app.command()(demo)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        echo(f"mito-predict {version('napari-mito-predict')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and end.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Print what happens inside, and full error reports.")
    ] = False,
) -> None:
    level = logging.WARNING
    if verbose:
        level = logging.INFO
    handler = logging.StreamHandler()
    handler.setFormatter(_Printable("%(levelname)s %(name)s: %(message)s"))
    if not verbose:
        handler.addFilter(lambda record: record.name.partition(".")[0] not in _SPOKEN_FOR)
    logging.basicConfig(level=level, handlers=[handler])


class _Printable(logging.Formatter):
    """Lines that hold nothing a terminal takes for a command."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


def main() -> None:
    """Run the command line.

    Ends with 0 when all went well, 1 when something could not be done (one line on standard error says what and
    why), 2 when the command itself was wrong, 130 on Ctrl-C, and when the system or a scheduler ends it (SIGTERM).
    """
    with contextlib.suppress(ValueError):  # not the main thread of a program around us
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    for stream in (sys.stdout, sys.stderr):  # a test or a program around us may have put something simpler there
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a Windows console may not know every character of a file name
    if "" in sys.argv[1:]:
        echo("Error: an argument is empty, as of a variable that is not set.", err=True, fg=typer.colors.RED)
        sys.exit(2)
    try:
        app()
    except MitoPredictError as error:
        _fail(" ".join([str(error), *getattr(error, "__notes__", ())]))
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # the last resort: one line for people, the whole story on request
        if "--verbose" in sys.argv:
            raise
        if isinstance(error, OSError) and error.filename is not None:
            _fail(f"{error.filename}: {error.strerror}.")
        _fail(f"{type(error).__name__}: {error} (unexpected; `mito-predict --verbose ...` tells more)")


def _fail(message: str) -> None:
    echo(f"Error: {' '.join(message.split())}", err=True, fg=typer.colors.RED)
    sys.exit(1)
