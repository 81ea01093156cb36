"""Train a model of H9c2 planes that has never seen two of the four fields, with which the shipped one can be judged.

    python benchmarks/trust/held_out_fields.py WORK_FOLDER [--iterations 600]

The shipped `mito-2d-h9c2` learned from all fields, so that nothing of H9c2 is new to it. This model has its recipe and
a tenth of its iterations, on smaller patches; fields 009 and 012 are left out.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from napari_mito_predict.training import Run, TrainingConfig, train

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from trust.conditions import HELD_OUT_MODEL, REAL

HELD_OUT = ("009", "012")


def main() -> None:
    """Train, or go on."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--iterations", type=int, default=300)
    given = parser.parse_args()
    images = REAL / "h9c2_brightfield_to_mito"
    request = {
        "target": "mitochondria",
        "data": {"input_folder": str(images / "input"), "target_folder": str(images / "target")},
        "split": {"by": "^[^_]+", "test": list(HELD_OUT), "validation": 0},
        "select": "last",
        "preset": "general",
        "iterations": given.iterations,
        "patch": (128, 128),
        "batch_size": 4,
        "validate_every": 100,
        "name": HELD_OUT_MODEL,
        "licence": "GPL-3.0-only",
        "look_for_shifts": False,
        "add_to_models": False,
        "output": str(given.folder / HELD_OUT_MODEL),
    }
    run = Run(given.folder / HELD_OUT_MODEL)
    if not run.exists:
        run = train(TrainingConfig.parse(request))
    elif run.status.state != "done":
        run = train(run)
    print(run.path)


if __name__ == "__main__":
    main()
