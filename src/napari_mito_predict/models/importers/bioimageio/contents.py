"""The files of such a package, a folder or a zip file, read one by one and with a bound; nothing is unpacked."""

from __future__ import annotations

import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Final

from napari_mito_predict.errors import DamagedModelError, ForeignModelError
from napari_mito_predict.models.zips import check_member, open_zip, read_member

DESCRIPTIONS: Final = ("rdf.yaml", "bioimageio.yaml")
"""Names that the description may have, or end with."""


class Contents(ABC):
    """Files by name.

    Attributes
    ----------
    path : Path
        The package, for messages.
    """

    path: Path

    @abstractmethod
    def names(self) -> list[str]:
        """Of all files, relative to the description, with forward slashes."""

    @abstractmethod
    def read(self, name: str, largest: int) -> bytes:
        """Read one file of at most `largest` bytes.

        Raises
        ------
        DamagedModelError
            It is not there, too large, or cannot be read.
        """

    def named(self, source: object, what: str) -> str:
        """The file that the description means.

        Parameters
        ----------
        source : object
            As it is said there.
        what : str
            For the message.

        Raises
        ------
        ForeignModelError
            It is an address, or lies elsewhere.
        """
        text = str(source)
        if "://" in text:
            raise ForeignModelError(
                f"its {what} is not in the package but at {text:.200}, and nothing is downloaded. Get the whole model: "
                "on bioimage.io that is the button 'Download'.",
                file=self.path,
            )
        name = PurePosixPath(text)
        if name.is_absolute() or ".." in name.parts or "\\" in text or ":" in text:
            raise ForeignModelError(f"its {what} lies outside of the package ({text:.200}).", file=self.path)
        return str(name)


def recognises(path: Path) -> bool:
    """Whether this is a package of bioimage.io, or the description in one."""
    try:
        if path.is_dir():
            return _description(_names_in(path)) is not None
        if path.is_file() and path.name.endswith(DESCRIPTIONS):
            return True
        if not path.is_file() or not zipfile.is_zipfile(path):
            return False
        with open_zip(path) as archive:
            return _description(archive.namelist()) is not None
    except (DamagedModelError, OSError):
        return False


@contextmanager
def open_contents(path: Path) -> Iterator[tuple[Contents, str]]:
    """Open a package; gives its files and the name of its description.

    Raises
    ------
    DamagedModelError
        It cannot be read, or has no description.
    """
    if path.is_file() and path.name.endswith(DESCRIPTIONS):
        yield _Folder(path.parent), path.name
        return
    if path.is_dir():
        yield _Folder(path), _required(_names_in(path), path)
        return
    with open_zip(path) as archive:
        description = PurePosixPath(_required(archive.namelist(), path))
        yield _Zip(path, archive, description.parent), description.name


class _Folder(Contents):
    def __init__(self, path: Path) -> None:
        self.path = path

    def names(self) -> list[str]:
        return _names_in(self.path)

    def read(self, name: str, largest: int) -> bytes:
        file = self.path / name
        try:
            if not file.resolve().is_relative_to(self.path.resolve()):
                raise DamagedModelError(f"'{name:.200}' leads out of the package.", file=self.path)
            if not file.is_file():
                raise _missing(name, self.path)
            with file.open("rb") as stream:
                content = stream.read(largest + 1)
        except (OSError, ValueError) as error:
            raise DamagedModelError(f"'{name:.200}' cannot be read ({error}).", file=self.path) from error
        if len(content) > largest:
            raise DamagedModelError(f"'{name:.200}' is larger than {largest:,} bytes.", file=self.path)
        return content


class _Zip(Contents):
    def __init__(self, path: Path, archive: zipfile.ZipFile, place: PurePosixPath) -> None:
        self.path = path
        self._archive = archive
        members = {PurePosixPath(info.filename): info for info in archive.infolist() if not info.is_dir()}
        inside = {name: info for name, info in members.items() if name.is_relative_to(place)}
        self._members = {str(name.relative_to(place)): info for name, info in inside.items()}

    def names(self) -> list[str]:
        return sorted(self._members)

    def read(self, name: str, largest: int) -> bytes:
        if name not in self._members:
            raise _missing(name, self.path)
        info = self._members[name]
        check_member(info, largest, self.path)
        return read_member(self._archive, info, self.path)


def _names_in(folder: Path) -> list[str]:
    """Names at the top of a folder; what the description means deeper down is looked for by its name."""
    return sorted(entry.name for entry in folder.iterdir())


def _description(names: list[str]) -> str | None:
    """The description among these names, at the top or in one folder."""
    near = [name for name in names if len(PurePosixPath(name).parts) <= 2 and not name.startswith("__MACOSX/")]
    found = [name for name in near if name.endswith(DESCRIPTIONS)]
    exact = [name for name in found if PurePosixPath(name).name in DESCRIPTIONS]
    return min(exact or found, key=lambda name: (len(PurePosixPath(name).parts), name), default=None)


def _required(names: list[str], path: Path) -> str:
    found = _description(names)
    if found is None:
        raise DamagedModelError(f"no package of bioimage.io: '{DESCRIPTIONS[0]}' is missing.", file=path)
    return found


def _missing(name: str, path: Path) -> DamagedModelError:
    return DamagedModelError(f"this package is not complete: '{name:.200}' is missing.", file=path)
