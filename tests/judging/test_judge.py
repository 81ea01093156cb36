"""Which fields count, what is compared, and what comes into the card."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_mito_predict import judge_model, measure
from napari_mito_predict.errors import (
    MeasurementCancelled,
    MeasurementError,
    ProtectedModelError,
    TrainingDataError,
    UnknownModelError,
    UnwritableOutputError,
)
from napari_mito_predict.image import open_image, write_ome_tiff
from napari_mito_predict.image.pixel_digest import pixel_digest
from napari_mito_predict.judging import ModelVerdicts
from napari_mito_predict.judging.model_verdicts import judge_measures
from napari_mito_predict.judging.values import FieldValues
from napari_mito_predict.measurement import Structure
from napari_mito_predict.models import (
    MeasureVerdict,
    ModelCard,
    Target,
    export_model,
    read_card,
    read_package,
    save_model,
)
from napari_mito_predict.models import judged as writing
from napari_mito_predict.models.record import InputRecord, ModelRecord, ParametersRecord, PredictionRecord

SIZE = (None, 0.5, 0.5)
RADII = (5.0, 6, 7, 8, 9, 10, 11, 12)
"""Of nuclei, in pixels."""
NUCLEI = ["nuclei"]
AREA = "nuclei.mean_area"


def disc(radius: float, *, seed: int = 0) -> np.ndarray:
    """A bright nucleus on a noisy background, (48, 48)."""
    places = np.indices((48, 48)) - 23.5
    light = 500 * (np.hypot(*places) < radius) + 100
    return np.random.default_rng(seed).poisson(light).astype(np.uint16)


@pytest.fixture
def mine(_no_models_of_the_user: Path, plane_card: ModelCard, plane_network) -> Path:
    """The folder of the model `mine`, with a picture in its README; which fields it was trained on is known."""
    training = plane_card.training.model_copy(update={"fields_seen": ("0" * 16,)})
    update = {"name": "mine", "targets": (Target(name="dna", stain="SYBR Gold"),), "training": training}
    folder = _no_models_of_the_user / "mine"
    sample = np.random.default_rng(0).standard_normal((1, 16, 16), dtype=np.float32)
    save_model(folder, plane_card.model_copy(update=update), plane_network, sample, pictures={"curve.png": b"png"})
    return folder


@pytest.fixture
def change_card(mine: Path) -> Callable[..., None]:
    """Change the card of `mine`: ``change_card(training=...)``."""

    def change(**changes: object) -> None:
        card = read_card(mine).model_copy(update=changes)
        (mine / "model.json").write_text(card.to_json(), encoding="utf-8")

    return change


@pytest.fixture
def stained(tmp_path: Path) -> Path:
    """Eight fields with transmitted light and DNA, two of each of four dishes."""
    folder = tmp_path / "stained"
    folder.mkdir()
    for number, radius in enumerate(RADII):
        data = np.stack([disc(3, seed=number + 50), disc(radius, seed=number)])
        path = folder / f"dish{number // 2}_{number}.ome.tif"
        write_ome_tiff(path, data, axes="CYX", channel_names=["TL", "SYBR Gold"], voxel_size_um=SIZE)
    return folder


@pytest.fixture
def predict_as(mine: Path, stained: Path, tmp_path: Path) -> Callable[..., Path]:
    """Write predictions by `mine` of the fields: ``predict_as(radii)`` gives their folder."""

    def write(radii: Sequence[float] = RADII, *, smooth_time: int = 1, **model: str) -> Path:
        folder = tmp_path / "predicted"
        folder.mkdir(exist_ok=True)
        named = {"name": "mine", "weights_sha256": read_card(mine).weights.sha256} | model
        for number, (radius, field) in enumerate(zip(radii, sorted(stained.iterdir()), strict=False)):
            path = folder / field.name.replace(".ome.tif", "_dna.ome.tif")
            data = disc(radius, seed=number + 20).astype(np.float32)
            titles = ["SYBR Gold predicted (mine)"]
            write_ome_tiff(path, data, axes="YX", channel_names=titles, voxel_size_um=SIZE, overwrite=True)
            record = PredictionRecord(
                target="dna",
                input=InputRecord(name=field.name, path=str(field), sizes={"C": 2}),
                model=ModelRecord(**named),
                parameters=ParametersRecord(smooth_time=smooth_time),
            )
            record.write(path)
        return folder

    return write


def verdicts(found) -> dict[str, MeasureVerdict]:
    return {verdict.measure: verdict for verdict in found.verdicts}


def test_predictions_that_agree_on_eight_fields_are_supported(predict_as, stained) -> None:
    found = judge_model("mine", stained, [predict_as()], structures=NUCLEI, on="eight discs")
    assert len(found.fields) == 8
    assert not found.skipped
    area = verdicts(found)[AREA]
    assert (area.verdict, area.fields, area.on, area.dimensions, area.simulated) == (
        "supported", 8, "eight discs", 2, False,
    )  # fmt: skip
    assert area.target == "dna"
    assert area.tested.least == pytest.approx(np.pi * 2.5**2, rel=0.1)
    assert area.tested.largest == pytest.approx(np.pi * 6**2, rel=0.1)
    assert area.tested.unit == "um"
    count = {measure.name: measure for measure in found.measures}["nuclei.count"]
    assert count.agreement.verdict == "not supported"
    assert "same in all" in count.agreement.why
    assert not any("intensity" in name for name in verdicts(found))


def test_without_predictions_the_fields_are_predicted(mine, stained) -> None:
    for path in sorted(stained.iterdir())[3:]:
        path.unlink()
    told = []
    found = judge_model(mine, stained, structures=NUCLEI, on_progress=lambda *step: told.append(step))
    assert [field.name for field in found.fields] == ["dish0_0", "dish0_1", "dish1_2"]
    assert found.on == "fields of stained"
    assert all(verdict.verdict != "supported" for verdict in found.verdicts)
    assert {step[:2] for step in told} == {(0, 3), (1, 3), (2, 3)}
    first = found.fields[0]
    assert first.recorded["nuclei.count"] == 1
    assert first.predicted.keys() == first.recorded.keys()


def test_fields_that_were_trained_on_do_not_count_whatever_they_are_called(
    mine, change_card, predict_as, stained
) -> None:
    fields = sorted(stained.iterdir())
    seen = (pixel_digest(open_image(fields[2]).read(0, 0)), pixel_digest(open_image(fields[5]).read(0, 1)))
    change_card(training=read_card(mine).training.model_copy(update={"fields_seen": seen}))
    found = judge_model("mine", stained, [predict_as()], structures=NUCLEI)
    assert [field.name[-1] for field in found.fields] == ["0", "1", "3", "4", "6", "7"]
    assert len(found.skipped) == 2
    assert all("trained on" in reason for reason in found.skipped)
    for path in set(fields) - {fields[2], fields[5]}:
        path.unlink()
    fields[2].rename(stained / "renamed.ome.tif")
    with pytest.raises(MeasurementError, match=r"no field is left.*renamed.*trained on"):
        judge_model("mine", stained)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        pytest.param({"weights_sha256": "1" * 64}, "other weights", id="another model"),
        pytest.param({"weights_sha256": ""}, "no record", id="nobody knows"),
        pytest.param({"smooth_time": 5}, "smoothed over 5", id="smoothed"),
    ],
)
def test_what_says_nothing_of_this_model_does_not_count(predict_as, stained, given, reason) -> None:
    with pytest.raises(MeasurementError, match=reason):
        judge_model("mine", stained, [predict_as(RADII[:2], **given)], structures=NUCLEI)


def test_what_belongs_together_and_what_is_one_file_is_one_field(predict_as, stained) -> None:
    predicted = predict_as()
    each = judge_model("mine", stained, [predicted], structures=NUCLEI).fields
    found = judge_model("mine", stained, [predicted], structures=NUCLEI, by="^[^_]+")
    assert [field.name for field in found.fields] == ["dish0", "dish1", "dish2", "dish3"]
    mean = (each[0].recorded[AREA] + each[1].recorded[AREA]) / 2
    assert found.fields[0].recorded[AREA] == pytest.approx(mean)
    assert verdicts(found)[AREA].verdict == "with care"
    with pytest.raises(TrainingDataError, match="not found in"):
        judge_model("mine", stained, [predicted], by="well[0-9]")
    with pytest.raises(MeasurementError, match="no regular expression"):
        judge_model("mine", stained, [predicted], by="(")


def test_time_points_are_one_field(mine, tmp_path) -> None:
    stained = tmp_path / "series"
    stained.mkdir()
    frames = np.stack([np.stack([disc(3), disc(radius)]) for radius in (6, 10)])
    write_ome_tiff(stained / "a.ome.tif", frames, axes="TCYX", channel_names=["TL", "SYBR Gold"], voxel_size_um=SIZE)
    found = judge_model("mine", stained, structures=NUCLEI)
    assert len(found.fields) == 1
    assert found.fields[0].recorded[AREA] == pytest.approx(np.pi * (3**2 + 5**2) / 2, rel=0.1)
    with pytest.raises(MeasurementCancelled):
        judge_model("mine", stained, structures=NUCLEI, should_stop=lambda: True)


def test_unknown_voxel_sizes_are_not_mixed_with_known_ones(predict_as, stained) -> None:
    predicted = predict_as(RADII[:3])
    for path, axes in ((sorted(stained.iterdir())[1], "CYX"), (sorted(predicted.glob("*.tif"))[1], "YX")):
        image = open_image(path)
        data = np.squeeze(np.stack([image.read(0, channel.index)[0] for channel in image.channels]))
        names = [channel.name for channel in image.channels]
        write_ome_tiff(path, data, axes=axes, channel_names=names, overwrite=True)
    found = judge_model("mine", stained, [predicted], structures=NUCLEI)
    assert len(found.fields) == 2
    assert any("in pixels" in reason for reason in found.skipped)


# ------------------------------------------------------------------------------------------ saving
@pytest.fixture
def judged(mine) -> ModelVerdicts:
    """Of eight fields whose nuclei are of 20 to 48 square micrometres, and predicted as they are."""
    values = [{AREA: 20.0 + 4 * number} for number in range(8)]
    targets = {Structure.NUCLEI: "dna"}
    fields = tuple(
        FieldValues(str(number), 2, "um", simulated=False, recorded=value, predicted=value, targets=targets)
        for number, value in enumerate(values)
    )
    weights = read_card(mine).weights.sha256
    return ModelVerdicts("mine", weights, "eight discs", fields, judge_measures(fields), (), training_known=True)


def test_verdicts_come_into_card_and_readme_and_stand_beside_numbers(judged, mine, change_card, predict_as) -> None:
    other = MeasureVerdict(measure=AREA, target="dna", verdict="supported", fields=9, dimensions=3, simulated=False)
    stale = other.model_copy(update={"dimensions": 2, "on": "old ones"})
    change_card(verdicts=(stale, other))
    assert judged.save() == mine
    card = read_card(mine)
    assert card.verdicts == (*judged.verdicts, other)
    readme = (mine / "README.md").read_text(encoding="utf-8")
    assert "on 8 eight discs: " in readme
    assert "![curve](curve.png)" in readme
    assert read_package(mine).card == card
    predicted = predict_as((6.0, 14.0))
    tables = [measure(path, NUCLEI).fields for path in sorted(predicted.glob("*.tif"))]
    inside, outside = (table.set_index("measure").loc["mean_area"] for table in tables)
    assert (inside["verdict"], outside["verdict"]) == ("supported", "with care")
    assert "eight discs" in inside["why"]
    assert outside["why"] == "outside of what was tested (20 to 48)"
    judged.save()
    assert read_card(mine).verdicts == card.verdicts


def test_a_zip_file_is_written_too(judged, mine, tmp_path) -> None:
    zipped = export_model("mine", tmp_path)
    shutil.rmtree(mine)
    shutil.copy(zipped, mine.with_suffix(".zip"))
    path = judged.save()
    assert path == mine.with_suffix(".zip")
    assert read_package(path).card.verdicts == judged.verdicts


def test_nothing_is_saved_where_it_is_not_known_what_was_trained_on(mine, change_card, predict_as, stained) -> None:
    change_card(training=read_card(mine).training.model_copy(update={"fields_seen": None}))
    found = judge_model("mine", stained, [predict_as(RADII[:3])], structures=NUCLEI)
    assert not found.training_known
    with pytest.raises(MeasurementError, match="does not tell"):
        found.save()
    assert read_card(mine).verdicts == ()
    found.save(unseen=True)
    assert read_card(mine).verdicts == found.verdicts


def test_only_the_own_model_that_was_judged_is_changed(judged, mine) -> None:
    with pytest.raises(MeasurementError, match="not the model that was judged"):
        replace(judged, weights_sha256="1" * 64).save()
    assert read_card(mine).verdicts == ()
    with pytest.raises(ProtectedModelError, match="stays as it is"):
        replace(judged, model="mito-z").save()
    with pytest.raises(UnknownModelError):
        replace(judged, model="nobody").save()


def test_card_and_readme_are_written_both_or_neither(judged, mine, monkeypatch) -> None:
    before = {name: (mine / name).read_bytes() for name in ("model.json", "README.md")}
    write = writing.atomic_write_text

    def full(path, text) -> None:
        if path.name == "model.json":
            raise OSError(28, "No space left on device")
        write(path, text)

    monkeypatch.setattr(writing, "atomic_write_text", full)
    with pytest.raises(UnwritableOutputError, match="No space left"):
        judged.save()
    assert {name: (mine / name).read_bytes() for name in before} == before
