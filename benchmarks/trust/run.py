"""Is the traffic light right? PCC where the truth is known, beside the colour that the light gave before.

    python benchmarks/trust/held_out_fields.py WORK_FOLDER
    python benchmarks/trust/run.py development|test WORK_FOLDER

What is asked, and when the light counts as right, is fixed in `trust.conditions`. Recordings, scores and lights stay in
WORK_FOLDER; repeated, the command goes on (delete `lights-*.json` where the light has changed). Real images are in the
folder that `MITO_PREDICT_REAL_DATA` names.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from napari_mito_predict.models import Model, load_model, read_package
from trust.conditions import HALVES, HELD_OUT_MODEL, SHIPPED, SHIPPED_PACKAGE
from trust.figure import draw
from trust.lights import lit
from trust.measure import answered, pairs_of, scored
from trust.tables import as_data, markdown


def main() -> None:
    """Score what was not scored yet, ask for the lights, and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("half", choices=HALVES)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only-scores", action="store_true", help="without lights")
    parser.add_argument("-o", "--output", type=Path, help="JSON with all pairs and the verdict")
    parser.add_argument("--figure", type=Path, help="PNG")
    given = parser.parse_args()
    models = Models(given.folder)
    recordings = given.folder / "recordings"
    scores = answered(
        given.folder / f"scores-{given.half}.json",
        given.half,
        recordings,
        lambda question, field: scored(question, field, models[question.model]),
    )
    if given.only_scores:
        return
    lights = answered(
        given.folder / f"lights-{given.half}.json",
        given.half,
        recordings,
        lambda question, field: lit(field, models[question.model]),
    )
    pairs = pairs_of(given.half, scores, lights)
    print("\n".join(markdown(pairs, lights)))
    if given.output:
        given.output.write_text(json.dumps(as_data(pairs, lights), indent=1) + "\n", encoding="utf-8")
    if given.figure:
        draw(pairs, given.figure)


class Models(dict[str, Model]):
    """Those of the conditions, by name, loaded when they are asked for."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._packages = {HELD_OUT_MODEL: folder / "packages" / HELD_OUT_MODEL, SHIPPED: SHIPPED_PACKAGE}

    def __missing__(self, name: str) -> Model:
        model = read_package(self._packages[name]) if name in self._packages else load_model(name)
        self[name] = model
        return model


if __name__ == "__main__":
    main()
