"""Bringing models in and out: importing, exporting, renaming and removing them."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Literal

from napari_mito_predict._files import atomic_folder, atomic_path, atomic_write_text
from napari_mito_predict.errors import (
    ForeignModelError,
    ModelExistsError,
    OutputExistsError,
    ProtectedModelError,
    UnknownModelError,
    UnwritableOutputError,
)
from napari_mito_predict.models.czann import FixedInput, write_czann
from napari_mito_predict.models.importers import Told, read_foreign
from napari_mito_predict.models.package import CARD, read_card, save_model
from napari_mito_predict.models.registry import ModelInfo, Source, add_to_models, find_model, list_models

ExportFormat = Literal["zip", "folder", "bioimageio", "czann"]
_SUFFIXES = {"zip": ".zip", "folder": "", "bioimageio": ".bioimageio.zip", "czann": ".czann"}


def import_model(source: str | Path, told: Told | None = None, *, sha256: str | None = None) -> ModelInfo:
    """Copy a model into the user's own models.

    Parameters
    ----------
    source : str or Path
        A package (folder or zip file), a model file of another program, or the address of one of these.
    told : Told, optional
        What the user says about a model of another program.
    sha256 : str, optional
        Of the file; needed for an address.

    Raises
    ------
    ForeignModelError
        See `napari_mito_predict.models.importers.read_foreign`.
    DamagedModelError, InvalidModelError
        The package cannot be used.
    UnwritableOutputError
        The folder of models cannot be written.
    """
    path = Path(source).expanduser()
    if (path / CARD).is_file() or zipfile.is_zipfile(path):
        added = add_to_models(path)
    else:
        foreign = read_foreign(path, told or Told())
        with tempfile.TemporaryDirectory() as folder:
            package = Path(folder, "model")
            save_model(package, foreign.card, foreign.network, foreign.sample_input)
            added = add_to_models(package)
    return _info(added.name)


def export_model(
    name: str | Path,
    destination: Path,
    *,
    file_format: ExportFormat = "zip",
    overwrite: bool = False,
    fixed: FixedInput | None = None,
) -> Path:
    """Write a model for others.

    Parameters
    ----------
    name : str or Path
        A name or path, see `napari_mito_predict.models.load_model`.
    destination : Path
        A folder, into which a file or folder of the model's name is written; or the file or folder itself.
    file_format : {"zip", "folder", "bioimageio", "czann"}
        A package of ours, zipped or not; one of bioimage.io; one for ZEN.
    overwrite : bool
        Whether what is there already is replaced.
    fixed : FixedInput, optional
        For ``czann``, which needs it; made by `napari_mito_predict.prediction.zen.fixed_input`.

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    OutputExistsError
        It is there already.
    UnwritableOutputError
        It cannot be written.
    """
    package = find_model(name)
    card = read_card(package)
    final = Path(destination)
    if final.is_dir():
        final /= card.name + _SUFFIXES[file_format]
    if final.exists() and not overwrite:
        raise OutputExistsError("is there already; it is replaced only when that is asked for.", file=final)
    if file_format == "zip":
        _zip(package, final)
    elif file_format == "folder":
        _copy(package, final)
    elif file_format == "czann":
        write_czann(package, final, fixed)
    else:
        raise ForeignModelError(f"the format {file_format} is not known.", file=final)
    return final


def rename_model(name: str, new_name: str) -> ModelInfo:
    """Give one of the user's own models another name.

    Raises
    ------
    UnknownModelError
        No model has that name.
    ProtectedModelError
        It is not the user's own.
    ModelExistsError
        The new name is taken.
    """
    info = _own(name)
    if any(new_name in (other.name, other.path.stem) for other in list_models()):
        raise ModelExistsError(f"There is a model '{new_name}' already. Choose another name.")
    card = read_card(info.path).model_copy(update={"name": new_name})
    final = info.path.with_name(new_name)
    _copy(info.path, final, card.to_json())
    shutil.rmtree(info.path)
    return _info(new_name)


def remove_model(name: str) -> Path:
    """Remove one of the user's own models for good.

    Returns
    -------
    Path
        What was removed.

    Raises
    ------
    UnknownModelError
        No model has that name.
    ProtectedModelError
        It is not the user's own.
    """
    info = _own(name)
    if info.path.is_dir():
        shutil.rmtree(info.path)
    else:
        info.path.unlink()
    return info.path


def _info(name: str) -> ModelInfo:
    return next(info for info in list_models() if info.name == name)


def _own(name: str) -> ModelInfo:
    """Find one of the user's own models."""
    found = next((info for info in list_models() if info.name == name), None)
    if found is None:
        raise UnknownModelError(f"No model is called '{name}'.")
    if found.source is not Source.OWN:
        raise ProtectedModelError(f"'{name}' is not one of your own models ({found.source}): it stays as it is.")
    return found


def _copy(package: Path, final: Path, card: str | None = None) -> None:
    try:
        with atomic_folder(final) as temporary:
            shutil.copytree(package, temporary, copy_function=shutil.copyfile)
            if card is not None:
                atomic_write_text(temporary / CARD, card)
    except OSError as error:
        raise UnwritableOutputError(f"could not be written ({error.strerror or error}).", file=final) from error


def _zip(package: Path, final: Path) -> None:
    with atomic_path(final) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(package.iterdir()):
            archive.write(file, file.name)
