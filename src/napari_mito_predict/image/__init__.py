"""Image files and arrays as lazy images with channels that know what they show; results as files."""

from napari_mito_predict.image.arrays import from_array
from napari_mito_predict.image.channels import Channel, ChannelRole, Modality
from napari_mito_predict.image.checks import Finding, Level, check_image, check_volume, light_of, unreadable_channels
from napari_mito_predict.image.folders import IMAGE_SUFFIXES, list_images
from napari_mito_predict.image.output import check_output
from napari_mito_predict.image.predicted import PredictionMark
from napari_mito_predict.image.readers import coarser_levels, is_predicted_file, open_image, open_scenes
from napari_mito_predict.image.signature import file_signature
from napari_mito_predict.image.source import ImageSource
from napari_mito_predict.image.tiff_writer import write_ome_tiff
from napari_mito_predict.image.zarr_collections import is_plate
from napari_mito_predict.image.zarr_files import is_zarr
from napari_mito_predict.image.zarr_writer import create_ome_zarr, write_ome_zarr

__all__ = [
    "IMAGE_SUFFIXES",
    "Channel",
    "ChannelRole",
    "Finding",
    "ImageSource",
    "Level",
    "Modality",
    "PredictionMark",
    "check_image",
    "check_output",
    "check_volume",
    "coarser_levels",
    "create_ome_zarr",
    "file_signature",
    "from_array",
    "is_plate",
    "is_predicted_file",
    "is_zarr",
    "light_of",
    "list_images",
    "open_image",
    "open_scenes",
    "unreadable_channels",
    "write_ome_tiff",
    "write_ome_zarr",
]
