"""Fields whose light and truth cannot be what they are given for: said before the first iteration, all at once."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from scipy.ndimage import gaussian_filter

import napari_mito_predict
from napari_mito_predict.errors import TrainingDataError
from napari_mito_predict.image import Finding, Level, open_image, write_ome_tiff, write_ome_zarr
from napari_mito_predict.training import train
from napari_mito_predict.training.checks import check_shift, check_together
from napari_mito_predict.training.data import FieldReader
from napari_mito_predict.training.pairs import Pair
from napari_mito_predict.training.preflight import check_fields

VOXEL = (0.15, 0.11, 0.11)
SAMPLE = Path(napari_mito_predict.__file__).parent / "_sample" / "simulated_cell.czi"


def light_and_truth(seed: int, shape: tuple[int, ...] = (12, 40, 44)) -> np.ndarray:
    """Transmitted light, evenly bright, and sparse bright spots on a dark ground, each with its noise: (2, *shape)."""
    rng = np.random.default_rng(seed)
    spots = gaussian_filter((rng.random(shape) > 0.999).astype(float), 2)
    light = 10_000 - 20_000 * gaussian_filter(spots, 1) + 300 * gaussian_filter(rng.normal(size=shape), 1)
    return np.stack([light + rng.normal(0, 30, shape), rng.poisson(200 + 40_000 * spots)]).astype(np.uint16)


@pytest.fixture
def two_folders(tmp_path: Path):
    """Four fields as files of their own: ``light/field0.ome.tif`` and ``truth/field0.ome.tif``."""

    def write(name: str, data: np.ndarray, channel: str | None = None) -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        names = None if channel is None else [channel]
        return write_ome_tiff(path, data, axes="ZYX", channel_names=names, voxel_size_um=VOXEL, overwrite=True)

    for i in range(4):
        for folder, data in zip(("light", "truth"), light_and_truth(i), strict=True):
            write(f"{folder}/field{i}.ome.tif", data)
    return write


@pytest.fixture
def folders_config(make_config, tmp_path: Path):
    def make(output: str = "run", **changes: object):
        data = {"input_folder": str(tmp_path / "light"), "target_folder": str(tmp_path / "truth")}
        data |= changes.pop("data", {})
        return make_config(tmp_path, output, targets={"mitochondria": None}, data=data, iterations=1, **changes)

    return make


def _found(config, reference=None) -> dict[str, list[Finding]]:
    reader = FieldReader(config, reference)
    return {field.name: list(reader.read(field)[1].findings) for field in reader.all_fields}


def _codes(config) -> dict[str, list[tuple[str, str]]]:
    return {name: [(str(f.level), f.code) for f in findings] for name, findings in _found(config).items()}


# ---------------------------------------------------------------- predictions
def _as_written(path: Path, data: np.ndarray) -> Path:
    return write_ome_tiff(
        path, data, axes="ZYX", voxel_size_um=VOXEL, channel_names=["TMRM predicted (mito-z)"],
        predicted_by=["mito-z"], description="Trained on simulated cells, not validated on real ones.", overwrite=True,
    )  # fmt: skip


def _resaved(path: Path, data: np.ndarray) -> Path:
    with tifffile.TiffFile(_as_written(path.with_name("made.ome.tif"), data)) as tiff:
        tifffile.imwrite(path, tiff.asarray(), description=(tiff.ome_metadata or "").encode(), metadata=None)
    path.with_name("made.ome.tif").unlink()
    return path


def _by_an_older_version(path: Path, data: np.ndarray) -> Path:
    return write_ome_tiff(
        path, data, axes="ZYX", voxel_size_um=VOXEL, channel_names=["TMRM predicted (mito-z)"], overwrite=True
    )


WRITTEN = [_as_written, _resaved, _by_an_older_version]


@pytest.mark.parametrize("write", WRITTEN)
def test_predictions_are_neither_truth_nor_light(two_folders, folders_config, tmp_path: Path, write) -> None:
    values = np.random.default_rng(0).normal(size=(12, 40, 44)).astype(np.float32)
    write(tmp_path / "truth" / "field1.ome.tif", values)
    write(tmp_path / "light" / "field2.ome.tif", values)
    (tmp_path / "light" / "field3.ome.tif").write_bytes(b"")
    with pytest.raises(TrainingDataError) as caught:
        train(folders_config())
    lines = sorted(str(caught.value).splitlines())
    assert len(lines) == 3
    assert lines[0].startswith("field1: ")
    assert "itself a prediction by mito-z" in lines[0]
    assert "recorded fluorescence" in lines[0]
    assert lines[1].startswith("field2: ")
    assert "a prediction by mito-z" in lines[1]
    assert "empty" in lines[2]
    assert {"prediction-as-truth", "prediction-as-input"} <= caught.value.codes
    with pytest.raises(TrainingDataError, match="field2"):  # nothing allows that
        train(folders_config("run2", data={"allow_prediction_as_truth": True, "exclude": ["field1", "field3"]}))


def test_asked_for_by_name_the_card_of_the_model_says_so(two_folders, folders_config, tmp_path: Path) -> None:
    _as_written(tmp_path / "truth" / "field1.ome.tif", light_and_truth(1)[1].astype(np.float32))
    config = folders_config(data={"allow_prediction_as_truth": True})
    run = train(config)
    said = "The truth of 1 of 4 fields is itself a prediction by mito-z."
    card = run.model.card
    assert said in card.training.notes
    assert said in card.to_markdown()
    assert card.simulated, "it learnt from a model of simulated cells"
    assert "itself a prediction by mito-z" in (run.path / "log.txt").read_text(encoding="utf-8")
    (finding,) = [f for f in _found(config)["field1"] if f.code == "prediction-as-truth"]
    assert finding.level is Level.WARNING


def test_a_prediction_among_the_channels_of_a_field(tmp_path: Path, make_config) -> None:
    pytest.importorskip("zarr", minversion="3", exc_type=ImportError, reason="writes OME-Zarr")
    for i in range(4):
        data = light_and_truth(i)
        names = ["TL", "TMRM", "TMRM predicted (mito-z)"]
        path = tmp_path / f"field{i}.ome.zarr"
        write_ome_zarr(path, np.stack([*data, data[1]]), axes="CZYX", channel_names=names, voxel_size_um=VOXEL)
    files = {"files": [str(tmp_path / "*.ome.zarr")]}
    for channel in ("TMRM", "mitochondria", 1):
        assert not any(_codes(make_config(tmp_path, "r", data=files, targets={"mitochondria": channel})).values())
    for channel in ("TMRM predicted (mito-z)", 2):
        codes = _codes(make_config(tmp_path, "r", data=files, targets={"mitochondria": channel}))
        assert all(found == [("error", "prediction-as-truth")] for found in codes.values())


def test_a_refused_field_does_not_say_what_the_others_have_to_be_like(two_folders, folders_config, tmp_path) -> None:
    plane = np.random.default_rng(0).normal(size=(40, 44)).astype(np.float32)
    for folder, made_by in (("light", []), ("truth", ["mito-z"])):
        write_ome_tiff(tmp_path / folder / "a.ome.tif", plane, axes="YX", voxel_size_um=VOXEL, predicted_by=made_by)
    codes = _codes(folders_config(split={"test": 0, "validation": 0}))
    assert codes.pop("a")
    assert not any(codes.values())


# ---------------------------------------------------------------- one image as both
def test_one_channel_as_light_and_truth(fields: Path, make_config) -> None:
    codes = _codes(make_config(fields, "run", targets={"mitochondria": "TL"}))
    assert all(("error", "same-channel") in found for found in codes.values())
    with pytest.raises(TrainingDataError, match="the same channel \\(TL\\) of field0"):
        train(make_config(fields, "run", targets={"mitochondria": 0}))


def test_one_file_as_light_and_truth(two_folders, folders_config, tmp_path: Path) -> None:
    codes = _codes(folders_config(data={"target_folder": str(tmp_path / "light")}))
    assert all(found == [("error", "same-channel")] for found in codes.values())


def test_copies_of_one_file_as_light_and_truth(two_folders, folders_config, tmp_path: Path) -> None:
    light = tmp_path / "light"
    shutil.copy(light / "field0.ome.tif", tmp_path / "truth" / "field0.ome.tif")
    pixels = tifffile.imread(light / "field1.ome.tif")
    two_folders("truth/field1.ome.tif", pixels.astype(np.float32))
    two_folders("truth/field2.ome.tif", 60_000 - 2 * tifffile.imread(light / "field2.ome.tif"))
    codes = _codes(folders_config())
    assert ("error", "same-pixels") in codes["field0"]
    assert ("error", "same-pixels") in codes["field1"]
    assert ("warning", "same-image") in codes["field2"]
    assert codes["field3"] == []


# ---------------------------------------------------------------- swapped
def test_swapped_channels_are_told_by_their_names(tmp_path: Path, make_config, write_field) -> None:
    for i in range(4):
        write_field(tmp_path / f"field{i}.ome.tif", light_and_truth(i), ["TL", "TMRM"])
    swapped = {"files": [str(tmp_path / "*.ome.tif")], "transmitted": "TMRM"}
    found = _found(make_config(tmp_path, "run", targets={"mitochondria": "TL"}, data=swapped))
    for findings in found.values():
        (finding,) = findings
        assert (finding.level, finding.code) == (Level.WARNING, "swapped")
        assert "TMRM" in finding.message
        assert finding.fix == "Exchange the two."
    assert not any(_found(make_config(tmp_path, "run2")).values())


@pytest.mark.parametrize(
    ("names", "code"), [(("TMRM", "SYBR Gold"), "input-is-fluorescence"), (("ESID", "BF"), "truth-is-light")]
)
def test_two_of_a_kind_are_told(two_folders, folders_config, names, code) -> None:
    for i in range(4):
        for folder, channel, data in zip(("light", "truth"), names, light_and_truth(i), strict=True):
            two_folders(f"{folder}/field{i}.ome.tif", data, channel)
    assert all(found == [("warning", code)] for found in _codes(folders_config()).values())


def test_swapped_files_without_names_are_told_by_their_contrast(two_folders, folders_config, tmp_path: Path) -> None:
    assert not any(_codes(folders_config()).values())
    folders = {"input_folder": str(tmp_path / "truth"), "target_folder": str(tmp_path / "light")}
    for findings in _found(folders_config(data=folders)).values():
        (finding,) = findings
        assert (finding.level, finding.code) == (Level.WARNING, "swapped")
        assert finding.values["light"] > 1.5 > finding.values["truth"]


def test_the_sample_cell_swapped_is_told_by_its_contrast(two_folders, folders_config, tmp_path: Path) -> None:
    image = open_image(SAMPLE)
    for i, name in enumerate(("light", "truth")):
        two_folders(f"{name}/field0.ome.tif", image.read(channel=i)[8:20, 64:192, 64:192])
    assert _codes(folders_config())["field0"] == []
    folders = {"input_folder": str(tmp_path / "truth"), "target_folder": str(tmp_path / "light")}
    assert _codes(folders_config(data=folders))["field0"] == [("warning", "swapped")]


def test_swapped_channels_are_told_by_the_start_model() -> None:
    rng = np.random.default_rng(0)
    light = gaussian_filter(rng.normal(size=(12, 96, 96)), 1).astype(np.float32)
    light /= light.std()
    truth = gaussian_filter(light**2, 1)
    truth = (truth - truth.mean()) / truth.std()

    def model(given: np.ndarray) -> list[np.ndarray | None]:
        return [None, gaussian_filter(given**2, 1)]

    def found(given: np.ndarray, wanted: np.ndarray) -> list[Finding]:
        pair = Pair("f", given.astype(np.float16), np.stack([wanted, wanted]).astype(np.float16))
        return check_shift(pair, model, ("dna", "mitochondria"), along_third=True)[0]

    assert found(light, truth) == []
    (finding,) = found(truth, light)
    assert (finding.level, finding.code) == (Level.WARNING, "swapped")
    assert finding.values["exchanged"] > 0.9
    assert found(light, rng.normal(size=light.shape)) == [], "another structure is not swapped"


# ---------------------------------------------------------------- a truth of nothing
def test_a_truth_of_noise_is_told(two_folders, folders_config) -> None:
    rng = np.random.default_rng(5)
    two_folders("truth/field0.ome.tif", rng.poisson(100, (12, 40, 44)).astype(np.uint16))
    two_folders("truth/field1.ome.tif", np.full((12, 40, 44), 7, np.uint16))
    spots = light_and_truth(2)[1]
    two_folders("truth/field2.ome.tif", rng.poisson(spots / 20).astype(np.uint16))
    hot = np.full((12, 40, 44), 100, np.uint16)
    hot[6, 20, 22] = 4000
    two_folders("truth/field3.ome.tif", hot)
    found = _found(folders_config())
    (noise,) = found["field0"]
    assert (noise.level, noise.code, noise.where) == (Level.WARNING, "no-structure", "mitochondria")
    assert abs(noise.values["correlation"]) < 0.05
    assert [(f.level, f.code) for f in found["field1"]] == [(Level.ERROR, "no-contrast")]
    assert found["field2"] == [], "dim, but with structure"
    assert "no-structure" in {f.code for f in found["field3"]}


# ---------------------------------------------------------------- the same field twice
def test_a_field_listed_twice(two_folders, make_config, tmp_path: Path) -> None:
    rows = [f"light/field{i}.ome.tif,truth/field{i}.ome.tif" for i in (0, 1, 2, 0)]
    (tmp_path / "fields.csv").write_text("\n".join(["path_signal,path_target", *rows]), encoding="utf-8")
    config = make_config(tmp_path, "run", targets={"mitochondria": None}, data={"csv": str(tmp_path / "fields.csv")})
    codes = {finding.code for finding in check_fields(config, lambda *_: None).together}
    assert codes & {"same-field-in-two-parts", "duplicate-field"}


def test_a_copy_in_another_format_is_told(two_folders, folders_config, tmp_path: Path) -> None:
    """The light of field 3 is that of field 0 in 8 bits, beside a truth of its own."""
    light = tifffile.imread(tmp_path / "light" / "field0.ome.tif").astype(float)
    levels = (255 * (light - light.min()) / np.ptp(light)).astype(np.uint8)
    two_folders("light/field3.ome.tif", levels)
    config = folders_config(split={"test": ["field3"], "validation": 0})
    (finding,) = [f for f in check_fields(config, lambda *_: None).together if f.code == "same-light"]
    assert finding.level is Level.WARNING
    assert "field0 and field3" in finding.message or "field3 and field0" in finding.message
    assert "test" in finding.message
    assert finding.values["correlation"] > 0.95


def test_a_second_recording_of_a_field_is_no_copy(two_folders, folders_config, tmp_path: Path) -> None:
    light = tifffile.imread(tmp_path / "light" / "field0.ome.tif").astype(float)
    again = gaussian_filter(light, 1) + np.random.default_rng(9).normal(0, 200, light.shape)
    two_folders("light/field3.ome.tif", again.astype(np.uint16))
    assert {f.code for f in check_together(check_fields(folders_config(), lambda *_: None).reports)} == set()
