"""Is the traffic light right? PCC where the truth is known, beside the colour that the light gave before.

    python benchmarks/trust/held_out_fields.py WORK_FOLDER
    python benchmarks/trust/run.py development|test WORK_FOLDER

What is asked, and when the light counts as right, is fixed in `trust.conditions`. Recordings, scores and lights stay in
WORK_FOLDER; repeated, the command goes on. Real images are in the folder that `MITO_PREDICT_REAL_DATA` names.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from napari_mito_predict.models import Model, load_model, read_package
from trust.conditions import HALVES, HELD_OUT_MODEL, SHIPPED
from trust.measure import answered, scored

SHIPPED_PACKAGE = (
    Path(__file__).parents[2] / "real-models" / "src" / "napari_mito_predict_real_models" / "models" / SHIPPED
)


def main() -> None:
    """Score what was not scored yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("half", choices=HALVES)
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    models = Models(given.folder)
    recordings = given.folder / "recordings"
    answered(
        given.folder / f"scores-{given.half}.json",
        given.half,
        recordings,
        lambda question, field: scored(question, field, models[question.model]),
    )


class Models(dict[str, Model]):
    """Those of the conditions, by name, loaded when they are asked for."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._packages = {HELD_OUT_MODEL: folder / HELD_OUT_MODEL / "model", SHIPPED: SHIPPED_PACKAGE}

    def __missing__(self, name: str) -> Model:
        model = read_package(self._packages[name]) if name in self._packages else load_model(name)
        self[name] = model
        return model


if __name__ == "__main__":
    main()
