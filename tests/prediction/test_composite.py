"""Several predictions of one image as channels of one file, from two models or from one of two targets."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import tifffile

from napari_mito_predict.errors import OutputError, OutputExistsError
from napari_mito_predict.image import open_image
from napari_mito_predict.prediction import predict, save_composite


def _coloured(model, colour):
    targets = tuple(t.model_copy(update={"colormap": colour[t.name]}) for t in model.card.targets)
    return replace(model, card=model.card.model_copy(update={"targets": targets}))


@pytest.fixture(params=["two models", "one model of two targets"])
def models(request, make_model, make_fake):
    colours = {"mitochondria": "magenta", "dna": "cyan"}
    if request.param == "two models":
        made = [make_model(make_fake(), name=f"{t}-z", targets=[t], simulated=True) for t in colours]
    else:
        made = [make_model(make_fake(targets=2), name="both-z", targets=list(colours), simulated=True)]
    return [_coloured(model, colours) for model in made]


def test_channels_of_one_file(models, noise, tmp_path):
    found = predict(noise(6, 20, 24), models, voxel_size_um=(0.3, 0.1, 0.1), device="cpu")
    path = save_composite(list(found.values()), tmp_path / "zellen_predicted.ome.tif")
    image = open_image(path)
    assert image.sizes == {"T": 1, "C": 2, "Z": 6, "Y": 20, "X": 24}
    assert [channel.name.partition(" ")[0] for channel in image.channels] == ["MITOCHONDRIA", "DNA"]
    for channel, prediction in enumerate(found.values()):
        np.testing.assert_array_equal(image.read(0, channel), prediction.data)
    with tifffile.TiffFile(path) as tiff:
        ome = tiff.ome_metadata or ""
    assert f'Color="{int(np.int32(np.uint32(0xFF00FFFF)))}"' in ome
    assert f'Color="{0x00FFFFFF}"' in ome
    assert "not validated on real ones" in ome
    record = json.loads((tmp_path / "zellen_predicted.prediction.json").read_text(encoding="utf-8"))
    assert record["disclaimer"] == "Trained on simulated cells, not validated on real ones."
    assert [channel["target"] for channel in record["channels"]] == ["mitochondria", "dna"]


def test_series_go_together_as_well(models, noise, tmp_path):
    pytest.importorskip("zarr")
    found = predict(noise(3, 6, 20, 24), models, device="cpu")
    image = open_image(save_composite(list(found.values()), tmp_path / "a.ome.zarr"))
    assert image.sizes == {"T": 3, "C": 2, "Z": 6, "Y": 20, "X": 24}
    np.testing.assert_array_equal(image.read(2, 1), found["dna"].data[2])


def test_what_does_not_belong_together_is_refused(models, noise, tmp_path):
    small, large = (predict(noise(6, 20, n), models, device="cpu")["dna"] for n in (24, 28))
    with pytest.raises(OutputError, match="ZYX 6 x 20 x 24 and ZYX 6 x 20 x 28"):
        save_composite([small, large], tmp_path / "a.ome.tif")
    with pytest.raises(OutputError, match="no predictions"):
        save_composite([], tmp_path / "a.ome.tif")
    save_composite([small], tmp_path / "a.ome.tif")
    with pytest.raises(OutputExistsError):
        save_composite([small], tmp_path / "a.ome.tif")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.ome.tif", "a.prediction.json"]
