"""What cannot be compared is refused, with both files and what to do."""

from __future__ import annotations

import numpy as np
import pytest

from napari_mito_predict.errors import AmbiguousChannelError, EvaluationError
from napari_mito_predict.evaluation.cases import open_case
from napari_mito_predict.evaluation.results import gather
from napari_mito_predict.image import file_signature, write_ome_tiff, write_ome_zarr

NOISE = np.random.default_rng(0).normal(size=(6, 20, 24)).astype(np.float32)


@pytest.fixture
def truth(make_image):
    return make_image("cells.ome.tif", (NOISE * 100 + 500).astype(np.uint16), channels=("TMRM",))


@pytest.mark.parametrize(
    ("data", "axes", "said"),
    [
        (NOISE[:, :, :-1], "ZYX", "different sizes"),
        (NOISE[1:], "ZYX", "different sizes"),
        (NOISE[0], "YX", "single plane"),
        (NOISE, "TYX", "different sizes"),
    ],
)
def test_other_sizes_are_refused(make_image, truth, data, axes, said) -> None:
    prediction = make_image("out/cells_mitochondria.ome.tif", data, axes=axes)
    with pytest.raises(EvaluationError, match=said) as error:
        open_case(prediction, truth)
    assert "cells_mitochondria.ome.tif" in str(error.value)
    assert str(truth) in str(error.value)


def test_other_voxel_sizes_are_refused(make_image, truth) -> None:
    prediction = make_image("out/cells_mitochondria.ome.tif", NOISE, voxel_size_um=(0.3, 0.11, 0.11))
    with pytest.raises(EvaluationError, match=r"z 0\.3 and 0\.15 um.*--voxel-size"):
        open_case(prediction, truth)
    unknown = make_image("out/other_mitochondria.ome.tif", NOISE, voxel_size_um=(None, 0.11, 0.1101))
    assert open_case(unknown, truth).field == "cells"


def test_a_voxel_size_that_the_user_corrected_is_not_refused(make_image, truth) -> None:
    record = {"input": file_signature(truth), "target": "mitochondria"}
    prediction = make_image("out/cells_mitochondria.ome.tif", NOISE, voxel_size_um=(0.3, 0.11, 0.11), record=record)
    assert not open_case(prediction, truth).notes


def test_a_truth_that_changed_since_is_told(make_image, truth) -> None:
    record = {"input": file_signature(truth) | {"sha256_ends": "0" * 64}}
    case = open_case(make_image("out/cells_mitochondria.ome.tif", NOISE, record=record), truth)
    assert "changed since" in case.notes[0]


def test_fluorescence_may_have_the_name_of_the_light_in_another_folder(make_image, truth) -> None:
    light = make_image("light/cells.ome.tif", NOISE.astype(np.float32))
    record = {"input": file_signature(light) | {"path": str(light)}}
    prediction = make_image("out/cells_mitochondria.ome.tif", NOISE, record=record)
    assert not open_case(prediction, truth).notes
    light.unlink()
    assert "changed since" in open_case(prediction, truth).notes[0]


@pytest.mark.parametrize(
    ("which", "value"), [("prediction", 3.0), ("truth", 3.0), ("prediction", np.nan), ("truth", np.nan)]
)
def test_images_without_content_are_refused(make_image, which, value) -> None:
    nothing = np.full_like(NOISE, value)
    prediction = make_image("out/cells_mitochondria.ome.tif", nothing if which == "prediction" else NOISE)
    truth = make_image("cells.ome.tif", nothing if which == "truth" else NOISE, channels=("TMRM",))
    with pytest.raises(EvaluationError, match=r"constant|finite") as error:
        gather([open_case(prediction, truth)])
    assert str(prediction) in str(error.value)
    assert str(truth) in str(error.value)


def test_some_nan_is_counted(make_image, truth) -> None:
    data = NOISE.copy()
    data[2, :, 3] = np.nan
    (result,) = gather([open_case(make_image("out/cells_mitochondria.ome.tif", data), truth)]).results
    assert result.not_finite == 20
    assert result.scores.voxels == NOISE.size - 20
    assert result.scores.pcc == pytest.approx(1, abs=1e-3)


def test_a_mask_on_another_grid_is_refused(make_image, truth) -> None:
    from napari_mito_predict.image import open_image

    prediction = make_image("out/cells_mitochondria.ome.tif", NOISE)
    mask = open_image(make_image("mask.ome.tif", np.ones((6, 20, 20), np.uint8)))
    with pytest.raises(EvaluationError, match=r"mask\.ome\.tif"):
        gather([open_case(prediction, truth)], mask=mask)


def test_the_truth_channel_is_that_of_the_target(make_image) -> None:
    data = np.stack([NOISE, NOISE + 1, NOISE + 2])
    truth = make_image("cells.ome.tif", data, axes="CZYX", channels=("ESID", "TMRM", "SYBR Gold"))
    record = {"target": "dna", "stain": "SYBR Gold", "input": {"channel": {"index": 0}}}
    case = open_case(make_image("out/cells_dna.ome.tif", NOISE, channels=("x",), record=record), truth)
    assert case.channel.name == "SYBR Gold"
    assert (case.light, case.light_channel) == (case.truth, 0)
    assert (
        open_case(make_image("out/c.ome.tif", NOISE, channels=("x",)), truth, truth_channel="TMRM").channel.index == 1
    )
    with pytest.raises(AmbiguousChannelError, match="--truth-channel"):
        open_case(make_image("out/d.ome.tif", NOISE, channels=("x",)), truth)


def test_another_target_is_found_by_its_stain(make_image) -> None:
    truth = make_image("cells.ome.tif", np.stack([NOISE, NOISE]), axes="CZYX", channels=("ESID", "LysoTracker"))
    record = {"target": "lysosomes", "stain": "LysoTracker"}
    case = open_case(make_image("out/cells_l.ome.tif", NOISE, channels=("x",), record=record), truth)
    assert (case.target, case.channel.name) == ("lysosomes", "LysoTracker")


def test_the_disclaimer_is_found_without_a_record(make_image, truth) -> None:
    words = "Trained on simulated cells, not validated on real ones."
    case = open_case(make_image("out/cells_mitochondria.ome.tif", NOISE, description=words), truth)
    assert case.disclaimer == words
    assert case.model == "unknown model"


def test_a_damaged_record_is_told(make_image, truth) -> None:
    prediction = make_image("out/cells_mitochondria.ome.tif", NOISE, record={})
    beside = prediction.with_name("cells_mitochondria.prediction.json")
    for text in ("{", "[]"):
        beside.write_text(text, encoding="utf-8")
        with pytest.raises(EvaluationError, match=r"prediction\.json"):
            open_case(prediction, truth)


def test_the_disclaimer_is_found_in_an_ome_zarr(tmp_path) -> None:
    pytest.importorskip("zarr", minversion="3")
    words = "Trained on simulated cells, not validated on real ones."
    path = write_ome_zarr(tmp_path / "cells_mitochondria.ome.zarr", NOISE, axes="ZYX", description=words)
    truth = write_ome_tiff(tmp_path / "cells.ome.tif", NOISE, axes="ZYX", channel_names=["TMRM"])
    case = open_case(path, truth)
    assert case.disclaimer == words
    assert gather([case]).results[0].scores.pcc == pytest.approx(1)
