"""What the authors of VisCy publish about their models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from napari_mito_predict.image.channels import Modality
from napari_mito_predict.models.card import Normalisation, Target
from napari_mito_predict.models.importers.foreign import Told

_ROBUST: Final = Normalisation(kind="robust")
"""They subtract the median of a field and divide by its interquartile range (their ``NormalizeSampled``)."""
_MODALITY: Final = Modality.QUANTITATIVE_PHASE
_LICENCE: Final = "BSD-3-Clause"


_TARGETS: Final = (
    Target(name="nuclei", stain="nuclear stain", colormap="cyan"),
    Target(name="membrane", stain="membrane stain", colormap="bop orange"),
)
"""Which stains they are differs between the data sets that were trained on."""

PRESETS: Final[dict[str, Told]] = {
    "VSCyto3D": Told(
        title="Nuclei and membranes of cultured cells, from phase stacks (VSCyto3D)",
        targets=_TARGETS,
        voxel_size_um=(0.2, 0.1, 0.1),
        third_axes=("z",),
        normalisation=_ROBUST,
        modality=_MODALITY,
        licence=_LICENCE,
        trained_on="A549, HEK293T and hiPSC cells, quantitative phase",
        simulated=False,
    ),
    "VSCyto2D": Told(
        title="Nuclei and membranes of cultured cells, from single phase images (VSCyto2D)",
        targets=_TARGETS,
        voxel_size_um=(None, None, None),
        third_axes=(),
        normalisation=_ROBUST,
        modality=_MODALITY,
        licence=_LICENCE,
        trained_on="A549, HEK293T and BJ-5ta cells, quantitative phase",
        simulated=False,
    ),
    "VSNeuromast": Told(
        title="Nuclei and membranes of zebrafish neuromasts, from phase stacks (VSNeuromast)",
        targets=_TARGETS,
        voxel_size_um=(0.25, 0.108, 0.108),
        third_axes=("z",),
        normalisation=_ROBUST,
        modality=_MODALITY,
        licence=_LICENCE,
        trained_on="zebrafish neuromasts in vivo, quantitative phase",
        simulated=False,
    ),
    "UNeXt2-pooled": Told(),
    "UNeXt2-unpooled": Told(),
}
"""The published models; and two that say nothing but whether the head of a UNeXt2 pools, which no checkpoint shows."""

POOLS: Final[Mapping[str, bool]] = {
    "VSCyto3D": True,
    "VSCyto2D": True,
    "VSNeuromast": True,
    "UNeXt2-pooled": True,
    "UNeXt2-unpooled": False,
}
"""Whether the head of a model averages neighbouring pixels (``head_pool``)."""

PUBLISHED: Final = ("VSCyto3D", "VSCyto2D", "VSNeuromast")
ATTRIBUTION: Final = (
    "Liu, Hirata-Miyasaki et al., Robust virtual staining of landmark organelles with Cytoland, Nature Machine "
    "Intelligence 2025, doi:10.1038/s42256-025-01046-2. Published by its authors: https://github.com/mehta-lab/VisCy"
)
VOXEL_SIZE_NOTE: Final = (
    "The voxel size is that of the authors' example images, which they advise to match roughly; they publish none for "
    "each of the data sets that were trained on."
)
