from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from napari_mito_predict.errors import OutputExistsError, SimulationError
from napari_mito_predict.simulation import (
    Conditions,
    GroundTruth,
    Job,
    SimulatedImage,
    binned,
    read_provenance,
    simulate_files,
)


@pytest.fixture
def fine() -> SimulatedImage:
    """Odd numbers of rows and columns, and values up to the largest."""
    rng = np.random.default_rng(0)
    data = rng.integers(0, 65536, (3, 1, 2, 7, 9), dtype=np.uint16)
    masks, images = (
        (rng.random((2, 7, 9), np.float32) for _ in range(2)),
        (rng.random((1, 2, 7, 9), np.float32) for _ in range(3)),
    )
    return SimulatedImage(
        data, ("a", "b", "c"), (0.15, 0.055, 0.055), None, 1, Conditions(), GroundTruth(*masks, *images)
    )


def test_pixels_are_averaged(fine: SimulatedImage) -> None:
    coarse = binned(fine)
    assert coarse.data.shape == (3, 1, 2, 3, 4)
    assert coarse.data.dtype == np.uint16
    assert coarse.voxel_size_um == (0.15, 0.11, 0.11)
    assert coarse.binning == 2
    mean = fine.data[1, 0, 1, 2:4, 6:8].mean()
    assert abs(coarse.data[1, 0, 1, 1, 3] - mean) <= 0.5
    assert coarse.truth.dna[0, 1, 2, 0] == pytest.approx(fine.truth.dna[0, 1, 4:6, 0:2].mean())
    assert coarse.truth.cell.shape == (2, 3, 4)


def test_full_scale_does_not_overflow(fine: SimulatedImage) -> None:
    white = dataclasses.replace(fine, data=np.full_like(fine.data, 65535))
    assert np.all(binned(white, 3).data == 65535)


def test_no_binning_is_the_image_itself(fine: SimulatedImage) -> None:
    assert binned(fine, 1) is fine


@pytest.mark.parametrize("factor", [0, 8])
def test_impossible_factors_are_refused(fine: SimulatedImage, factor: int) -> None:
    with pytest.raises(SimulationError, match=f"binned by {factor}"):
        binned(fine, factor)


def test_job_can_be_binned(tmp_path: Path) -> None:
    pytest.importorskip("waveorder", reason="the simulator's optics: pip install napari-mito-predict[simulate]")
    pyczi = pytest.importorskip("pylibCZIrw.czi", reason="pip install napari-mito-predict[simulate]")
    job = Job(tmp_path / "g.czi", 3, Conditions.matched(None, "airyscan"), (8, 50, 51), binning=2)
    assert list(simulate_files([job])) == [job.path]
    with pyczi.open_czi(str(job.path)) as document:
        assert document.total_bounding_box["X"] == (0, 25)
        items = document.metadata["ImageDocument"]["Metadata"]["Scaling"]["Items"]["Distance"]
    assert {item["@Id"]: float(item["Value"]) for item in items}["X"] == pytest.approx(0.22e-6)
    assert read_provenance(job.path)["binning"] == 2
    assert list(simulate_files([job])) == [job.path], "a finished file is recognised"
    with pytest.raises(OutputExistsError, match="binning"):
        list(simulate_files([dataclasses.replace(job, binning=1)]))
