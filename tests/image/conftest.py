from __future__ import annotations

import os

import pytest

LIBRARIES = {"bioio": "bioio_czi", "aicsimageio": "aicsimageio"}


@pytest.fixture(params=LIBRARIES)
def reader(request: pytest.FixtureRequest) -> str:
    """Every library that can read a CZI; the one named by MITO_PREDICT_READER must be there, the others may."""
    if os.environ.get("MITO_PREDICT_READER") != request.param:
        pytest.importorskip(LIBRARIES[request.param], reason=f"{request.param} is not installed here")
    return str(request.param)
