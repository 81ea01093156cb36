"""Writing packages for others: as a folder, or as a zip file that is the same, bit for bit, whenever it is made."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

from napari_mito_predict._files import atomic_folder, atomic_path
from napari_mito_predict.errors import UnwritableOutputError
from napari_mito_predict.models.adding import copy_package, parts_of
from napari_mito_predict.models.files import CARD, open_package
from napari_mito_predict.models.package import card_of

_DATE = (1980, 1, 1, 0, 0, 0)
"""The earliest that a zip file knows: a package says itself when it was made."""
_MAY_BE_READ_BY_ALL = 0o100644 << 16
_UNIX = 3


def write_folder(package: Path, final: Path) -> None:
    """Write a package as a folder; what is there already is replaced.

    Raises
    ------
    ModelError
        The package cannot be used.
    UnwritableOutputError
        The folder cannot be written.
    """
    try:
        with atomic_folder(final) as temporary:
            copy_package(package, temporary)
    except OSError as error:
        raise UnwritableOutputError(f"could not be written ({error.strerror or error}).", file=final) from error


def write_zip(package: Path, final: Path, *, name: str | None = None, texts: Mapping[str, str] | None = None) -> None:
    """Write a package as a zip file; what is there already is replaced.

    Not compressed: weights hardly get smaller, and what compression makes of one content differs between computers.

    Parameters
    ----------
    package : Path
        A model folder, or a zip file of one.
    final : Path
        The zip file.
    name : str, optional
        What to call the model in it.
    texts : mapping of str to str, optional
        File -> what takes the place of its content.

    Raises
    ------
    ModelError
        The package cannot be used.
    UnwritableOutputError
        The file cannot be written.
    """
    with open_package(package) as files, atomic_path(final) as temporary:
        card = card_of(files)
        given = dict(texts or {})
        if name is not None:
            given[CARD] = card.model_copy(update={"name": name}).to_json()
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            for part in parts_of(files, card):
                if part in given:
                    archive.writestr(_entry(part), given[part])
                    continue
                entry = _entry(part)
                entry.file_size = files.size(part)
                with archive.open(entry, "w") as stream:
                    for chunk in files.chunks(part):
                        stream.write(chunk)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _DATE)
    entry.external_attr = _MAY_BE_READ_BY_ALL
    entry.create_system = _UNIX
    return entry
