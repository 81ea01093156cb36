"""Which folders models are looked for in: the user's own, and any number of shared ones, such as that of a lab."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

import platformdirs

from napari_mito_predict._files import atomic_write_text
from napari_mito_predict.errors import ModelError, UnwritableOutputError

MODELS_VARIABLE: Final = "MITO_PREDICT_MODELS"
SHARED_VARIABLE: Final = "MITO_PREDICT_SHARED_MODELS"
_APP = "napari-mito-predict"
_SETTINGS = "shared-models.json"
_LARGEST_BYTES = 1 << 20


def user_models_folder() -> Path:
    """Where a user's own models live: ``$MITO_PREDICT_MODELS`` or the platform's data folder."""
    configured = os.environ.get(MODELS_VARIABLE)
    if configured:
        return Path(configured)
    return platformdirs.user_data_path(_APP, appauthor=False) / "models"


def shared_folders() -> list[Path]:
    """Further folders with models: those that ``$MITO_PREDICT_SHARED_MODELS`` names, then those that were added."""
    configured = os.environ.get(SHARED_VARIABLE, "")
    folders = [Path(name).expanduser().absolute() for name in configured.split(os.pathsep) if name]
    return list(dict.fromkeys([*folders, *_added()]))


def add_shared_folder(folder: Path) -> None:
    """Look for models in a further folder from now on; nothing is written there.

    Raises
    ------
    ModelError
        There is no such folder, or it is that of the user's own models.
    UnwritableOutputError
        The settings cannot be written.
    """
    folder = Path(folder).expanduser().absolute()
    if not folder.is_dir():
        raise ModelError("there is no such folder.", file=folder)
    if folder.resolve() == user_models_folder().resolve():
        raise ModelError("this is the folder of your own models, which are always looked for.", file=folder)
    _save([*_added(), folder])


def forget_shared_folder(folder: Path) -> None:
    """Look for models in a further folder no more; nothing in it is changed.

    Raises
    ------
    ModelError
        It was never added.
    UnwritableOutputError
        The settings cannot be written.
    """
    folder = Path(folder).expanduser().absolute()
    added = _added()
    if folder not in added:
        if folder in shared_folders():
            raise ModelError(f"this folder is named by {SHARED_VARIABLE}. Take it out there.", file=folder)
        known = ", ".join(map(str, added)) or "none"
        raise ModelError(f"models are not looked for there. Folders that were added: {known}.", file=folder)
    _save([other for other in added if other != folder])


def _settings() -> Path:
    return platformdirs.user_config_path(_APP, appauthor=False) / _SETTINGS


def _added() -> list[Path]:
    """Folders that were added; what is damaged counts as none, since no model may be kept from being listed by it."""
    path = _settings()
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST_BYTES:
            return []
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return []
    if not isinstance(found, list):
        return []
    return [Path(name) for name in found if isinstance(name, str)]


def _save(folders: list[Path]) -> None:
    path = _settings()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnwritableOutputError(f"cannot be made ({error.strerror or error}).", file=path.parent) from error
    names = list(dict.fromkeys(map(str, folders)))
    atomic_write_text(path, json.dumps(names, indent=2, ensure_ascii=False) + "\n")
