"""What training is broken with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile


@pytest.fixture
def planes(tmp_path: Path) -> Path:
    """A folder of three single planes whose truth is the inverted light."""
    return _write_planes(tmp_path / "planes")


@pytest.fixture(scope="module")
def planes_of_module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, for all tests of a module."""
    return _write_planes(tmp_path_factory.mktemp("data") / "planes")


def _write_planes(folder: Path) -> Path:
    folder.mkdir()
    for i in range(3):
        light = np.random.default_rng(i).normal(1000, 100, (40, 44))
        tifffile.imwrite(
            folder / f"f{i}.ome.tif",
            np.stack([light, 2000 - light]).astype(np.uint16),
            ome=True,
            metadata={
                "axes": "CYX",
                "Channel": {"Name": ["TL", "TMRM"]},
                **{f"PhysicalSize{a}": 0.1 for a in "XY"},
                **{f"PhysicalSize{a}Unit": "µm" for a in "XY"},
            },
        )
    return folder
