"""Open CZI files and OME-Zarr in napari: offered beside other readers, never taking files from them.

napari asks which reader to use where several can open a file, and remembers the answer. Ours steps back from whatever
is no CZI or OME-Zarr inside.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_mito_predict.image import ImageSource

_MAGIC = b"ZISRAWFILE"
_OF_IMAGES = {"multiscales", "plate", "well", "bioformats2raw.layout"}


def get_reader(path: str | Sequence[str]) -> Callable[..., list[tuple[Any, dict[str, Any], str]]] | None:
    """Give napari a function that reads `path`, or None for anything but CZI files."""
    paths = _paths(path)
    if paths and all(_is_czi(each) for each in paths):
        return read_layers
    return None


def get_zarr_reader(path: str | Sequence[str]) -> Callable[..., list[tuple[Any, dict[str, Any], str]]] | None:
    """Give napari a function that reads `path`, or None for anything but images, wells and plates in OME-Zarr."""
    paths = _paths(path)
    if paths and all(_is_ome_zarr(each) for each in paths):
        return read_layers
    return None


def read_layers(path: str | Sequence[str]) -> list[tuple[Any, dict[str, Any], str]]:
    """Read the first scene of each file, one layer per channel; the other scenes are in the Mito Predict widget.

    The first field of a plate comes with the predictions that are beside it in its well.
    """
    from napari_mito_predict._widgets.common.file_layers import file_layers

    layers: list[tuple[Any, dict[str, Any], str]] = []
    for each in _paths(path):
        images = _images(each)
        for image in images:
            layers += file_layers(image.complete_part(), for_overlay=len(images) > 1)
    return layers


def _images(path: Path) -> list[ImageSource]:
    """The first scene of a file, and predictions made from it in a plate."""
    from napari_mito_predict.image import open_image
    from napari_mito_predict.image.zarr_plates import made_from

    first = open_image(path)
    others = [first.with_scene(name) for name in made_from(path, first.scenes[first.scene], first.scenes)]
    return [first, *(each for each in others if all(channel.prediction for channel in each.channels))]


def _paths(given: str | Sequence[str]) -> list[Path]:
    """One path or several, as napari gives them."""
    if isinstance(given, str):
        given = [given]
    return [Path(path) for path in given]


def _is_ome_zarr(path: Path) -> bool:
    from napari_mito_predict.errors import ImageError
    from napari_mito_predict.image.zarr_files import attributes_of
    from napari_mito_predict.image.zarr_ngff import ome_metadata

    try:
        return path.is_dir() and not _OF_IMAGES.isdisjoint(ome_metadata(attributes_of(path), path))
    except ImageError:
        return False


def _is_czi(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False
