"""What the training images of the bundled models look like, measured on a sample of them, into the model packages.

    python training_images.py FOLDER [MODEL ...]

The training images are simulated, so that a sample of them is made anew: cells of the seeds and under the conditions
that each model was trained on, and cells that it never saw, under the same conditions. FOLDER keeps what was simulated:
repeated, the program goes on where it was interrupted. Weights and self-tests stay what they are, byte for byte. Last,
the distances of held-out fields are printed beside those of the same fields blurred, shuffled and as mere noise.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from napari_mito_predict._files import atomic_folder, atomic_path
from napari_mito_predict.image.blank import recorded
from napari_mito_predict.models import Model, find_model, read_package
from napari_mito_predict.models.card import TrainingImagesFile
from napari_mito_predict.models.files import CARD
from napari_mito_predict.models.training_images import TrainingImages, to_bytes
from napari_mito_predict.prediction.appearance import Look, distance, look_at, reference_of
from napari_mito_predict.prediction.intensities import relative_contrast
from napari_mito_predict.prediction.normalize import measure, normalise
from napari_mito_predict.prediction.resample import Resampling
from napari_mito_predict.simulation import simulate_series, simulate_stack
from napari_mito_predict.simulation.batch import conditions_for

STACK = (32, 256, 256)
SERIES = (16, 192, 192)
"""Half as long as those trained on: what a plane looks like does not hang on it."""


@dataclass(frozen=True)
class Cell:
    """One simulated field: its seed, and what was asked of `mito-predict simulate` for it."""

    seed: int
    randomise: bool = False
    flip_z: bool = False
    step_s: float | None = None

    @property
    def file(self) -> str:
        """Name of the file that keeps it."""
        words = [str(self.seed), "random" if self.randomise else "matched"]
        if self.flip_z:
            words.append("flipped")
        if self.step_s is not None:
            words.append(f"{self.step_s:g}s")
        return f"{'-'.join(words)}.npz"


def _cells(seeds: Sequence[int], **asked: bool | float) -> list[Cell]:
    return [Cell(seed, **asked) for seed in seeds]  # type: ignore[arg-type]


# Training has seeds 0 to 79 randomised, 1000 to 1039 matched, 2000 to 2039 flipped; those from 200000 on it never saw.
_RANDOM = _cells(range(16), randomise=True)
_UNSEEN = _cells(range(200_000, 200_008), randomise=True)
_SERIES = [
    *_cells(range(5000, 5010), step_s=30.0),
    *_cells(range(4008, 4019), step_s=30.0, randomise=True),
    *_cells(range(4100, 4103), step_s=8.0, randomise=True),
]
_UNSEEN_SERIES = [
    *_cells(range(200_100, 200_103), step_s=30.0),
    *_cells(range(200_103, 200_107), step_s=30.0, randomise=True),
    *_cells(range(200_107, 200_109), step_s=8.0, randomise=True),
]
SAMPLES = {
    "mito-z": (
        [*_RANDOM, *_cells(range(1010, 1018))],
        [*_UNSEEN, *_cells(range(200_008, 200_012))],
    ),
    "dna-z": (
        [*_RANDOM, *_cells(range(1010, 1014)), *_cells(range(2000, 2004), flip_z=True)],
        [*_UNSEEN, *_cells(range(200_008, 200_010)), *_cells(range(200_012, 200_014), flip_z=True)],
    ),
    "mito-t": (_SERIES, _UNSEEN_SERIES),
    "dna-t": (_SERIES, _UNSEEN_SERIES),
}
"""Model -> fields like those that it was trained on, in the same shares, and fields that it never saw."""


_noise = np.random.default_rng(0)
DAMAGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "as they are": np.asarray,
    "inverted": np.negative,
    "blurred by 3 pixels": lambda light: gaussian_filter(light, (0, 3, 3)),
    "planes shuffled": _noise.permutation,
    "noise": lambda light: _noise.normal(1000, 30, light.shape).astype(np.float32),
}


def simulated(cell: Cell, folder: Path) -> Path:
    """Simulate a field unless that was done before: its transmitted light (D, Y, X), and the size of a voxel."""
    path = folder / cell.file
    if not path.exists():
        conditions = conditions_for(cell.seed, randomise=cell.randomise, flip_z=cell.flip_z)
        if cell.step_s is None:
            image = simulate_stack(cell.seed, conditions, STACK)
            light = image.data[0, 0]
        else:
            frames, *shape_yx = SERIES
            image = simulate_series(cell.seed, conditions, frames, cell.step_s, (shape_yx[0], shape_yx[1]))
            light = image.data[0, :, 0]
        with atomic_path(path) as temporary, temporary.open("wb") as stream:
            np.savez(stream, light=light, voxel_size_um=image.voxel_size_um)
        print(path.name, light.shape, light.dtype, image.voxel_size_um, flush=True)
    return path


def seen(cell: Cell, folder: Path, model: Model, change: Callable[[np.ndarray], np.ndarray] = np.asarray) -> Look:
    """What a field looks like to a model, brought to its voxel size and range as a training does it."""
    with np.load(simulated(cell, folder)) as kept:
        light = change(kept["light"].astype(np.float32))
        sizes = zip(light.shape, kept["voxel_size_um"].tolist(), model.voxel_size_um, strict=True)
        shape = tuple(max(1, round(voxels * (own / aim))) if aim else voxels for voxels, own, aim in sizes)
    if shape != light.shape:
        light = Resampling.between(light.shape, shape).whole(light)
    given = normalise(light, measure(light, model.card.input.normalisation))
    return look_at(given, relative_contrast(recorded(light)), model.network, cell.file)


def add(path: Path, model: Model, found: TrainingImages) -> None:
    """Write the numbers into a package; everything but its card stays what it is."""
    content = to_bytes(found)
    named = TrainingImagesFile(sha256=hashlib.sha256(content).hexdigest())
    card = model.card.model_copy(update={"training_images": named})
    with atomic_folder(path) as temporary:
        shutil.copytree(path, temporary)
        (temporary / named.file).write_bytes(content)
        (temporary / CARD).write_text(card.to_json(), encoding="utf-8")


def main() -> None:
    """Simulate, measure, and write the packages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("models", nargs="*", default=list(SAMPLES))
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    for name in options.models:
        path = find_model(name)
        model = read_package(path)
        training, held_out = ([seen(cell, options.folder, model) for cell in cells] for cells in SAMPLES[name])
        found = reference_of(training, held_out)
        if found is None:
            raise SystemExit(f"{name}: no field was trained on.")
        add(path, model, found)
        print(name, f"{len(found.mean)} features of {sum(len(look.features) for look in training)} tiles", end="")
        print(f", distances {np.percentile(found.distances, (50, 95, 99)).round(1)}")
        for damage, change in DAMAGES.items():
            changed = [seen(cell, options.folder, model, change) for cell in SAMPLES[name][1][::4]]
            medians = [float(np.median(distance(found, look.features))) for look in changed]
            print(f"  {damage}: {np.round(medians, 1)}", flush=True)


if __name__ == "__main__":
    main()
