"""Resolutions of what we write: averages of the one before, in shards, the same whatever the blocks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_mito_predict.errors import UnreadableImageError
from napari_mito_predict.image import coarser_levels, create_ome_zarr, open_image, write_ome_zarr
from napari_mito_predict.image.zarr_pyramid import average, plan_levels

zarr = pytest.importorskip("zarr", minversion="3", exc_type=ImportError, reason="pip install napari-mito-predict[zarr]")

DATA = np.random.default_rng(0).normal(size=(3, 601, 1030)).astype(np.float32)  # ZYX
FINE, COARSE = (0.2, 0.1, 0.1), (2.0, 0.1, 0.1)


def shapes(axes: str, shape: tuple[int, ...], voxel: tuple[float | None, ...], dtype: str = "f4") -> list[object]:
    return [level.shape for level in plan_levels(axes, shape, dtype, voxel)]


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_each_resolution_is_the_average_of_the_one_before(tmp_path: Path, version: str) -> None:
    path = tmp_path / "a.ome.zarr"
    with create_ome_zarr(path, DATA.shape, DATA.dtype, axes="ZYX", voxel_size_um=FINE, version=version) as writer:
        for start in range(0, 601, 100):  # across all chunks, none of them complete
            region = (slice(0, 3), slice(start, min(start + 100, 601)), slice(0, 1030))
            writer.write(region, DATA[region])
    image = open_image(path)
    assert image.warnings == ()
    levels = coarser_levels(image)
    assert [tuple(level.sizes[axis] for axis in "ZYX") for level in levels] == [(2, 301, 515), (1, 151, 258)]
    assert [level.voxel_size_um for level in levels] == [(0.4, 0.2, 0.2), (0.8, 0.4, 0.4)]
    first = levels[0].read()
    np.testing.assert_allclose(first[0, 0, 0], DATA[:2, :2, :2].mean(), rtol=1e-5)
    np.testing.assert_allclose(first[1, 300, 514], DATA[2, 600, 1028:].mean(), rtol=1e-5)  # fewer are left at the end
    np.testing.assert_array_equal(first, average(DATA, (2, 2, 2)))
    np.testing.assert_array_equal(levels[1].read(), average(first, (2, 2, 2)))


def test_the_same_files_whatever_the_blocks(tmp_path: Path) -> None:
    def files(path: Path) -> dict[str, bytes]:
        return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}

    whole = write_ome_zarr(tmp_path / "whole.ome.zarr", DATA, axes="ZYX", voxel_size_um=FINE)
    with create_ome_zarr(tmp_path / "b.ome.zarr", DATA.shape, "f4", axes="ZYX", voxel_size_um=FINE) as writer:
        for start in (800, 0, 400):
            region = (slice(0, 3), slice(0, 601), slice(start, min(start + 400, 1030)))
            writer.write(region, DATA[region])
    assert files(tmp_path / "b.ome.zarr") == files(whole)
    assert len([name for name in files(whole) if not name.endswith(".json")]) == 2 + 1 + 1, "shards"


def test_how_far_it_goes() -> None:
    assert shapes("ZYX", (9, 512, 512), FINE) == [(9, 512, 512)]
    assert shapes("TCYX", (4, 2, 2000, 300), FINE)[1:] == [(4, 2, 1000, 150), (4, 2, 500, 75)]
    # The step along z is that of the new pixels only in the third resolution, or nobody knows it.
    assert shapes("ZYX", (9, 2048, 2048), (0.3, 0.1, 0.1))[1:] == [(9, 1024, 1024), (5, 512, 512)]
    assert shapes("ZYX", (9, 1024, 1024), COARSE)[1:] == [(9, 512, 512)]
    assert shapes("ZYX", (9, 1024, 1024), (None, 0.1, 0.1))[1:] == [(9, 512, 512)]
    assert shapes("ZYX", (9, 1024, 1), FINE)[1:] == [(5, 512, 1)]


@pytest.mark.parametrize("dtype", ["u1", "i4", "bool"])
def test_labels_have_no_averages(dtype: str) -> None:
    assert shapes("YX", (3000, 3000), (None,) * 3, dtype) == [(3000, 3000)]


@pytest.mark.parametrize(
    ("axes", "shape", "shards"),
    [
        ("YX", (9000, 9000), (2048, 2048)),
        ("ZYX", (8, 9000, 700), (8, 1024, 1024)),
        ("TCZYX", (3, 2, 100, 9000, 9000), (1, 1, 32, 512, 512)),
        ("ZYX", (300, 90, 80), (32, 90, 80)),
    ],
)
def test_shards_are_files_of_tens_of_mebibytes(axes: str, shape: tuple[int, ...], shards: tuple[int, ...]) -> None:
    level = plan_levels(axes, shape, "f4", FINE)[0]
    assert level.shards == shards
    assert np.prod(level.shards) * 4 <= 32 * 2**20


def test_large_numbers_are_averaged() -> None:
    largest = np.finfo("f4").max
    np.testing.assert_array_equal(average(np.full((1, 3), largest, "f4"), (1, 2)), [[largest, largest]])


def test_memory_that_is_short_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shards that have to be written before they are complete are averaged when they are."""
    monkeypatch.setattr("napari_mito_predict.image.zarr_writer.WAITING_BYTES", 0)
    path = tmp_path / "a.ome.zarr"
    with create_ome_zarr(path, DATA.shape, "f4", axes="ZYX", voxel_size_um=FINE) as writer:
        for z in range(3):
            writer.write((slice(z, z + 1), slice(0, 601), slice(0, 1030)), DATA[z : z + 1])
    np.testing.assert_array_equal(open_image(path).read(), DATA)
    np.testing.assert_array_equal(coarser_levels(open_image(path))[0].read(), average(DATA, (2, 2, 2)))


def test_resolutions_that_are_damaged_are_left_out(tmp_path: Path) -> None:
    path = write_ome_zarr(tmp_path / "a.ome.zarr", DATA, axes="ZYX", voxel_size_um=FINE)
    (path / "2" / "c" / "0" / "0" / "0").unlink()
    assert len(coarser_levels(open_image(path))) == 1
    assert coarser_levels(open_image(path).crop(planes=range(2))) == []


def test_a_chunk_missing_in_a_shard_of_our_own_is_an_error(tmp_path: Path) -> None:
    path = write_ome_zarr(tmp_path / "a.ome.zarr", DATA, axes="ZYX")
    shard = path / "0" / "c" / "0" / "0" / "0"
    stored = bytearray(shard.read_bytes())
    stored[-20:-4] = b"\xff" * 16  # of the last chunk: nowhere
    shard.write_bytes(bytes(stored))
    with pytest.raises(UnreadableImageError, match="chunks are missing"):
        open_image(path)
