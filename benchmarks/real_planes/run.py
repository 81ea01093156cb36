"""How well models of real planes do on fields that training did not see, by recipe, and by how much there was to learn.

    python benchmarks/real_planes/run.py recipes|pairs|few|dna -o results.json

| experiment | question | data |
|---|---|---|
| `recipes` | does `general` do better than `quick` in equal time? | H9c2, one field held out |
| `pairs` | how many images does a model need, from scratch and from `mito-t`? | H9c2, field 009 held out |
| `few` | what learns one small field by heart? | HeLa, phase contrast to nuclei, fields of other days held out |
| `dna` | the same recipe for DNA | MCF-7, five folds by experiment |

The images are in the folder that `MITO_PREDICT_REAL_DATA` names. Each training is a run of its own below `--runs`;
repeated, the command goes on. PCC and fine PCC are means over the images of a group, then over groups.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import tifffile

from napari_mito_predict.image.crops import centre_of
from napari_mito_predict.training import Run, TrainingConfig, train
from napari_mito_predict.training.fields import find_fields
from napari_mito_predict.training.folds.plan import deal_folds
from napari_mito_predict.training.folds.results import GroupScores, group_scores, read_table
from napari_mito_predict.training.split import groups_of

REAL = Path(os.environ.get("MITO_PREDICT_REAL_DATA", Path(__file__).parents[3] / "shared" / "real"))
H9C2 = REAL / "h9c2_brightfield_to_mito"
HELA = REAL / "phase_to_nuclei"
MCF7 = REAL / "mcf7_brightfield_to_dna"
BY_FIELD = "^[^_]+"
LEARNED_FROM = "training_data_HeLa_joint_set1"
OTHER_DAYS = ("testing_data_HeLa_set1", "validation_data_HeLa_plating_5000K", "validation_data_HeLa_plating_10000K")

# 3,400 batches of 4 x 256 x 256 are as many pixels as 3,000 of 8 x 192 x 192.
FLIPS = {"augment": {"flip": True}}
"""All that `quick` did when this was measured."""
QUICK = {"preset": "quick", "iterations": 3_400} | FLIPS
GENERAL = {"preset": "general", "select": "last"}
WITHOUT_VALIDATION = {"by": BY_FIELD, "validation": 0}


@dataclass(frozen=True)
class Experiment:
    """One training, and the fields that it is tested on.

    Attributes
    ----------
    name : str
    config : dict
        A request; without `data` where that has to be made.
    make_data : callable, optional
        Writes what is trained on into a folder; returns the `data` of the request.
    """

    name: str
    config: dict[str, Any]
    make_data: Callable[[Path], dict[str, Any]] | None = None


def recipes() -> Iterator[Experiment]:
    """`quick` as it is, `general`, and `general` without its loss, one level deeper, and from simulated cells."""
    variants = {
        "quick": QUICK | {"split": {"by": BY_FIELD}},
        "general": GENERAL | {"split": WITHOUT_VALIDATION},
        "general, squared error alone": GENERAL | {"split": WITHOUT_VALIDATION, "loss": "mse"},
        "general, one level deeper": GENERAL | {"split": WITHOUT_VALIDATION, "network": {"depth": 4}},
        "general, from mito-t": GENERAL | {"split": WITHOUT_VALIDATION, "start_from": "mito-t"},
    }
    for held_out in ("008", "009", "010", "012"):
        for name, config in variants.items():
            split = config["split"] | {"test": [held_out]}
            yield Experiment(f"{name}, {held_out}", config | {"split": split, **_pairs(H9C2, "mitochondria")})


def pairs() -> Iterator[Experiment]:
    """4 to all images of three fields, each set holding the smaller ones; from scratch and fine-tuned."""
    images = sorted(path.stem for path in (H9C2 / "input").iterdir() if not path.stem.startswith("009"))
    random.Random(0).shuffle(images)
    split = WITHOUT_VALIDATION | {"test": ["009"]}
    for number in (4, 8, 16, 32, len(images)):
        data = _pairs(H9C2, "mitochondria", exclude=images[number:])
        for name, start in (("scratch", {}), ("mito-t", {"start_from": "mito-t"})):
            changes = {"split": split, "iterations": 400, "validate_every": 100}
            yield Experiment(f"{number} images, {name}", GENERAL | changes | start | data)


def few() -> Iterator[Experiment]:
    """One small field; what is trained with less variety, and what is chosen by a strip."""
    not_held_back = {"test": list(OTHER_DAYS), "validation": 0}
    by_strip = {"split": {"test": list(OTHER_DAYS)}}
    last = {"split": not_held_back, "select": "last"}
    quick = FLIPS | {"preset": "quick"}
    general = {"preset": "general"}
    recipes = {
        "quick, best by strip": quick | by_strip,
        "quick, last state": quick | last,
        "quick, running average, last state": quick | last | {"average": 0.998},
        "general, best by strip": general | by_strip,
        "general, last state": general | last,
        "general, half as wide, last state": general | last | {"network": {"depth": 3, "base_channels": 8}},
        "general, weight decay, last state": general | last | {"weight_decay": 0.1},
    }
    for name, config in recipes.items():
        yield Experiment(name, config | {"iterations": 600, "validate_every": 50, "target": "nuclei"}, crops_of_hela)


def crops_of_hela(folder: Path) -> dict[str, Any]:
    """The middle of one field, 192 x 192, and the fields of other days as they are."""
    sizes = {LEARNED_FROM: 192} | dict.fromkeys(OTHER_DAYS)
    for name, size in sizes.items():
        for part in ("phase", "nuclei"):
            pixels = tifffile.imread(HELA / f"{name}_{part}.tif")
            if size is not None:
                pixels = pixels[centre_of(pixels.shape, (size, size))]
            path = folder / part / f"{name}.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(path, pixels)
    return {"input_folder": str(folder / "phase"), "target_folder": str(folder / "nuclei")}


def dna() -> Iterator[Experiment]:
    """Five folds of about three experiments each."""
    base = GENERAL | {"iterations": 300} | _pairs(MCF7, "dna")
    config = TrainingConfig.parse(base | {"output": "."})
    groups = groups_of(find_fields(config.data, config.targets), BY_FIELD)
    for fold in deal_folds(groups, 5, seed=0):
        split = WITHOUT_VALIDATION | {"test": list(fold.held_out)}
        yield Experiment(fold.name, base | {"split": split})


def _pairs(folder: Path, target: str, exclude: list[str] | None = None) -> dict[str, Any]:
    data = {"input_folder": str(folder / "input"), "target_folder": str(folder / "target"), "exclude": exclude or []}
    return {"target": target, "data": data}


def scores_of(experiment: Experiment, runs: Path) -> list[dict[str, Any]]:
    """Train, or go on, or take what is there; the scores of each group and of what needs no network."""
    folder = runs / experiment.name.replace(", ", "-").replace(" ", "-")
    run = Run(folder)
    fixed = {"output": str(folder), "add_to_models": False, "look_for_shifts": False}
    if not run.exists:
        config = experiment.config | fixed
        if experiment.make_data is not None:
            config["data"] = experiment.make_data(runs / f"{folder.name}-data")
        run = train(TrainingConfig.parse(config))
    elif run.status.state != "done":
        run = train(run)
    rows = read_table(folder / "test.csv")
    groups = {row["field"]: row["group"] for row in rows}
    seconds = float(run.metrics[-1]["seconds"])
    found = group_scores(experiment.name, rows, groups)
    return [_row(score) | {"seconds": seconds, "pairs": run.model.card.training.pairs} for score in found]


def _row(score: GroupScores) -> dict[str, Any]:
    """As JSON has it: scores that have no meaning here, such as a resolution in unknown pixels, are left out."""
    known = {name: value for name, value in score.scores.items() if math.isfinite(value)}
    return asdict(score) | {"scores": known}


EXPERIMENTS = {"recipes": recipes, "pairs": pairs, "few": few, "dna": dna}


def main() -> None:
    """Run one set of experiments, writing the results after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiments", choices=EXPERIMENTS)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--runs", type=Path, default=Path("runs") / "real_planes")
    given = parser.parse_args()
    results: list[dict[str, Any]] = []
    for experiment in EXPERIMENTS[given.experiments]():
        results += scores_of(experiment, given.runs)
        given.output.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        mine = [row["scores"] for row in results if row["fold"] == experiment.name and row["model"] == "this model"]
        for row in mine:
            print(f"{experiment.name}: PCC {row.get('pcc', math.nan):.3f}, fine {row.get('fine_pcc', math.nan):.3f}")


if __name__ == "__main__":
    main()
