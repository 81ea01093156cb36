"""Finding models by name: given paths, the user's own folder, the bundled ones."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from napari_mito_predict._files import atomic_write_text
from napari_mito_predict.errors import ModelError, UnknownModelError, UnwritableOutputError
from napari_mito_predict.models.package import CARD, Model, read_card, read_package

if TYPE_CHECKING:
    from napari_mito_predict.models.card import ModelCard, ThirdAxis

MODELS_VARIABLE = "MITO_PREDICT_MODELS"
_BUNDLED = Path(__file__).parent / "bundled"


@dataclass(frozen=True)
class ModelInfo:
    """One row of the model list; made without torch."""

    name: str
    path: Path
    card: ModelCard | None
    bundled: bool
    problem: str | None = None
    """Why the model cannot be used, or ``None``."""


def user_models_folder() -> Path:
    """Where a user's own models live: ``$MITO_PREDICT_MODELS`` or the platform's data folder."""
    configured = os.environ.get(MODELS_VARIABLE)
    return Path(configured) if configured else platformdirs.user_data_path("napari-mito-predict", False) / "models"


def list_models() -> list[ModelInfo]:
    """All models that can be named, the user's own first; one that shadows a bundled name wins."""
    found: dict[str, ModelInfo] = {}
    for path, bundled in _packages():
        info = _info(path, bundled)
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
    taken = {info.name for info in list_models()} | {info.path.stem for info in list_models()}
    name = next(n for n in chain([card.name], (f"{card.name}-{i}" for i in count(2))) if n not in taken)
    final = user_models_folder() / name
    temporary = final.with_name(f".{name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        shutil.copytree(package, temporary)
        atomic_write_text(temporary / CARD, card.model_copy(update={"name": name}).to_json())
        os.replace(temporary, final)
    except OSError as error:
        raise UnwritableOutputError(
            f"{final}: could not be added to your models ({error.strerror or error}). The model is safe in {package}."
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return final


def bundled_names(third_axis: ThirdAxis) -> list[str]:
    """Names of the bundled models trained for `third_axis`, mitochondria first."""
    cards = [info.card for info in list_models() if info.bundled and info.card is not None]
    fitting = [card for card in cards if third_axis in card.input.third_axes]
    return [card.name for card in sorted(fitting, key=lambda c: (c.targets[0].name != "mitochondria", c.name))]


def _packages() -> Iterator[tuple[Path, bool]]:
    for folder, bundled in ((user_models_folder(), False), (_BUNDLED, True)):
        if folder.is_dir():
            for path in sorted(folder.iterdir()):
                if not path.name.startswith(".") and ((path / CARD).is_file() or path.suffix == ".zip"):
                    yield path, bundled


def _info(path: Path, bundled: bool) -> ModelInfo:
    try:
        card = read_card(path)
    except ModelError as error:
        return ModelInfo(path.stem, path, None, bundled, str(error))
    return ModelInfo(card.name, path, card, bundled)
