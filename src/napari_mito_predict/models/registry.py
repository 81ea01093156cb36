"""Finding models by name: given paths, the user's own folder, shared folders, installed distributions, bundled ones."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING

from napari_mito_predict._files import atomic_folder, atomic_write_text
from napari_mito_predict.errors import ModelError, UnknownModelError, UnwritableOutputError
from napari_mito_predict.models.distributions import installed_distributions
from napari_mito_predict.models.folders import shared_folders, user_models_folder
from napari_mito_predict.models.package import CARD, Model, read_card, read_package

if TYPE_CHECKING:
    from napari_mito_predict.models.card import ModelCard, ThirdAxis

_BUNDLED = Path(__file__).parent / "bundled"


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
        By which it is loaded; of a distribution whose models cannot be found, that of the distribution.
    path : Path
        The package.
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


def list_models() -> list[ModelInfo]:
    """All models that can be named: the user's own, shared ones, those of installed distributions, the bundled ones.

    Of several with one name the first counts.
    """
    found: dict[str, ModelInfo] = {}
    shared = (_in_folder(folder, Source.SHARED) for folder in shared_folders())
    own = _in_folder(user_models_folder(), Source.OWN)
    for info in chain(own, *shared, _installed(), _in_folder(_BUNDLED, Source.BUNDLED)):
        found.setdefault(info.name, info)
    return list(found.values())


def find_model(name_or_path: str | Path) -> Path:
    """Path of a model package.

    Parameters
    ----------
    name_or_path : str or Path
        A path to a package (folder or zip file), or the name of a model in the list.

    Raises
    ------
    UnknownModelError
        Neither; the message lists the known names.
    """
    models = {info.name: info.path for info in list_models()}
    if str(name_or_path) in models:
        return models[str(name_or_path)]
    path = Path(name_or_path).expanduser()
    if (path / CARD).is_file() or path.is_file():
        return path
    known = ", ".join(sorted(models)) or "none"
    raise UnknownModelError(
        f"No model '{name_or_path}': it is no model folder, and not among the known models ({known}). "
        "`mito-predict models list` shows them."
    )


def load_model(name_or_path: str | Path) -> Model:
    """Load a model by name or path.

    Parameters
    ----------
    name_or_path : str or Path
        A name such as ``"mito-z"``, or a path to a package (folder or zip file).

    Raises
    ------
    UnknownModelError
        No such model.
    DamagedModelError, InvalidModelError
        The package cannot be used.
    """
    return read_package(find_model(name_or_path))


def add_to_models(package: Path) -> Path:
    """Copy a package into the user's own models; a name that is taken gets a number.

    Parameters
    ----------
    package : Path
        A model folder.

    Returns
    -------
    Path
        The copy; its name is the model's.

    Raises
    ------
    ModelError
        The package cannot be used.
    UnwritableOutputError
        The folder of models cannot be written.
    """
    card = read_card(package)
    name = _free_name(card.name)
    final = user_models_folder() / name
    try:
        # What has the name but is no model, and so is not in the list, is not ours to replace.
        with atomic_folder(final, replace=False) as temporary:
            # Contents without permissions: a package may be read-only, and the copy's card is written anew.
            shutil.copytree(package, temporary, copy_function=shutil.copyfile)
            atomic_write_text(temporary / CARD, card.model_copy(update={"name": name}).to_json())
    except OSError as error:
        raise UnwritableOutputError(
            f"could not be added to your models ({error.strerror or error}). The model is safe in {package}.",
            file=final,
        ) from error
    return final


def _free_name(wanted: str) -> str:
    """Return `wanted`, or the first of ``wanted-2``, ``wanted-3``, ... that no model and no file of one has."""
    models = list_models()
    taken = {info.name for info in models} | {info.path.stem for info in models}
    candidates = chain([wanted], (f"{wanted}-{number}" for number in count(2)))
    return next(name for name in candidates if name not in taken)


def bundled_names(third_axis: ThirdAxis) -> list[str]:
    """Names of the bundled models trained for `third_axis`, mitochondria first."""
    cards = [info.card for info in list_models() if info.bundled and info.card is not None]
    fitting = [card for card in cards if third_axis in card.input.third_axes]
    fitting.sort(key=lambda card: (card.targets[0].name != "mitochondria", card.name))
    return [card.name for card in fitting]


def _installed() -> Iterator[ModelInfo]:
    """Models of installed distributions; one whose folder cannot be found is a row with its problem."""
    for distribution in installed_distributions():
        if distribution.problem:
            yield ModelInfo(
                distribution.name, distribution.folder, None, Source.INSTALLED, distribution.name, distribution.problem
            )
            continue
        for info in _in_folder(distribution.folder, Source.INSTALLED):
            yield replace(info, distribution=distribution.name)


def _in_folder(folder: Path, source: Source) -> Iterator[ModelInfo]:
    if folder.is_dir():
        yield from (_info(path, source) for path in sorted(folder.iterdir()) if _is_package(path))


def _is_package(path: Path) -> bool:
    """Whether `path` looks like a package; names with a dot in front are of packages that are being written."""
    if path.name.startswith("."):
        return False
    return (path / CARD).is_file() or path.suffix == ".zip"


def _info(path: Path, source: Source) -> ModelInfo:
    try:
        card = read_card(path)
    except ModelError as error:
        return ModelInfo(path.stem, path, None, source, problem=str(error))
    return ModelInfo(card.name, path, card, source)
