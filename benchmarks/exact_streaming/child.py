"""One measurement in this process, for `exact_streaming.results` to start; arguments and result are JSON files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from exact_streaming.not_measured import NotMeasured
from exact_streaming.resident import measure_memory
from exact_streaming.timing import measure_times
from exact_streaming.training_loop import measure_training

_MEASUREMENTS = {"times": measure_times, "memory": measure_memory, "training": measure_training}


def run_child(task: Path, result: Path) -> None:
    """`task` holds kind and arguments."""
    asked = json.loads(task.read_text(encoding="utf-8"))
    try:
        found: dict[str, Any] = describe_torch() if asked["kind"] == "machine" else _measure(asked)
    except NotMeasured as error:
        found = {"not_measured": str(error)}
    result.write_text(json.dumps(found), encoding="utf-8")


def _measure(asked: dict[str, Any]) -> dict[str, Any]:
    return _MEASUREMENTS[asked["kind"]](asked["arguments"])


def describe_torch() -> dict[str, Any]:
    """What of torch decides on speed."""
    return {
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "onednn": torch.backends.mkldnn.is_available(),
    }
