"""Image files and arrays as lazy images with channels that know what they show."""

from napari_mito_predict.image.arrays import from_array
from napari_mito_predict.image.channels import Channel, ChannelRole
from napari_mito_predict.image.readers import open_image
from napari_mito_predict.image.source import ImageSource

__all__ = ["Channel", "ChannelRole", "ImageSource", "from_array", "open_image"]
