from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING

import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mito_predict.errors import ImageError, SceneNotFoundError, UnknownAxesError, UnsupportedImageError
from napari_mito_predict.image import ImageSource, check_image, from_array
from napari_mito_predict.image.backend import SceneInfo

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZES = {"T": 2, "C": 3, "Z": 4, "Y": 5, "X": 6}
ARRAY = np.arange(720, dtype=np.int32).reshape(tuple(SIZES.values()))
AXES = ["".join(p) for n in range(2, 6) for p in permutations("TCZYX", n) if {"Y", "X"} <= set(p)]


@given(st.sampled_from(AXES), st.booleans(), st.data())
def test_any_order_of_axes_reads_the_same(axes: str, lazy: bool, data: st.DataObject) -> None:
    full = ARRAY[tuple(slice(None) if axis in axes else 0 for axis in "TCZYX")]
    order = [axis for axis in "TCZYX" if axis in axes]
    array = full.transpose([order.index(axis) for axis in axes])
    image = from_array(da.from_array(array) if lazy else array, axes=axes)
    assert image.sizes == {axis: SIZES[axis] if axis in axes else 1 for axis in "TCZYX"}
    t = data.draw(st.integers(0, image.sizes["T"] - 1))
    c = data.draw(st.integers(0, image.sizes["C"] - 1))
    z = data.draw(st.integers(0, image.sizes["Z"] - 1))
    expected = ARRAY[t, c] if "Z" in axes else ARRAY[t, c, :1]
    np.testing.assert_array_equal(image.read(t, c), expected)
    np.testing.assert_array_equal(image.read(t, c, z), expected[z : z + 1])


def test_lazy_reads_only_what_is_computed() -> None:
    read = []

    def block(block_id: tuple[int, ...]) -> np.ndarray:
        read.append(block_id)
        return np.full((1, 2, 3, 4), block_id[0], np.float32)

    array = da.map_blocks(block, chunks=((1,) * 5, (2,), (3,), (4,)), dtype=np.float32, meta=np.empty((0,) * 4))
    lazy = from_array(array, axes="TZYX").lazy()
    assert lazy.shape == (5, 2, 3, 4)
    read.clear()
    assert lazy[3].compute(scheduler="synchronous").mean() == 3
    assert [block_id[0] for block_id in read] == [3]


def test_what_is_given_is_kept() -> None:
    image = from_array(
        ARRAY, axes="tczyx", channel_names=["BF", None, ""], voxel_size_um=(0.3, 0, None), time_step_s=4, name="layer"
    )
    assert (image.path, image.name, image.scenes) == (None, "layer", ("array",))
    assert [channel.name for channel in image.channels] == ["BF", None, None]
    assert image.voxel_size_um == (0.3, None, None)
    assert image.time_step_s == 4
    assert "layer" in repr(image)


def test_reading_never_gives_away_the_array_itself() -> None:
    array = np.zeros((2, 3, 4))
    from_array(array, axes="ZYX").read()[:] = 1
    assert not array.any()


@pytest.mark.parametrize("array", [np.ones((2, 3)).T, np.broadcast_to(np.float32(1), (3, 4)), np.ones((3, 4), ">u2")])
def test_unusual_memory(array: np.ndarray) -> None:
    array.flags.writeable = False
    np.testing.assert_array_equal(from_array(array, axes="YX").read()[0], array)


@pytest.mark.parametrize("axes", ["ZY", "ZYXC", "QYX", "YYX", "YX"])
def test_axes_that_do_not_fit(axes: str) -> None:
    with pytest.raises(UnknownAxesError, match=r"stack: axes .* do not fit an array of shape \(2, 3, 4\)"):
        from_array(np.zeros((2, 3, 4)), axes=axes, name="stack")


def test_an_empty_axis_is_named() -> None:
    with pytest.raises(ImageError, match="the Z axis is empty"):
        from_array(np.zeros((0, 3, 4)), axes="ZYX")


def test_names_have_to_fit_the_channels() -> None:
    with pytest.raises(ImageError, match="2 channel names were given for 3 channels"):
        from_array(ARRAY, axes="TCZYX", channel_names=["a", "b"])


def test_colour_is_refused() -> None:
    image = from_array(np.zeros((8, 8, 3), np.uint8), axes="YXS")
    assert image.is_rgb
    assert [finding.level for finding in check_image(image)] == ["error"]
    with pytest.raises(UnsupportedImageError, match="RGB"):
        image.read()


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("cells.czi", "cells"),
        ("cells.OME.TIFF", "cells"),
        ("cells.day2.ome.tif", "cells.day2"),
        ("cells.ome.day2.tif", "cells.ome.day2"),
        ("cells.zarr", "cells"),
        ("cells.0.5um.lsm", "cells.0.5um"),
        ("cells", "cells"),
    ],
)
def test_the_name_of_an_image(name: str, stem: str) -> None:
    from napari_mito_predict.image.names import image_stem

    assert image_stem(f"folder/{name}") == stem


def test_a_scene_is_found_by_name_before_number() -> None:
    class Scenes:
        path = None
        scenes = ("1", "0", "Well A")

        def info(self, scene: int) -> SceneInfo:
            return SceneInfo(dict.fromkeys("TCZYX", 1), np.dtype("u1"), (None,))

        def read(self, scene: int, t: int, c: int, z: int | None) -> NDArray[np.uint8]:
            return np.full((1, 1, 1), scene, np.uint8)

    image = ImageSource(Scenes(), name="cells")
    assert image.with_scene("0").scene == 1
    assert image.with_scene(0).scene == 0
    assert image.with_scene("2").scene == 2
    assert image.with_scene("well a").scene == 2
    with pytest.raises(SceneNotFoundError, match='it has 0 "1", 1 "0", 2 "Well A"'):
        image.with_scene("3")


@pytest.mark.parametrize(("size", "axes"), [((0.3, 2e-6, 2e-6), "y, x"), ((5000.0, 0.1, 0.1), "z")])
def test_voxel_sizes_that_cannot_be_are_said(size: tuple[float, float, float], axes: str) -> None:
    image = from_array(ARRAY[0, 0], axes="ZYX", voxel_size_um=size)
    (finding,) = check_image(image)
    assert (finding.level, finding.code) == ("error", "voxel-size-impossible")
    assert f"cannot be along {axes}" in finding.message
    plane = from_array(ARRAY[0, 0, 0], axes="YX", voxel_size_um=(5000.0, 0.1, 0.1))
    assert check_image(plane) == [], "one plane has no step"
