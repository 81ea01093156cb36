"""Crops of one recording share pixels, at any offset and contrast; fields of one microscope share its dirt only."""

from __future__ import annotations

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from napari_mito_predict.image import Level
from napari_mito_predict.training import train
from napari_mito_predict.training.overlap import Overlap, Texture, check_overlaps, find_overlaps
from napari_mito_predict.training.preflight import check_fields


def frame(seed: int, size: int = 300) -> np.ndarray:
    """Transmitted light of cells, with the noise of the camera and its dirt, which is the same in every frame."""
    rng = np.random.default_rng(seed)
    dirt = gaussian_filter((np.random.default_rng(99).random((size, size)) > 0.9995).astype(float), 2)
    cells = gaussian_filter(rng.normal(size=(size, size)), 4)
    return 1000 + 3000 * cells - 20_000 * dirt + rng.normal(0, 20, (size, size))


def as_8_bit(crop: np.ndarray) -> np.ndarray:
    """Scaled image by image, as people store crops."""
    low, high = np.percentile(crop, (0.1, 99.9))
    return (255 * np.clip((crop - low) / (high - low), 0, 1)).round().astype(np.uint8)


def _overlaps(**planes: np.ndarray) -> tuple[Overlap, ...]:
    return find_overlaps({name: Texture.of(plane) for name, plane in planes.items()})


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 20), st.integers(-90, 90), st.integers(-90, 90))
def test_crops_are_found_at_any_offset_and_contrast(seed: int, down: int, right: int) -> None:
    whole = frame(seed, 320)
    first = as_8_bit(whole[90:218, 90:218])
    second = as_8_bit(whole[90 + down : 218 + down, 90 + right : 218 + right])
    found = _overlaps(a=first, b=second)
    share = (128 - abs(down)) * (128 - abs(right)) / 128**2
    if (down, right) == (0, 0):
        assert found == (), "copies in full are found by their light"
    elif share > 0.15:
        assert [(o.first, o.second, o.share) for o in found] == [("a", "b", pytest.approx(share))]
    else:
        assert all(o.share == pytest.approx(share) for o in found)


def test_a_crop_of_a_larger_image_is_found() -> None:
    whole = frame(1)
    (found,) = _overlaps(whole=whole.astype(np.uint16), crop=as_8_bit(whole[30:140, 100:190]))
    assert found.share == pytest.approx(1)


def test_stacks_are_compared_by_their_middle() -> None:
    stack = np.stack([frame(10 + z, 160) for z in range(5)]).astype(np.uint16)
    (found,) = _overlaps(a=stack[:, :128, :128], b=stack[:, 32:, 32:])
    assert found.share == pytest.approx((96 / 128) ** 2)


def test_other_fields_and_other_recordings_of_a_field_are_not_meant() -> None:
    noise = np.random.default_rng(5)
    cells = gaussian_filter(noise.normal(size=(300, 300)), 4)
    again = {f"t{i}": as_8_bit(1000 + 3000 * cells + noise.normal(0, 20, (300, 300))) for i in range(3)}
    others = {f"field{i}": as_8_bit(frame(i)) for i in range(12)}
    assert _overlaps(**again, **others) == ()


@pytest.mark.parametrize(
    "plane", [np.zeros((64, 64)), np.ones((3, 3)), np.pad(frame(1, 60), 40)], ids=["0", "3", "frame"]
)
def test_planes_without_anything_to_see(plane: np.ndarray) -> None:
    assert _overlaps(a=plane, b=plane, c=np.flip(plane)) == ()
    assert find_overlaps({}) == ()


def test_one_warning_for_all_and_none_within_a_part() -> None:
    pairs = [Overlap("a", "b", 0.2), Overlap("a", "c", 0.87), Overlap("b", "c", 0.5), Overlap("a", "left out", 1.0)]
    assert check_overlaps(pairs, {"a": "test", "b": "test"}) == []
    (finding,) = check_overlaps(pairs, {"a": "test", "b": "test", "c": "training"})
    assert finding.level is Level.WARNING
    assert finding.code == "shared-pixels"
    assert "2 pairs of fields share pixels across the parts, such as a (test) and c (training), 87 %" in finding.message
    assert finding.values == {"pairs": 2, "share": 0.87}


def test_fields_of_one_part_are_not_compared_where_parts_are_known() -> None:
    whole = frame(2)
    planes = {name: Texture.of(whole[i : 200 + i]) for i, name in enumerate("abc")}
    assert len(find_overlaps(planes)) == 3
    found = find_overlaps(planes, parts={"a": "test", "b": "training", "c": "training"})
    assert {(o.first, o.second) for o in found} == {("a", "b"), ("a", "c")}


def test_a_training_says_so_and_keeping_frames_together_ends_it(make_config, tmp_path) -> None:
    for number, name in enumerate(("f1", "f2", "f3")):
        whole = frame(number, 200)
        for crop in range(2):
            light = as_8_bit(whole[20 * crop : 128 + 20 * crop, 30 * crop : 128 + 30 * crop])
            for folder, plane in (("light", light), ("truth", gaussian_filter(light, 2))):
                (tmp_path / folder).mkdir(exist_ok=True)
                (tmp_path / folder / f"{name}_{crop}.png").write_bytes(imagecodecs.png_encode(plane))
    data = {"input_folder": str(tmp_path / "light"), "target_folder": str(tmp_path / "truth")}
    changes = {"targets": {"mitochondria": None}, "data": data, "patch": (32, 32), "iterations": 1}
    apart = make_config(tmp_path, "run", split={"test": ["f1_0", "f2_1"], "validation": ["f3_0"]}, **changes)
    (finding,) = (f for f in check_fields(apart, lambda *_: None).together if f.code == "shared-pixels")
    assert "3 pairs of fields share pixels" in finding.message
    assert "share pixels: the scores are too good" in train(apart).model.card.training.notes
    together = make_config(tmp_path, "run2", split={"by": "^f.", "test": ["f1"], "validation": ["f2"]}, **changes)
    assert "shared-pixels" not in {f.code for f in check_fields(together, lambda *_: None).together}
