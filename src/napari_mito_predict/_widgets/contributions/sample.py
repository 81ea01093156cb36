"""Sample data: a simulated cell, as a CZI file like the microscope writes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import napari_mito_predict

SAMPLE = Path(napari_mito_predict.__file__).parent / "_sample" / "simulated_cell.czi"


def simulated_cell() -> list[tuple[Any, dict[str, Any], str]]:
    """Layers of the sample file: transmitted light, and both fluorescence channels as truth."""
    from napari_mito_predict._widgets.common.file_layers import file_layers
    from napari_mito_predict.image import open_image

    return file_layers(open_image(SAMPLE), for_overlay=True)
