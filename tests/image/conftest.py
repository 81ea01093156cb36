from __future__ import annotations

import os
import sys

import pytest

LIBRARIES = (
    {"czifile": "czifile"} if sys.version_info >= (3, 12) else {"bioio": "bioio_czi", "aicsimageio": "aicsimageio"}
)
WANTED = os.environ.get("MITO_PREDICT_READER")


@pytest.fixture(params=sorted({*LIBRARIES, WANTED} - {None}))
def reader(request: pytest.FixtureRequest) -> str:
    """Every library that reads CZI files on this Python; the one named by MITO_PREDICT_READER must be there."""
    name = str(request.param)
    if name != WANTED:
        pytest.importorskip(LIBRARIES[name], reason=f"{name} is not installed here")
    return name
