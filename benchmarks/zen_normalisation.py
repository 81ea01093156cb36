"""What it costs on real cells that a model for ZEN has fixed constants, instead of a normalisation by the whole image.

    python benchmarks/zen_normalisation.py -o benchmarks/results/zen_normalisation.json

`mito-2d-h9c2` predicts each H9c2 image as `models export --format czann` writes it, with constants from elsewhere, and
as this program does, normalised by itself. Both are compared with the truth. Last, each image has its own constants,
and is brighter or dimmer than they say, or of another contrast: how well has the light to be held?

The model has learned from all of these fields, so that the levels are too good: what counts is the difference. The
images were scaled to 8 bits one by one, so that they vary more than those of a camera under a steady lamp. They are in
the folder that `MITO_PREDICT_REAL_DATA` names.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
CHANGES = {
    "its own": (0, 1),
    "its own, half a standard deviation brighter": (-0.5, 1),
    "its own, one standard deviation brighter": (-1, 1),
    "its own, one standard deviation dimmer": (1, 1),
    "its own, 1.5 times the contrast": (0, 1 / 1.5),
    "its own, 1/1.5 of the contrast": (0, 1.5),
}
"""What of an image's own constants is changed: the offset, in its standard deviations, and the scale."""
Scores = dict[str, float]
Field = dict[str, dict[str, Any]]


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
    results: dict[str, Field] = {}
    for name, pairs in fields.items():
        found = {way: scores(model, pairs, [fixed] * len(pairs)) for way, fixed in ways(fields, name)}
        for way, (offset, scale) in CHANGES.items():
            found[way] = scores(model, pairs, [changed(pair, offset, scale) for pair in pairs])
        levels = {"images": len(pairs), "PCC, each image by itself": mean([pair.pcc for pair in pairs])}
        results[name] = {"levels": levels, "constants": found}
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
    yield "the first image of the field", medians(examples[name][:1])
    yield "all images of the field", medians(examples[name])
    others = [field for field in examples if field != name]
    yield "all images of the other fields", medians(list(chain.from_iterable(examples[field] for field in others)))
    for field in others:
        yield f"field {field}", medians(examples[field])


def scores(model: Model, pairs: list[Pair], constants: list[FixedInput]) -> Scores:
    """How the predictions of a field change, with constants for each of its images."""
    predictions = [
        predict_tile(model, fixed, pair.example.tile)[0] for pair, fixed in zip(pairs, constants, strict=True)
    ]
    compared = list(zip(pairs, predictions, strict=True))
    losses = [pair.pcc - agreement(prediction, pair.truth) for pair, prediction in compared]
    alike = [agreement(prediction, pair.normalised) for pair, prediction in compared]
    return {
        "loss of PCC": mean(losses),
        "loss of PCC, worst image": round(max(losses), 4),
        "correlation of both predictions": mean(alike),
        "correlation of both predictions, worst image": round(min(alike), 4),
    }


def changed(pair: Pair, offset: float, scale: float) -> FixedInput:
    """An image's own constants; `offset` in its standard deviations, `scale` as a factor."""
    own = medians([pair.example])
    return replace(own, offset=own.offset + offset * own.scale, scale=own.scale * scale)


def summary(results: dict[str, Field]) -> dict[str, Scores]:
    """Means over fields, and the worst image of all; constants of single other fields are one way together."""
    by_way: dict[str, list[Scores]] = defaultdict(list)
    for field in results.values():
        for way, found in field["constants"].items():
            by_way["one other field" if way.startswith("field ") else way].append(found)
    return {
        way: {
            "loss of PCC": mean([each["loss of PCC"] for each in found]),
            "loss of PCC, worst image": max(each["loss of PCC, worst image"] for each in found),
            "correlation of both predictions": mean([each["correlation of both predictions"] for each in found]),
        }
        for way, found in by_way.items()
    }


def mean(values: list[float]) -> float:
    """Mean, as JSON shall have it."""
    return round(float(np.mean(values)), 4)


if __name__ == "__main__":
    main()
