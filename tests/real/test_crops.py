"""Real crops as people have them: 8-bit PNG without a voxel size, several of one frame, which overlap."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_mito_predict.image import open_image
from napari_mito_predict.training import TrainingConfig
from napari_mito_predict.training.data import FieldReader
from napari_mito_predict.training.overlap import Texture, find_overlaps


@pytest.fixture
def folder(real_data: Path) -> Path:
    found = real_data / "h9c2_brightfield_to_mito"
    if not found.is_dir():
        pytest.skip(f"{found} is not there")
    return found


def test_overlapping_crops_are_those_of_one_frame(folder: Path) -> None:
    textures = {path.stem: Texture.of(open_image(path).read()) for path in sorted((folder / "input").glob("*.png"))}
    found = find_overlaps(textures)
    assert len(found) >= 215
    for overlap in found:
        assert overlap.first.rpartition("_")[0] == overlap.second.rpartition("_")[0], "of another frame"
    fields = {name: name.partition("_")[0] for name in textures}
    assert find_overlaps(textures, parts=fields) == (), "a split by field leaks nothing"


def test_split_by_field_in_pixels(folder: Path, tmp_path: Path) -> None:
    config = TrainingConfig.parse(
        {
            "target": "mitochondria",
            "data": {"input_folder": str(folder / "input"), "target_folder": str(folder / "target")},
            "split": {"by": r"^(\d+)_", "test": ["008"], "validation": ["010"]},
            "output": str(tmp_path / "run"),
        }
    )
    reader = FieldReader(config)
    fields = reader.fields
    assert (len(fields.training), len(fields.validation), len(fields.test)) == (68, 18, 76)
    assert reader.sampling.voxel_size_um == (None, None, None)
    assert [finding.code for finding in reader.findings] == ["sampling-unknown"]
    (pair,), report = reader.read(fields.test[0])
    assert report.usable
    assert pair.input.shape == (256, 256)
