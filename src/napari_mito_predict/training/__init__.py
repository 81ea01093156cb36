"""Training: configuration, pairs, patches, the loop and its run folder.

Names are imported when they are first used, so that a run can be watched without torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_mito_predict.training.config import TrainingConfig
    from napari_mito_predict.training.lifecycle import train
    from napari_mito_predict.training.run import Run
    from napari_mito_predict.training.status import Status

__all__ = ["Run", "Status", "TrainingConfig", "train"]

_HOMES = {"config": ("TrainingConfig",), "lifecycle": ("train",), "run": ("Run",), "status": ("Status",)}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
