"""Which program a model file is from, by its content."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_mito_predict.errors import UnsupportedModelError

if TYPE_CHECKING:
    from napari_mito_predict.models.importers.foreign import ForeignModel, Told


def presets() -> dict[str, Told]:
    """What is known of published models and of ways of training, by name; of all formats."""
    return {}


def read_foreign(path: Path, told: Told) -> ForeignModel:
    """Read a model of another program.

    Parameters
    ----------
    path : Path
        A file or folder.
    told : Told
        What the user says about it.

    Raises
    ------
    UnsupportedModelError
        It is of no known format, or cannot be imported.
    ForeignModelError
        It cannot be imported without being told more.
    DamagedModelError
        It cannot be read.
    """
    raise UnsupportedModelError("this is no model of a known format.", file=path)
