from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from napari_mito_predict.errors import AmbiguousChannelError
from napari_mito_predict.image import Finding, Level, check_image, check_volume, from_array


def noise(dtype: str = "u2") -> np.ndarray:
    return np.random.default_rng(0).integers(10, 200, (8, 16, 16)).astype(dtype)


def only(findings: list[Finding]) -> Finding:
    assert len(findings) == 1, findings
    return findings[0]


@pytest.mark.parametrize("dtype", ["u1", "u2", ">u2", "i4", "f4", "f8"])
def test_a_sound_stack_has_no_findings(dtype: str) -> None:
    assert check_volume(noise(dtype)) == []


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_not_finite_is_counted_and_placed(value: float) -> None:
    volume = noise("f4")
    volume[3, 4, 5] = volume[6, 0, 0] = value
    finding = only(check_volume(volume, where="time point 2"))
    assert (finding.level, finding.code) == (Level.ERROR, "not-finite")
    assert finding.message.startswith("time point 2: 2 pixels")
    assert "(3, 4, 5)" in finding.message


@pytest.mark.parametrize("value", [0, 7])
def test_constant(value: int) -> None:
    finding = only(check_volume(np.full((8, 9, 9), value, np.uint8)))
    assert (finding.level, finding.code) == (Level.ERROR, "no-contrast")


@pytest.mark.parametrize("volume", [noise().astype(complex), noise().astype(object), noise().astype(str)])
def test_wrong_dtype(volume: np.ndarray) -> None:
    finding = only(check_volume(volume))
    assert (finding.level, finding.code) == (Level.ERROR, "wrong-dtype")


def test_a_mask_is_no_error() -> None:
    assert all(finding.level is not Level.ERROR for finding in check_volume(noise() > 100))


def test_empty() -> None:
    assert only(check_volume(np.zeros((0, 4, 4)))).code == "empty"


def test_blank_planes_are_listed() -> None:
    volume = noise()
    volume[[1, 5]] = 42
    finding = only(check_volume(volume))
    assert (finding.level, finding.code) == (Level.WARNING, "blank-planes")
    assert "2 of 8 Z steps are blank: 1, 5" in finding.message


def _border(volume: np.ndarray) -> None:
    volume[:, :4] = 0


def _quarter(volume: np.ndarray) -> None:
    volume[:, 20:, 20:] = 100


def _diagonal(volume: np.ndarray) -> None:
    y, x = np.indices(volume.shape[1:])
    volume[:, y + x < 20] = 0


def _dead_column(volume: np.ndarray) -> None:
    volume[:, :, 7] = volume.max()


@pytest.mark.parametrize("damage", [_border, _quarter, _diagonal, _dead_column])
@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_an_area_that_is_the_same_in_every_plane(damage: Callable[[np.ndarray], None], dtype: type) -> None:
    volume = np.random.default_rng(0).integers(500, 4000, (8, 40, 40)).astype(dtype)
    assert check_volume(volume) == []
    damage(volume)
    share = (volume == volume[0]).all(axis=0).mean()
    finding = next(finding for finding in check_volume(volume) if finding.code == "blank-area")
    assert finding.level is Level.WARNING
    assert finding.values["share"] == pytest.approx(share)
    assert "nothing can be predicted there" in finding.message
    volume[3] = 0  # a blank plane hides no blank area
    assert {"blank-planes", "blank-area"} <= {finding.code for finding in check_volume(volume)}


def test_black_area_in_one_plane() -> None:
    volume = noise()
    volume[4, :4] = 0
    finding = only(check_volume(volume))
    assert (finding.level, finding.code) == (Level.WARNING, "black-areas")
    assert "Z 4: 25 %" in finding.message


@pytest.mark.parametrize(("dtype", "top"), [("u1", 255), ("u2", 4095), ("u2", 65535)])
def test_saturation(dtype: str, top: int) -> None:
    volume = noise(dtype)
    volume[:, :2, :2] = top
    finding = only(check_volume(volume))
    assert (finding.level, finding.code) == (Level.WARNING, "saturated")
    assert "1.6 %" in finding.message


def test_the_brightest_pixel_is_not_saturation() -> None:
    volume = noise()
    volume[0, 0, 0] = 4095
    assert check_volume(volume) == []


@pytest.mark.parametrize(("depth", "level"), [(1, Level.INFO), (3, Level.WARNING)])
def test_too_thin(depth: int, level: Level) -> None:
    finding = only(check_volume(noise()[:depth]))
    assert (finding.level, finding.code) == (level, "too-thin")


def test_checking_changes_nothing() -> None:
    volume = noise()
    before = volume.copy()
    volume.flags.writeable = False
    check_volume(volume)
    np.testing.assert_array_equal(volume, before)


def codes(**given: object) -> list[str]:
    arguments = {"axes": "ZYX", "voxel_size_um": (0.3, 0.1, 0.1)} | given
    array = arguments.pop("array", noise())
    return [finding.code for finding in check_image(from_array(array, **arguments))]  # type: ignore[arg-type]


def test_a_sound_image() -> None:
    assert codes() == []


def test_missing_voxel_size_is_a_warning() -> None:
    assert codes(voxel_size_um=None) == ["voxel-size-unknown"]
    assert codes(voxel_size_um=(None, 0.1, 0.1)) == ["voxel-size-unknown"]
    assert codes(axes="TYX", voxel_size_um=(None, 0.1, 0.1), time_step_s=1) == []


def test_missing_time_step_is_mentioned() -> None:
    assert codes(axes="TYX") == ["time-step-unknown"]


def test_z_steps_read_as_channels_are_noticed() -> None:
    names = ["TL", *"abcdefg"]
    assert codes(axes="CYX", channel_names=names) == ["many-channels"]


def test_fluorescence_chosen_by_hand() -> None:
    image = from_array(noise()[:2], axes="CYX", channel_names=["TL", "TMRM"], voxel_size_um=(1, 1, 1))
    assert [finding.code for finding in check_image(image, "TMRM")] == ["not-transmitted"]


def test_complex_images() -> None:
    assert codes(array=noise().astype(complex)) == ["wrong-dtype"]


def test_two_candidates() -> None:
    image = from_array(noise()[:2], axes="CYX", channel_names=["TL", "DIC"])
    with pytest.raises(AmbiguousChannelError):
        check_image(image)
