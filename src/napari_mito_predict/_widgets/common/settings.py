"""The plugin's page in napari's preferences, and what docks remember of what was chosen in them.

Older napari versions have no such page, then the defaults count.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import platformdirs

from napari_mito_predict._files import atomic_write_text
from napari_mito_predict.errors import UnwritableOutputError
from napari_mito_predict.models.folders import MODELS_VARIABLE

_PLUGIN = "napari-mito-predict"
_DEFAULTS = {"device": "auto", "precision": "auto", "tta": "False", "models_folder": ""}


def preference(name: str) -> str:
    """Value of ``device``, ``precision``, ``tta`` or ``models_folder`` as set in napari's preferences, as text."""
    try:
        from napari.settings import get_plugin_settings

        value = getattr(get_plugin_settings(_PLUGIN).computing, name)
    except (ImportError, KeyError, AttributeError):
        value = _DEFAULTS[name]
    return str(value)


def use_models_folder() -> None:
    """Look for models where the preferences say, unless the environment says otherwise."""
    if folder := preference("models_folder"):
        os.environ.setdefault(MODELS_VARIABLE, folder)


def remembered(dock: str) -> dict[str, Any]:
    """What `remember` wrote for a dock; nothing where that cannot be read."""
    try:
        found = json.loads(_choices_file(dock).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def remember(dock: str, choices: dict[str, Any]) -> None:
    """Keep what was chosen in a dock for the next session, as plain values; where that cannot be written, not."""
    path = _choices_file(dock)
    with suppress(OSError, UnwritableOutputError):
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write_text(path, json.dumps(choices, indent=2, ensure_ascii=False) + "\n")


def _choices_file(dock: str) -> Path:
    return platformdirs.user_config_path(_PLUGIN, appauthor=False) / f"{dock}.json"
