from .config import TrainingConfig
from .lifecycle import train
from .run import Run
from .status import Status

__all__ = ["Run", "Status", "TrainingConfig", "train"]
