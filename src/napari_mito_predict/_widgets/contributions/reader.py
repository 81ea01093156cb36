"""Open CZI files in napari: offered beside other readers, never taking files from them.

napari asks which reader to use where several can open a file, and remembers the answer. Ours steps back from whatever
is no CZI inside.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

_MAGIC = b"ZISRAWFILE"


def get_reader(path: str | Sequence[str]) -> Callable[..., list[tuple[Any, dict[str, Any], str]]] | None:
    """Give napari a function that reads `path`, or None for anything but CZI files."""
    paths = _paths(path)
    if paths and all(_is_czi(each) for each in paths):
        return read_layers
    return None


def read_layers(path: str | Sequence[str]) -> list[tuple[Any, dict[str, Any], str]]:
    """Read the first scene of each file, one layer per channel; the other scenes are in the Mito Predict widget."""
    from napari_mito_predict._widgets.common.file_layers import file_layers
    from napari_mito_predict.image import open_image

    layers: list[tuple[Any, dict[str, Any], str]] = []
    for each in _paths(path):
        layers += file_layers(open_image(each).complete_part())
    return layers


def _paths(given: str | Sequence[str]) -> list[Path]:
    """One path or several, as napari gives them."""
    if isinstance(given, str):
        given = [given]
    return [Path(path) for path in given]


def _is_czi(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False
