"""What the process that leads a study tells the processes that train: plain data, as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from napari_mito_predict.study.scoring import scores_file
from napari_mito_predict.training.run import Run

if TYPE_CHECKING:
    from napari_mito_predict.study.experiments import RunSpec
    from napari_mito_predict.study.plan import Plan


@dataclass(frozen=True)
class TrainingTask:
    """One run: to be trained, or gone on with, and then scored.

    Attributes
    ----------
    name, folder : str
        Of the run.
    request : dict
        Training configuration without the names of the fields that test and validate.
    training : dict
        Letter -> files to train on.
    test : dict
        Letter -> files to test on, of every data set that the run is scored on.
    """

    name: str
    folder: str
    request: dict[str, Any]
    training: dict[str, list[str]]
    test: dict[str, list[str]]

    @property
    def run(self) -> Run:
        """The run."""
        return Run(Path(self.folder))

    @property
    def unscored(self) -> list[str]:
        """Letters of the data sets that there are no scores of yet."""
        return [letter for letter in self.test if not scores_file(Path(self.folder), letter).exists()]

    @property
    def finished(self) -> bool:
        """Nothing is left to do."""
        return self.run.exists and self.run.status.state == "done" and not self.unscored

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def from_json(cls, line: str) -> TrainingTask:
        """What `to_json` wrote."""
        return cls(**json.loads(line))


@dataclass(frozen=True)
class Outcome:
    """How a task ended; `reason` is for people."""

    state: Literal["done", "stopped", "failed"]
    reason: str = ""

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def from_json(cls, line: str) -> Outcome:
        """What `to_json` wrote."""
        return cls(**json.loads(line))


def training_task(plan: Plan, spec: RunSpec, threads: int) -> TrainingTask:
    """The task of one run of a plan."""
    training = {
        letter: [str(path) for path in plan.datasets[letter].training[:count]]
        for letter, count in zip(spec.letters, spec.training, strict=True)
    }
    test = {letter: [str(path) for path in plan.datasets[letter].test] for letter in plan.tests[spec]}
    third_axes = None  # the kind of the first field
    if len(spec.letters) > 1:
        third_axes = ["z", "t"]
    files = [*chain.from_iterable(training.values()), *chain.from_iterable(test[letter] for letter in spec.letters)]
    request = {
        "targets": {target: target for target in spec.targets},
        "data": {"files": files},
        "output": str(plan.run_folder(spec)),
        "name": spec.name,
        "title": f"{' and '.join(spec.targets)}, study at scale {plan.scale.name}, {spec.name}",
        "third_axes": third_axes,
        "network": {"kind": spec.network, **plan.scale.networks[spec.network]},
        "patch": spec.patch,
        "iterations": spec.iterations,
        "seed": spec.seed,
        "threads": threads,
        # Simulated channels cannot be shifted, and looking for it takes longer than reading them.
        "look_for_shifts": plan.own is not None,
        "add_to_models": False,
        **plan.scale.settings,
    }
    return TrainingTask(spec.name, str(plan.run_folder(spec)), request, training, test)
