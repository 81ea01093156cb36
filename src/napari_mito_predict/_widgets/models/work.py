"""What the dock does in a worker: reading the list, and what changes, checks and exports models."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_mito_predict.models.folders import shared_folders, user_models_folder
from napari_mito_predict.models.registry import ModelInfo, list_models

if TYPE_CHECKING:
    from napari_mito_predict._widgets.common.worker import Work
    from napari_mito_predict.models.library import ExportFormat


@dataclass(frozen=True)
class Listing:
    """All models, and the folders that were looked into.

    Attributes
    ----------
    models : tuple of ModelInfo
    own : Path
        The user's own folder.
    shared : dict of Path to bool
        Further folders, and whether each can be reached now.
    """

    models: tuple[ModelInfo, ...]
    own: Path
    shared: dict[Path, bool]


@dataclass(frozen=True)
class Renamed:
    """A model got another name."""

    before: str
    info: ModelInfo


@dataclass(frozen=True)
class Removed:
    """A model is gone."""

    name: str


@dataclass(frozen=True)
class Exported:
    """A model was written for others."""

    path: Path
    note: str = ""
    """What is to be known of it."""


def listing() -> Work:
    """Read the list of models: folders on a network may take their time."""
    return _once(_list)


def _list() -> Listing:
    models = tuple(list_models())
    # A folder that is not there, or does not answer, is a row itself.
    lost = {info.path for info in models if info.card is None}
    shared = {folder: folder not in lost for folder in shared_folders()}
    return Listing(models, user_models_folder(), shared)


def verifying(package: Path) -> Work:
    """Check the weights, and that the stored sample gives the stored output."""

    def verify() -> object:
        from napari_mito_predict.models import verify_model

        return verify_model(package)

    return _once(verify)


def exporting(
    package: Path, destination: Path, file_format: ExportFormat, images: Sequence[Path] = (), *, overwrite: bool
) -> Work:
    """Write a model for others; for ZEN, with constants that fit `images`."""

    def export() -> object:
        from napari_mito_predict.models.library import export_model

        if not images:
            return Exported(export_model(package, destination, file_format=file_format, overwrite=overwrite))
        from napari_mito_predict.prediction.zen import fixed_input

        fixed = fixed_input(package, images)
        path = export_model(package, destination, file_format=file_format, overwrite=overwrite, fixed=fixed)
        return Exported(path, str(fixed))

    return _once(export)


def renaming(info: ModelInfo, new_name: str) -> Work:
    """Give one of the user's own models another name."""

    def rename() -> object:
        from napari_mito_predict.models.own import rename_model

        return Renamed(info.name, rename_model(info.path.name, new_name))

    return _once(rename)


def removing(info: ModelInfo) -> Work:
    """Remove one of the user's own models."""

    def remove() -> object:
        from napari_mito_predict.models.own import remove_model

        remove_model(info.path.name)
        return Removed(info.name)

    return _once(remove)


def _once(do: Callable[[], object]) -> Work:
    """Work of one piece."""

    def work(should_stop: Callable[[], bool]) -> Iterator[object]:
        yield do()

    return work
