"""The arithmetic of a U-Net: folded, in its precision, over windows or strip by strip.

The rest of `napari_mito_predict.prediction` knows these names and nothing of what is behind them.
"""

from napari_mito_predict.prediction.unet.folded import FoldedUNet
from napari_mito_predict.prediction.unet.layers import channels_last
from napari_mito_predict.prediction.unet.streaming import UNetStream

__all__ = ["FoldedUNet", "UNetStream", "channels_last"]
