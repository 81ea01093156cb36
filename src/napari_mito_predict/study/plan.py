"""What a study is going to do, before anything of it is done."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from math import prod
from typing import TYPE_CHECKING

from napari_mito_predict.study.datasets import Dataset, own_datasets, simulated_dataset
from napari_mito_predict.study.experiments import RunSpec, Study, needed, runs_of, tests_of
from napari_mito_predict.study.recipes import LETTERS, RECIPES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_mito_predict.simulation import Job
    from napari_mito_predict.study.scales import Scale

_COST = {"unet": 1.0, "gvtnet": 1.5}
"""Computing of one voxel of a patch, roughly, relative to a U-Net."""


@dataclass(frozen=True)
class Plan:
    """Everything a command of the study is about to do.

    Attributes
    ----------
    folder : Path
        The study's.
    scale : Scale
    studies : dict
        Study -> its runs; a run may belong to several.
    datasets : dict
        Letter -> its files.
    jobs : tuple of Job
        Files to simulate, those that are there already included; none with pairs of the user's own.
    own : Path or None
        The folder of these pairs.
    tests : dict
        Run -> letters of the data sets it is tested on.
    """

    folder: Path
    scale: Scale
    studies: dict[Study, tuple[RunSpec, ...]]
    datasets: dict[str, Dataset]
    jobs: tuple[Job, ...]
    own: Path | None = None
    tests: dict[RunSpec, str] = field(default_factory=dict)

    @property
    def runs(self) -> tuple[RunSpec, ...]:
        """All runs, each once, those that take longest first, so that no core idles at the end."""
        runs = dict.fromkeys(chain.from_iterable(self.studies.values()))
        return tuple(sorted(runs, key=lambda spec: -work(spec)))

    @property
    def files(self) -> tuple[Path, ...]:
        """All files of all data sets."""
        return tuple(chain.from_iterable((*dataset.training, *dataset.test) for dataset in self.datasets.values()))

    def run_folder(self, spec: RunSpec) -> Path:
        """Where a run lives."""
        return self.folder / "runs" / spec.name


def make_plan(studies: Sequence[Study], scale: Scale, folder: Path, *, own: Path | None = None) -> Plan:
    """Decide what is simulated, trained and tested.

    Parameters
    ----------
    studies : sequence of str
    scale : Scale
    folder : Path
        Of the study.
    own : Path, optional
        Pairs of the user's own instead of simulated ones.

    Raises
    ------
    StudyError
        A study lacks data.
    """
    folder = folder.absolute()
    letters = [letter for letter in LETTERS if any(letter in needed(study) for study in studies)]
    if own is not None:
        datasets = dict(own_datasets(own, letters))
        sets = {letter: len(found.training) for letter, found in datasets.items()}
        max_training = None
    else:
        sets = {letter: scale.sets(RECIPES[f"{letter}1"])[0] for letter in letters}
        max_training = max(scale.training_sizes)
    chosen = {study: tuple(runs_of(study, scale, sets, max_training)) for study in studies}
    tests = _tests(chosen)
    jobs: list[Job] = []
    if own is None:
        datasets = {}
        for letter in sorted(set("".join(tests.values()))):
            training = max((_training_files(spec, letter) for spec in tests), default=0)
            datasets[letter], jobs_of_letter = simulated_dataset(folder / "data", letter, scale, training)
            jobs += jobs_of_letter
    return Plan(folder, scale, chosen, datasets, tuple(jobs), own, tests)


def _training_files(spec: RunSpec, letter: str) -> int:
    """How many files of a data set a run trains on."""
    return dict(zip(spec.letters, spec.training, strict=True)).get(letter, 0)


def work(spec: RunSpec) -> float:
    """Roughly how much a training computes, to compare it with others."""
    return spec.iterations * prod(spec.patch) * _COST[spec.network]


def _tests(studies: dict[Study, tuple[RunSpec, ...]]) -> dict[RunSpec, str]:
    """Run -> letters of all data sets on which any of its studies needs scores."""
    wanted: dict[RunSpec, set[str]] = {}
    for study, specs in studies.items():
        for spec in specs:
            wanted.setdefault(spec, set()).update(tests_of(spec, study))
    return {spec: "".join(sorted(letters)) for spec, letters in wanted.items()}
