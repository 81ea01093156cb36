"""Exit codes, messages, and options that all commands share."""

from __future__ import annotations

import errno
import re
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
