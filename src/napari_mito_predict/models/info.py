"""One row of the model list."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_mito_predict.models.card import ModelCard


class Source(StrEnum):
    """Where a model of the list comes from, in the order in which a name is looked up."""

    OWN = "own"
    """The user's folder of models."""
    SHARED = "shared"
    """A further folder that the user named, such as one of the lab."""
    INSTALLED = "installed"
    """A distribution of models that is installed beside this package."""
    BUNDLED = "bundled"
    """This package."""


@dataclass(frozen=True)
class ModelInfo:
    """One row of the model list; made without torch.

    Attributes
    ----------
    name : str
        By which it is loaded. What cannot be used is called as its file, or as the distribution or folder whose models
        cannot be found.
    path : Path
        The package, or whatever lies in its place.
    card : ModelCard or None
        None where it cannot be used.
    source : Source
        Where it comes from.
    distribution : str
        Name of the installed distribution that it is a part of; empty for all others.
    problem : str or None
        Why the model cannot be used.
    """

    name: str
    path: Path
    card: ModelCard | None
    source: Source
    distribution: str = ""
    problem: str | None = None

    @property
    def bundled(self) -> bool:
        """Whether it is a part of this package."""
        return self.source is Source.BUNDLED


def unusable(path: Path, source: Source, problem: str, *, name: str = "") -> ModelInfo:
    """The row of something that cannot be used; whatever its name is made of, the row can be shown."""
    return ModelInfo(name or file_name(path), path, None, source, problem=printable(problem))


def file_name(path: Path) -> str:
    """What the file or folder of a package is called, without the end of a zip file; can be shown."""
    name = path.name
    if path.suffix.casefold() == ".zip":
        name = path.stem
    return printable(name)


def printable(text: str) -> str:
    """`text` with an escape for everything that is not for reading: line ends, bytes that are no text in a name."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
