"""The shipped model of single planes goes to ZEN as it is here."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from napari_mito_predict.image import from_array
from napari_mito_predict.models import ModelInfo, load_model
from napari_mito_predict.models.czann import TILE, output_range
from napari_mito_predict.models.library import export_model
from napari_mito_predict.models.weights import forward
from napari_mito_predict.prediction.zen import fixed_input


def test_its_graph_is_the_network_between_the_documented_maps(shipped: ModelInfo, tmp_path: Path) -> None:
    for module in ("czmodel", "onnx"):
        pytest.importorskip(module, reason="pip install napari-mito-predict[czann]")
    runtime = pytest.importorskip("onnxruntime", reason="runs the graph: pip install onnxruntime")
    sample = load_model(shipped.name).sample
    assert sample is not None
    plane = (80 + 12 * sample.given[0]).clip(0, 255).astype(np.uint8)
    image = from_array(plane, axes="YX", channel_names=["BF"], name="noise")
    fixed = fixed_input(shipped.name, [image, image])
    assert fixed.cost is not None
    assert fixed.cost.worst > 0.99
    path = export_model(shipped.name, tmp_path, file_format="czann", fixed=fixed)
    with zipfile.ZipFile(path) as archive:
        session = runtime.InferenceSession(archive.read("model.model"), providers=["CPUExecutionProvider"])
        text = archive.read("license.txt").decode()
    tile = np.pad(plane, [(0, TILE - size) for size in plane.shape], mode="symmetric")
    given = (tile / 255).astype(np.float32)[None, ..., None]
    (found,) = session.run(None, {session.get_inputs()[0].name: given})
    model = load_model(shipped.name)
    normalised = (tile / 255 - fixed.offset) / fixed.scale
    expected = forward(model.network, normalised[None].astype(np.float32))[0]
    low, high = output_range(model.card.targets[0])
    np.testing.assert_allclose(found[0, ..., 0], np.clip((expected - low) / (high - low), 0, 1), atol=1e-4)
    assert found.std() > 0.01
    assert "\n- Licence: GPL-3.0-only" in text
    assert "10.1364/BOE.464177" in text
