"""What napari sees of us before any widget is opened."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import npe2
import numpy as np
import pytest

import napari_mito_predict

MANIFEST = Path(napari_mito_predict.__file__).with_name("napari.yaml")


@pytest.fixture(scope="module")
def manifest():
    return npe2.PluginManifest.from_file(MANIFEST)


def test_every_command_exists_and_has_a_title_for_the_palette(manifest):
    manifest.validate_imports()
    for command in manifest.contributions.commands:
        assert len(command.title.split()) > 2


def test_widgets_menus_and_sample_are_offered(manifest):
    offered = manifest.contributions
    assert [widget.display_name for widget in offered.widgets] == [
        "Mito Predict",
        "Compare with truth",
        "Fine-tune",
        "Models",
        "Many images",
        "Measure",
    ]
    assert set(offered.menus) == {"napari/layers/filter", "napari/layers/measure"}
    assert offered.sample_data[0].key == "simulated-cell"


def test_listing_widgets_imports_no_torch_and_none_of_our_widgets():
    code = (
        "import sys, npe2; manifest = npe2.PluginManifest.from_file(sys.argv[1]); "
        "names = [w.display_name for w in manifest.contributions.widgets]; "
        "assert not {'torch', 'napari_mito_predict._widgets.contributions.predict_dock'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code, str(MANIFEST)], check=True)


@pytest.mark.parametrize(
    "module",
    ["contributions.predict_dock", "compare.widget", "train.widget", "models.widget", "batch.widget", "measure.widget"],
)
def test_opening_a_widget_module_imports_no_torch(module):
    code = f"import sys, napari_mito_predict._widgets.{module}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)


def test_preferences_are_declared_and_fall_back_without_napari_support(manifest, monkeypatch):
    from napari_mito_predict._widgets.common import settings

    assert set(manifest.contributions.configurations["computing"].properties) == {
        "device",
        "precision",
        "tta",
        "models_folder",
    }
    monkeypatch.setitem(sys.modules, "napari.settings", None)
    assert settings.preference("device") == "auto"
    assert settings.preference("tta") == "False"


def test_the_reader_takes_czi_and_leaves_the_rest(czi, tmp_path):
    from napari_mito_predict._widgets.contributions.reader import get_reader

    fake = tmp_path / "pointer.czi"
    fake.write_text("version https://git-lfs.github.com/spec/v1\n", encoding="utf-8")
    assert get_reader(str(fake)) is None
    assert get_reader(str(tmp_path / "absent.czi")) is None
    assert get_reader([str(czi), str(fake)]) is None
    read = get_reader(str(czi))
    layers = read(str(czi))
    assert [kind for _, _, kind in layers] == ["image"] * 3
    assert all("visible" not in keywords for _, keywords, _ in layers)


def test_napari_asks_where_another_reader_takes_czi_too(manifest, czi, tmp_path):
    from npe2 import DynamicPlugin

    manager = npe2.PluginManager.instance()
    if "napari-mito-predict" not in manager:
        manager.register(manifest)
    with DynamicPlugin("other-czi-reader", plugin_manager=manager) as other:

        @other.contribute.reader(filename_patterns=["*.czi"])
        def read(path):
            return lambda path: []

        found = {reader.plugin_name for reader in manager.iter_compatible_readers([str(czi)])}
    assert {"napari-mito-predict", "other-czi-reader"} <= found  # with several, napari asks and never picks silently


def test_a_plate_opens_with_its_predictions_in_their_resolutions(manifest, make_plate, make_napari_viewer, monkeypatch):
    from napari_mito_predict._widgets.common import file_layers
    from napari_mito_predict._widgets.common.facts import prediction_facts
    from napari_mito_predict.image import create_ome_zarr, open_image
    from napari_mito_predict.image.zarr_plates import plate_field

    monkeypatch.setattr(file_layers, "_IN_MEMORY", 0)
    plate = make_plate("0.5", (1, 1, 1, 520, 24))
    field = plate_field(open_image(plate))
    settings = {"axes": "CZYX", "channel_names": ["TMRM predicted (m)"], "voxel_size_um": (0.3, 0.1, 0.1)}
    shape = (1, 1, 520, 24)
    with create_ome_zarr(field.beside("predicted"), shape, "f4", predicted_by=["m"], **settings) as writer:
        writer.write([slice(None)] * 4, np.full(shape, 2, "f4"))
    field.list_image(field.beside("predicted"))
    manager = npe2.PluginManager.instance()
    if "napari-mito-predict" not in manager:
        manager.register(manifest)
    viewer = make_napari_viewer()
    light, predicted = viewer.open(str(plate), plugin="napari-mito-predict")
    assert (light.multiscale, light.data.shape) == (False, (1, 520, 24))
    assert [level.shape for level in predicted.data] == [(1, 520, 24), (1, 260, 12)]
    np.testing.assert_array_equal(predicted.data[1], np.full((1, 260, 12), 2, "f4"))
    assert prediction_facts(predicted).model == "m"
    assert prediction_facts(light) is None
    np.testing.assert_allclose(predicted.scale, light.scale)


def test_the_sample_opens_with_all_its_channels():
    from napari_mito_predict._widgets.contributions import sample

    layers = sample.simulated_cell()
    assert len(layers) == 3
    assert [keywords["metadata"]["napari-mito-predict"]["role"] for _, keywords, _ in layers] == [
        "transmitted",
        "mitochondria",
        "dna",
    ]
