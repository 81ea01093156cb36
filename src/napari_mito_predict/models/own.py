"""Renaming and removing the user's own models; all others stay as they are."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import uuid
from pathlib import Path

from napari_mito_predict._files import atomic_write_text, rename
from napari_mito_predict.errors import ModelExistsError, ProtectedModelError, UnknownModelError, UnwritableOutputError
from napari_mito_predict.models.adding import folded, names_taken, valid_name
from napari_mito_predict.models.files import CARD
from napari_mito_predict.models.info import ModelInfo, Source, file_name
from napari_mito_predict.models.package import read_card
from napari_mito_predict.models.registry import list_models
from napari_mito_predict.models.writing import write_zip


def own_model(name: str) -> ModelInfo:
    """Find one of the user's own models.

    Parameters
    ----------
    name : str
        Of the model, or of its folder or zip file where that is another.

    Raises
    ------
    UnknownModelError
        No model has that name.
    ProtectedModelError
        It is not the user's own.
    """
    models = sorted(list_models(), key=lambda info: info.card is None)  # what can be used comes first
    own = [info for info in models if info.source is Source.OWN]
    found = next((info for info in own if info.name == name), None)
    if found is None:
        found = next((info for info in own if name in (file_name(info.path), info.path.name)), None)
    if found is not None:
        return found
    other = next((info for info in models if info.name == name), None)
    if other is not None:
        raise ProtectedModelError(f"'{name}' is not one of your own models: {_why_protected(other)}")
    names = ", ".join(info.name for info in own) or "you have none"
    raise UnknownModelError(f"No model is called '{name}'. Your own models: {names}.")


def rename_model(name: str, new_name: str) -> ModelInfo:
    """Give one of the user's own models another name.

    Parameters
    ----------
    name : str
        Of the model, or of its folder or zip file where that is another.
    new_name : str
        Not taken by any model.

    Returns
    -------
    ModelInfo
        Its row in the model list.

    Raises
    ------
    UnknownModelError
        No model has that name.
    ProtectedModelError
        It is not the user's own, or lies elsewhere and is only linked to.
    InvalidModelError
        The new name is none.
    ModelExistsError
        The new name is taken.
    ModelError
        The card cannot be read.
    UnwritableOutputError
        The model, or the folder of models, cannot be written.
    """
    path = own_model(name).path
    new_name = valid_name(new_name)
    card = read_card(path)
    if path.is_symlink():
        raise ProtectedModelError(
            f"this is a link to {path.resolve()}, and nothing is changed there. Copy the model, and rename the copy.",
            file=path,
        )
    if new_name == card.name or folded(new_name) in names_taken(but=path):
        raise ModelExistsError(f"There is a model '{new_name}' already. Choose another name.")
    final = path.with_name(new_name if path.is_dir() else f"{new_name}.zip")
    if os.path.lexists(final) and not _is_same(final, path):
        raise ModelExistsError("is there already. Choose another name.", file=final)
    try:
        if path.is_dir():
            _rename_folder(path, final, card.model_copy(update={"name": new_name}).to_json())
        else:
            write_zip(path, final, name=new_name)
            if not _is_same(final, path):
                path.unlink()
    except OSError as error:
        raise UnwritableOutputError(f"could not be renamed ({error.strerror or error}).", file=path) from error
    return ModelInfo(new_name, final, read_card(final), Source.OWN)


def remove_model(name: str) -> Path:
    """Remove one of the user's own models for good; what cannot be used can be removed as well.

    Parameters
    ----------
    name : str
        Of the model, or of its folder or zip file where that is another.

    Returns
    -------
    Path
        What was removed. Of a link, what it leads to stays.

    Raises
    ------
    UnknownModelError
        No model has that name.
    ProtectedModelError
        It is not the user's own.
    UnwritableOutputError
        It could not be removed.
    """
    path = own_model(name).path
    # Out of the list in one step, whatever may happen while its files are removed.
    aside = path.with_name(f".{uuid.uuid4().hex[:8]}.removed")
    try:
        rename(path, aside)
        if aside.is_dir() and not aside.is_symlink():
            _make_removable(aside)
            shutil.rmtree(aside)
        else:
            aside.unlink()
    except OSError as error:
        raise UnwritableOutputError(
            f"could not be removed ({error.strerror or error}). Check the permissions of this folder, and whether a "
            "program has it open.",
            file=path,
        ) from error
    return path


def _why_protected(info: ModelInfo) -> str:
    if info.source is Source.BUNDLED:
        return "it is a part of napari-mito-predict, and stays as it is."
    if info.source is Source.INSTALLED:
        return f"it came with the package {info.distribution}. Uninstall that to be rid of it."
    return f"it lies in the shared folder {info.path.parent}, which is only read. Forget the folder to be rid of it."


def _is_same(one: Path, other: Path) -> bool:
    """Whether two names are one file, as names are that differ in capitals only on some drives."""
    return one.exists() and one.samefile(other)


def _rename_folder(folder: Path, final: Path, card: str) -> None:
    """Take the new name, which no other process can take then, and write the card; or leave all as it is."""
    rename(folder, final)
    try:
        _allow_writing(final / CARD)
        atomic_write_text(final / CARD, card)
    except BaseException:
        rename(final, folder)
        raise


def _make_removable(folder: Path) -> None:
    """Take back what keeps a package from being removed, such as copies of read-only files bring along."""
    for place, _, files in os.walk(folder):
        _allow_writing(Path(place))
        for name in files:
            _allow_writing(Path(place, name))


def _allow_writing(path: Path) -> None:
    if path.is_symlink():
        return
    with contextlib.suppress(OSError):
        path.chmod(path.stat().st_mode | stat.S_IWUSR)
