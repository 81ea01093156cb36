"""Predict, and end without a word before a renaming: before the first one for step 0; see test_kill_replacing.

Run with ``step``, and with ``arguments`` and ``options`` of `predict_many`, as globals.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_mito_predict import _files
from napari_mito_predict.prediction.many import predict_many

KILLED = 9


def predict_and_die(step: int, arguments: tuple[Any, ...], options: Mapping[str, Any]) -> None:
    """End before the renaming of this number."""
    rename = _files.rename
    done = 0

    def dying(old: Path, new: Path) -> None:
        nonlocal done
        if done == step:
            os._exit(KILLED)
        rename(old, new)
        done += 1

    _files.rename = dying
    predict_many(*arguments, **options)


predict_and_die(globals()["step"], globals()["arguments"], globals()["options"])
