"""From images to tables, and what stands beside a number that comes from a prediction."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from napari_mito_predict import from_array, measure
from napari_mito_predict.errors import AmbiguousChannelError, MeasurementCancelled, MeasurementError
from napari_mito_predict.image import write_ome_tiff
from napari_mito_predict.measurement import (
    FIELD_MEASURES,
    OBJECT_MEASURES,
    Judgement,
    MeasureSettings,
    MitochondriaSettings,
    Origin,
    Progress,
    Structure,
    judge,
    measures_of,
    write_tables,
)
from napari_mito_predict.models import MeasureVerdict, ValueRange, save_model
from napari_mito_predict.models.record import InputRecord, ModelRecord, PredictionRecord

SIZE = (0.3, 0.1, 0.1)


@pytest.fixture
def dna() -> np.ndarray:
    places = np.indices((96, 96))
    nucleus = 500 * (np.hypot(places[0] - 60, places[1] - 30) < 22)
    spots = np.zeros((96, 96))
    spots[20, 70] = spots[10, 40] = 4000
    from scipy.ndimage import gaussian_filter

    return np.random.default_rng(0).poisson(gaussian_filter(nucleus + spots, 1) + 10).astype(np.uint16)


@pytest.fixture
def cell(picture, dna):
    channels = np.stack([picture.astype(np.uint16), dna])
    return from_array(channels, axes="CYX", channel_names=["TMRM", "SYBR Gold"], voxel_size_um=SIZE, name="cell")


def value(found, structure: str, name: str) -> float:
    table = found.fields
    return float(table[(table["structure"] == structure) & (table["measure"] == name)]["value"].iloc[0])


def test_an_image_with_both_channels_gives_everything(cell) -> None:
    found = measure(cell)
    assert set(found.objects) == set(Structure)
    for structure in Structure:
        declared = [each.name for each in measures_of(structure, "field", 2)]
        measured = found.fields[found.fields["structure"] == structure]["measure"].tolist()
        assert measured == declared
        columns = set(found.objects[structure].columns)
        assert {each.name for each in measures_of(structure, "object", 2)} <= columns
    assert (value(found, "mitochondria", "count"), value(found, "nuclei", "count")) == (3, 1)
    assert value(found, "nucleoids", "count") == 2
    assert value(found, "nuclei", "mean_area") == pytest.approx(np.pi * 2.2**2, rel=0.1)
    assert (found.fields["verdict"] == "recorded").all()
    assert (found.fields["predicted_by"] == "").all()
    assert found.findings == ()
    assert found.distances["density"].between(0, 1).all()
    assert (found.distances["verdict"] == "recorded").all()
    assert [channel.structure for channel in found.channels] == list(Structure)
    assert {channel.channel for channel in found.channels} == {"TMRM", "SYBR Gold"}
    assert set(found.planes) == set(Structure)
    assert found.fields["unit"].isin(["", "µm", "µm²"]).all()


def test_a_series_of_stacks_is_measured_frame_by_frame(picture) -> None:
    stacks = np.stack([np.stack([picture] * 3), np.zeros((3, 96, 96))])[None].astype(np.uint16)
    series = from_array(stacks, axes="CTZYX", channel_names=["TMRM"], voxel_size_um=SIZE)
    kept: dict[int, np.ndarray] = {}
    found = measure(series, on_labels=lambda t, labels: kept.update({t: labels[Structure.MITOCHONDRIA]}))
    counts = found.fields[found.fields["measure"] == "count"]
    assert counts["value"].tolist() == [kept[0].max(), 0]
    assert kept[0].max() >= 2
    assert counts["t"].tolist() == [0, 1]
    assert "total_volume" in set(found.fields["measure"])
    assert kept[0].shape == (3, 96, 96)


def test_unknown_size_is_measured_in_pixels_and_said(picture) -> None:
    image = from_array(picture, axes="YX", channel_names=["TMRM"])
    found = measure(image, settings=MeasureSettings(mitochondria=MitochondriaSettings(method="ridge")))
    assert found.unit == "px"
    assert [finding.code for finding in found.findings] == ["size-unknown"]
    assert not found.fields["unit"].str.contains("µm").any()
    assert measure(image, voxel_size_um=SIZE).unit == "um"


def test_which_channel_is_said_or_asked(picture) -> None:
    unnamed = from_array(np.stack([picture] * 2), axes="CYX", voxel_size_um=SIZE)
    with pytest.raises(MeasurementError, match="Say which"):
        measure(unnamed)
    assert value(measure(unnamed, channels={"mitochondria": 1}), "mitochondria", "count") == 3
    twice = from_array(np.stack([picture] * 2), axes="CYX", channel_names=["TMRM", "MitoTracker"])
    with pytest.raises(AmbiguousChannelError):
        measure(twice)
    with pytest.raises(MeasurementError, match="dna"):
        measure(from_array(picture, axes="YX", channel_names=["TMRM"]), ["nuclei"])
    with pytest.raises(MeasurementError, match="one size"):
        measure([twice, from_array(picture[:50], axes="YX", channel_names=["TMRM"])])


def test_cancelling(cell) -> None:
    with pytest.raises(MeasurementCancelled):
        measure(cell, progress=Progress(should_stop=lambda: True))


# ------------------------------------------------------------------------------------------ verdicts
@pytest.fixture
def tested_model(_no_models_of_the_user, tiny_card, tiny_network):
    """The model `tiny`, in whose card two measures are judged: one on simulated cells, one on real ones."""

    def verdict(name: str, found: str, *, simulated: bool) -> MeasureVerdict:
        return MeasureVerdict(
            measure=f"mitochondria.{name}",
            target="mitochondria",
            verdict=found,
            fields=12,
            on="twelve fields",
            simulated=simulated,
            dimensions=2,
            concordance=0.9,
            bias=-0.04,
        )

    verdicts = (
        verdict("total_length", "supported", simulated=True),
        verdict("total_area", "with care", simulated=False),
    )
    card = tiny_card.model_copy(update={"verdicts": verdicts})
    sample = np.random.default_rng(0).normal(size=(1, 8, 16, 16)).astype(np.float32)
    save_model(_no_models_of_the_user / "tiny", card, tiny_network, sample)


@pytest.mark.usefixtures("tested_model")
def test_a_verdict_of_simulated_cells_says_nothing_of_real_ones() -> None:
    real = judge(Origin("tiny"), Structure.MITOCHONDRIA, 2)
    assert real["total_area"].verdict == "with care"
    assert real["total_area"].why == "twelve fields, 12 fields, concordance 0.90, bias -4%"
    assert real["total_length"].verdict == "not tested"
    assert "not on real ones" in real["total_length"].why
    assert judge(Origin("tiny", simulated=True), Structure.MITOCHONDRIA, 2)["total_length"].verdict == "supported"


@pytest.mark.usefixtures("tested_model")
@pytest.mark.parametrize(
    ("origin", "dimensions"),
    [
        pytest.param(Origin("tiny", default_settings=False), 2, id="other settings"),
        pytest.param(Origin("tiny", weights_sha256="0" * 64), 2, id="other weights"),
        pytest.param(Origin("tiny"), 3, id="in stacks"),
        pytest.param(Origin("gone"), 2, id="no such model"),
    ],
)
def test_a_verdict_counts_only_for_what_was_tested(origin, dimensions) -> None:
    found = judge(origin, Structure.MITOCHONDRIA, dimensions)
    assert {judgement.verdict for judgement in found.values()} == {"not tested"}
    assert all(judgement.why for judgement in found.values())


def test_what_needs_a_predicted_structure_too_is_no_recording(picture, dna, tmp_path) -> None:
    save_prediction(tmp_path / "dna.ome.tif", dna, "SYBR Gold", "gone")
    stain = from_array(picture, axes="YX", channel_names=["TMRM"], voxel_size_um=SIZE)
    found = measure([stain, tmp_path / "dna.ome.tif"])
    own = found.fields[found.fields["structure"] == "mitochondria"].set_index("measure")
    assert own.loc["distance_to_nucleus", ["verdict", "why"]].tolist() == [
        "not tested",
        "the nuclei are predicted by gone",
    ]
    assert set(own.drop("distance_to_nucleus")["verdict"]) == {"recorded"}
    assert set(found.distances["predicted_by"]) == {"gone"}
    assert set(found.distances["verdict"]) == {"not tested"}


@pytest.mark.parametrize(
    ("value", "unit", "verdict", "why"),
    [
        (10.0, "um", "supported", "eight fields"),
        (20.0, "um", "supported", "eight fields"),
        (math.nan, "um", "supported", "eight fields"),
        (20.1, "um", "with care", "outside of what was tested (10 to 20)"),
        (15.0, "px", "with care", "tested in micrometres, and not in pixels"),
    ],
)
def test_a_number_outside_of_what_was_tested_is_taken_with_care(value, unit, verdict, why) -> None:
    tested = ValueRange(least=10, largest=20, unit="um")
    found = Judgement("supported", "eight fields", tested).about(value, unit)
    assert (found.verdict, found.why) == (verdict, why)
    bad = Judgement("not supported", "bias", tested)
    assert bad.about(99, "px") == bad
    assert Judgement("supported").about(99, "um").verdict == "supported"


@pytest.mark.usefixtures("tested_model")
def test_brightness_is_never_taken_from_a_prediction() -> None:
    assert judge(Origin("tiny"), Structure.NUCLEOIDS, 2)["mean_intensity"].verdict == "not supported"
    assert judge(Origin(), Structure.NUCLEOIDS, 2)["mean_intensity"].verdict == "recorded"


def save_prediction(path: Path, pixels: np.ndarray, target: str, model: str) -> None:
    write_ome_tiff(
        path,
        pixels,
        axes="YX",
        channel_names=[f"{target} predicted ({model})"],
        voxel_size_um=SIZE,
        predicted_by=[model],
    )
    record = PredictionRecord(target=target, input=InputRecord(name="cells.czi"), model=ModelRecord(name=model))
    record.write(path)


@pytest.mark.usefixtures("tested_model")
def test_predictions_are_measured_with_their_verdicts(picture, dna, tmp_path) -> None:
    save_prediction(tmp_path / "a.ome.tif", picture, "TMRM", "tiny")
    save_prediction(tmp_path / "b.ome.tif", dna, "SYBR Gold", "gone")
    found = measure([tmp_path / "a.ome.tif", tmp_path / "b.ome.tif"])
    table = found.fields.set_index(["structure", "measure"])
    assert table.loc[("mitochondria", "total_area"), "verdict"] == "with care"
    assert table.loc[("mitochondria", "total_area"), "predicted_by"] == "tiny"
    assert table.loc[("nuclei", "count"), "predicted_by"] == "gone"
    assert set(found.fields["image"]) == {"cells"}
    assert set(found.objects[Structure.MITOCHONDRIA]["verdict"]) == {"not tested"}
    assert [finding.code for finding in found.findings] == ["predicted", "predicted"]


def test_an_uncertainty_is_no_image_of_mitochondria(picture, tmp_path) -> None:
    path = tmp_path / "a.ome.tif"
    save_prediction(path, picture, "TMRM", "tiny")
    PredictionRecord(target="mitochondria", quantity="uncertainty", model=ModelRecord(name="tiny")).write(path)
    with pytest.raises(MeasurementError, match="scatter"):
        measure(path, channels={"mitochondria": 0})


# ------------------------------------------------------------------------------------------ tables
def test_tables(cell, tmp_path) -> None:
    found = measure(cell)
    written = write_tables([found, found], tmp_path / "t.csv")
    assert [path.name for path in written] == [
        "t.csv",
        "t_mitochondria.csv",
        "t_nuclei.csv",
        "t_nucleoids.csv",
        "t_distances.csv",
    ]
    lines = written[0].read_text(encoding="utf-8").splitlines()
    assert lines[0] == "image,scene,t,structure,measure,value,unit,predicted_by,verdict,why"
    assert len(lines) == 1 + 2 * len(found.fields)
    assert write_tables([found], tmp_path / "u.csv", objects=False) == [tmp_path / "u.csv"]


def test_every_measure_is_declared_once() -> None:
    for declared in (OBJECT_MEASURES, FIELD_MEASURES):
        names = [(each.structure, each.name) for each in declared]
        assert len(set(names)) == len(names)
    assert {each.unit("um") for each in OBJECT_MEASURES} == {"", "µm", "µm²", "µm³"}
