"""An illustration on real cells: measures of H9c2 mitochondria on recorded planes and on predictions of them.

    python benchmarks/measures/real_planes.py [-o RESULT.json]

Four fields are too few for a verdict, and `mito-2d-h9c2` learned from these very fields: on others it will not agree
better. Pixel sizes are not known, so that everything is in pixels. Images are in the folder that
`MITO_PREDICT_REAL_DATA` names.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict
from pathlib import Path

import numpy as np
from skimage.io import imread

from napari_mito_predict import from_array, load_model, predict
from napari_mito_predict.measurement import (
    Structure,
    agreement,
    measure_mitochondria,
    segment_mitochondria,
    summarise,
)

REAL = Path(os.environ.get("MITO_PREDICT_REAL_DATA", Path(__file__).parents[3] / "shared" / "real"))
MODEL = "mito-2d-h9c2"
CROPS = 8
"""Of each field, evenly spread over its time points and planes."""
SHOWN = ("count", "total_area", "mean_area", "total_length", "mean_length", "branch_points", "mean_form_factor")


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path)
    given = parser.parse_args()
    model = load_model(MODEL)
    folder = REAL / "h9c2_brightfield_to_mito"
    fields: dict[str, list[Path]] = {}
    for path in sorted((folder / "input").glob("*.png")):
        fields.setdefault(path.name.partition("_")[0], []).append(path)
    values: dict[str, dict[str, list[float]]] = {}
    for field, paths in fields.items():
        chosen = paths[:: max(1, len(paths) // CROPS)][:CROPS]
        rows = []
        for path in chosen:
            light = from_array(imread(path), axes="YX", channel_names=["bright-field"])
            predicted = np.squeeze(predict(light, [model], device="cpu")["mitochondria"].data)
            rows.append((measured(imread(folder / "target" / path.name)), measured(predicted)))
        for name in SHOWN:
            means = [float(np.nanmean([row[side][name] for row in rows])) for side in (0, 1)]
            values.setdefault(name, {})[field] = means
        print(field, len(chosen), "crops", flush=True)
    result = {}
    print("| measure | recorded, by field | predicted, by field | bias | concordance | verdict |")
    print("|---" * 6 + "|")
    for name, by_field in values.items():
        recorded, predicted = (list(side) for side in zip(*by_field.values(), strict=True))
        found = agreement(recorded, predicted)
        result[name] = {"fields": by_field} | asdict(found) | {"verdict": found.verdict}
        texts = [", ".join(f"{value:.3g}" for value in side) for side in (recorded, predicted)]
        concordance = "–" if found.concordance is None else f"{found.concordance:.2f}"
        print(f"| {name} | {texts[0]} | {texts[1]} | {found.bias:+.0%} | {concordance} | {found.verdict} |")
    if given.output:
        given.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def measured(plane: np.ndarray) -> dict[str, float]:
    """Measures of one crop, in pixels."""
    return summarise(Structure.MITOCHONDRIA, measure_mitochondria(segment_mitochondria(plane, None), None), 2)


if __name__ == "__main__":
    main()
