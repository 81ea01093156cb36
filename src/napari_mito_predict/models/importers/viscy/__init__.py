"""Models of VisCy and Cytoland (Computational Microscopy, Biohub San Francisco): UNeXt2 and FCMAE.

Their Lightning checkpoints hold the network and little else. The network is told from the shapes of its weights; what
has none, such as the pooling of a head, and what the model was trained on are told by presets or the user.
"""

from __future__ import annotations

from napari_mito_predict.models.importers.viscy.presets import PRESETS
from napari_mito_predict.models.importers.viscy.reading import read, recognises

__all__ = ["PRESETS", "read", "recognises"]
