"""Real pairs of files: phase contrast in one file, nuclei in another, all in one folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_mito_predict.image import Level
from napari_mito_predict.training import TrainingConfig
from napari_mito_predict.training.data import FieldReader


@pytest.fixture
def config(real_data: Path, tmp_path: Path) -> TrainingConfig:
    """All HeLa fields, split like the recipe of the benchmarks."""
    folder = real_data / "phase_to_nuclei"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    return TrainingConfig.parse(
        {
            "target": "nuclei",
            "data": {"input_folder": str(folder / "*_phase.tif"), "target_folder": str(folder / "*_nuclei.tif")},
            "voxel_size_um": (None, 0.65, 0.65),
            "split": {"test": ["testing_data_HeLa_set1"], "validation": ["training_data_HeLa_joint_set5"]},
            "output": str(tmp_path / "run"),
        }
    )


def test_files_of_one_folder_are_matched_and_sound(config: TrainingConfig) -> None:
    reader = FieldReader(config)
    assert len(reader.all_fields) == 10
    for field in reader.all_fields:
        assert field.input.path.name == f"{field.name}_phase.tif"
        assert field.truths[0].path.name == f"{field.name}_nuclei.tif"
    assert reader.sampling.third_axes == ()
    for field in (*reader.fields.test, *reader.fields.validation):
        (pair,), report = reader.read(field)
        assert pair.input.shape == pair.truth.shape[1:] == (1080, 1280)
        assert [finding for finding in report.findings if finding.level is Level.ERROR] == []
        # Registered within a few pixels, says who recorded them: edges alone must not claim otherwise.
        assert [finding for finding in report.findings if finding.code == "shifted"] == []
