"""On what, in which precision and by how many processes a run is computed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, cast

from lightning_fabric import Fabric

from napari_mito_predict.prediction.device import choose_device

if TYPE_CHECKING:
    from napari_mito_predict.training.config import TrainingConfig

_PRECISIONS = {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}


def make_fabric(config: TrainingConfig) -> Fabric:
    """Devices and precision of a run; its `launch` starts the other processes.

    Raises
    ------
    DeviceUnavailableError
        This device cannot compute in the precision asked for.
    """
    precision = choose_device("auto", config.precision).precision
    return Fabric(
        accelerator="auto",
        devices=config.devices,
        strategy="ddp" if config.devices > 1 else "auto",
        precision=cast("Any", _PRECISIONS[precision]),
    )


def is_first_process() -> bool:
    """Whether this process leads: the others of a distributed run are told their rank by whoever started them."""
    return int(os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0"))) == 0
