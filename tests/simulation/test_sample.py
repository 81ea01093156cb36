"""The sample image that ships with the package."""

from __future__ import annotations

import shutil
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import pytest

from napari_mito_predict.evaluation import pcc
from napari_mito_predict.simulation import (
    Job,
    conditions_for,
    read_provenance,
    simulate_files,
    simulate_stack,
)

pytest.importorskip("waveorder", reason="the simulator's optics: pip install napari-mito-predict[simulate]")
pyczi = pytest.importorskip("pylibCZIrw.czi", reason="pip install napari-mito-predict[simulate]")

SEED, SHAPE = 200005, (24, 224, 224)


def test_sample_is_what_the_documented_command_writes() -> None:
    with as_file(files("napari_mito_predict") / "_sample" / "simulated_cell.czi") as path:
        assert path.stat().st_size < 6e6
        found = read_provenance(path)
        with pyczi.open_czi(str(path)) as document:
            bounds = document.total_bounding_box
            planes = [document.read(plane={"T": 0, "Z": 12, "C": channel})[..., 0] for channel in range(3)]
    conditions = conditions_for(SEED)
    assert found["simulated_by"] == "napari-mito-predict"
    assert found["seed"] == SEED
    assert found["simulator_version"] == 1, "stacks have kept their pixels since"
    assert found["conditions"] == conditions.to_json()
    assert tuple(bounds[axis][1] for axis in "ZYX") == SHAPE
    # Compared with the image before noise: rounding differs between machines, and noise follows rounding.
    truth = simulate_stack(SEED, conditions, SHAPE).truth
    assert pcc(planes[1], truth.mitochondria[0, 12]) > 0.9
    assert pcc(planes[2], truth.dna[0, 12]) > 0.9
    assert np.ptp(planes[0]) > 1000


def test_file_of_an_earlier_version_is_recognised_as_finished(tmp_path: Path) -> None:
    path = tmp_path / "cell.czi"
    with as_file(files("napari_mito_predict") / "_sample" / "simulated_cell.czi") as sample:
        shutil.copy(sample, path)
    written = path.stat().st_mtime_ns
    assert list(simulate_files([Job(path, SEED, conditions_for(SEED), SHAPE)])) == [path]
    assert path.stat().st_mtime_ns == written
