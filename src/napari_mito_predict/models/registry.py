"""Finding models by name: given paths, the user's own folder, shared folders, installed distributions, bundled ones."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from difflib import get_close_matches
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from napari_mito_predict.errors import DamagedModelError, UnknownModelError
from napari_mito_predict.models.distributions import installed_distributions
from napari_mito_predict.models.files import CARD
from napari_mito_predict.models.folders import shared_folders, user_models_folder
from napari_mito_predict.models.info import ModelInfo, Source, unusable
from napari_mito_predict.models.neighbours import models_in
from napari_mito_predict.models.package import Model, read_package
from napari_mito_predict.models.patience import shared_models

if TYPE_CHECKING:
    from napari_mito_predict.models.card import ThirdAxis

__all__ = ["ModelInfo", "Source", "bundled_names", "find_model", "list_models", "load_model"]

_BUNDLED = Path(__file__).parent / "bundled"
_MOST_NAMED = 12


def list_models() -> list[ModelInfo]:
    """All models that can be named: the user's own, shared ones, those of installed distributions, the bundled ones.

    Of several with one name the first that can be used counts. What cannot be used is a row with its problem, and
    hides no other model.
    """
    taken: set[str] = set()
    rows = []
    own = models_in(user_models_folder(), Source.OWN)
    for info in chain(own, shared_models(shared_folders()), _installed(), models_in(_BUNDLED, Source.BUNDLED)):
        if info.card is None:
            rows.append(info)
        elif info.name not in taken:
            taken.add(info.name)
            rows.append(info)
    return rows


def find_model(name_or_path: str | Path, *, named_only: bool = False) -> Path:
    """Path of a model package.

    Parameters
    ----------
    name_or_path : str or Path
        The name of a model in the list, or a path to a package (folder or zip file), wherever it lies.
    named_only : bool
        Whether it is taken for a name alone: what a file says never chooses a path.

    Raises
    ------
    UnknownModelError
        Neither; the message lists the known names.
    DamagedModelError
        A model in the list has this name, but cannot be used.
    """
    wanted = str(name_or_path)
    named = [info for info in list_models() if info.name == wanted]
    for info in named:
        if info.card is not None:
            return info.path
    path = Path(name_or_path).expanduser()
    if not named_only and _may_be_package(path):
        return path
    if named:
        raise DamagedModelError(named[0].problem or "cannot be used.")
    raise UnknownModelError(f"No model '{wanted}': it is no model folder, and {_known_names(wanted)}.")


def _may_be_package(path: Path) -> bool:
    """Whether a path leads to a package, or to something that was meant as one; reading it says more."""
    if os.path.isdir(path):
        return os.path.lexists(path / CARD)
    return os.path.lexists(path)


def _known_names(wanted: str) -> str:
    """Say which models there are, those with similar names first."""
    names = sorted({info.name for info in list_models() if info.card is not None})
    similar = get_close_matches(wanted, names, n=3)
    known = [*similar, *(name for name in names if name not in similar)]
    if not known:
        return "no models are known"
    text = ", ".join(known[:_MOST_NAMED])
    if len(known) > _MOST_NAMED:
        text += f" and {len(known) - _MOST_NAMED} more"
    return f"not among the known models ({text})"


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
            row = unusable(distribution.folder, Source.INSTALLED, distribution.problem, name=distribution.name)
            yield replace(row, distribution=distribution.name)
            continue
        for info in models_in(distribution.folder, Source.INSTALLED):
            yield replace(info, distribution=distribution.name)
