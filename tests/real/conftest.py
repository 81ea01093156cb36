from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

if find_spec("torch") is None:  # what predicts is not tested there
    collect_ignore = ["test_pytorch_fnet.py", "test_viscy_models.py"]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real recordings, which are not ours to give away."""
    folder = Path(os.environ.get("MITO_PREDICT_REAL_DATA", ROOT.parent / "shared" / "real"))
    if not folder.is_dir():
        pytest.skip(f"real recordings are not at {folder}; set MITO_PREDICT_REAL_DATA to their folder")
    return folder
