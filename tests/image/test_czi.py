from __future__ import annotations

import pickle
import re
import struct
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from napari_mito_predict.errors import (
    ChannelNotFoundError,
    ImageIndexError,
    MissingReaderError,
    SceneNotFoundError,
    UnreadableImageError,
    UnsupportedImageError,
)
from napari_mito_predict.image import ChannelRole, ImageSource, check_image, open_image

MakeCzi = Callable[..., tuple[Path, np.ndarray]]


def test_what_is_in_the_file(make_czi: MakeCzi, reader: str) -> None:
    path, data = make_czi()
    image = open_image(path, reader=reader)
    assert (image.path, image.name, len(image.scenes), image.scene) == (path, "cells", 1, 0)
    assert image.sizes == dict(zip("TCZYX", data.shape, strict=True))
    assert [channel.name for channel in image.channels] == ["ESID-T1", "TMRM-T1"]
    assert [channel.role for channel in image.channels] == [ChannelRole.TRANSMITTED, ChannelRole.MITOCHONDRIA]
    assert image.voxel_size_um == pytest.approx((0.5, 0.1, 0.1))
    assert image.time_step_s is None
    assert image.dtype == np.uint16
    assert (image.is_rgb, image.simulated, image.unsupported, image.warnings) == (False, False, "", ())


def test_every_plane_comes_back(make_czi: MakeCzi, reader: str) -> None:
    path, data = make_czi()
    image = open_image(path, reader=reader)
    for t in range(2):
        for channel, which in enumerate(("ESID-T1", ChannelRole.MITOCHONDRIA)):
            np.testing.assert_array_equal(image.read(t, which), data[t, channel])
            np.testing.assert_array_equal(image.read(t, which, z=2), data[t, channel, 2:])
    assert image.read().dtype == np.uint16


def test_lazy_is_the_same_and_one_chunk_per_stack(make_czi: MakeCzi, reader: str) -> None:
    path, data = make_czi()
    lazy = open_image(path, reader=reader).lazy("TMRM")
    assert lazy.chunks == ((1, 1), (3,), (20,), (28,))
    assert lazy.dtype == np.uint16
    np.testing.assert_array_equal(lazy.compute(), data[:, 1])


def test_indices_that_do_not_start_at_zero(make_czi: MakeCzi, reader: str) -> None:
    """ZEN keeps the original numbers when a part of a recording is saved."""
    path, data = make_czi(first={"T": 4, "Z": 7, "C": 1})
    image = open_image(path, reader=reader)
    assert image.sizes == dict(zip("TCZYX", data.shape, strict=True))
    np.testing.assert_array_equal(image.read(1, 1), data[1, 1])
    np.testing.assert_array_equal(image.read(0, 0, z=1), data[0, 0, 1:2])


def test_channels_of_different_depth(make_czi: MakeCzi, reader: str) -> None:
    """ZEN may record 8 bits of transmitted light beside 16 bits of fluorescence."""
    rng = np.random.default_rng(0)
    light = rng.integers(0, 255, (3, 20, 28), np.uint8)
    stain = rng.integers(0, 60000, (3, 20, 28), np.uint16)
    path, _ = make_czi(data=[[light, stain]])
    image = open_image(path, reader=reader)
    np.testing.assert_array_equal(image.read(0, 0), light)
    np.testing.assert_array_equal(image.read(0, 1), stain)
    np.testing.assert_array_equal(image.lazy(1).compute()[0], stain)


def test_unknown_sizes_stay_unknown(make_czi: MakeCzi, reader: str) -> None:
    image = open_image(make_czi(scale_um=None)[0], reader=reader)
    assert image.voxel_size_um == (None, None, None)
    assert [finding.code for finding in check_image(image)] == ["voxel-size-unknown", "time-step-unknown"]


def test_channels_without_names(make_czi: MakeCzi, reader: str) -> None:
    image = open_image(make_czi(channel_names=("", ""))[0], reader=reader)
    assert [channel.name for channel in image.channels] == [None, None]
    assert "None of the 2 channels has a name" in image.warnings[0]
    with pytest.raises(ChannelNotFoundError, match=r"0 \(no name"):
        image.channel()


def test_what_our_simulator_adds(make_czi: MakeCzi, reader: str) -> None:
    custom = {"time_step_s": 2.5, "simulated_by": "napari-mito-predict"}
    image = open_image(make_czi(custom=custom)[0], reader=reader)
    assert image.time_step_s == 2.5
    assert image.simulated


def test_names_in_any_script(make_czi: MakeCzi, reader: str) -> None:
    path, data = make_czi("Zellen µm 細胞 1.czi", channel_names=("Durchlicht é", "TMRM 線粒體"))
    image = open_image(str(path), reader=reader)
    assert image.channels[0].name == "Durchlicht é"
    np.testing.assert_array_equal(image.read(0, "TMRM 線粒體"), data[0, 1])


@pytest.mark.parametrize("index", [2, -1])
def test_an_index_outside_names_the_valid_ones(make_czi: MakeCzi, reader: str, index: int) -> None:
    image = open_image(make_czi()[0], reader=reader)
    with pytest.raises(ImageIndexError, match=r"no time point.*valid are 0 to 1"):
        image.read(index)
    with pytest.raises(ImageIndexError, match=r"no Z step.*valid are 0 to 2"):
        image.read(0, 0, z=3)
    with pytest.raises(ChannelNotFoundError, match="channels are 0 to 1"):
        image.read(0, index)
    with pytest.raises(SceneNotFoundError, match="no scene"):
        image.with_scene("elsewhere")


def test_planes_never_acquired(make_czi: MakeCzi, reader: str) -> None:
    path, data = make_czi(skip={(1, 0, 1), (1, 0, 2)})
    image = open_image(path, reader=reader)
    assert "2 planes were never recorded" in image.warnings[0]
    assert "time point 1 lacks Z 1-2 of ESID-T1" in image.warnings[0]
    with pytest.raises(UnreadableImageError, match="Z 1-2 of ESID-T1 at time point 1 was never recorded"):
        image.read(1, 0)
    np.testing.assert_array_equal(image.read(0, 0), data[0, 0])
    np.testing.assert_array_equal(image.read(1, 0, z=0), data[1, 0, :1])
    np.testing.assert_array_equal(image.read(1, 1), data[1, 1])


def test_planes_never_acquired_are_zeros_on_request(make_czi: MakeCzi, reader: str) -> None:
    path, data = make_czi(skip={(1, 0, 1), (0, 1, 0), (0, 1, 1), (0, 1, 2)})
    image = open_image(path, reader=reader, missing_as_zeros=True)
    expected = data[1, 0].copy()
    expected[1] = 0
    np.testing.assert_array_equal(image.read(1, 0), expected)
    np.testing.assert_array_equal(image.read(0, 1), np.zeros_like(expected))
    assert image.warnings


def _rename_dimension(path: Path, old: str, new: str) -> None:
    """Give a dimension another letter, in every directory entry and in the metadata."""
    raw = path.read_bytes().replace(old.encode() + bytes(3), new.encode() + bytes(3))
    for tag in ("<Size%b>", "</Size%b>"):
        raw = raw.replace(tag.encode() % old.encode(), tag.encode() % new.encode())
    path.write_bytes(raw)


def _set_entries(path: Path, pixel_type: int, *, new_pixel_type: int | None = None, compression: int = 0) -> None:
    """Change all directory entries of a pixel type, in the directory and in the sub-blocks."""
    number = pixel_type if new_pixel_type is None else new_pixel_type
    pattern = re.compile(b"DV" + struct.pack("<i", pixel_type) + b"(.{12}).{4}", re.DOTALL)
    start, end = b"DV" + struct.pack("<i", number), struct.pack("<i", compression)
    path.write_bytes(pattern.sub(lambda found: start + found[1] + end, path.read_bytes()))


def test_raw_airyscan_is_sent_back_to_zen(make_czi: MakeCzi, reader: str) -> None:
    path, _ = make_czi()
    _rename_dimension(path, "T", "H")
    image = open_image(path, reader=reader)
    assert [(finding.level, finding.code) for finding in check_image(image)] == [("error", "unsupported")]
    with pytest.raises(UnsupportedImageError, match="Airyscan Processing in ZEN"):
        image.read()


def test_a_channel_beside_raw_airyscan_is_read(make_czi: MakeCzi, reader: str) -> None:
    path, data = make_czi(skip={(1, 1, 0), (1, 1, 1), (1, 1, 2)})
    _rename_dimension(path, "T", "H")
    image = open_image(path, reader=reader)
    assert (image.unsupported, image.warnings, image.missing) == ("", (), frozenset())
    np.testing.assert_array_equal(image.read(0, 1), data[0, 1])
    np.testing.assert_array_equal(image.read(0, 1, z=2), data[0, 1, 2:])
    with pytest.raises(UnsupportedImageError, match="Airyscan Processing in ZEN"):
        image.read(0, 0)


@pytest.mark.parametrize(
    ("letter", "word"), [("V", "view"), ("I", "illumination"), ("R", "rotation"), ("B", "block"), ("Q", "index")]
)
def test_each_index_of_a_further_dimension_is_a_scene(make_czi: MakeCzi, reader: str, letter: str, word: str) -> None:
    if letter == "Q" and reader != "czifile":
        pytest.skip("libCZI does not know such a dimension")
    path, data = make_czi()
    _rename_dimension(path, "T", letter)
    image = open_image(path, reader=reader)
    assert [name.partition(", ")[2] for name in image.scenes] == [f"{word} 0 ({letter})", f"{word} 1 ({letter})"]
    for index in range(2):
        scene = image.with_scene(image.scenes[index])
        assert scene.sizes == {"T": 1, "C": 2, "Z": 3, "Y": 20, "X": 28}
        assert f"This is {word} {index}" in scene.warnings[0]
        for channel in range(2):
            np.testing.assert_array_equal(scene.read(0, channel), data[index, channel])


@pytest.mark.parametrize("number", [3, 99, 504, 1000])
def test_a_compression_that_nobody_reads_is_no_damage(make_czi: MakeCzi, reader: str, number: int) -> None:
    path, _ = make_czi()
    _set_entries(path, 1, compression=number)
    image = open_image(path, reader=reader)
    assert [finding.code for finding in check_image(image)] == ["unsupported"]
    with pytest.raises(UnsupportedImageError, match=rf"unsupported compression: .*\(number {number}\)"):
        image.read()


def _of_two_types() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 255, (3, 20, 28), np.uint8), rng.integers(0, 60000, (3, 20, 28), np.uint16)


def test_a_channel_beside_one_of_unknown_compression_is_read(make_czi: MakeCzi, reader: str) -> None:
    light, stain = _of_two_types()
    path, _ = make_czi(data=[[light, stain]])
    _set_entries(path, 1, compression=504)
    image = open_image(path, reader=reader)
    np.testing.assert_array_equal(image.read(0, 0), light)
    with pytest.raises(UnsupportedImageError, match="unsupported compression"):
        image.read(0, 1)


@pytest.mark.parametrize(("number", "said"), [(10, "complex"), (4, "RGB"), (77, r"not known here \(number 77\)")])
def test_pixels_of_types_that_are_not_read(make_czi: MakeCzi, reader: str, number: int, said: str) -> None:
    light, stain = _of_two_types()
    path, _ = make_czi(data=[[light, stain]])
    _set_entries(path, 1, new_pixel_type=number)
    image = open_image(path, reader=reader)
    assert not image.is_rgb
    with pytest.raises(UnsupportedImageError, match=said):
        image.read(0, 1)


TILES = {(-10, -5): 100, (5, -5): 200, (-10, 6): 300, (5, 6): 400, (40, 6): 500}
"""Corner in x and y, and value, of tiles of 20 x 16 pixels that overlap; the last one stands alone."""


def _write_tiles(path: Path, scenes: int = 1) -> np.ndarray:
    """Write them into each scene; gives the mosaic of the first one."""
    pyczi = pytest.importorskip("pylibCZIrw.czi", reason="writes the CZI files of this test: pip install pylibCZIrw")
    mosaic = np.zeros((27, 70), np.uint16)
    with pyczi.create_czi(str(path)) as document:
        for scene in range(scenes):
            for (x, y), value in TILES.items():
                plane = np.full((16, 20, 1), value + scene, np.uint16)
                document.write(data=plane, plane={"C": 0, "Z": 0}, scene=scene, location=(x + 3 * scene, y))
        document.write_metadata(channel_names={0: "TL"})
    for (x, y), value in TILES.items():
        mosaic[y + 5 : y + 21, x + 10 : x + 30] = value
    return mosaic


def test_mosaics_are_stitched_with_the_last_tile_on_top(tmp_path: Path, reader: str) -> None:
    mosaic = _write_tiles(tmp_path / "a.czi")
    image = open_image(tmp_path / "a.czi", reader=reader)
    np.testing.assert_array_equal(image.read()[0], mosaic)
    assert image.warnings == ()


def test_tiles_without_numbers_are_a_mosaic_too(tmp_path: Path, reader: str) -> None:
    path = tmp_path / "a.czi"
    mosaic = _write_tiles(path)
    without = re.sub(rb"M\0\0\0.{4}", b"B" + bytes(7), path.read_bytes(), flags=re.DOTALL)
    path.write_bytes(without)
    np.testing.assert_array_equal(open_image(path, reader=reader).read()[0], mosaic)


def test_mosaics_that_lie_over_each_other_stay_apart(tmp_path: Path, reader: str) -> None:
    mosaic = _write_tiles(tmp_path / "a.czi", scenes=2)
    image = open_image(tmp_path / "a.czi", reader=reader)
    assert len(image.scenes) == 2
    np.testing.assert_array_equal(image.read()[0], mosaic)
    np.testing.assert_array_equal(image.with_scene(1).read()[0], np.where(mosaic > 0, mosaic + 1, 0))


def test_scenes_that_the_metadata_do_not_describe_are_read(tmp_path: Path, reader: str) -> None:
    path = tmp_path / "a.czi"
    _write_tiles(path, scenes=2)
    path.write_bytes(re.sub(rb"<Scene .*?/>", lambda found: b" " * len(found[0]), path.read_bytes()))
    image = open_image(path, reader=reader)
    assert len(set(image.scenes)) == 2
    assert image.with_scene(1).read().max() == 501


def test_only_the_tiles_of_a_plane_are_read(make_czi: MakeCzi, reader: str) -> None:
    """A damaged plane leaves the others readable."""
    path, data = make_czi()
    raw = bytearray(path.read_bytes())
    first = raw.index(b"ZISRAWSUBBLOCK")
    raw[first : first + 14] = b"Z" * 14
    path.write_bytes(raw)
    image = open_image(path, reader=reader)
    np.testing.assert_array_equal(image.read(0, 0, z=1), data[0, 0, 1:2])
    with pytest.raises(UnreadableImageError, match="damaged or incomplete"):
        image.read(0, 0, z=0)


@pytest.mark.parametrize("asked", ["czifile", "bioio", "aicsimageio"])
def test_a_library_for_another_python_is_refused_in_words(make_czi: MakeCzi, asked: str) -> None:
    if (asked == "czifile") == (sys.version_info >= (3, 12)):
        pytest.skip("is for this Python")
    with pytest.raises(MissingReaderError, match=r"cells\.czi: .*CZI files.*czifile.*Python"):
        open_image(make_czi()[0], reader=asked)


def test_reads_from_many_threads(make_czi: MakeCzi, reader: str) -> None:
    path, data = make_czi()
    image = open_image(path, reader=reader)
    jobs = [(t, c, z) for t in range(2) for c in range(2) for z in range(3)] * 4
    with ThreadPoolExecutor(8) as pool:
        planes = list(pool.map(lambda job: image.read(job[0], job[1], job[2]), jobs))
    for (t, c, z), plane in zip(jobs, planes, strict=True):
        np.testing.assert_array_equal(plane[0], data[t, c, z])


def test_travels_to_another_process(make_czi: MakeCzi, reader: str) -> None:
    path, data = make_czi()
    image = open_image(path, reader=reader)
    image.read()
    copy: ImageSource = pickle.loads(pickle.dumps(image))
    np.testing.assert_array_equal(copy.read(1, 1), data[1, 1])
    assert copy.channels == image.channels


def test_the_user_has_the_last_word_on_roles(make_czi: MakeCzi, reader: str) -> None:
    image = open_image(make_czi()[0], reader=reader).with_roles({1: ChannelRole.TRANSMITTED, 0: ChannelRole.DNA})
    assert image.channel().index == 1
    assert image.channel(ChannelRole.DNA).index == 0
    assert image.channels[1].reason == "The user says so."
