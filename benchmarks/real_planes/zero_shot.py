"""What a model of simulated cells, as it is, does on real planes that it was never meant for.

    python benchmarks/real_planes/zero_shot.py -o benchmarks/real_planes/results/zero_shot.json

`mito-t` looks along time, and a plane has no time: it is given each plane as a movie in which nothing moves, with the
estimated pixel size of 0.1 um. PCC and fine PCC are means over the planes of each H9c2 field; beside them stands the
local contrast, its window and sign the best for each field.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from run import H9C2
from skimage.io import imread

from napari_mito_predict.evaluation import LocalContrast, fine_pcc, pcc
from napari_mito_predict.image import from_array
from napari_mito_predict.models import load_model
from napari_mito_predict.prediction import predict

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_mito_predict.models import Model

MODEL = "mito-t"
PIXEL_UM = 0.1
TIMES = 5
"""Frames of such a movie; the one in the middle is scored."""


def main() -> None:
    """Score model and local contrast on each field."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args()
    model = load_model(MODEL)
    fields: dict[str, list[tuple[NDArray[np.generic], NDArray[np.generic]]]] = defaultdict(list)
    for path in sorted((H9C2 / "input").iterdir()):
        fields[path.name.split("_")[0]].append((imread(path), imread(H9C2 / "target" / path.name)))
    results = {}
    for field, pairs in fields.items():
        contrast = LocalContrast.fit(pairs)
        predictions = {
            MODEL: [as_movie(model, light) for light, _ in pairs],
            "local contrast": [contrast(light) for light, _ in pairs],
        }
        truths = [truth for _, truth in pairs]
        results[field] = {"planes": len(pairs)} | {name: scores(found, truths) for name, found in predictions.items()}
        print(field, results[field], flush=True)
    report = {"pixel_um": PIXEL_UM, "fields": results}
    given.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def as_movie(model: Model, light: NDArray[np.generic]) -> NDArray[np.floating]:
    """Predict from one plane as if nothing had moved for some time."""
    movie = from_array(
        np.stack([light] * TIMES),
        axes="TYX",
        voxel_size_um=(None, PIXEL_UM, PIXEL_UM),
        time_step_s=model.card.input.third_axis_step["t"],
    )
    (prediction,) = predict(movie, model).values()
    middle: NDArray[np.floating] = prediction.data[TIMES // 2].squeeze()
    return middle


def scores(predictions: list[NDArray[np.floating]], truths: list[NDArray[np.generic]]) -> dict[str, float]:
    """Mean PCC and fine PCC of planes."""
    pairs = list(zip(predictions, truths, strict=True))
    return {
        "pcc": round(float(np.mean([pcc(*pair) for pair in pairs])), 4),
        "fine_pcc": round(float(np.mean([fine_pcc(*pair) for pair in pairs])), 4),
    }


if __name__ == "__main__":
    main()
