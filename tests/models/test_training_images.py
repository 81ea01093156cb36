"""What a package knows of the images its model was trained on: kept as it is, wherever the package goes, or refused."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from safetensors.numpy import save

from napari_mito_predict.errors import DamagedModelError, InvalidModelError
from napari_mito_predict.models import (
    Model,
    ModelCard,
    export_model,
    import_model,
    load_model,
    read_card,
    read_package,
    rename_model,
    save_model,
    verify_model,
)

if TYPE_CHECKING:
    from napari_mito_predict.models.training_images import TrainingImages
    from napari_mito_predict.networks.unet import UNet

FILE = "training_images.safetensors"
Arrays = dict[str, np.ndarray]


@pytest.fixture
def package(tmp_path: Path, plane_card: ModelCard, plane_network: UNet, training_images: TrainingImages) -> Path:
    folder = tmp_path / "package"
    sample = np.random.default_rng(0).standard_normal((1, 16, 16), dtype=np.float32)
    save_model(folder, plane_card, plane_network, sample, training_images=training_images)
    return folder


def arrays_of(model: Model) -> Arrays:
    assert model.training_images is not None
    return {
        field.name: getattr(model.training_images, field.name) for field in dataclasses.fields(model.training_images)
    }


def assert_same(model: Model, wanted: TrainingImages) -> None:
    for name, array in arrays_of(model).items():
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, getattr(wanted, name))


def test_it_is_read_as_it_was_written(package: Path, training_images: TrainingImages) -> None:
    assert_same(read_package(package), training_images)
    assert verify_model(package).passed
    said = read_card(package).training_images
    assert said is not None
    assert said.sha256 == hashlib.sha256((package / FILE).read_bytes()).hexdigest()


def test_it_goes_where_the_package_goes(package: Path, tmp_path: Path, training_images: TrainingImages) -> None:
    assert_same(load_model(import_model(package).name), training_images)
    rename_model("mito-2d", "another")
    zipped = export_model("another", tmp_path / "sent.zip")
    folder = export_model("another", tmp_path / "sent", file_format="folder")
    assert_same(load_model("another"), training_images)
    assert_same(read_package(zipped), training_images)
    assert_same(read_package(folder), training_images)
    assert (folder / FILE).read_bytes() == (package / FILE).read_bytes()


def test_a_model_is_saved_anew_without_what_it_is_not_given(package: Path) -> None:
    model = read_package(package)
    assert model.sample is not None
    card = save_model(package, model.card, model.network, model.sample.given)
    assert card.training_images is None
    assert not (package / FILE).exists()
    assert read_package(package).training_images is None


def test_a_file_that_the_card_does_not_name_is_left_behind(package: Path, tmp_path: Path) -> None:
    content = json.loads((package / "model.json").read_text(encoding="utf-8"))
    del content["training_images"]
    (package / "model.json").write_text(json.dumps(content), encoding="utf-8")
    assert read_package(package).training_images is None
    assert not (export_model(package, tmp_path / "sent", file_format="folder") / FILE).exists()


def test_features_may_be_missing(
    tmp_path: Path, plane_card: ModelCard, plane_network: UNet, training_images: TrainingImages
) -> None:
    none = np.zeros(0, np.float32)
    without = dataclasses.replace(training_images, mean=none, covariance=np.zeros((0, 0), np.float32), distances=none)
    sample = np.zeros((1, 16, 16), np.float32)
    save_model(tmp_path / "model", plane_card, plane_network, sample, training_images=without)
    assert_same(read_package(tmp_path / "model"), without)


def rewrite(package: Path, content: bytes) -> None:
    """Put another file in its place, with its fingerprint on the card."""
    (package / FILE).write_bytes(content)
    said = json.loads((package / "model.json").read_text(encoding="utf-8"))
    said["training_images"]["sha256"] = hashlib.sha256(content).hexdigest()
    (package / "model.json").write_text(json.dumps(said), encoding="utf-8")


def changed(**arrays: Callable[[np.ndarray], np.ndarray]) -> Callable[[Arrays], bytes]:
    return lambda found: save(
        found | {name: np.ascontiguousarray(change(found[name])) for name, change in arrays.items()}
    )


def with_nan(array: np.ndarray) -> np.ndarray:
    copy = array.copy()
    copy.flat[0] = np.nan
    return copy


def declared(dtype: str, shape: list[int], size: int) -> Callable[[Arrays], bytes]:
    """A file that says so of one of its arrays and holds hardly anything."""
    said = json.dumps({"mean": {"dtype": dtype, "shape": shape, "data_offsets": [0, size]}}).encode()
    return lambda _: len(said).to_bytes(8, "little") + said + bytes(min(size, 8))


HOSTILE: dict[str, tuple[Callable[[Arrays], bytes], str]] = {
    "empty": (lambda _: b"", "no safetensors file, or cut short"),
    "huge": (declared("F32", [2**38], 2**40), "end at byte"),
    "other type": (changed(mean=lambda a: a.astype(np.float16)), "'mean' is of the type F16, and F32 was expected"),
    "pickle": (lambda _: b"\x80\x04cos\nsystem\n" * 20, "no safetensors file"),
    "missing": (lambda found: save({"mean": found["mean"]}), "'mean' are there"),
    "more": (lambda found: save(found | {"code": found["mean"]}), "were expected"),
    "axes": (changed(contrast=lambda a: a[None]), "'contrast' has the shape"),
    "sizes": (changed(contrast=lambda a: a[:2]), "'contrast' has 2 volumes, and 3 were expected"),
    "percentiles": (changed(intensities=lambda a: a[:, :5]), "5 percentiles, and 9"),
    "too many": (changed(distances=lambda _: np.zeros(70_000, np.float32)), "at most 65536 are kept"),
    "no volume": (changed(intensities=lambda a: a[:0], contrast=lambda a: a[:0]), "of no volume"),
    "nan": (changed(mean=with_nan), "'mean' holds NaN"),
    "infinite": (changed(contrast=lambda a: a / np.float32(1e-40)), "'contrast' holds NaN or infinite"),
    "other network": (
        changed(mean=lambda a: a[:1], covariance=lambda a: a[:1, :1]),
        "are of 1 features, and its network gives 2",
    ),
    "order": (changed(intensities=lambda a: a[:, ::-1]), "not in ascending order"),
    "negative": (changed(distances=lambda a: a - 1), "'distances' are negative"),
    "contrast": (changed(contrast=lambda a: -a), "negative"),
    "singular": (changed(covariance=np.ones_like), "not positive definite"),
    "one-sided": (changed(covariance=np.triu), "not positive definite"),
    "indefinite": (changed(covariance=lambda a: -a), "not positive definite"),
}


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.parametrize("damage", HOSTILE)
def test_what_cannot_be_compared_with_is_refused(package: Path, damage: str) -> None:
    make, message = HOSTILE[damage]
    rewrite(package, make(arrays_of(read_package(package))))
    with pytest.raises((DamagedModelError, InvalidModelError), match=message) as found:
        read_package(package)
    assert str(package) in str(found.value)
    assert "training images" in str(found.value)
    with pytest.raises((DamagedModelError, InvalidModelError)):
        verify_model(package)


def test_damage_is_noticed(package: Path) -> None:
    content = bytearray((package / FILE).read_bytes())
    content[-1] ^= 1
    (package / FILE).write_bytes(content)
    with pytest.raises(DamagedModelError, match="training images are damaged"):
        read_package(package)
    with pytest.raises(DamagedModelError):
        import_model(package)
    (package / FILE).unlink()
    with pytest.raises(DamagedModelError, match=f"'{FILE}' is missing"):
        read_package(package)
    (package / FILE).write_bytes(bytes((16 << 20) + 1))
    with pytest.raises(DamagedModelError, match="larger than a model may be"):
        read_package(package)


def test_nothing_is_written_that_could_not_be_read(
    tmp_path: Path, plane_card: ModelCard, plane_network: UNet, training_images: TrainingImages
) -> None:
    wrong = dataclasses.replace(training_images, covariance=np.zeros((2, 2), np.float32))
    with pytest.raises(InvalidModelError, match="cannot be kept: 'covariance' is not positive definite"):
        save_model(
            tmp_path / "model", plane_card, plane_network, np.zeros((1, 16, 16), np.float32), training_images=wrong
        )
    assert not (tmp_path / "model").exists()
