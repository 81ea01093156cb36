"""The plugin's page in napari's preferences; older napari versions have none, then the defaults count."""

from __future__ import annotations

import os

from napari_mito_predict.models.folders import MODELS_VARIABLE

_DEFAULTS = {"device": "auto", "precision": "auto", "tta": "False", "models_folder": ""}


def preference(name: str) -> str:
    """Value of ``device``, ``precision``, ``tta`` or ``models_folder`` as set in napari's preferences, as text."""
    try:
        from napari.settings import get_plugin_settings

        value = getattr(get_plugin_settings("napari-mito-predict").computing, name)
    except (ImportError, KeyError, AttributeError):
        value = _DEFAULTS[name]
    return str(value)


def use_models_folder() -> None:
    """Look for models where the preferences say, unless the environment says otherwise."""
    if folder := preference("models_folder"):
        os.environ.setdefault(MODELS_VARIABLE, folder)
