"""Run the command line in this process, as a shell would see it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from napari_mito_predict.cli import main
from napari_mito_predict.models import save_model


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str


RunCommand = Callable[..., Outcome]


@pytest.fixture
def mito_predict(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> RunCommand:
    """``mito_predict("models", "list")`` -> exit code and output."""

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["mito-predict", *map(str, arguments)])
        capsys.readouterr()
        code: object = 0
        try:
            main()
        except SystemExit as end:
            code = end.code
        captured = capsys.readouterr()
        return Outcome(int(code or 0) if isinstance(code, int | None) else 1, captured.out, captured.err)

    return run


@pytest.fixture
def installed(_no_models_of_the_user: Path, tiny_card, tiny_network) -> Path:
    """The folder of the model `tiny`, among the user's own."""
    sample = np.random.default_rng(0).normal(size=(1, 8, 16, 16)).astype(np.float32)
    folder = _no_models_of_the_user / "tiny"
    save_model(folder, tiny_card, tiny_network, sample)
    return folder
