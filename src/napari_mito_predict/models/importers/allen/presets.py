"""Ways of training of pytorch_fnet that are known."""

from __future__ import annotations

from typing import Final

from napari_mito_predict.image.channels import Modality
from napari_mito_predict.models.card import Normalisation
from napari_mito_predict.models.importers.foreign import Told

STACKS: Final = "allen-100x"
"""Stacks of the Allen Institute's 100x bright-field microscopes: pixels of 0.108 um, scaled to the 0.29 um of z."""

PRESETS: Final[dict[str, Told]] = {
    STACKS: Told(
        voxel_size_um=(0.29, 0.29, 0.29),
        third_axes=("z",),
        normalisation=Normalisation(clip_percentiles=None),
        modality=Modality.BRIGHT_FIELD,
        simulated=False,
    )
}
