"""Bringing models in and out: from folders, zip files, the web and other programs, and for others."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from napari_mito_predict._files import folder_for, remove_abandoned, sha256_file
from napari_mito_predict.errors import (
    DamagedModelError,
    ForeignModelError,
    OutputExistsError,
    UnwritableOutputError,
)
from napari_mito_predict.models.adding import add_to_models
from napari_mito_predict.models.bioimageio import write_bioimageio
from napari_mito_predict.models.czann import FixedInput, write_czann
from napari_mito_predict.models.download import OnProgress, download, is_address
from napari_mito_predict.models.files import CARD, SAMPLE, is_package, open_package
from napari_mito_predict.models.folders import user_models_folder
from napari_mito_predict.models.importers import Told, read_foreign
from napari_mito_predict.models.info import ModelInfo, Source
from napari_mito_predict.models.package import read_card, read_package, save_model, verify_model
from napari_mito_predict.models.paths import is_folder
from napari_mito_predict.models.registry import find_model
from napari_mito_predict.models.writing import write_folder, write_zip

if TYPE_CHECKING:
    from napari_mito_predict.models.card import ModelCard
    from napari_mito_predict.models.importers import ForeignModel

ExportFormat = Literal["zip", "folder", "bioimageio", "czann"]
_WRITERS: Final[dict[str, Callable[[Path, Path], None]]] = {
    "zip": write_zip,
    "folder": write_folder,
    "bioimageio": write_bioimageio,
}
"""What writes a package, given its path and nothing else, to its final place: completely or not at all."""
_SUFFIXES: Final = {"zip": ".zip", "folder": "", "bioimageio": ".bioimageio.zip", "czann": ".czann"}
_FOR_ALL_MODELS = {"name", "trust"}
"""What may be said of a model whose card says everything else."""


def import_model(
    source: str | Path,
    told: Told | None = None,
    *,
    sha256: str | None = None,
    on_progress: OnProgress | None = None,
) -> ModelInfo:
    """Copy a model into the user's own models, after it has passed its self-test.

    Parameters
    ----------
    source : str or Path
        A package (folder or zip file), a model file of another program, or the address of one of these.
    told : Told, optional
        What the user says about a model of another program; of any model, what to call it. A name that is taken gets
        a number.
    sha256 : str, optional
        Of the file; needed for an address.
    on_progress : callable, optional
        Told how many bytes of how many have come from an address.

    Returns
    -------
    ModelInfo
        Its row in the model list.

    Raises
    ------
    DownloadError
        See `napari_mito_predict.models.download.download`.
    ForeignModelError
        See `napari_mito_predict.models.importers.read_foreign`; or something was said that the card says itself.
    DamagedModelError, InvalidModelError
        The package cannot be used, or fails its self-test. One without a self-test is taken: what its weights are is
        known by their SHA-256.
    UnwritableOutputError
        The folder of models cannot be written.
    """
    told = told or Told()
    with tempfile.TemporaryDirectory(prefix="mito-predict-", ignore_cleanup_errors=True) as folder:
        address = ""
        if is_address(source):
            address = str(source)
            path = download(address, Path(folder), sha256=sha256, on_progress=on_progress)
        else:
            path = Path(source).expanduser()
            _check_sha256(path, sha256)
        package = path
        if is_package(path):
            _refuse_words_of_the_card(path, told)
        else:
            package = Path(folder, "converted")
            _convert(path, package, told, address)
        _require_sound(package)
        remove_abandoned(user_models_folder())
        added = add_to_models(package, name=told.name)
    return ModelInfo(added.name, added, read_card(added), Source.OWN)


def has_self_test(path: Path) -> bool:
    """Whether a package holds what it takes to verify more than its weights."""
    with open_package(path) as files:
        return files.has(SAMPLE)


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
        A folder, into which a file or folder of the model's name is written; or the file or folder itself. Folders
        above it are made; a file gets the ending of its format where it has none.
    file_format : {"zip", "folder", "bioimageio", "czann"}
        A package of ours, zipped or not; one of bioimage.io; one for ZEN.
    overwrite : bool
        Whether what is there already is replaced. A folder is replaced only if it is a model.
    fixed : FixedInput, optional
        For ``czann``, which needs it; made by `napari_mito_predict.prediction.zen.fixed_input`.

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    ModelError
        There is no such model, it cannot be used, or not in this format.
    OutputExistsError
        It is there already.
    UnwritableOutputError
        It cannot be written, or lies in the model itself.
    """
    package = find_model(name)
    card = read_card(package)
    if file_format not in _SUFFIXES:
        raise ForeignModelError(f"models are not exported as '{file_format}'; {', '.join(_SUFFIXES)} are known.")
    final = Path(destination).expanduser()
    suffix = _SUFFIXES[file_format]
    if final.is_dir():
        final /= card.name + suffix
    elif not final.name.casefold().endswith(suffix[suffix.rfind(".") :]):
        final = final.with_name(final.name + suffix)
    _refuse_the_model_itself(final, package)
    _refuse_to_replace(final, file_format, overwrite)
    read_package(package)  # nobody is sent a model that is damaged
    with folder_for(final):
        if file_format == "czann":
            write_czann(package, final, fixed)
        else:
            _WRITERS[file_format](package, final)
    return final


def _check_sha256(path: Path, sha256: str | None) -> None:
    if sha256 is None:
        return
    if is_folder(path):
        raise DamagedModelError("a folder has no SHA-256; give that of a file, or none.", file=path)
    found = sha256_file(path)
    if found != sha256.strip().lower().removeprefix("sha256:"):
        raise DamagedModelError(f"its SHA-256 is {found}, and {sha256:.80} was expected.", file=path)


def _refuse_words_of_the_card(path: Path, told: Told) -> None:
    """Refuse what the user says about a model that says it itself, rather than leave it aside silently."""
    default = Told()
    words = [field.name for field in fields(Told) if field.name not in _FOR_ALL_MODELS]
    said = [word.replace("_", " ") for word in words if getattr(told, word) != getattr(default, word)]
    if said:
        raise ForeignModelError(
            f"this is a model of this program, whose card says everything but its name. Leave out: {', '.join(said)}.",
            file=path,
        )


def _convert(path: Path, package: Path, told: Told, address: str) -> None:
    """Write a model of another program as a package of ours; where it came from is noted with its fingerprint."""
    foreign = read_foreign(path, told)
    save_model(package, _with_origin(foreign, path, address), foreign.network, foreign.sample_input)


def _with_origin(foreign: ForeignModel, path: Path, address: str) -> ModelCard:
    card = foreign.card
    if card.origin is None:
        return card
    known = {}
    if not is_folder(path):
        known["sha256"] = sha256_file(path)
    if address:
        known["source"] = address
    return card.model_copy(update={"origin": card.origin.model_copy(update=known)})


def _require_sound(package: Path) -> None:
    """Read all of a package, and run its self-test if it has one."""
    if not has_self_test(package):
        read_package(package)
        return
    report = verify_model(package)
    if not report.passed:
        raise DamagedModelError(f"fails its self-test: {report.message} It is not added.", file=package)


def _refuse_the_model_itself(final: Path, package: Path) -> None:
    """Refuse a place in the model that is exported, or around it: writing there would change or replace it."""
    place = final.resolve()
    model = package.resolve()
    if place == model or model in place.parents or place in model.parents:
        raise UnwritableOutputError(
            f"this is where the model itself lies ({model}). Choose a place outside of it.", file=final
        )


def _refuse_to_replace(final: Path, file_format: str, overwrite: bool) -> None:
    if not os.path.lexists(final):
        return
    if not overwrite:
        raise OutputExistsError("is there already; it is replaced only when that is asked for.", file=final)
    if final.is_dir() and not (final / CARD).is_file():
        raise OutputExistsError("is a folder, and no model: it is never replaced. Choose another name.", file=final)
    if final.is_dir() != (file_format == "folder"):
        raise OutputExistsError("is there already, and not of this format. Choose another name.", file=final)
