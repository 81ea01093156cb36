"""Which groups each fold of a cross-validation holds out, and what is trained for that; nothing is computed here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_mito_predict.errors import TrainingDataError
from napari_mito_predict.image.names import file_stem
from napari_mito_predict.training.config_parts import Split
from napari_mito_predict.training.fields import find_fields
from napari_mito_predict.training.run import Run
from napari_mito_predict.training.split import Fields, describe_groups, groups_of, split_fields

if TYPE_CHECKING:
    from napari_mito_predict.training.config import TrainingConfig
    from napari_mito_predict.training.fields import Field


@dataclass(frozen=True)
class Fold:
    """One training of a cross-validation.

    Attributes
    ----------
    name : str
        Of its run folder.
    held_out : tuple of str
        The groups it is tested on, sorted; it is neither trained nor validated on any of their fields.
    """

    name: str
    held_out: tuple[str, ...]


@dataclass(frozen=True)
class CrossValidation:
    """The trainings that together test on every group once.

    Attributes
    ----------
    config : TrainingConfig
        What all of them have in common; its `output` is the folder of the run folders.
    fields : tuple of Field
    groups : dict of str to str
        Name of each field -> its group.
    folds : tuple of Fold
    """

    config: TrainingConfig
    fields: tuple[Field, ...]
    groups: Mapping[str, str]
    folds: tuple[Fold, ...]

    @property
    def folder(self) -> Path:
        """Folder of the run folders, and of the results."""
        return self.config.output

    @property
    def parts(self) -> Mapping[str, str]:
        """Name of each field -> the fold that tests on it."""
        tested_by: dict[str, str] = {}
        for fold in self.folds:
            tested_by.update(dict.fromkeys(fold.held_out, fold.name))
        return {name: tested_by[group] for name, group in self.groups.items()}

    def config_of(self, fold: Fold) -> TrainingConfig:
        """What is trained in a fold.

        Groups that the configuration names for validation validate wherever they are not tested on; where none of
        them is left, others are drawn by the usual fraction.
        """
        split = self.config.split
        validation = split.validation
        if isinstance(validation, tuple) and validation:
            left = tuple(name for name in validation if name not in fold.held_out)
            validation = left or Split().validation
        split = split.model_copy(update={"test": fold.held_out, "validation": validation})
        changes = {"split": split, "output": self.folder / fold.name, "add_to_models": False}
        return self.config.model_copy(update=changes)

    def parts_of(self, fold: Fold) -> Fields:
        """Which fields a fold trains on, validates on and tests on.

        Raises
        ------
        TrainingDataError
            Nothing is left to train on.
        """
        return split_fields(self.fields, self.config_of(fold).split)

    def validated_on(self, fold: Fold) -> str:
        """The groups that a fold validates on, in words."""
        parts = self.parts_of(fold)
        if parts.validation:
            return ", ".join(sorted({parts.groups[field.name] for field in parts.validation}))
        if parts.holds_back(self.config.select):
            return "strips of the training fields"
        return "nothing"

    def run_of(self, fold: Fold) -> Run:
        """The run of a fold, which need not have begun."""
        return Run(self.folder / fold.name)


def plan_folds(config: TrainingConfig, number: int | None = None) -> CrossValidation:
    """Plan a cross-validation of the fields and groups of a training configuration.

    Parameters
    ----------
    config : TrainingConfig
        Its `split.by` says what belongs together. Its `split.test` has no meaning here: every group is tested once.
    number : int or None
        How many folds; ``None``: one for each group.

    Raises
    ------
    TrainingDataError
        There are no fields, fewer than two groups, fewer groups than folds, or a fold has nothing to train on.
    """
    split = config.split.model_copy(update={"test": ()})
    config = config.model_copy(update={"split": split, "output": config.output.absolute()})
    fields = find_fields(config.data, config.targets)
    groups = groups_of(fields, split.by)
    planned = CrossValidation(config, fields, groups, deal_folds(groups, number, split.seed))
    for fold in planned.folds:
        _refuse_without_training(planned, fold)
        planned.parts_of(fold)
    return planned


def _refuse_without_training(planned: CrossValidation, fold: Fold) -> None:
    validation = planned.config_of(fold).split.validation
    if not isinstance(validation, tuple):  # a fraction never takes the last group
        return
    left = set(planned.groups.values()) - {*fold.held_out, *validation}
    if not left:
        raise TrainingDataError(
            f"{fold.name} tests on {', '.join(fold.held_out)} and validates on {', '.join(validation)}: nothing is "
            "left to train on. Name fewer groups in `split.validation`, or give it as a fraction."
        )


def deal_folds(groups: Mapping[str, str], number: int | None, seed: int) -> tuple[Fold, ...]:
    """Deal groups into folds: each is held out by exactly one of them.

    Parameters
    ----------
    groups : mapping of str to str
        Name of each field -> its group.
    number : int or None
        How many folds, two at least; ``None``: one for each group.
    seed : int
        Groups are shuffled with it before they are dealt in turn, so that folds differ by one group at most.

    Raises
    ------
    TrainingDataError
        There are fewer than two groups, or fewer than folds.
    """
    units = sorted(set(groups.values()))
    if len(units) < 2:
        raise TrainingDataError(
            f"A cross-validation needs two groups at least; there is {describe_groups(groups.values())}. Say by "
            "`split.by` what belongs together, such as '^[^_]+' (all that begin alike up to the first _) or folder; "
            "without it, every field is a group of its own."
        )
    if number is None or number == len(units):
        return _one_each(units)
    if not 2 <= number <= len(units):
        raise TrainingDataError(
            f"{len(units)} groups cannot be dealt into {number} folds: choose 2 to {len(units)}, or all "
            f"({describe_groups(groups.values())})."
        )
    shuffled = [units[i] for i in np.random.default_rng(seed).permutation(len(units))]
    dealt = [tuple(sorted(shuffled[i::number])) for i in range(number)]
    return _numbered(dealt)


def _one_each(units: Sequence[str]) -> tuple[Fold, ...]:
    """A fold for each group, called by it where that makes names of folders that differ on every file system."""
    names = [f"fold-{file_stem(unit)}" for unit in units]
    if len({name.casefold() for name in names}) < len(units):
        return _numbered([(unit,) for unit in units])
    return tuple(Fold(name, (unit,)) for name, unit in zip(names, units, strict=True))


def _numbered(dealt: Sequence[tuple[str, ...]]) -> tuple[Fold, ...]:
    digits = len(str(len(dealt)))
    return tuple(Fold(f"fold-{i:0{digits}d}", held_out) for i, held_out in enumerate(dealt, 1))
