"""How much predicted movies flicker, and what averaging over orientations and smoothing along time do about it.

    python benchmarks/flicker.py -o benchmarks/results/flicker.json --figure docs/images/flicker.png

Simulated cells, as stacks at successive time points: one that nothing moves in, so that all that comes and goes is
noise of the detectors, and living ones, recorded every 5 and every 30 s. `mito-z` and `dna-z` take the movie stack by
stack, `mito-t` and `dna-t` plane by plane as series. Three planes are measured, of all of them alike. Flicker is that
of `napari_mito_predict.evaluation.StreamingFlicker`; PCC is with the truth as recorded.

Of real cells there is no movie here: the H9c2 images of one crop are 25 or more frames apart, mostly in other planes,
scaled to 8 bits one by one, and `mito-2d-h9c2` has learned from all fields. So single images are repeated with new
noise, which shows what the network makes of noise of known size; and the crops with three times in one plane show what
such a set gives. They are in the folder that `MITO_PREDICT_REAL_DATA` names.

Expected before the first run: the prediction of a still cell flickers less than its light, since the network averages
over many voxels; averaging over orientations takes a third of it, a median of three time points half of it; time models
flicker least; and where cells move within 30 s by more than a mitochondrion is wide, smoothing costs more PCC than the
noise that it takes away. Of the two filters the median keeps more of what moves.

Seen, for `mito-z`: the still cell flickers by 11 %, its light by 20 %, its recorded truth by 5 %. Averaging over
orientations takes an eighth of it, not a third; three time points take two thirds or more, since flicker is what
changes back at once. Time models flicker no less than models of stacks at 5 s; at the 30 s that they have learned, less
than the truth does, which they smooth themselves. At 30 s the truth flickers by 50 %, as the prediction does, and every
filter costs PCC: a Gaussian 0.03, an equal mean 0.07, a median 0.06. At 5 s all three gain 0.002 to 0.004, and the
median leaves the most flicker. So the program's filter is the Gaussian. One cell, 18 um wide: small differences of PCC
are those of this cell. With real images `mito-2d-h9c2` flickers by 1.7 to 1.9 times what the light does, in proportion
to its noise, and averaging over orientations takes 25 to 31 % of that. The crops far apart have nothing to do with each
other (about 100 % in light, truth and prediction), which says nothing of movies.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import gaussian_filter1d, median_filter, uniform_filter1d
from skimage.io import imread

from napari_mito_predict.evaluation import flicker, pcc
from napari_mito_predict.image import from_array
from napari_mito_predict.prediction import predict
from napari_mito_predict.simulation import Conditions
from napari_mito_predict.simulation.simulator import _Scene

if TYPE_CHECKING:
    from numpy.typing import NDArray

REAL = Path(os.environ.get("MITO_PREDICT_REAL_DATA", Path(__file__).parents[2] / "shared" / "real"))
H9C2 = REAL / "h9c2_brightfield_to_mito"
MODEL_OF_REAL_CELLS = "mito-2d-h9c2"
MOVIES = {"still": 0.0, "moving, every 5 s": 5.0, "moving, every 30 s": 30.0}
"""Seconds between time points; nothing moves within none."""
AVERAGED = ("still",)
"""Those that are predicted in all orientations too, which takes eight times as long."""
TARGETS = ("mitochondria", "dna")
FILTERS = {
    "": lambda series: series,
    "mean of 3": lambda series: uniform_filter1d(series, 3, axis=0, mode="nearest"),
    "median of 3": lambda series: median_filter(series, (3, 1, 1, 1), mode="nearest"),
    "smoothed over 3": lambda series: gaussian_filter1d(series, 3 / 4, axis=0, radius=1, mode="nearest"),
    "smoothed over 5": lambda series: gaussian_filter1d(series, 5 / 4, axis=0, radius=2, mode="nearest"),
}
NOISE = (0.02, 0.05, 0.1)
"""Of the standard deviation of an image."""
Found = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Movie:
    """A simulated movie.

    Attributes
    ----------
    light : ndarray, uint16, (T, Z, Y, X)
        Transmitted light.
    truth, photons : dict of str to ndarray, (T, Z, Y, X)
        By target: as recorded, and without noise.
    step_s : float
        Between time points.
    """

    light: NDArray[np.uint16]
    truth: dict[str, NDArray[Any]]
    photons: dict[str, NDArray[Any]]
    step_s: float


def main() -> None:
    """Measure all movies, and draw the one of 5 s."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[5])
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--size", type=int, default=160)
    given = parser.parse_args()
    simulated: dict[str, list[Found]] = defaultdict(list)
    report: dict[str, Any] = {"frames": given.frames, "seeds": given.seeds, "size": given.size}
    for seed in given.seeds:
        for name, step_s in MOVIES.items():
            movie = simulate(seed, step_s, (16, given.size, given.size), given.frames)
            predictions = predict_all(movie, averaged=name in AVERAGED)
            simulated[name].append(measure(movie, predictions))
            print(name, json.dumps(simulated[name][-1], indent=1), flush=True)
            if given.figure and seed == given.seeds[0] and step_s == MOVIES["moving, every 5 s"]:
                draw(given.figure, movie, predictions, simulated[name][-1])
            report["simulated"] = {each: mean_of(found) for each, found in simulated.items()}
            given.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if H9C2.is_dir():
        report["real images with new noise"] = dict(repeated_images())
        report["real crops, 50 frames apart"] = dict(real_crops())
        given.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def simulate(seed: int, step_s: float, shape: tuple[int, int, int], frames: int) -> Movie:
    """Stacks of one cell at successive time points."""
    scene = _Scene(seed, Conditions.matched(), shape)
    image = scene.image([scene.record(i * step_s) for i in range(frames)], step_s or 5.0)
    truth = dict(zip(TARGETS, image.data[1:], strict=True))
    photons = {"mitochondria": image.truth.mitochondria, "dna": image.truth.dna}
    return Movie(image.data[0], truth, photons, step_s or 5.0)


def measured_planes(movie: Movie) -> list[int]:
    """A quarter, a half and three quarters of the way up."""
    return [movie.light.shape[1] * quarter // 4 for quarter in (1, 2, 3)]


def predict_all(movie: Movie, *, averaged: bool) -> dict[str, dict[str, NDArray[np.float32]]]:
    """Predictions of the measured planes, by model and by whether they are the mean over orientations."""
    planes = measured_planes(movie)
    found: dict[str, dict[str, NDArray[np.float32]]] = defaultdict(dict)
    size = Conditions.matched().voxel_size_um
    for pair, light in ((("mito-z", "dna-z"), movie.light), (("mito-t", "dna-t"), movie.light[:, planes])):
        image = from_array(light, axes="TZYX", voxel_size_um=size, time_step_s=movie.step_s)
        for tta in (False, True) if averaged else (False,):
            results = predict(image, pair, channel=0, precision="32", tta=tta)
            for model, result in zip(pair, results.values(), strict=True):
                data = result.data if light.shape[1] == len(planes) else result.data[:, planes]
                found[model]["orientations" if tta else ""] = data
    return found


def measure(movie: Movie, predictions: dict[str, dict[str, NDArray[np.float32]]]) -> Found:
    """Flicker of light, truth and predictions; PCC of these."""
    planes = measured_planes(movie)
    size = Conditions.matched().voxel_size_um
    light = movie.light[:, planes]
    found: Found = {"light": {"flicker": rounded(flicker(light, light, voxel_size_um=size).light)}}
    for target in TARGETS:
        for name, series in (("truth", movie.truth), ("truth without noise", movie.photons)):
            found[f"{name}, {target}"] = scores(series[target][:, planes], movie.truth[target][:, planes], size)
    for model, ways in predictions.items():
        truth = movie.truth["mitochondria" if model.startswith("mito") else "dna"][:, planes]
        for way, series in ways.items():
            for filter_, apply in FILTERS.items():
                name = ", ".join(part for part in (model, way, filter_) if part)
                found[name] = scores(apply(series), truth, size)
    return found


def scores(series: NDArray[Any], truth: NDArray[Any], size: tuple[float | None, ...] | None) -> dict[str, float]:
    """Flicker of a series and its PCC with the truth."""
    return {"flicker": rounded(flicker(series, voxel_size_um=size).prediction), "PCC": rounded(pcc(series, truth))}


def repeated_images() -> Iterator[tuple[str, Found]]:
    """One image of each field, seven times with new noise, predicted frame by frame."""
    rng = np.random.default_rng(0)
    first: dict[str, Path] = {}
    for path in sorted((H9C2 / "input").iterdir()):
        first.setdefault(path.name.split("_")[0], path)
    for noise in NOISE:
        per_field = []
        for path in first.values():
            light = imread(path).astype(np.float32)
            truth = np.repeat(imread(H9C2 / "target" / path.name)[None, None], 7, axis=0)
            movie = light + rng.normal(0, noise * light.std(), (7, 1, *light.shape)).astype(np.float32)
            per_field.append(of_real_cells(movie, truth, FILTERS))
        yield f"noise of {noise:g} standard deviations", mean_of(per_field)


def real_crops() -> Iterator[tuple[str, Found]]:
    """Crops with three images of one plane: far apart, so that nothing is left to smooth."""
    for crop, times in {"16": ("t001", "t050", "t100"), "21": ("t001", "t050", "t150")}.items():
        names = [f"008_{time}_z009_{crop}.png" for time in times]
        light, truth = (np.stack([imread(H9C2 / kind / name) for name in names]) for kind in ("input", "target"))
        yield f"008, crop {crop}", of_real_cells(light[:, None], truth[:, None], {"": FILTERS[""]})


def of_real_cells(light: NDArray[Any], truth: NDArray[Any], filters: dict[str, Any]) -> Found:
    """Flicker and PCC of a series (T, 1, Y, X), predicted frame by frame."""
    found: Found = {
        "light": {"flicker": rounded(flicker(light, light).light)},
        "truth": {"flicker": rounded(flicker(truth).prediction)},
    }
    for tta in (False, True):
        image = from_array(light, axes="TZYX")
        series = predict(image, MODEL_OF_REAL_CELLS, channel=0, precision="32", tta=tta)["mitochondria"].data
        for filter_, apply in filters.items():
            parts = (MODEL_OF_REAL_CELLS, "orientations" if tta else "", filter_)
            found[", ".join(part for part in parts if part)] = scores(apply(series), truth, None)
    return found


def mean_of(found: list[Found]) -> Found:
    """Means of the same numbers of several movies."""
    return {
        name: {score: rounded(np.mean([each[name][score] for each in found])) for score in scores_}
        for name, scores_ in found[0].items()
    }


def rounded(value: float) -> float:
    """As JSON shall have it."""
    return round(float(value), 4)


def draw(path: Path, movie: Movie, predictions: dict[str, dict[str, NDArray[np.float32]]], found: Found) -> None:
    """One row of pixels over time, of the truth and of what is predicted; and the flicker of each."""
    import matplotlib.pyplot as plt

    plain = predictions["mito-z"][""]
    shown = {
        "truth without noise, mitochondria": movie.photons["mitochondria"][:, measured_planes(movie)],
        "mito-z": plain,
        "mito-z, smoothed over 3": FILTERS["smoothed over 3"](plain),
    }
    figure, axes = plt.subplots(len(shown), 1, figsize=(6.4, 4.2), layout="constrained")
    row = int(np.argmax(shown["truth without noise, mitochondria"][:, 1].mean(axis=0).std(axis=1)))
    for axis, (name, series) in zip(axes, shown.items(), strict=True):
        axis.imshow(series[:, 1, row], aspect="auto", cmap="gray", interpolation="nearest")
        axis.set_title(f"{name}: flicker {100 * found[name]['flicker']:.0f} %", fontsize=9, loc="left")
        axis.set(xticks=[], yticks=[])
    axes[1].set_ylabel("time, 5 s per row")
    axes[-1].set_xlabel("x: one row of pixels of a simulated cell")
    figure.savefig(path, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    main()
