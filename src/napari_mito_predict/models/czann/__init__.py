"""Models for ZEN and arivis: a ``.czann`` file, which is metadata, the network as ONNX, and a text.

The format is ZEISS's, see https://pypi.org/project/czmodel (specification 2.1.0). Those programs give a network tiles
of 0 to 1 and never the whole image, so that fixed constants take the place of its normalisation.
"""

from __future__ import annotations

from napari_mito_predict.models.czann.fixed import FixedCost, FixedInput
from napari_mito_predict.models.czann.tiles import TILE, output_range, overlap_of, require_tiles, tile_network
from napari_mito_predict.models.czann.writing import write_czann

__all__ = [
    "TILE",
    "FixedCost",
    "FixedInput",
    "output_range",
    "overlap_of",
    "require_tiles",
    "tile_network",
    "write_czann",
]
