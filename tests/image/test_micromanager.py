"""Recordings of Micro-Manager: several positions, files and names; stopped ones; NDTiff."""

from __future__ import annotations

import json
import os
import pickle
import struct
from collections.abc import Iterable, Mapping
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_mito_predict.errors import IncompleteImageError, UnreadableImageError
from napari_mito_predict.image import ImageSource, open_image

HEIGHT, WIDTH = 20, 24
CHANNELS = ["BF", "DAPI"]
Index = tuple[int, int, int, int]
"""Channel, Z step, time point, position."""
SERIES = pytest.mark.skipif(
    tuple(map(int, tifffile.__version__.split(".")[:2])) < (2023, 8), reason="this tifffile knows no such series"
)


def plane(c: int, z: int, t: int, r: int) -> np.ndarray:
    """A plane that no other one equals."""
    return np.arange(HEIGHT * WIDTH, dtype=np.uint16).reshape(HEIGHT, WIDTH) + 200 * (c + 2 * (z + 8 * (t + 4 * r)))


def stack(c: int, t: int, r: int, depth: int) -> np.ndarray:
    return np.stack([plane(c, z, t, r) for z in range(depth)])


def recorded(planned: Mapping[str, int], count: int | None = None) -> list[Index]:
    """The planes of a recording in the order in which they are taken, or the first `count` of them."""
    sizes = [planned[axis] for axis in ("Frames", "Positions", "Slices", "Channels")]
    planes = [(c, z, t, r) for t, r, z, c in product(*map(range, sizes))]
    return planes[:count]


def summary(planned: Mapping[str, int], **more: object) -> dict[str, object]:
    return (
        {
            "MicroManagerVersion": "2.0.1",
            "Prefix": "rec",
            "PixelSize_um": 0.2,
            "z-step_um": -0.5,
            "Interval_ms": 3000.0,
            "ChNames": CHANNELS,
            "SlicesFirst": True,
            "TimeFirst": True,
            "Width": WIDTH,
            "Height": HEIGHT,
        }
        | dict(planned)
        | more
    )


def write(
    path: Path, planned: Mapping[str, int], planes: Iterable[Index], *, index_first: bool = False, **more: object
) -> Path:
    """Write the planes as Micro-Manager does: an index map, and for each plane a directory with its pixels behind."""
    planes = list(planes)
    said = json.dumps(summary(planned, **more)).encode()
    out = bytearray(struct.pack("<2sHI", b"II", 42, 0))
    out += struct.pack("<8I", 54773648, 0, 483765892, 0, 99384722, 0, 2355492, len(said)) + said
    index_at = len(out)
    if index_first:
        out += bytes(8 + 20 * len(planes))
    entries = []
    next_at = 4
    for index in planes:
        out += b"\0" * (len(out) % 2)
        at = len(out)
        struct.pack_into("<I", out, next_at, at)
        entries.append((*index, at))
        words = json.dumps({"PositionName": f"well {index[3]}", "PixelSizeUm": 0.2}).encode() + b"\0"
        pixels = plane(*index).tobytes()
        pixels_at = at + 2 + 12 * 13 + 4
        behind = pixels_at + len(pixels)
        tags = [(256, 4, 1, WIDTH), (257, 4, 1, HEIGHT), (258, 3, 1, 16), (259, 3, 1, 1), (262, 3, 1, 1)]
        tags += [(273, 4, 1, pixels_at), (277, 3, 1, 1), (278, 3, 1, HEIGHT), (279, 4, 1, len(pixels))]
        tags += [(282, 5, 1, behind), (283, 5, 1, behind + 8), (296, 3, 1, 3), (51123, 2, len(words), behind + 16)]
        out += struct.pack("<H", len(tags))
        for tag in tags:
            out += struct.pack("<HHII", *tag)
        next_at = len(out)
        out += struct.pack("<I", 0) + pixels + struct.pack("<4I", 50000, 1, 50000, 1) + words
    index_map = struct.pack("<2I", 3453623, len(entries)) + b"".join(struct.pack("<5I", *entry) for entry in entries)
    if not index_first:
        index_at = len(out)
    struct.pack_into("<I", out, 12, index_at)
    out[index_at : index_at + len(index_map)] = index_map
    path.write_bytes(out)
    return path


PLANNED = {"Frames": 3, "Positions": 2, "Slices": 4, "Channels": 2}
ONE = PLANNED | {"Positions": 1}


@SERIES
@pytest.mark.parametrize("order", [{}, {"SlicesFirst": False}, {"TimeFirst": False}])
def test_positions_are_scenes(tmp_path: Path, order: dict[str, bool]) -> None:
    path = write(tmp_path / "rec_MMStack_Default.ome.tif", PLANNED, recorded(PLANNED), **order)
    image = open_image(path)
    assert image.scenes == ("well 0", "well 1")
    assert image.sizes == {"T": 3, "C": 2, "Z": 4, "Y": HEIGHT, "X": WIDTH}
    assert [channel.name for channel in image.channels] == CHANNELS
    assert image.voxel_size_um == (0.5, 0.2, 0.2)
    assert image.time_step_s == 3
    assert "2 positions" in image.warnings[0]
    assert "choose another one by its scene" in image.warnings[0]
    for t, c, r in product(range(3), range(2), range(2)):
        np.testing.assert_array_equal(image.with_scene(f"well {r}").read(t, c), stack(c, t, r, 4))


@SERIES
def test_a_file_for_each_position(tmp_path: Path) -> None:
    names = [tmp_path / f"rec_MMStack_Pos{r}.ome.tif" for r in range(2)]
    for r, path in enumerate(names):
        write(path, PLANNED, [index for index in recorded(PLANNED) if index[3] == r])
    for path in names:
        image = open_image(path)
        assert len(image.scenes) == 2
        for r in range(2):
            np.testing.assert_array_equal(image.with_scene(r).read(2, 1), stack(1, 2, r, 4))
    names[0].unlink()
    image = open_image(names[1])
    assert len(image.scenes) == 1
    np.testing.assert_array_equal(image.read(2, 1), stack(1, 2, 1, 4))
    assert any("2 positions, of which 1" in warning for warning in image.warnings)


@SERIES
def test_stopped_within_a_time_point(tmp_path: Path) -> None:
    path = write(tmp_path / "rec_MMStack_Default.ome.tif", ONE, recorded(ONE, 8 + 8 + 5))
    image = open_image(path)
    assert image.sizes["T"] == 3
    assert image.missing == {(2, 0, 3), (2, 1, 2), (2, 1, 3)}
    assert any("time point 2 lacks Z 3 of BF and Z 2-3 of DAPI" in warning for warning in image.warnings)
    for t, c in product(range(2), range(2)):
        np.testing.assert_array_equal(image.read(t, c), stack(c, t, 0, 4))
    with pytest.raises(IncompleteImageError, match="Z 3 of BF at time point 2"):
        image.read(2, 0)
    np.testing.assert_array_equal(image.read(2, 0, z=2)[0], plane(0, 2, 2, 0))
    zeros = open_image(path, missing_as_zeros=True).read(2, 1)
    np.testing.assert_array_equal(zeros[:2], stack(1, 2, 0, 2))
    assert not zeros[2:].any()


@SERIES
@pytest.mark.parametrize("count", [1, 3, 7])
def test_stopped_within_the_first_time_point(tmp_path: Path, count: int) -> None:
    """A part of a stack is never a smaller stack."""
    path = write(tmp_path / "rec_MMStack_Default.ome.tif", ONE, recorded(ONE, count))
    image = open_image(path)
    assert image.sizes == {"T": 1, "C": 2, "Z": 4, "Y": HEIGHT, "X": WIDTH}
    assert len(image.missing) == 8 - count
    assert any("of 3 time points 1" in warning for warning in image.warnings)
    np.testing.assert_array_equal(image.read(0, 0, z=0)[0], plane(0, 0, 0, 0))
    with pytest.raises(IncompleteImageError):
        image.read(0, 1)


@SERIES
def test_stopped_after_a_whole_time_point(tmp_path: Path) -> None:
    image = open_image(write(tmp_path / "rec_MMStack_Default.ome.tif", ONE, recorded(ONE, 16)))
    assert image.sizes["T"] == 2
    assert not image.missing
    assert any("of 3 time points 2" in warning for warning in image.warnings)
    np.testing.assert_array_equal(image.read(1, 1), stack(1, 1, 0, 4))


@SERIES
def test_stopped_within_a_later_position(tmp_path: Path) -> None:
    """Each position has the time points that it has."""
    image = open_image(write(tmp_path / "rec_MMStack_Default.ome.tif", PLANNED, recorded(PLANNED, 16 + 8)))
    first, second = image.with_scene(0), image.with_scene(1)
    assert (first.sizes["T"], second.sizes["T"]) == (2, 1)
    assert not first.missing
    assert not second.missing
    np.testing.assert_array_equal(first.read(1, 1), stack(1, 1, 0, 4))
    np.testing.assert_array_equal(second.read(0, 1), stack(1, 0, 1, 4))
    image = open_image(write(tmp_path / "rec_MMStack_Default.ome.tif", PLANNED, recorded(PLANNED, 5)))
    assert len(image.scenes) == 1
    assert any("2 positions" in warning for warning in image.warnings)


@SERIES
def test_slices_that_one_channel_skips(tmp_path: Path) -> None:
    planes = [index for index in recorded(ONE) if index[0] == 0 or index[1] == 1]
    image = open_image(write(tmp_path / "rec_MMStack_Default.ome.tif", ONE, planes))
    np.testing.assert_array_equal(image.read(2, "BF"), stack(0, 2, 0, 4))
    with pytest.raises(IncompleteImageError, match="Z 0, 2-3 of DAPI"):
        image.read(2, "DAPI")


@SERIES
@pytest.mark.parametrize("index_first", [True, False])
def test_a_copy_that_is_cut_is_damaged_and_not_stopped(tmp_path: Path, index_first: bool) -> None:
    path = write(tmp_path / "rec_MMStack_Default.ome.tif", ONE, recorded(ONE), index_first=index_first)
    assert open_image(path).sizes["T"] == 3
    os.truncate(path, path.stat().st_size * 2 // 3)
    with pytest.raises(UnreadableImageError, match=r"damaged|incomplete|cut short") as caught:
        open_image(path)
    assert not isinstance(caught.value, IncompleteImageError)


@SERIES
def test_a_copy_in_another_process(tmp_path: Path) -> None:
    path = write(tmp_path / "rec_MMStack_Default.ome.tif", PLANNED, recorded(PLANNED))
    image: ImageSource = pickle.loads(pickle.dumps(open_image(path, scene=1)))
    np.testing.assert_array_equal(image.read(1, 1), stack(1, 1, 1, 4))


def write_ndtiff(folder: Path, planned: Mapping[str, int], planes: Iterable[Index]) -> Path:
    """Write a data set of NDTiff v3: one file of planes, and an index of where they are."""
    said = json.dumps(summary(planned)).encode()
    out = bytearray(struct.pack("<2sHI", b"II", 42, 0))
    out += struct.pack("<5I", 483729, 3, 1, 2355492, len(said)) + said
    index = bytearray()
    next_at = 4
    for c, z, t, r in planes:
        out += b"\0" * (len(out) % 2)
        at = len(out)
        struct.pack_into("<I", out, next_at, at)
        pixels = plane(c, z, t, r).tobytes()
        tags = [(256, 4, 1, WIDTH), (257, 4, 1, HEIGHT), (258, 3, 1, 16), (259, 3, 1, 1), (262, 3, 1, 1)]
        pixels_at = at + 2 + 12 * 10 + 4
        tags += [(273, 4, 1, pixels_at), (277, 3, 1, 1), (278, 3, 1, HEIGHT), (279, 4, 1, len(pixels))]
        tags += [(51123, 2, 3, pixels_at + len(pixels))]
        out += struct.pack("<H", len(tags))
        for tag in tags:
            out += struct.pack("<HHII", *tag)
        next_at = len(out)
        out += struct.pack("<I", 0) + pixels + b"{}\0"
        axes = json.dumps({"position": r, "time": t, "channel": CHANNELS[c], "z": z}).encode()
        name = b"set_NDTiffStack.tif"
        index += struct.pack("<I", len(axes)) + axes + struct.pack("<I", len(name)) + name
        index += struct.pack("<IiiiiIii", pixels_at, WIDTH, HEIGHT, 1, 0, pixels_at + len(pixels), 2, 0)
    (folder / "NDTiff.index").write_bytes(index)
    path = folder / "set_NDTiffStack.tif"
    path.write_bytes(out)
    return path


def test_ndtiff(tmp_path: Path) -> None:
    image = open_image(write_ndtiff(tmp_path, PLANNED, recorded(PLANNED)))
    assert image.scenes == ("position 1", "position 2")
    assert image.sizes == {"T": 3, "C": 2, "Z": 4, "Y": HEIGHT, "X": WIDTH}
    assert [channel.name for channel in image.channels] == CHANNELS
    assert image.voxel_size_um == (0.5, 0.2, 0.2)
    np.testing.assert_array_equal(image.with_scene(1).read(2, 1), stack(1, 2, 1, 4))


def test_an_ndtiff_that_was_stopped(tmp_path: Path) -> None:
    image = open_image(write_ndtiff(tmp_path, ONE, recorded(ONE, 16 + 3)))
    assert image.missing == {(2, 0, 2), (2, 0, 3), (2, 1, 1), (2, 1, 2), (2, 1, 3)}
    np.testing.assert_array_equal(image.read(1, 1), stack(1, 1, 0, 4))
    with pytest.raises(IncompleteImageError):
        image.read(2, 0)
