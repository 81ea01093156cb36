"""A process that is killed while it saves a model: the folder can be tidied, and the old or the new model is whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_mito_predict.models import ModelCard, save_model
from napari_mito_predict.training import Run

if TYPE_CHECKING:
    from napari_mito_predict.networks.unet import UNet

SAVE_AND_DIE = """
import os, sys
from pathlib import Path
import numpy as np
from napari_mito_predict import _files
from napari_mito_predict.models import load_model, save_model

folder, moment = Path(sys.argv[1]), sys.argv[2]
model = load_model(folder)
rename, remove = _files.rename, _files.remove

def dying_rename(old, new):
    if moment == "before " + ("the old one is moved" if old == folder else "the new one is moved"):
        os._exit(9)
    rename(old, new)

def dying_remove(path):
    if moment == "while the old one is removed" and path.name.endswith(".old"):
        (path / "model.json").unlink()
        os._exit(9)
    remove(path)

_files.rename, _files.remove = dying_rename, dying_remove
card = model.card.model_copy(update={"title": "new"})
save_model(folder, card, model.network, np.zeros((1, 8, 16, 16), np.float32))
"""


@pytest.mark.parametrize(
    ("moment", "left"),
    [
        ("before the old one is moved", "Tiny"),
        ("before the new one is moved", "Tiny"),
        ("while the old one is removed", "new"),
    ],
)
def test_the_model_is_the_old_or_the_new_one(
    tmp_path: Path, tiny_card: ModelCard, tiny_network: UNet, moment: str, left: str
) -> None:
    run = Run(tmp_path)
    save_model(run.model_folder, tiny_card, tiny_network, np.zeros((1, 8, 16, 16), np.float32))
    command = [sys.executable, "-c", SAVE_AND_DIE, str(run.model_folder), moment]
    assert subprocess.run(command, check=False, timeout=120).returncode == 9
    assert list(tmp_path.glob(".*")), "what was killed leaves something to tidy up"
    run.tidy()
    assert run.model.card.title == left
    assert not list(tmp_path.glob(".*"))
