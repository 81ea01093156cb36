"""Which program a model file is from, by its content."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from napari_mito_predict.errors import UnsupportedModelError
from napari_mito_predict.models.importers import allen, bioimageio, viscy
from napari_mito_predict.models.importers.checkpoint import is_checkpoint, load_checkpoint

if TYPE_CHECKING:
    from napari_mito_predict.models.importers.foreign import ForeignModel, Told

_MODEL_OF_A_RUN: Final = "model.p"
"""In the folder of a training of pytorch_fnet."""
_KNOWN: Final = "Known are models of this program and of bioimage.io, and checkpoints of pytorch_fnet and VisCy."


def presets() -> dict[str, Told]:
    """What is known of published models and of ways of training, by name; of all formats."""
    return {**allen.PRESETS, **viscy.PRESETS}


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
    path = Path(path)
    if (path / _MODEL_OF_A_RUN).is_file():
        path /= _MODEL_OF_A_RUN
    if bioimageio.recognises(path):
        return bioimageio.read(path, told)
    if is_checkpoint(path):
        return _read_checkpoint(path, told)
    raise UnsupportedModelError(f"this is no model of a known format: {_what(path)}. {_KNOWN}", file=path)


def _read_checkpoint(path: Path, told: Told) -> ForeignModel:
    content = load_checkpoint(path)
    if allen.recognises(content):
        return allen.read(content, path, told)
    if viscy.recognises(content):
        return viscy.read(content, path, told)
    names = ", ".join(f"{name!r:.60}" for name in list(content)[:5]) or "nothing"
    raise UnsupportedModelError(
        f"this checkpoint is of no program that is known here; it holds {names}. {_KNOWN}", file=path
    )


def _what(path: Path) -> str:
    """What is there instead of a model."""
    try:
        state = path.stat()
    except (OSError, ValueError):
        return "nothing is there"
    if path.is_dir():
        return "a folder without a model in it"
    if not path.is_file():
        return "no file"
    return "an empty file" if state.st_size == 0 else "it begins like none"
