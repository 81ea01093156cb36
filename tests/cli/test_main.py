"""Exit codes, messages, and options that all commands share."""

from __future__ import annotations

import errno
import json
import re
import signal
import sys
from importlib.metadata import version

import pytest
import typer

from napari_mito_predict import cli
from napari_mito_predict.errors import UnreadableImageError

COMMANDS = ["info", "predict", "evaluate", "measure", "train", "runs", "models", "simulate", "study", "demo"]


@pytest.fixture
def failing(monkeypatch, mito_predict):
    """Run a command that raises what is given."""

    def run(error: BaseException, *options: str):
        app = typer.Typer(pretty_exceptions_enable=False)

        @app.callback(invoke_without_command=True)
        def fail(verbose: bool = False) -> None:
            raise error

        monkeypatch.setattr(cli, "app", app)
        return mito_predict(*options)

    return run


def test_version(mito_predict):
    outcome = mito_predict("--version")
    assert (outcome.code, outcome.out.strip()) == (0, f"mito-predict {version('napari-mito-predict')}")


def test_help_names_every_command(mito_predict):
    outcome = mito_predict("--help")
    assert outcome.code == 0
    assert set(COMMANDS) <= set(re.findall(r"\w+", outcome.out))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(mito_predict, command):
    outcome = mito_predict(command, "--help")
    assert outcome.code == 0
    assert len(outcome.out.split()) > 20


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["nonsense"], id="unknown-command"),
        pytest.param(["predict"], id="missing-arguments"),
        pytest.param(["predict", "a.czi", "-o", "out", "--nonsense"], id="unknown-option"),
        pytest.param(["predict", "a.czi", "-o", "out", "--tile", "big"], id="bad-tile"),
        pytest.param(["predict", "a.czi", "-o", "out", "--format", "png"], id="bad-format"),
        pytest.param(["train"], id="neither-config-nor-resume"),
    ],
)
def test_wrong_usage_ends_with_2(mito_predict, arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = mito_predict(*arguments)
    assert outcome.code == 2
    assert not outcome.out
    assert not list(tmp_path.iterdir())


def test_our_errors_are_one_line_and_1(failing):
    outcome = failing(UnreadableImageError("cells.czi: the file is empty.\n  Copy it again."))
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == "Error: cells.czi: the file is empty. Copy it again.\n"


def test_unexpected_errors_are_one_line_too(failing):
    outcome = failing(OSError(errno.ENOSPC, "No space left on device"))
    assert outcome.code == 1
    assert outcome.err.count("\n") == 1
    assert "No space left on device" in outcome.err


def test_verbose_shows_the_whole_story(failing):
    with pytest.raises(ZeroDivisionError):
        failing(ZeroDivisionError(), "--verbose")


def test_ctrl_c_ends_with_130(failing):
    assert failing(KeyboardInterrupt()).code == 130


@pytest.mark.skipif(sys.platform == "win32", reason="there a process is ended without being told")
def test_a_scheduler_ends_it_as_ctrl_c_does(monkeypatch, mito_predict):
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(cli, "app", lambda: signal.raise_signal(signal.SIGTERM))
    assert mito_predict().code == 130
    signal.signal(signal.SIGTERM, before)


def test_a_file_that_the_system_complains_of_is_named(failing):
    outcome = failing(OSError(errno.ENAMETOOLONG, "File name too long", "long.czi"))
    assert (outcome.code, outcome.err) == (1, "Error: long.czi: File name too long.\n")


def test_an_empty_argument_is_no_folder(mito_predict):
    outcome = mito_predict("predict", "", "-o", "out")
    assert outcome.code == 2
    assert "variable that is not set" in outcome.err


@pytest.mark.skipif(sys.platform == "win32", reason="no such names there")
@pytest.mark.parametrize("command", [("info",), ("predict", "-o", "out"), ("runs", "list"), ("models", "verify")])
def test_names_move_no_cursor(mito_predict, tmp_path, monkeypatch, command):
    """A name of a file may hold an escape sequence; whatever prints it, a terminal must not see one."""
    monkeypatch.chdir(tmp_path)
    name = "a\x1b[2Jb\u202ec\x9b31m"
    (tmp_path / name).mkdir()
    (tmp_path / name / "config.yaml").write_text("x", encoding="utf-8")
    (tmp_path / name / "status.json").write_text('{"state": "done", "message": "\\u001b[31m"}', encoding="utf-8")
    given = "." if command[0] == "runs" else name
    outcome = mito_predict(*command, given)
    assert "[2Jb" in outcome.out + outcome.err
    assert not set("\x1b\x9b\u202e") & set(outcome.out + outcome.err)
    shown = mito_predict("runs", "show", name, "--json")
    assert json.loads(shown.out)["name"] == name, "a script gets it as it is, escaped"
    assert not set("\x1b\x9b\u202e") & set(shown.out)
