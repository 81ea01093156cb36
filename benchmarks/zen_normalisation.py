"""What fixed constants, which a model for ZEN has in the place of a normalisation by the whole image, cost on real cells.

    python benchmarks/zen_normalisation.py -o benchmarks/results/zen_normalisation.json

`mito-2d-h9c2` predicts each H9c2 image as `models export --format czann` writes it, with constants from elsewhere, and
as this program does, normalised by itself. Both are compared with the truth. The images are in the folder that
`MITO_PREDICT_REAL_DATA` names; they were scaled to 8 bits one by one, so that their brightness varies more than a camera's.

The model has learned from all of these fields: the levels are too good. What counts is the difference.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from skimage.io import imread

from napari_mito_predict.models import load_model
from napari_mito_predict.prediction.zen import (
    Example,
    agreement,
    example_of,
    medians,
    predict_normalised,
    predict_tile,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_mito_predict.models import Model
    from napari_mito_predict.models.czann import FixedInput

REAL = Path(os.environ.get("MITO_PREDICT_REAL_DATA", Path(__file__).parents[2] / "shared" / "real"))
H9C2 = REAL / "h9c2_brightfield_to_mito"
MODEL = "mito-2d-h9c2"


@dataclass(frozen=True)
class Pair:
    """An image with its truth.

    Attributes
    ----------
    example : Example
        The light.
    truth : ndarray, (Y, X)
        The fluorescence.
    normalised : ndarray, float32, (Y, X)
        Prediction of the image normalised by itself.
    """

    example: Example
    truth: NDArray[np.uint8]
    normalised: NDArray[np.float32]

    @property
    def pcc(self) -> float:
        """Of the prediction of the image normalised by itself."""
        return agreement(self.normalised, self.truth)


def main() -> None:
    """Measure all fields with all constants."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args()
    model = load_model(MODEL)
    fields: dict[str, list[Pair]] = defaultdict(list)
    for path in sorted((H9C2 / "input").iterdir()):
        fields[path.name.split("_")[0]].append(read_pair(model, path))
    results = {}
    for name, pairs in fields.items():
        found = {way: scores(model, pairs, fixed) for way, fixed in ways(fields, name)}
        results[name] = {"images": len(pairs), "pcc, each image by itself": mean(pair.pcc for pair in pairs)} | found
        print(name, json.dumps(results[name], indent=1), flush=True)
    report = {
        "model": MODEL,
        "note": "The model has learned from all of these fields: differences count, not levels.",
        "fields": results,
        "mean of the fields": summary(results),
    }
    given.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def read_pair(model: Model, path: Path) -> Pair:
    """Read an image and its truth, and predict the image normalised by itself."""
    example = example_of(model, path)
    return Pair(example, imread(H9C2 / "target" / path.name), predict_normalised(model, example)[0])


def ways(fields: dict[str, list[Pair]], name: str) -> Iterator[tuple[str, FixedInput]]:
    """Constants for a field, and where they are from."""
    examples = {field: [pair.example for pair in pairs] for field, pairs in fields.items()}
    yield "constants of its first image", medians(examples[name][:1])
    yield "constants of all its images", medians(examples[name])
    others = [field for field in examples if field != name]
    yield "constants of the other fields", medians(sum((examples[field] for field in others), []))
    for field in others:
        yield f"constants of field {field}", medians(examples[field])


def scores(model: Model, pairs: list[Pair], fixed: FixedInput) -> dict[str, float | dict[str, float]]:
    """How the predictions of a field change with fixed constants."""
    predictions = [predict_tile(model, fixed, pair.example.tile)[0] for pair in pairs]
    losses = [pair.pcc - agreement(prediction, pair.truth) for pair, prediction in zip(pairs, predictions, strict=True)]
    alike = [agreement(prediction, pair.normalised) for pair, prediction in zip(pairs, predictions, strict=True)]
    return {
        "offset": round(fixed.offset, 5),
        "scale": round(fixed.scale, 5),
        "loss of PCC": mean(losses),
        "loss of PCC, worst image": round(max(losses), 4),
        "correlation of both predictions": mean(alike),
        "correlation of both predictions, worst image": round(min(alike), 4),
    }


def summary(results: dict[str, dict]) -> dict[str, dict[str, float]]:
    """Means over fields, and the worst image of all; of constants of single other fields all are one way."""
    by_way: dict[str, list[dict[str, float]]] = defaultdict(list)
    for field in results.values():
        for way, found in field.items():
            if isinstance(found, dict):
                by_way["constants of one other field" if way.startswith("constants of field") else way].append(found)
    return {
        way: {
            "loss of PCC": mean(each["loss of PCC"] for each in found),
            "loss of PCC, worst image": max(each["loss of PCC, worst image"] for each in found),
            "correlation of both predictions": mean(each["correlation of both predictions"] for each in found),
        }
        for way, found in by_way.items()
    }


def mean(values: Iterator[float] | list[float]) -> float:
    """Mean, as JSON shall have it."""
    return round(float(np.mean(list(values))), 4)


if __name__ == "__main__":
    main()
