"""Parts of images, and images of which not all was recorded."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mito_predict.errors import ImageIndexError, IncompleteImageError, UnsupportedImageError
from napari_mito_predict.image import ImageSource, check_image, unreadable_channels
from napari_mito_predict.image.backend import SceneInfo

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHAPE = (4, 2, 5, 6, 7)
PIXELS = np.arange(np.prod(SHAPE), dtype=np.uint16).reshape(SHAPE)


class Recording:
    """A backend with two scenes that complains when it is asked for what it does not have."""

    path: Path | None = Path("cells.czi")
    scenes = ("left", "right")

    def __init__(self, missing: frozenset[tuple[int, int, int]] = frozenset(), unreadable: int | None = None) -> None:
        self.missing = missing
        self.unreadable = unreadable

    def info(self, scene: int) -> SceneInfo:
        return SceneInfo(
            sizes=dict(zip("TCZYX", SHAPE, strict=True)),
            dtype=PIXELS.dtype,
            channel_names=("TL", "DAPI"),
            voxel_size_um=(0.3, 0.1, 0.1),
            time_step_s=1.0,
            missing=self.missing,
            unsupported_channels={} if self.unreadable is None else {self.unreadable: "raw Airyscan."},
        )

    def read(self, scene: int, t: int, c: int, z: int | None) -> NDArray[np.uint16]:
        steps = range(SHAPE[2]) if z is None else [z]
        assert not any((t, c, step) in self.missing for step in steps)
        assert c != self.unreadable
        return PIXELS[t, c, list(steps)] + scene


def image_of(*missing: tuple[int, int, int], **options: object) -> ImageSource:
    return ImageSource(Recording(frozenset(missing), **options), name="cells")  # type: ignore[arg-type]


def parts(size: int) -> st.SearchStrategy[range | None]:
    bounds = st.tuples(st.integers(0, size - 1), st.integers(0, size - 1)).map(sorted)
    return st.none() | bounds.map(lambda ends: range(ends[0], ends[1] + 1))


@given(parts(SHAPE[0]), parts(SHAPE[2]), st.data())
def test_a_part_reads_what_the_whole_has_there(times: range | None, planes: range | None, data: st.DataObject) -> None:
    part = image_of().crop(times=times, planes=planes).with_scene("right")
    times, planes = times or range(SHAPE[0]), planes or range(SHAPE[2])
    assert (part.sizes["T"], part.sizes["Z"]) == (len(times), len(planes))
    t = data.draw(st.integers(0, len(times) - 1))
    z = data.draw(st.integers(0, len(planes) - 1))
    expected = PIXELS[times[t], 1, planes.start : planes.stop] + 1
    np.testing.assert_array_equal(part.read(t, "DAPI"), expected)
    np.testing.assert_array_equal(part.read(t, "DAPI", z), expected[z : z + 1])
    assert part.whole.sizes == image_of().sizes
    assert part.whole.scene == 1


def test_a_part_of_a_part_counts_as_the_whole_does() -> None:
    part = image_of((3, 0, 4)).crop(times=range(1, 4)).crop(times=range(1, 3), planes=range(2, 5))
    assert (part.info.times, part.info.planes) == (range(2, 4), range(2, 5))
    assert part.missing == {(1, 0, 2)}
    copy = pickle.loads(pickle.dumps(part))
    np.testing.assert_array_equal(copy.read(0, 1), PIXELS[2, 1, 2:5])


@pytest.mark.parametrize("times", [range(2, 5), range(2, 2), range(0, 4, 2), range(-1, 2)])
def test_a_part_that_is_not_there_names_what_is(times: range) -> None:
    with pytest.raises(ImageIndexError, match=r"cells\.czi: there are no time points.*valid are 0 to 3"):
        image_of().crop(times=times)


def test_what_was_never_recorded_is_refused_and_the_rest_read() -> None:
    image = image_of((3, 0, 3), (3, 0, 4))
    with pytest.raises(IncompleteImageError, match=r"Z 3-4 of TL at time point 3 was never recorded"):
        image.read(3, "TL")
    np.testing.assert_array_equal(image.read(3, "DAPI"), PIXELS[3, 1])
    np.testing.assert_array_equal(image.read(3, "TL", 2), PIXELS[3, 0, 2:3])
    (finding,) = check_image(image)
    assert (finding.level, finding.code) == ("error", "incomplete")
    assert "1 of 4 time points of TL are incomplete: 3" in finding.message
    assert "time points 0 to 2" in finding.fix
    assert check_image(image, "DAPI")[0].code == "not-transmitted"
    assert check_image(image.crop(times=range(3))) == []


def test_where_no_time_point_is_complete_z_steps_may_be() -> None:
    image = image_of(*((t, 0, 4) for t in range(4)))
    (finding,) = check_image(image)
    assert "Z steps 0 to 3" in finding.fix
    part = image.complete_part()
    assert part.sizes["Z"] == 5, "the other channel is complete"
    both = image_of(*((t, c, 4) for t in range(4) for c in (0, 1)))
    assert both.complete_part().info.planes == range(4)


def test_the_complete_part_leaves_channels_aside_that_cannot_be_read() -> None:
    assert image_of().complete_part().sizes["T"] == 4
    stopped = image_of((2, 1, 0), (3, 0, 0), (3, 1, 0))
    assert stopped.complete_part().info.times == range(2)
    assert image_of((2, 1, 0), (3, 0, 0), unreadable=1).complete_part().info.times == range(3)
    never = image_of(*((t, c, z) for t in range(4) for c in (0, 1) for z in range(5)))
    with pytest.raises(IncompleteImageError, match="something was never recorded"):
        never.complete_part()


def test_a_channel_that_cannot_be_read_leaves_the_others() -> None:
    image = image_of(unreadable=1)
    np.testing.assert_array_equal(image.read(0, "TL"), PIXELS[0, 0])
    with pytest.raises(UnsupportedImageError, match="raw Airyscan"):
        image.read(0, "DAPI")
    assert check_image(image) == []
    assert check_image(image, "DAPI")[0].code == "unsupported"
    (finding,) = unreadable_channels(image)
    assert finding.message == "DAPI cannot be read: raw Airyscan."
    assert unreadable_channels(image_of()) == []


def test_zeros_on_request() -> None:
    image = ImageSource(Recording(frozenset({(3, 0, 1)})), name="cells", missing_as_zeros=True)
    expected = PIXELS[3, 0].copy()
    expected[1] = 0
    np.testing.assert_array_equal(image.read(3), expected)
    np.testing.assert_array_equal(image.crop(times=range(3, 4)).read(0), expected)
