from __future__ import annotations

import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from napari_mito_predict.errors import (
    ChannelNotFoundError,
    ImageIndexError,
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


def test_indices_that_do_not_start_at_zero(make_czi: MakeCzi) -> None:
    """ZEN keeps the original numbers when a part of a recording is saved."""
    path, data = make_czi(first={"T": 4, "Z": 7, "C": 1})
    image = open_image(path)
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
    assert "2 planes were never acquired" in image.warnings[0]
    assert "T1 C0 Z1" in image.warnings[0]
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


def _as_detector_elements(path: Path) -> None:
    """Make time points the elements of an Airyscan detector: dimension T becomes H, in every directory entry."""
    raw = path.read_bytes().replace(b"T\0\0\0", b"H\0\0\0").replace(b"<SizeT>2", b"<SizeH>2")
    path.write_bytes(raw.replace(b"</SizeT>", b"</SizeH>"))


def test_raw_airyscan_is_sent_back_to_zen(make_czi: MakeCzi, reader: str) -> None:
    path, _ = make_czi()
    _as_detector_elements(path)
    image = open_image(path, reader=reader)
    assert [(finding.level, finding.code) for finding in check_image(image)] == [("error", "unsupported")]
    with pytest.raises(UnsupportedImageError, match="Airyscan Processing in ZEN"):
        image.read()


def test_scenes_that_the_file_does_not_describe_are_missed_aloud(tmp_path: Path, reader: str) -> None:
    pyczi = pytest.importorskip("pylibCZIrw.czi", reason="writes the CZI files of this test: pip install pylibCZIrw")
    path = tmp_path / "two.czi"
    with pyczi.create_czi(str(path)) as document:
        for scene in range(2):
            plane = np.full((8, 9, 1), scene + 1, np.uint16)
            document.write(data=plane, plane={"C": 0}, scene=scene, location=(50 * scene, 0))
        document.write_metadata(channel_names={0: "TL"})
    image = open_image(path, reader=reader)
    if len(image.scenes) == 1:
        assert "holds 2 scenes but describes only 1" in " ".join(image.warnings)
    else:
        assert len(image.scenes) == 2


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


def test_the_user_has_the_last_word_on_roles(make_czi: MakeCzi) -> None:
    image = open_image(make_czi()[0]).with_roles({1: ChannelRole.TRANSMITTED, 0: ChannelRole.DNA})
    assert image.channel().index == 1
    assert image.channel(ChannelRole.DNA).index == 0
    assert image.channels[1].reason == "The user says so."
