"""The files of a package, whether a folder or a zip file of one: found, bounded, and read or copied one by one."""

from __future__ import annotations

import stat
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from napari_mito_predict.errors import DamagedModelError
from napari_mito_predict.image.names import file_stem
from napari_mito_predict.models.paths import is_folder, kind_of, lies_there, why_unreadable
from napari_mito_predict.models.zips import ZIP_ERRORS, check_member, open_zip

CARD: Final = "model.json"
WEIGHTS: Final = "weights.safetensors"
GRAPHS: Final = ("network.onnx", "network.torchscript")
README: Final = "README.md"
SAMPLE: Final = "sample.npz"
TRAINING_IMAGES: Final = "training_images.safetensors"
PICTURE_SUFFIX: Final = ".png"

_MIB = 1 << 20
_LARGEST_WEIGHTS = dict.fromkeys((WEIGHTS, *GRAPHS), 1024 * _MIB)
LARGEST: Final = {CARD: _MIB, README: _MIB, SAMPLE: 64 * _MIB, TRAINING_IMAGES: 16 * _MIB} | _LARGEST_WEIGHTS
"""Bytes of each file: a package comes from anywhere, and a zipped one may claim any size."""
_LARGEST_PICTURE = 16 * _MIB
_CARDS_OF_OTHERS = ("rdf.yaml", "bioimageio.yaml")
"""Beside these, a `model.json` is no card of ours."""
_WRITTEN_BY_SYSTEMS = ("__MACOSX/", ".DS_Store", "desktop.ini", "Thumbs.db")


class PackageFiles(ABC):
    """The files of one package by name, as if they lay in one folder.

    Attributes
    ----------
    path : Path
        The package, for messages.
    """

    path: Path

    @abstractmethod
    def names(self) -> list[str]:
        """Of all files that a package may hold, sorted; what else lies there is left alone."""

    @abstractmethod
    def has(self, name: str) -> bool:
        """Whether something of that name is there."""

    @abstractmethod
    def is_link(self, name: str) -> bool:
        """Whether what has the name lies elsewhere."""

    @abstractmethod
    def size(self, name: str) -> int:
        """Bytes of a file.

        Raises
        ------
        DamagedModelError
            There is none, it is no file, or it is larger than a model may be.
        """

    @abstractmethod
    def open(self, name: str) -> BinaryIO:
        """Open a file whose `size` is known."""

    @contextmanager
    def stream(self, name: str) -> Iterator[BinaryIO]:
        """Read a file part by part; nothing but reading belongs into the block.

        Raises
        ------
        DamagedModelError
            See `size`; or it cannot be read.
        """
        self.size(name)
        try:
            with self.open(name) as stream:
                yield stream
        except ZIP_ERRORS as error:
            reason = " ".join(str(error).split())[:120] or type(error).__name__
            raise DamagedModelError(f"'{name}' could not be read ({reason}).", file=self.path) from error

    def chunks(self, name: str) -> Iterator[bytes]:
        """Give a whole file in pieces, of no more bytes than a model may have; raises what `stream` does."""
        given = 0
        with self.stream(name) as stream:
            while chunk := stream.read(_MIB):
                given += len(chunk)
                if given > largest_of(name):
                    raise _too_large(name, given, self.path)
                yield chunk

    def read(self, name: str) -> bytes:
        """Read a file as a whole; raises what `stream` does."""
        return b"".join(self.chunks(name))

    def missing(self, name: str) -> DamagedModelError:
        """The error for a file that is not there."""
        return DamagedModelError(f"not a complete model package, '{name}' is missing.", file=self.path)


class _Folder(PackageFiles):
    def __init__(self, path: Path) -> None:
        self.path = path

    def names(self) -> list[str]:
        try:
            found = [entry.name for entry in self.path.iterdir() if is_part_of_package(entry.name)]
        except OSError as error:
            raise DamagedModelError(f"cannot be read ({error.strerror or error}).", file=self.path) from error
        return sorted(found)

    def has(self, name: str) -> bool:
        return lies_there(self.path / name)

    def is_link(self, name: str) -> bool:
        return (self.path / name).is_symlink()

    def size(self, name: str) -> int:
        file = self.path / name
        if not lies_there(file):
            raise self.missing(name)
        try:
            state = file.stat()
        except OSError as error:
            raise DamagedModelError(
                f"'{name}' cannot be read ({why_unreadable(file, error)}).", file=self.path
            ) from error
        if not stat.S_ISREG(state.st_mode):
            raise DamagedModelError(f"'{name}' is no file but {kind_of(state.st_mode)}.", file=self.path)
        if state.st_size > largest_of(name):
            raise _too_large(name, state.st_size, self.path)
        return state.st_size

    def open(self, name: str) -> BinaryIO:
        return (self.path / name).open("rb")


class _Zip(PackageFiles):
    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self.path = path
        self._archive = archive
        self._members = _members_beside_card(archive, path)

    def names(self) -> list[str]:
        return sorted(filter(is_part_of_package, self._members))

    def has(self, name: str) -> bool:
        return name in self._members

    def is_link(self, name: str) -> bool:
        return False  # refused by `size`

    def size(self, name: str) -> int:
        if name not in self._members:
            raise self.missing(name)
        info = self._members[name]
        check_member(info, largest_of(name), self.path)
        return info.file_size

    def open(self, name: str) -> BinaryIO:
        return self._archive.open(self._members[name])  # type: ignore[return-value]


@contextmanager
def open_package(path: Path) -> Iterator[PackageFiles]:
    """Open a package: a folder, or a zip file that holds its files at the top or in one folder.

    Raises
    ------
    DamagedModelError
        It is neither, or a zip file that is damaged or made to deceive.
    """
    path = Path(path)
    if is_folder(path):
        yield _Folder(path)
        return
    with open_zip(path) as archive:
        yield _Zip(path, archive)


def is_package(path: Path) -> bool:
    """Whether a folder or zip file holds a card of ours, whatever else is wrong with it; False for other files.

    Raises
    ------
    DamagedModelError
        Nothing is there, or neither file nor folder; or it is called a zip file and cannot be read as one.
    """
    if is_folder(path):
        return lies_there(path / CARD) and not any(lies_there(path / name) for name in _CARDS_OF_OTHERS)
    if path.suffix.casefold() != ".zip" and not zipfile.is_zipfile(path):
        return False
    try:
        with open_zip(path) as archive:
            names = {PurePosixPath(name) for name in archive.namelist()}
    except DamagedModelError:
        if path.suffix.casefold() != ".zip":
            return False
        raise
    cards = [name for name in names if name.name == CARD and len(name.parts) <= 2]
    return any(not any(card.with_name(other) in names for other in _CARDS_OF_OTHERS) for card in cards)


def is_part_of_package(name: str) -> bool:
    """Whether a package may hold a file of that name."""
    if name in LARGEST:
        return True
    return name.endswith(PICTURE_SUFFIX) and not name.startswith(".") and file_stem(name) == name


def is_picture(name: str) -> bool:
    """Whether a file of a package is a picture, by its name."""
    return name.endswith(PICTURE_SUFFIX)


def largest_of(name: str) -> int:
    """Bytes that a file of a package may have."""
    return LARGEST.get(name, _LARGEST_PICTURE)


def _too_large(name: str, size: int, path: Path) -> DamagedModelError:
    return DamagedModelError(
        f"'{name}' is larger than a model may be ({size:,} bytes; at most {largest_of(name):,}).", file=path
    )


def _members_beside_card(archive: zipfile.ZipFile, path: Path) -> dict[str, zipfile.ZipInfo]:
    """The files of a zip file that lie where its card does: at the top, or in one folder, as people zip folders."""
    infos = [info for info in archive.infolist() if not _is_by_system(info.filename) and not info.is_dir()]
    places = {PurePosixPath(info.filename).parent for info in infos if PurePosixPath(info.filename).name == CARD}
    near = sorted(place for place in places if len(place.parts) <= 1)
    if not near:
        raise DamagedModelError(f"not a complete model package, '{CARD}' is missing.", file=path)
    if len(near) > 1 and near[0].parts:
        folders = ", ".join(str(place) for place in near[:5])
        raise DamagedModelError(
            f"holds {len(near)} models ({folders}). Unzip it and take one of its folders.", file=path
        )
    place = near[0]
    members = {PurePosixPath(info.filename): info for info in infos}
    return {name.name: info for name, info in members.items() if name.parent == place}


def _is_by_system(name: str) -> bool:
    return name.startswith(_WRITTEN_BY_SYSTEMS[0]) or PurePosixPath(name).name in _WRITTEN_BY_SYSTEMS
