"""napari on the results of ``mito-predict demo``, with a picture of the window; a process of its own.

``python -m napari_mito_predict._widgets.contributions.demo_window SAMPLE.czi FOLDER --picture napari.png [--stay]``
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

import napari
from qtpy.QtCore import QTimer

from napari_mito_predict._widgets.common.facts import PredictionFacts, metadata_of
from napari_mito_predict._widgets.common.file_layers import file_layers
from napari_mito_predict._widgets.common.image_layers import placement_of
from napari_mito_predict.image import open_image
from napari_mito_predict.models import find_model, read_card
from napari_mito_predict.models.record import PredictionRecord, read_record

if TYPE_CHECKING:
    from napari_mito_predict._widgets.contributions.predict_dock import MitoPredict

_WINDOW = (1500, 950)
_SETTLE_MS = 1500
"""Until the window is laid out and drawn; a software renderer takes its time."""
_MOST_WAITS = 20


def open_results(sample: Path, folder: Path) -> tuple[napari.Viewer, MitoPredict]:
    """Show the sample's transmitted light under the predictions in `folder`; truth is hidden.

    Gives the viewer, and our widget in it.
    """
    viewer = napari.Viewer(title="Mito Predict demo")
    viewer.window.resize(*_WINDOW)
    for data, keywords, _ in file_layers(open_image(sample), for_overlay=True):
        viewer.add_image(data, **keywords)
    light = viewer.layers[0]
    for name, result in json.loads((folder / "pcc.json").read_text(encoding="utf-8")).items():
        file = folder / result["file"]
        card = read_card(find_model(result["model"]))
        target = next(target for target in card.targets if target.name == name)
        record = read_record(file) or PredictionRecord()
        facts = PredictionFacts(target=name, model=card.name, input_layer=light.name, record=record)
        viewer.add_image(
            open_image(file).read(),
            name=f"{target.stain} predicted ({card.name})",
            colormap=target.colormap,
            blending="additive",
            contrast_limits=target.contrast_limits,
            metadata=metadata_of(facts) | {"disclaimer": card.disclaimer},
            **placement_of(light),
        )
    _, widget = viewer.window.add_plugin_dock_widget("napari-mito-predict", "Mito Predict")
    viewer.dims.set_current_step(0, light.data.shape[0] // 2)
    viewer.reset_view()
    return viewer, widget


def main() -> None:
    """Open the window, take its picture, and leave it open when asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sample", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--picture", type=Path, required=True)
    parser.add_argument("--stay", action="store_true")
    arguments = parser.parse_args()
    viewer, widget = open_results(arguments.sample, arguments.folder)
    waits = iter(range(_MOST_WAITS))

    def finish() -> None:
        if widget.planning.state.busy and next(waits, None) is not None:  # else the picture shows no light
            QTimer.singleShot(_SETTLE_MS, finish)
            return
        try:
            viewer.window.screenshot(str(arguments.picture), canvas_only=False, flash=False)
        finally:
            if not arguments.stay:
                viewer.close()

    QTimer.singleShot(_SETTLE_MS, finish)
    napari.run()


if __name__ == "__main__":
    main()
