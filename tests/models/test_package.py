"""Model packages: what is saved is what is loaded, and damage is noticed."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from napari_mito_predict.errors import DamagedModelError, InvalidModelError, UnwritableOutputError
from napari_mito_predict.models import ModelCard, read_card, read_package, save_model, verify_model

if TYPE_CHECKING:
    from napari_mito_predict.networks.unet import UNet


@pytest.fixture
def package(tmp_path: Path, tiny_card: ModelCard, tiny_network: UNet) -> Path:
    folder = tmp_path / "Zellmodell ü"
    save_model(folder, tiny_card, tiny_network, _sample())
    return folder


def _sample() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((1, 8, 16, 16), dtype=np.float32)


def test_round_trip(package: Path, tiny_card: ModelCard, tiny_network: UNet) -> None:
    model = read_package(package)
    assert model.name == tiny_card.name
    assert model.targets == ("mitochondria",)
    assert model.voxel_size_um == (0.15, 0.11, 0.11)
    assert model.third_axes == ("z",)
    given = torch.from_numpy(_sample())[None]
    tiny_network.eval()
    torch.testing.assert_close(model.network(given), tiny_network(given))
    assert sorted(p.name for p in package.iterdir()) == ["README.md", "model.json", "sample.npz", "weights.safetensors"]
    assert [p.name for p in package.parent.iterdir()] == [package.name]  # no temporary folder stays


def test_float16_halves_the_weights_and_passes_its_own_test(
    tmp_path: Path, tiny_card: ModelCard, tiny_network: UNet
) -> None:
    for precision in ("float32", "float16"):
        save_model(tmp_path / precision, tiny_card, tiny_network, _sample(), precision=precision)
    sizes = [(tmp_path / p / "weights.safetensors").stat().st_size for p in ("float16", "float32")]
    assert sizes[0] < 0.75 * sizes[1]
    assert verify_model(tmp_path / "float16").passed
    running = read_package(tmp_path / "float16").network.state_dict()["net_recurse.bn0.running_var"]
    torch.testing.assert_close(running, tiny_network.state_dict()["net_recurse.bn0.running_var"], rtol=0, atol=0)


def test_saving_again_replaces_the_package(package: Path, tiny_card: ModelCard, tiny_network: UNet) -> None:
    before = read_card(package).weights.sha256
    torch.nn.init.normal_(tiny_network.conv_out.weight)
    save_model(package, tiny_card, tiny_network, _sample())
    assert read_card(package).weights.sha256 != before
    assert verify_model(package).passed
    assert [p.name for p in package.parent.iterdir()] == [package.name]


def test_zipped_package(package: Path, tmp_path: Path) -> None:
    archive = Path(shutil.make_archive(str(tmp_path / "zipped"), "zip", package))
    assert read_package(archive).name == "tiny"
    assert verify_model(archive).passed


def test_flipped_bit_is_noticed(package: Path) -> None:
    weights = bytearray((package / "weights.safetensors").read_bytes())
    weights[-100] ^= 1
    (package / "weights.safetensors").write_bytes(weights)
    with pytest.raises(DamagedModelError, match="weights are damaged"):
        read_package(package)


@pytest.mark.parametrize("member", ["model.json", "weights.safetensors"])
def test_missing_file_is_named(package: Path, member: str) -> None:
    (package / member).unlink()
    with pytest.raises(DamagedModelError, match=f"'{member}' is missing"):
        read_package(package)


@pytest.mark.parametrize("damage", [None, b"", b"PK no zip", slice(0, 200), slice(100, None)])
def test_a_model_loads_without_its_sample(package: Path, damage: slice | bytes | None) -> None:
    """It decides how much precision is enough; without it the device decides."""
    sample = package / "sample.npz"
    whole = sample.read_bytes()
    if damage is None:
        sample.unlink()
    else:
        sample.write_bytes(whole[damage] if isinstance(damage, slice) else damage)
    assert read_package(package).sample is None


def test_a_bit_of_the_sample_that_flipped_stops_no_model(package: Path) -> None:
    sample = package / "sample.npz"
    whole = bytearray(sample.read_bytes())
    for place in range(0, len(whole), max(len(whole) // 40, 1)):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        sample.write_bytes(damaged)
        read_package(package)


def test_other_output_fails_the_self_test(package: Path) -> None:
    np.savez_compressed(package / "sample.npz", input=_sample(), output=np.ones((1, 8, 16, 16), np.float32))
    report = verify_model(package)
    assert not report.passed
    assert "another output" in report.message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": "red"}, "colour: Extra inputs"),
        ({"schema_version": 5}, "newer version"),
        ({"targets": []}, "targets"),
        ({"name": "../evil"}, "not a model name"),
        ({"name": "CON"}, "not a model name"),
        ({"architecture": {"kind": "os.system", "arguments": {}}}, "Unknown network"),
        ({"architecture": {"kind": "unet", "arguments": {"depth": 2, "base_channels": 3}}}, "do not fit the network"),
    ],
    ids=[
        "unknown field",
        "newer schema",
        "no target",
        "path as name",
        "device name",
        "unknown network",
        "other network",
    ],
)
def test_invalid_cards(package: Path, change: dict[str, object], message: str) -> None:
    content = json.loads((package / "model.json").read_text(encoding="utf-8"))
    (package / "model.json").write_text(json.dumps(content | change), encoding="utf-8")
    with pytest.raises(InvalidModelError, match=message):
        read_package(package)


def test_nan_weights_are_refused(tmp_path: Path, tiny_card: ModelCard, tiny_network: UNet) -> None:
    torch.nn.init.constant_(tiny_network.conv_out.weight, float("nan"))
    with pytest.raises(InvalidModelError, match="NaN"):
        save_model(tmp_path / "model", tiny_card, tiny_network, _sample())
    assert not (tmp_path / "model").exists()


def test_not_a_package(tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(b"png")
    with pytest.raises(DamagedModelError, match="neither a model folder nor a zipped one"):
        read_package(tmp_path / "picture.png")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("notes.txt", "no model")
    with pytest.raises(DamagedModelError, match=r"'model.json' is missing"):
        read_package(tmp_path / "other.zip")


def test_unwritable_folder(tmp_path: Path, tiny_card: ModelCard, tiny_network: UNet) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UnwritableOutputError):
        save_model(tmp_path / "file" / "model", tiny_card, tiny_network, _sample())


def test_simulated_model_says_so_first(package: Path) -> None:
    first_line = (package / "README.md").read_text(encoding="utf-8").splitlines()[0]
    assert "Trained on simulated cells, not validated on real ones." in first_line
    assert "never as a measurement" in first_line
