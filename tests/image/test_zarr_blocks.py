"""OME-Zarr block by block: the same file as from the whole, each chunk written once, nothing half-done."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_mito_predict.errors import OutputExistsError, UnwritableOutputError
from napari_mito_predict.image import create_ome_zarr, open_image, write_ome_zarr
from napari_mito_predict.image.zarr_chunks import ChunkWriter

zarr = pytest.importorskip("zarr", minversion="3", exc_type=ImportError, reason="pip install napari-mito-predict[zarr]")

CTRL_C = """
import os, signal, sys, time
from pathlib import Path
import numpy as np
import zarr
from napari_mito_predict.image import write_ome_zarr

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets what runs in the background ignore it
write = zarr.Array.__setitem__

def slowly(array, *given):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.3)
    write(array, *given)

zarr.Array.__setitem__ = slowly
try:
    write_ome_zarr(sys.argv[1], np.ones((4, 8, 8), "f4"), axes="ZYX")
except KeyboardInterrupt:
    time.sleep(0.6)
    print(*(path.name for path in Path(sys.argv[1]).parent.iterdir()), "interrupted")
"""
DATA = np.random.default_rng(0).normal(size=(2, 3, 18, 26)).astype(np.float32)  # TZYX
GIVEN = {
    "axes": "TZYX",
    "channel_names": ["TMRM predicted (mito-z)"],
    "channel_colours": ["magenta"],
    "voxel_size_um": (0.5, 0.1, None),
    "time_step_s": 2.5,
    "description": "trained on simulated cells",
}


class Counting:
    """A zarr array that knows how often it is written to, and may break down."""

    def __init__(self, shape: tuple[int, ...], chunks: tuple[int, ...]) -> None:
        self.array = zarr.create_array({}, shape=shape, chunks=chunks, dtype="f4", zarr_format=3)
        self.shape, self.chunks = shape, chunks
        self.writes = 0

    def __getitem__(self, region: tuple[slice, ...]) -> np.ndarray:
        return self.array[region]

    def __setitem__(self, region: tuple[slice, ...], data: np.ndarray) -> None:
        self.writes += 1
        self.array[region] = data


def strips(shape: tuple[int, ...], rows: int) -> list[tuple[slice, ...]]:
    every = [slice(0, n) for n in shape]
    return [(*every[:-2], slice(start, min(start + rows, shape[-2])), every[-1]) for start in range(0, shape[-2], rows)]


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("rows", [1, 5, 18])
def test_the_same_files_as_from_the_whole(tmp_path: Path, rows: int) -> None:
    path = tmp_path / "µ 細胞.ome.zarr"
    with create_ome_zarr(path, DATA.shape, DATA.dtype, **GIVEN) as writer:
        for region in strips(DATA.shape, rows):
            writer.write(region, DATA[region])
        assert not path.exists(), "not before it is complete"
    assert files(path) == files(write_ome_zarr(tmp_path / "whole.ome.zarr", DATA, **GIVEN))
    np.testing.assert_array_equal(open_image(path).read(1), DATA[1])
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["whole.ome.zarr", "µ 細胞.ome.zarr"]


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(*[st.integers(1, 9)] * 3),
    chunks=st.tuples(*[st.integers(1, 5)] * 3),
    cuts=st.tuples(*[st.integers(1, 9)] * 3),
    waiting=st.sampled_from([0, 40, 200, 10_000]),
    again=st.booleans(),
    seed=st.integers(0, 99),
)
def test_any_blocks_in_any_order(
    shape: tuple[int, ...], chunks: tuple[int, ...], cuts: tuple[int, ...], waiting: int, again: bool, seed: int
) -> None:
    """Also where chunks have to be written before they are complete, and where a block comes twice."""
    rng = np.random.default_rng(seed)
    data = rng.normal(size=shape).astype("f4")
    blocks = [
        tuple(slice(i * cut, min((i + 1) * cut, n)) for i, cut, n in zip(index, cuts, shape, strict=True))
        for index in np.ndindex(*(-(-n // cut) for n, cut in zip(shape, cuts, strict=True)))
    ]
    array = Counting(shape, chunks)
    writer = ChunkWriter(array, Path("a"), waiting)
    if again:
        writer.write(blocks[-1], data[blocks[-1]] + 1)
    for number in rng.permutation(len(blocks)):
        writer.write(blocks[number], data[blocks[number]])
    writer.flush()
    writer.close()
    np.testing.assert_array_equal(array[:], data)


def test_each_chunk_is_written_once() -> None:
    array = Counting((4, 32, 32), (1, 16, 32))
    writer = ChunkWriter(array, Path("a"))
    data = np.ones(array.shape, "f4")
    for region in strips(array.shape, 5):
        writer.write(region, data[region])
    assert array.writes == 8, "complete chunks do not wait for the end"
    writer.close()


def test_few_are_written_again_where_not_all_can_wait() -> None:
    array = Counting((4, 32, 32), (1, 32, 32))
    writer = ChunkWriter(array, Path("a"), waiting_bytes=3 * 32 * 32 * 4)
    data = np.ones(array.shape, "f4")
    for region in strips(array.shape, 8):
        writer.write(region, data[region])
    writer.close()
    assert array.writes == 3 + 4, "three wait, the fourth is written with every strip"


def test_a_block_may_be_used_again() -> None:
    array = Counting((1, 8, 8), (1, 8, 8))
    writer = ChunkWriter(array, Path("a"))
    block = np.ones((1, 4, 8), "f4")
    for start in (0, 4):
        block[:] = start
        writer.write((slice(0, 1), slice(start, start + 4), slice(0, 8)), block)
    writer.close()
    np.testing.assert_array_equal(array[:][0, ::4, 0], [0, 4])


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
@pytest.mark.parametrize("existing", [True, False])
def test_whatever_happens_nothing_is_left(tmp_path: Path, error: type[BaseException], existing: bool) -> None:
    path = tmp_path / "a.ome.zarr"
    before = files(write_ome_zarr(path, DATA, **GIVEN)) if existing else {}
    with pytest.raises(error), create_ome_zarr(path, DATA.shape, "f4", overwrite=True, **GIVEN) as writer:
        writer.write([slice(0, 1)] * 4, np.zeros((1,) * 4, "f4"))
        raise error
    assert files(path) == before
    assert [entry.name for entry in tmp_path.iterdir()] == (["a.ome.zarr"] if existing else [])


def test_a_full_disk_is_named_and_other_errors_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "a.ome.zarr"
    with pytest.raises(FileNotFoundError), create_ome_zarr(path, DATA.shape, "f4", **GIVEN):
        raise FileNotFoundError("the image that is predicted from")
    monkeypatch.setattr(zarr.Array, "__setitem__", full)
    with (
        pytest.raises(UnwritableOutputError, match=r"a\.ome\.zarr.*No space left"),
        create_ome_zarr(path, DATA.shape, "f4", **GIVEN) as writer,
    ):
        writer.write([slice(None)] * 4, DATA)
    assert not list(tmp_path.iterdir())


def test_an_old_result_comes_back_when_the_new_cannot_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_ome_zarr(tmp_path / "a.ome.zarr", DATA, **GIVEN)
    before = files(path)
    tried = hold(monkeypatch, times=1000)
    with pytest.raises(UnwritableOutputError, match="Access is denied"):
        write_ome_zarr(path, DATA + 1, overwrite=True, **GIVEN)
    assert len(tried) > 1
    assert files(path) == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.ome.zarr"]


def test_a_moment_of_somebody_else_looking_into_it_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_ome_zarr(tmp_path / "a.ome.zarr", DATA, **GIVEN)
    tried = hold(monkeypatch, times=2)
    write_ome_zarr(path, DATA + 1, overwrite=True, **GIVEN)
    assert len(tried) == 3
    np.testing.assert_array_equal(open_image(path).read(0, 0), DATA[0] + 1)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.ome.zarr"]


def hold(monkeypatch: pytest.MonkeyPatch, times: int) -> list[Path]:
    """Let a viewer hold the new folder for so many attempts to rename it, as on Windows."""
    tried, replace = [], os.replace

    def held(old: Path, new: Path) -> None:
        tried.extend([old] if ".partial." in Path(old).name else [])
        if ".partial." in Path(old).name and len(tried) <= times:
            raise PermissionError(13, "Access is denied")
        replace(old, new)

    monkeypatch.setattr(os, "replace", held)
    monkeypatch.setattr("napari_mito_predict._files.time.sleep", lambda _: None)
    return tried


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    path = write_ome_zarr(tmp_path / "a.ome.zarr", DATA, **GIVEN)
    with pytest.raises(OutputExistsError), create_ome_zarr(path, DATA.shape, "f4", **GIVEN):
        pytest.fail("too late")


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot press Ctrl-C on itself there")
def test_ctrl_c_while_a_chunk_is_written(tmp_path: Path) -> None:
    """The chunk comes to its end before the folder goes, or it would make the folder anew."""
    command = [sys.executable, "-W", "error", "-c", CTRL_C, str(tmp_path / "a.ome.zarr")]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    assert done.stdout == "interrupted\n", done.stderr
