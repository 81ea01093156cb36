"""Checkpoint files of torch: their content without running any of it."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

from napari_mito_predict.errors import DamagedModelError


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Load what a checkpoint holds: tensors, numbers, text and containers of them, on the CPU.

    Raises
    ------
    DamagedModelError
        It is none, or holds objects that only running its code could make.
    """
    import torch

    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, OSError, ValueError, KeyError) as error:
        raise DamagedModelError(f"this checkpoint cannot be read ({error}).", file=path) from error
    if not isinstance(content, dict):
        raise DamagedModelError("this is no checkpoint: it holds no named parts.", file=path)
    return content
