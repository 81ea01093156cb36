"""Copying packages, and putting them among the user's own models."""

from __future__ import annotations

import struct
import unicodedata
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Final

from napari_mito_predict._files import atomic_folder, atomic_write_text, sha256_file
from napari_mito_predict.errors import DamagedModelError, InvalidModelError, UnwritableOutputError
from napari_mito_predict.models.card_values import LONGEST_NAME, check_name
from napari_mito_predict.models.files import (
    CARD,
    GRAPHS,
    TRAINING_IMAGES,
    WEIGHTS,
    PackageFiles,
    is_picture,
    open_package,
)
from napari_mito_predict.models.folders import user_models_folder
from napari_mito_predict.models.info import file_name
from napari_mito_predict.models.package import card_of, read_card
from napari_mito_predict.models.registry import list_models

if TYPE_CHECKING:
    from napari_mito_predict.models.card import ModelCard

_ATTEMPTS = 100
"""At a name that is free, while other processes add models too."""
_MOST_PICTURES = 20
_LARGEST_SIDE: Final = 8192
# Signature, length of the first chunk, its kind, width, height.
_PNG = struct.Struct(">8s4x4s2L")
_PNG_BEGINS = (b"\x89PNG\r\n\x1a\n", b"IHDR")


def add_to_models(package: Path, *, name: str | None = None) -> Path:
    """Copy a package into the user's own models; a name that is taken gets a number.

    Several processes may do so at once: each gets a name of its own.

    Parameters
    ----------
    package : Path
        A model folder, or a zip file of one.
    name : str, optional
        What to call it; without it, as its card says.

    Returns
    -------
    Path
        The copy, a folder; its name is the model's.

    Raises
    ------
    ModelError
        The package cannot be used, or the name is none.
    UnwritableOutputError
        The folder of models cannot be written.
    """
    wanted = valid_name(name or read_card(package).name)
    for _ in range(_ATTEMPTS):
        free = free_name(wanted)
        final = user_models_folder() / free
        try:
            # What has the name but is no model, and so is not in the list, is not ours to replace.
            with atomic_folder(final, replace=False) as temporary:
                copy_package(package, temporary, name=free)
        except OSError as error:
            if free_name(wanted) != free:
                continue  # another process was faster
            raise UnwritableOutputError(
                f"could not be added to your models ({error.strerror or error}). The model is safe in {package}.",
                file=final,
            ) from error
        return final
    raise UnwritableOutputError("no free name was found for the model.", file=user_models_folder() / wanted)


def copy_package(package: Path, folder: Path, *, name: str | None = None) -> ModelCard:
    """Write the files of a package, and nothing else that lies beside them, into a new folder.

    Parameters
    ----------
    package : Path
        A model folder, or a zip file of one.
    folder : Path
        Made here.
    name : str, optional
        What to call the copy; its card is left as it is, byte for byte, where that is its name already.

    Returns
    -------
    ModelCard
        Of the copy.

    Raises
    ------
    DamagedModelError, InvalidModelError
        A file is missing, cannot be read, or is not what the card says.
    OSError
        The copy cannot be written.
    """
    with open_package(package) as files:
        card = card_of(files)
        folder.mkdir(parents=True)
        for part in parts_of(files, card):
            with (folder / part).open("xb") as copy:
                for chunk in files.chunks(part):
                    copy.write(chunk)
            if is_picture(part):
                _check_picture(folder / part, files.path)
    if sha256_file(folder / card.weights.file) != card.weights.sha256:
        raise DamagedModelError("the weights are not those that the card describes.", file=package)
    seen = card.training_images
    if seen is not None and sha256_file(folder / seen.file) != seen.sha256:
        raise DamagedModelError(
            "the numbers about its training images are not those that the card describes.", file=package
        )
    if name is None or name == card.name:
        return card
    card = card.model_copy(update={"name": name})
    atomic_write_text(folder / CARD, card.to_json())
    return card


def parts_of(files: PackageFiles, card: ModelCard) -> list[str]:
    """Names of the files that make a package: card, what it names, and what else belongs to it, sorted.

    Raises
    ------
    DamagedModelError
        There are more pictures than a model has.
    """
    needed = {CARD, card.weights.file}
    if card.training_images is not None:
        needed.add(card.training_images.file)
    # A link may lead to any file of this computer: only what is checked for what it is may come by one.
    others = {name for name in files.names() if name not in needed and not files.is_link(name)}
    others -= {WEIGHTS, *GRAPHS, TRAINING_IMAGES}
    if len(list(filter(is_picture, others))) > _MOST_PICTURES:
        raise DamagedModelError(f"holds more than {_MOST_PICTURES} pictures, which no model does.", file=files.path)
    return sorted(needed | others)


def valid_name(name: str) -> str:
    """Return `name` if a model can be called so.

    Raises
    ------
    InvalidModelError
        It cannot.
    """
    try:
        return check_name(name)
    except ValueError as error:
        raise InvalidModelError(f"{error}.") from error


def free_name(wanted: str) -> str:
    """Return `wanted`, or the first of ``wanted-2``, ``wanted-3``, ... that no model and no file of one has."""
    taken = names_taken()
    candidates = chain([wanted], (_numbered(wanted, number) for number in count(2)))
    return next(name for name in candidates if folded(name) not in taken)


def names_taken(*, but: Path | None = None) -> set[str]:
    """Names of all models and of their files, as `folded`; those of one package may be left out."""
    models = [info for info in list_models() if info.path != but]
    names = {folded(info.name) for info in models}
    return names | {folded(file_name(info.path)) for info in models}


def folded(name: str) -> str:
    """A name as file systems compare them that take no heed of capitals."""
    return unicodedata.normalize("NFC", name).casefold()


def _numbered(name: str, number: int) -> str:
    ending = f"-{number}"
    return f"{name[: LONGEST_NAME - len(ending)]}{ending}"


def _check_picture(file: Path, package: Path) -> None:
    """Refuse what is called a picture and is none, or is larger than anybody would look at."""
    with file.open("rb") as stream:
        head = stream.read(_PNG.size)
    if len(head) == _PNG.size:
        found = _PNG.unpack(head)
        if found[:2] == _PNG_BEGINS and max(found[2:]) <= _LARGEST_SIDE:
            return
    raise DamagedModelError(
        f"'{file.name}' is no PNG picture of at most {_LARGEST_SIDE} pixels on a side.", file=package
    )
