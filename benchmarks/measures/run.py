"""Which measures may be taken from predictions, and how far the segmentation can be believed at all.

    python benchmarks/measures/run.py WORK_FOLDER [-o RESULT.json]

Of simulated fields the geometry is known: each measure is taken of it, of the recorded image and of the prediction by
the bundled models. Agreement of prediction with recording gives the verdict, by the rule of
`napari_mito_predict.measurement.agreement`; the other two comparisons say what a recording itself is worth. WORK_FOLDER
keeps what was measured: repeated, the command goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from measures.simulated import FIELDS, MODELS, SEEDS, measures_of, overlap, simulate, true_measures
from napari_mito_predict.measurement import agreement

PAIRS = {
    "recorded_geometry": ("geometry", "recorded"),
    "predicted_geometry": ("geometry", "predicted"),
    "predicted_recorded": ("recorded", "predicted"),
}
"""What is compared, truth first."""


def main() -> None:
    """Measure what was not measured yet, and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("-o", "--output", type=Path, help="JSON with all agreements and the values behind them")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    result = {}
    for kind, seeds in SEEDS.items():
        fields = [measured(kind, seed, given.folder) for seed in seeds]
        compared = compare(fields)
        result[kind] = {"models": MODELS[kind], "fields": fields, "agreement": compared}
        print("\n".join(markdown(kind, fields, compared)), flush=True)
    if given.output:
        given.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def measured(kind: str, seed: int, folder: Path) -> dict[str, object]:
    """All measures of one field; read where they are there already."""
    path = folder / f"{kind}-{seed}.json"
    if path.exists():
        return json.loads(path.read_text(encoding="utf-8"))
    field = simulate(kind, seed)
    found = {
        "seed": seed,
        "geometry": true_measures(field),
        "recorded": measures_of(field.recorded, field.size_um),
        "predicted": measures_of(field.predicted, field.size_um),
        "dice_recorded": overlap(field, field.recorded),
        "dice_predicted": overlap(field, field.predicted),
    }
    path.write_text(json.dumps(found, indent=1), encoding="utf-8")
    print(path.name, flush=True)
    return found


def compare(fields: Sequence[dict]) -> dict[str, dict[str, dict]]:
    """Agreement of each pair, by measure."""
    compared = {}
    for measure in fields[0]["recorded"]:
        compared[measure] = {}
        for name, (truth, other) in PAIRS.items():
            if all(measure in field[truth] for field in fields):
                values = [[field[source][measure] for field in fields] for source in (truth, other)]
                found = agreement(*values)
                compared[measure][name] = asdict(found) | {"verdict": found.verdict}
    return compared


def markdown(kind: str, fields: Sequence[dict], compared: dict[str, dict[str, dict]]) -> list[str]:
    """A table for people."""
    dice = [sum(field[name] for field in fields) / len(fields) for name in ("dice_recorded", "dice_predicted")]
    lines = [
        f"\n{' and '.join(MODELS[kind])}, {FIELDS} fields; Dice of segmented with true mitochondria: "
        f"recorded {dice[0]:.2f}, predicted {dice[1]:.2f}\n",
        "| measure | recorded against geometry: bias, concordance | predicted against geometry | predicted against "
        "recorded: bias, limits, concordance | verdict |",
        "|---|---|---|---|---|",
    ]
    for measure, pairs in compared.items():
        cells = [_short(pairs.get(name)) for name in ("recorded_geometry", "predicted_geometry")]
        last = pairs["predicted_recorded"]
        lines.append(f"| {measure} | {cells[0]} | {cells[1]} | {_long(last)} | {last['verdict']} |")
    return lines


def _short(found: dict | None) -> str:
    if found is None or found["bias"] is None:
        return "–"
    return f"{found['bias']:+.0%}, {_number(found['concordance'])}"


def _long(found: dict) -> str:
    if found["bias"] is None or found["limits"] is None:
        return "–"
    low, high = found["limits"]
    return f"{found['bias']:+.0%}, {low:+.0%} to {high:+.0%}, {_number(found['concordance'])}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


if __name__ == "__main__":
    main()
