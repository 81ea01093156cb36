"""Whether the uncertainty of a prediction says where it is wrong, better than what can be had for nothing.

    python benchmarks/uncertainty.py members --runs runs/uncertainty        (trains; repeated, it goes on)
    python benchmarks/uncertainty.py simulated -o simulated.json [--example example.npz]
    python benchmarks/uncertainty.py real --runs runs/uncertainty -o real.json
    python benchmarks/uncertainty.py figure benchmarks/results/uncertainty.json --example example.npz -o uncertainty.png

The stored result holds both reports, as `simulated` and `real`.

Written down before anything was measured:

*Error* is ``|a + b p - t|``: the truth t in z-scores of its image, the prediction p (mean of eight orientations)
brought to it by least squares over the image, as `evaluation.Scaling` does. *Block* is the mean over 32 x 32 pixels of
a plane. Numbers are Spearman's rank correlations with the error: in each image, then the mean over the images of a
field, then over fields.

*Tracks* means: at least 0.3 per block, and above every trivial baseline, on real fields that the model has not seen.
Baselines are the prediction itself, the gradient of the light (of a Gaussian of 1 pixel) and its local standard
deviation (in 9 x 9 pixels), each with the sign that is in its favour. Only what tracks is worth being calibrated.

Real fields are H9c2 cells, one field held out at a time. The model that is shipped, `mito-2d-h9c2`, has learned from
all of them: it is measured too, but does not count. What counts are models of its recipe, made small (8 channels, 300
batches of 4 x 128 x 128) and trained on the other fields, two for each field that differ by their seed alone; these two
also give the disagreement of two models. Simulated cells have seeds that no training and no choice has used. The images
are in the folder that `MITO_PREDICT_REAL_DATA` names.

Decided later, to save time: one of three images of each held-out field is measured, and one of nine by the
shipped model. The stored result was put together field by field, with the second seed, and so the disagreement, for
field 009 alone.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import gaussian_gradient_magnitude, uniform_filter
from scipy.optimize import isotonic_regression
from scipy.stats import rankdata, spearmanr

from napari_mito_predict.errors import UnknownModelError
from napari_mito_predict.evaluation import pcc
from napari_mito_predict.evaluation.metrics import Scaling
from napari_mito_predict.models import load_model
from napari_mito_predict.prediction import predict

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Volume = NDArray[np.floating]
    from napari_mito_predict.models import Model

REAL = Path(os.environ.get("MITO_PREDICT_REAL_DATA", Path(__file__).parents[2] / "shared" / "real"))
H9C2 = REAL / "h9c2_brightfield_to_mito"
FIELDS = ("008", "009", "010", "012")
SEEDS = (0, 1)
SHIPPED = "mito-2d-h9c2"
EVERY = 3
"""Of the images of a field, which overlap, one of so many is measured."""
BLOCK = 32
BASELINES = ("prediction", "gradient of the light", "local deviation of the light")
OURS = ("uncertainty", "disagreement")
FIRST_CELL = 500_000
SIMULATED = {"z": ("mito-z", "dna-z"), "t": ("mito-t", "dna-t")}
TRUTH_CHANNEL = {"mitochondria": 1, "dna": 2}
SHAPE = (32, 128, 128)
DECILES = 10


def main() -> None:
    """Do one part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("members", "simulated", "real", "figure"))
    parser.add_argument("result", nargs="?", type=Path)
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--runs", type=Path, default=Path("runs") / "uncertainty")
    parser.add_argument("--example", type=Path)
    parser.add_argument("--cells", type=int, default=2)
    given = parser.parse_args()
    if given.part == "members":
        train_members(given.runs)
    elif given.part == "figure":
        report = json.loads(given.result.read_text(encoding="utf-8"))
        draw(report["simulated"], report["real"], given.example, given.output)
    else:
        report = real(given.runs) if given.part == "real" else simulated(given.cells, given.example)
        given.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


# ---------------------------------------------------------------------- models of real cells that have not seen a field


def train_members(runs: Path) -> None:
    """Train two models without each field; those that are there stay."""
    from napari_mito_predict.training import Run, TrainingConfig, train

    stems = sorted(path.stem for path in (H9C2 / "input").iterdir())
    for seed in SEEDS:
        for field in FIELDS:
            folder = runs / f"{field}-{seed}"
            run = Run(folder)
            if run.exists and run.status.state == "done":
                continue
            held_out = [stem for stem in stems if stem.startswith(field)]
            request = {
                "preset": "general",
                "select": "last",
                "iterations": 300,
                "validate_every": 300,
                "network": {"depth": 3, "base_channels": 8},
                "patch": [128, 128],
                "batch_size": 4,
                "average": 0.99,
                "seed": seed,
                "precision": "32",
                "target": "mitochondria",
                "data": {
                    "input_folder": str(H9C2 / "input"),
                    "target_folder": str(H9C2 / "target"),
                    "exclude": held_out,
                },
                "split": {"by": "^[^_]+", "test": 0, "validation": 0},
                "output": str(folder),
                "add_to_models": False,
                "look_for_shifts": False,
            }
            train(run if run.exists else TrainingConfig.parse(request))
            print(folder, flush=True)


def real(runs: Path) -> dict[str, Any]:
    """Held-out fields with the models that were trained without them; all fields with the model that is shipped."""
    held_out: dict[str, list[dict[str, Any]]] = {}
    seen: dict[str, list[dict[str, Any]]] = {}
    try:
        shipped = load_model(SHIPPED)
    except UnknownModelError:
        shipped = load_model(Path(__file__).parents[1].joinpath(*_IN_REPOSITORY) / SHIPPED)
    for field in FIELDS:
        models = [load_model(runs / f"{field}-{seed}" / "model") for seed in SEEDS if _is_there(runs, field, seed)]
        if models:
            held_out[field] = list(real_field(field, models))
            print(field, summary(held_out[field]), flush=True)
        seen[field] = list(real_field(field, [shipped], 3 * EVERY))
    return {
        "held out": _report(held_out),
        "seen in training": _report(seen),
        "calibration": calibration(held_out),
    }


_IN_REPOSITORY = ("real-models", "src", "napari_mito_predict_real_models", "models")


def _is_there(runs: Path, field: str, seed: int) -> bool:
    return (runs / f"{field}-{seed}" / "model").is_dir()


def _report(fields: Mapping[str, list[dict[str, Any]]]) -> dict[str, Any]:
    rows = {field: summary(images) for field, images in fields.items()}
    models = {field: len(images) for field, images in fields.items()}
    return {"images": models, "mean of the fields": _mean_of(list(rows.values())), "fields": rows}


def real_field(field: str, models: Sequence[Model], every: int = EVERY) -> Iterator[dict[str, Any]]:
    """Numbers of images of a field."""
    from skimage.io import imread

    for path in sorted((H9C2 / "input").glob(f"{field}_*.png"))[::every]:
        yield measured(imread(path)[None], imread(H9C2 / "target" / path.name)[None], models)


# ------------------------------------------------------------------------------------------------------ simulated cells


def simulated(cells: int, example: Path | None) -> dict[str, Any]:
    """Bundled models on simulated cells at their own sampling, with the optics that half of their training had."""
    from napari_mito_predict.simulation import Conditions, simulate_series, simulate_stack

    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for axis, names in SIMULATED.items():
        for seed in range(FIRST_CELL, FIRST_CELL + cells):
            conditions = Conditions.matched(np.random.default_rng(seed))
            if axis == "z":
                volumes = simulate_stack(seed, conditions, SHAPE).data[:, 0]
            else:
                series = simulate_series(seed, conditions, frames=SHAPE[0], step_s=30.0, shape_yx=SHAPE[1:])
                volumes = series.data[:, :, 0]
            for name in names:
                model = load_model(name)
                truth = volumes[TRUTH_CHANNEL[model.targets[0]]]
                keep = example if (name, seed) == ("mito-z", FIRST_CELL) else None
                rows[name].append(measured(volumes[0], truth, [model], keep))
                print(name, seed, summary(rows[name][-1:]), flush=True)
    return {"shape": SHAPE, "cells": cells, "models": {name: summary(images) for name, images in rows.items()}}


# --------------------------------------------------------------------------------------------------------- what is said


def measured(light: Volume, truth: Volume, models: Sequence[Model], keep: Path | None = None) -> dict[str, Any]:
    """Rank correlations of one volume (D, Y, X) with the error of the first model; what its blocks hold."""
    options = {"device": "cpu", "precision": "32"}
    target = models[0].targets[0]
    # The names of two trainings without one field may be the same: each predicts by itself.
    found = [predict(light, model, uncertainty=True, **options) for model in models]
    once = predict(light, models[0], **options)[target].data
    means = [each[target].data for each in found]
    truth = (truth - truth.mean()) / truth.std()
    error = np.abs(Scaling.measure(means[0], truth).fitted(means[0]) - truth)
    volume = light.astype(np.float32)
    signals = {
        "uncertainty": found[0][f"{target}/uncertainty"].data,
        "prediction": means[0],
        "gradient of the light": np.stack([gaussian_gradient_magnitude(plane, 1.0) for plane in volume]),
        "local deviation of the light": np.stack([local_deviation(plane) for plane in volume]),
    }
    if len(models) > 1:
        signals["disagreement"] = np.std(means, axis=0)
    if keep is not None:
        np.savez_compressed(keep, light=light, truth=truth, error=error, **signals)
    blocks = {name: blocks_of(values) for name, values in signals.items()}
    of_error = blocks_of(error)
    ranks = {name: spearman(values, of_error) for name, values in blocks.items()}
    return {
        "pixels": {name: spearman(values, error) for name, values in signals.items()},
        "blocks": ranks,
        "beyond the prediction": {
            name: partial(blocks[name], of_error, blocks["prediction"]) for name in OURS if name in blocks
        },
        "pcc": {"one orientation": pcc(once, truth), "mean of eight": pcc(means[0], truth)},
        "held": {"error": of_error.tolist(), "uncertainty": blocks["uncertainty"].tolist()},
    }


def local_deviation(plane: Volume, size: int = 9) -> Volume:
    """Standard deviation in a square around each pixel."""
    mean = uniform_filter(plane, size)
    return np.sqrt(np.maximum(uniform_filter(plane**2, size) - mean**2, 0))


def blocks_of(values: Volume) -> Volume:
    """Mean of each whole block of each plane, (blocks,)."""
    depth, rows, columns = values.shape[0], values.shape[1] // BLOCK, values.shape[2] // BLOCK
    whole = values[:, : rows * BLOCK, : columns * BLOCK].astype(np.float64)
    return whole.reshape(depth, rows, BLOCK, columns, BLOCK).mean(axis=(2, 4)).ravel()


def spearman(values: Volume, error: Volume) -> float:
    """Rank correlation."""
    return float(spearmanr(values, error, axis=None).statistic)


def partial(values: Volume, error: Volume, given: Volume) -> float:
    """Rank correlation with the error, where what follows from `given` is taken out of both."""
    ranks = np.corrcoef([rankdata(each) for each in (values, error, given)])
    rest = np.sqrt((1 - ranks[0, 2] ** 2) * (1 - ranks[1, 2] ** 2))
    return float((ranks[0, 1] - ranks[0, 2] * ranks[1, 2]) / rest)


def summary(images: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Means over images."""
    return _mean_of([{name: row for name, row in image.items() if name != "held"} for image in images])


def _mean_of(rows: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, float]]:
    """Means of each number over the rows that have it: two models were not trained without every field."""
    found: dict[str, dict[str, float]] = {}
    for part in rows[0]:
        names = dict.fromkeys(chain.from_iterable(row[part] for row in rows))
        found[part] = {
            name: round(float(np.mean([row[part][name] for row in rows if name in row[part]])), 4) for name in names
        }
    return found


def calibration(fields: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """Error by deciles of the uncertainty of blocks; and how well a fit of the other fields foretells it in each."""
    held = {field: _held(images) for field, images in fields.items()}
    everything = _joined(list(held.values()))
    edges = np.quantile(everything[0], np.linspace(0, 1, DECILES + 1))
    bins = np.clip(np.digitize(everything[0], edges[1:-1]), 0, DECILES - 1)
    deciles = [
        {
            "uncertainty": round(float(np.median(everything[0][bins == i])), 4),
            "error, quartiles": [round(float(q), 4) for q in np.percentile(everything[1][bins == i], (25, 50, 75))],
        }
        for i in range(DECILES)
    ]
    foretold = {}
    for field, (uncertainty, error) in held.items():
        others = [each for name, each in held.items() if name != field]
        if others:
            expected = foretell(*_joined(others), uncertainty)
            foretold[field] = {
                "mean absolute difference": round(float(np.abs(expected - error).mean()), 4),
                "of the mean error of the other fields": round(
                    float(np.abs(_joined(others)[1].mean() - error).mean()), 4
                ),
            }
    return {"deciles": deciles, "expected error of held-out fields": foretold}


def foretell(known: Volume, error: Volume, uncertainty: Volume) -> Volume:
    """The error that belongs to an uncertainty, by the monotonous curve that fits known ones best."""
    order = np.argsort(known)
    return np.interp(uncertainty, known[order], isotonic_regression(error[order]).x)


def _held(images: Sequence[Mapping[str, Any]]) -> tuple[Volume, Volume]:
    uncertainty = np.concatenate([image["held"]["uncertainty"] for image in images])
    return uncertainty, np.concatenate([image["held"]["error"] for image in images])


def _joined(parts: Sequence[tuple[Volume, Volume]]) -> tuple[Volume, Volume]:
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


# -------------------------------------------------------------------------------------------------------------- picture


def draw(simulated_report: Mapping[str, Any], real_report: Mapping[str, Any], example: Path, output: Path) -> None:
    """A simulated cell, and the numbers of simulated and of real fields."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 6), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(1, 1.15))
    _draw_cell(above, np.load(example))
    bars, curve = below.subplots(1, 2, width_ratios=(1.7, 1))
    rows = {f"{name}, simulated": row["blocks"] for name, row in simulated_report["models"].items()}
    rows["H9c2, held out"] = real_report["held out"]["mean of the fields"]["blocks"]
    names = ("uncertainty", *BASELINES, "disagreement")
    for i, name in enumerate(names):
        known = [(j, row[name]) for j, row in enumerate(rows.values()) if name in row]
        at, heights = np.transpose(known)
        colour = "tab:red" if name in OURS else ("tab:gray", "tab:blue", "tab:cyan")[i - 1]
        bars.bar(at + (i - 2) * 0.16, heights, 0.16, label=name, color=colour, alpha=0.5 if name == OURS[1] else 1)
    bars.axhline(0, color="black", linewidth=0.5)
    bars.set_xticks(range(len(rows)), [name.replace(", ", "\n") for name in rows])
    bars.set_ylabel("rank correlation with the error")
    bars.legend(fontsize="small", ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1), frameon=False)
    deciles = real_report["calibration"]["deciles"]
    low, middle, high = np.transpose([each["error, quartiles"] for each in deciles])
    at = [each["uncertainty"] for each in deciles]
    curve.fill_between(at, low, high, alpha=0.3, label="half of the blocks")
    curve.plot(at, middle, "o-", label="median")
    curve.set(
        xlabel="uncertainty (z-scores)", ylabel="error (z-scores)", title="H9c2, held out, by tenths of the blocks"
    )
    curve.legend(fontsize="small")
    figure.savefig(output, dpi=90)


def _draw_cell(figure: Any, cell: Mapping[str, Any]) -> None:
    plane = int(np.argmax(cell["truth"].std(axis=(1, 2))))
    shown = {
        "light": ("light (simulated)", "gray"),
        "truth": ("TMRM, true", "gray"),
        "prediction": ("TMRM, predicted", "gray"),
        "uncertainty": ("uncertainty", "inferno"),
        "error": ("error", "inferno"),
    }
    for axes, (name, (title, colours)) in zip(figure.subplots(1, len(shown)), shown.items(), strict=True):
        values = cell[name][plane]
        axes.imshow(values, cmap=colours, vmin=np.percentile(values, 0.5), vmax=np.percentile(values, 99.7))
        axes.set_title(title)
        axes.set_axis_off()


if __name__ == "__main__":
    main()
