"""The models of real cells that are shipped beside this package: `pip install ./real-models`."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import pytest

from napari_mito_predict.models import ModelInfo, list_models
from napari_mito_predict.models.distributions import REAL_MODELS


@pytest.fixture(autouse=True)
def _no_installed_models() -> None:
    """What is installed is what these tests are about."""
    try:
        version(REAL_MODELS)
    except PackageNotFoundError:
        pytest.skip(f"{REAL_MODELS} is not installed here: pip install ./real-models")


@pytest.fixture
def shipped() -> ModelInfo:
    """The model `mito-2d-h9c2`, as the list has it."""
    rows = [info for info in list_models() if info.distribution == REAL_MODELS]
    assert [info.name for info in rows] == ["mito-2d-h9c2"], f"{REAL_MODELS} is installed, but without its model"
    assert rows[0].problem is None, rows[0].problem
    return rows[0]
