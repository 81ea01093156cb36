"""A file of predictions stays one: copied, renamed, saved again by other programs; a recording never becomes one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_mito_predict.image import (
    ChannelRole,
    ImageSource,
    file_signature,
    from_array,
    is_predicted_file,
    open_image,
    write_ome_tiff,
    write_ome_zarr,
)

DATA = np.random.default_rng(0).normal(size=(2, 6, 20, 24)).astype(np.float32)
TITLES = ["TMRM predicted (mito-z)", "SYBR Gold predicted (dna-z)"]
MODELS = ["mito-z", "dna-z"]
DISCLAIMER = "Trained on simulated cells, not validated on real ones."
FORMATS = {".ome.tif": write_ome_tiff, ".ome.zarr": write_ome_zarr}


@pytest.fixture(params=FORMATS)
def suffix(request: pytest.FixtureRequest) -> str:
    if request.param.endswith("zarr"):
        pytest.importorskip("zarr", minversion="3", exc_type=ImportError, reason="writes OME-Zarr")
    return str(request.param)


def _models(image: ImageSource) -> list[str | None]:
    return [channel.prediction and channel.prediction.model for channel in image.channels]


def _write(path: Path, channels: int = 2, **changes: object) -> Path:
    write = write_ome_zarr if path.suffix == ".zarr" else write_ome_tiff
    given = {"channel_names": TITLES[:channels], "predicted_by": MODELS[:channels]} | changes
    return write(path, DATA[:channels], axes="CZYX", **given)


def test_a_copy_under_another_name_is_a_prediction(tmp_path: Path, suffix: str) -> None:
    copy = _write(tmp_path / f"cells{suffix}").rename(tmp_path / f"anything{suffix}")
    image = open_image(copy)
    assert _models(image) == MODELS
    assert [channel.role for channel in image.channels] == [ChannelRole.MITOCHONDRIA, ChannelRole.DNA]
    assert "a prediction by mito-z" in image.channels[0].reason
    assert is_predicted_file(copy)
    assert _models(image.with_roles({0: ChannelRole.DNA})) == MODELS


def test_the_marker_alone_is_enough(tmp_path: Path, suffix: str) -> None:
    image = open_image(_write(tmp_path / f"cells{suffix}", channel_names=["a", "b"], description="Of today."))
    assert _models(image) == MODELS
    assert {channel.prediction.evidence for channel in image.channels if channel.prediction} == {"marker"}


def test_files_of_older_versions_are_known_by_their_channels_or_their_disclaimer(tmp_path: Path, suffix: str) -> None:
    named = open_image(_write(tmp_path / f"named{suffix}", predicted_by=()))
    assert _models(named) == MODELS
    words = open_image(
        _write(tmp_path / f"words{suffix}", 1, channel_names=None, predicted_by=(), description=DISCLAIMER)
    )
    (channel,) = words.channels
    assert channel.prediction is not None
    assert (channel.prediction.model, channel.prediction.simulated) == ("", True)
    assert channel.role is ChannelRole.OTHER, "a prediction without a name is no transmitted light"


def test_the_record_beside_a_file_tells(tmp_path: Path, suffix: str) -> None:
    path = _write(tmp_path / f"cells{suffix}", 1, channel_names=["TMRM"], predicted_by=())
    assert _models(open_image(path)) == [None]
    record = tmp_path / "cells.prediction.json"
    record.write_text(json.dumps({"model": {"name": "mito-z", "simulated": True}}), encoding="utf-8")
    (channel,) = open_image(path).channels
    assert channel.prediction is not None
    assert (channel.prediction.model, channel.prediction.evidence) == ("mito-z", "record")
    assert channel.prediction.simulated
    record.write_text("{", encoding="utf-8")
    assert _models(open_image(path)) == [""], "damaged, but written for a prediction"


def test_each_channel_has_the_record_of_its_model(tmp_path: Path, suffix: str) -> None:
    path = _write(tmp_path / f"cells{suffix}", channel_names=["a", "b"], predicted_by=())
    channels = [{"model": {"name": name}} for name in MODELS]
    (tmp_path / "cells.prediction.json").write_text(json.dumps({"channels": channels}), encoding="utf-8")
    assert _models(open_image(path)) == MODELS


def test_what_was_predicted_from_is_not_taken_for_the_prediction_beside_it(tmp_path: Path) -> None:
    """``cells.tif`` and its prediction ``cells.ome.tif`` have one place for a record."""
    light = _write(tmp_path / "cells.tif", 1, channel_names=["ESID"], predicted_by=())
    prediction = _write(tmp_path / "cells.ome.tif", 1)
    record = {"model": {"name": "mito-z"}, "input": file_signature(light)}
    (tmp_path / "cells.prediction.json").write_text(json.dumps(record), encoding="utf-8")
    assert _models(open_image(light)) == [None]
    assert _models(open_image(prediction)) == ["mito-z"]


def _with_its_description(path: Path, out: Path) -> Path:
    with tifffile.TiffFile(path) as tiff:
        tifffile.imwrite(out, tiff.asarray(), description=tiff.ome_metadata, metadata=None)
    return out


def _with_its_channels(path: Path, out: Path) -> Path:
    pixels = tifffile.imread(path)
    tifffile.imwrite(out, pixels, ome=True, metadata={"axes": "CZYX"[-pixels.ndim :], "Channel": {"Name": TITLES}})
    return out


def _as_imagej_does(path: Path, out: Path) -> Path:
    """ImageJ opens an OME-TIFF, keeps its description as "Info", and saves a hyperstack of its own."""
    with tifffile.TiffFile(path) as tiff:
        pixels = tiff.asarray().swapaxes(0, 1)
        tifffile.imwrite(out, pixels, imagej=True, metadata={"axes": "ZCYX", "Info": tiff.ome_metadata})
    return out


def _as_bio_formats_does(path: Path, out: Path) -> Path:
    info = "".join(f" Channel Name #{i} = {title}\n" for i, title in enumerate(TITLES, 1))
    pixels = tifffile.imread(path).swapaxes(0, 1)
    tifffile.imwrite(out, pixels, imagej=True, metadata={"axes": "ZCYX", "Info": f"SizeX = 24\n{info}"})
    return out


RESAVED = [_with_its_description, _with_its_channels, _as_imagej_does, _as_bio_formats_does]


@pytest.mark.parametrize("resave", RESAVED)
@pytest.mark.parametrize("models", [MODELS, ()], ids=["today", "older"])
def test_saved_again_it_is_still_a_prediction(tmp_path: Path, resave, models) -> None:
    path = _write(tmp_path / "cells.ome.tif", predicted_by=models, description=DISCLAIMER)
    assert _models(open_image(resave(path, tmp_path / "again.tif"))) == MODELS


def test_one_channel_cut_out_by_imagej_is_a_prediction_by_one_of_both(tmp_path: Path) -> None:
    path = _write(tmp_path / "cells.ome.tif")
    with tifffile.TiffFile(path) as tiff:
        cut = tiff.asarray()[0]
        tifffile.imwrite(tmp_path / "C1.tif", cut, imagej=True, metadata={"axes": "ZYX", "Info": tiff.ome_metadata})
    assert _models(open_image(tmp_path / "C1.tif")) == ["mito-z or dna-z"]


def test_tifffiles_own_description_is_read(tmp_path: Path) -> None:
    path = _write(tmp_path / "cells.ome.tif", 1)
    with tifffile.TiffFile(path) as tiff:
        kept = {"axes": "ZYX", "from": tiff.ome_metadata}
        tifffile.imwrite(tmp_path / "again.tif", tiff.asarray(), metadata=kept)
    assert _models(open_image(tmp_path / "again.tif")) == ["mito-z"]


@pytest.mark.parametrize(
    "name", ["TMRM predicted (mito-z)", "TMRM predicted (mito-z) [1]", "TMRM predicted (a.b) copy"]
)
def test_a_layer_that_napari_saved_is_known_by_its_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}.tif"
    tifffile.imwrite(path, DATA[0])
    assert _models(open_image(path, axes="ZYX")) == [name.partition("(")[2].partition(")")[0]]
    assert from_array(DATA[0], axes="ZYX", channel_names=[name]).channels[0].prediction is not None


def test_channels_are_judged_one_by_one(tmp_path: Path, suffix: str) -> None:
    names = ["TMRM-T1", "TMRM predicted (mito-z)"]
    path = _write(tmp_path / f"both{suffix}", channel_names=names, predicted_by=())
    image = open_image(path)
    assert _models(image) == [None, "mito-z"]
    assert not is_predicted_file(path)
    assert image.channel(ChannelRole.MITOCHONDRIA).index == 0, "what was recorded comes first"
    assert image.channel("TMRM predicted (mito-z)").index == 1


def test_a_recording_merged_with_a_prediction_is_none(tmp_path: Path) -> None:
    """Of three channels under the description of a file of two nobody knows which was added."""
    path = _write(tmp_path / "cells.ome.tif", description=DISCLAIMER)
    merged = np.concatenate([DATA, DATA[:1]]).swapaxes(0, 1)
    with tifffile.TiffFile(path) as tiff:
        tifffile.imwrite(
            tmp_path / "merged.tif", merged, imagej=True, metadata={"axes": "ZCYX", "Info": tiff.ome_metadata}
        )
    assert _models(open_image(tmp_path / "merged.tif")) == [None] * 3


@pytest.mark.parametrize(
    "name", ["predicted", "TMRM predicted", "(mito-z)", "mitochondria (live)", "not predicted (at all, really)"]
)
@pytest.mark.parametrize(
    "text", ["", "Signal was predicted (badly) by mito-z; napari-mito-predict has seen this file."]
)
def test_what_a_microscope_wrote_is_no_prediction(tmp_path: Path, suffix: str, name: str, text: str) -> None:
    path = _write(tmp_path / f"cells{suffix}", 1, channel_names=[name], predicted_by=(), description=text)
    (tmp_path / "cells.prediction.json").write_text('{"made by": "another program"}', encoding="utf-8")
    assert _models(open_image(path)) == [None]


def test_the_images_of_one_file_are_judged_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "two.ome.tif"
    marked = "[napari-mito-predict:prediction=mito-z]"
    with tifffile.TiffWriter(path, ome=True) as writer:
        for description in ("recorded", marked):
            writer.write(DATA[0], metadata={"axes": "ZYX", "Description": description})
    image = open_image(path)
    assert _models(image) == [None]
    assert _models(image.with_scene(1)) == ["mito-z"]


def test_a_copied_folder_is_a_prediction(tmp_path: Path) -> None:
    pytest.importorskip("zarr", minversion="3", exc_type=ImportError, reason="writes OME-Zarr")
    path = _write(tmp_path / "cells.ome.zarr", channel_names=None)
    shutil.copytree(path, tmp_path / "copy.zarr")
    assert _models(open_image(tmp_path / "copy.zarr")) == MODELS
