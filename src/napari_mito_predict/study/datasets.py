"""Where the pairs of a study are: simulated into its folder, or one's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_mito_predict.errors import StudyError
from napari_mito_predict.study.configs import files_in
from napari_mito_predict.study.experiments import Z
from napari_mito_predict.study.fields import simulation_jobs
from napari_mito_predict.study.recipes import LETTERS, RECIPES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from napari_mito_predict.simulation import Job
    from napari_mito_predict.study.scales import Scale

FIRST_SEED = 1000
FIRST_TEST_SEED = 900_000
"""Cells tested on never share a seed with those trained on, however many of either there are."""

_TEST_SHARE = 0.25


@dataclass(frozen=True)
class Dataset:
    """Files of one letter of Table 1.

    Attributes
    ----------
    letter : str
    training, test : tuple of Path
        A run on n fields takes the first n of `training`; `test` is the same for all.
    """

    letter: str
    training: tuple[Path, ...]
    test: tuple[Path, ...]


def simulated_dataset(folder: Path, letter: str, scale: Scale, training: int) -> tuple[Dataset, list[Job]]:
    """The simulated data set of a letter, and what is to be simulated for it.

    Parameters
    ----------
    folder : Path
        Of all data sets of the study.
    letter : str
    scale : Scale
    training : int
        Fields to train on.
    """
    recipe = RECIPES[f"{letter}1"]
    home = folder / letter
    train = [(home / f"{letter}-train-{i:03d}.czi", FIRST_SEED + i) for i in range(training)]
    test = [(home / f"{letter}-test-{i:03d}.czi", FIRST_TEST_SEED + i) for i in range(scale.sets(recipe)[1])]
    jobs = simulation_jobs(recipe, [*train, *test], size=scale.size_of(recipe), slices=scale.slices_of(recipe))
    return Dataset(letter, tuple(path for path, _ in train), tuple(path for path, _ in test)), jobs


def own_datasets(folder: Path, letters: Sequence[str]) -> Mapping[str, Dataset]:
    """The user's own pairs: a folder for each letter, or one folder of z-stacks for the studies that need only these.

    A quarter of the files of each letter, drawn once, is for testing.

    Parameters
    ----------
    folder : Path
    letters : sequence of str
        Those the studies ask for.

    Raises
    ------
    StudyError
        No folder, no images, or fewer than three files of a letter.
    """
    if not folder.is_dir():
        raise StudyError(f"no such folder. Give one with a folder for each recipe, such as {folder / Z}.", file=folder)
    homes = {letter: folder / letter for letter in LETTERS if letter in letters and (folder / letter).is_dir()}
    if not homes:
        if list(letters) != [Z]:
            wanted = ", ".join(str(folder / letter) for letter in letters)
            raise StudyError(f"no folder there is named after a recipe. Expected {wanted}.", file=folder)
        homes = {Z: folder}
    return {letter: _split(letter, home) for letter, home in homes.items()}


def _split(letter: str, home: Path) -> Dataset:
    files = [path.resolve() for path in files_in(home)]
    if len(files) < 3:
        raise StudyError(
            f"{len(files)} files; a study needs three or more, of which a quarter is for testing.", file=home
        )
    order = np.random.default_rng(0).permutation(len(files))
    tests = {files[i] for i in order[: max(1, round(_TEST_SHARE * len(files)))]}
    training = [files[i] for i in order if files[i] not in tests]
    return Dataset(letter, tuple(training), tuple(sorted(tests)))
