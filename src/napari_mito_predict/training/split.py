"""Which fields are trained on, validated and tested: whole fields, and whole groups of what belongs together."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from napari_mito_predict.errors import TrainingDataError

if TYPE_CHECKING:
    from pathlib import Path

    from napari_mito_predict.training.config_parts import Split
    from napari_mito_predict.training.fields import Field

FOLDER = "folder"
"""Value of `split.by`: what lies in one folder belongs together."""
_SHOWN = 8


@dataclass(frozen=True)
class Fields:
    """The parts of the split.

    Attributes
    ----------
    training, validation, test : tuple of Field
        Each sorted by name.
    groups : dict of str to str
        Name of each field -> its group; without `split.by`, its own name.
    """

    training: tuple[Field, ...]
    validation: tuple[Field, ...]
    test: tuple[Field, ...]
    groups: Mapping[str, str] = field(default_factory=dict)

    def part_of(self, name: str) -> str:
        """``training``, ``validation`` or ``test``."""
        parts = {"training": self.training, "validation": self.validation, "test": self.test}
        return next(part for part, fields in parts.items() if any(field.name == name for field in fields))

    def holds_back(self, select: str) -> bool:
        """Whether anything is held back for validation: fields, or strips of them to choose a best state by."""
        return bool(self.validation) or select == "best"

    def score_name(self, select: str) -> str:
        """What a PCC that is measured while training is called: on what is trained on, it is none of validation."""
        if self.holds_back(select):
            return "validation PCC"
        return "PCC on fields trained on"


def split_fields(fields: Sequence[Field], split: Split) -> Fields:
    """Split fields into training, validation and test; groups, see `groups_of`, stay whole.

    Fractions are of the number of groups (without `split.by`, of fields), rounded; at least one for testing unless
    ``test: 0``, and at least one for validation with three or more. They never take the last one to train on. Groups
    can also be named.

    Raises
    ------
    TrainingDataError
        A named field or group does not exist or is named twice, a field has no group, or nothing is left to train on.
    """
    groups = groups_of(fields, split.by)
    units = list(dict.fromkeys(groups.values()))
    shuffled = [units[i] for i in np.random.default_rng(split.seed).permutation(len(units))]
    # Every part gets one where there are enough: first training, then test, then validation.
    enough_for_two, enough_for_three = len(units) >= 2, len(units) >= 3
    left = 1 + bool(enough_for_three and split.validation)
    taken = _taken(shuffled, split.test, groups, minimum=int(enough_for_two), left=left)
    rest = [unit for unit in shuffled if unit not in taken]
    validating = _taken(rest, split.validation, groups, minimum=int(enough_for_three), left=1)
    if len(rest) == len(validating):
        what = _units(split)
        raise TrainingDataError(
            f"{len(units)} {what} leave none to train on after {len(taken)} for testing and {len(validating)} for "
            f"validation. Add {what}, or lower `split.test`."
        )
    training = [unit for unit in rest if unit not in validating]
    return Fields(
        training=_of_groups(fields, groups, training),
        validation=_of_groups(fields, groups, validating),
        test=_of_groups(fields, groups, taken),
        groups=groups,
    )


def groups_of(fields: Sequence[Field], by: str | None) -> dict[str, str]:
    """The group of each field, by its name.

    Parameters
    ----------
    fields : sequence of Field
    by : str or None
        A regular expression, looked for in the name of a field: its first group, or all that matches, is the group.
        ``folder``: the folder of the transmitted light. ``None``: each field is a group of its own.

    Raises
    ------
    TrainingDataError
        The pattern is not found in a name; lists those.
    """
    if by is None:
        return {field.name: field.name for field in fields}
    if by == FOLDER:
        labels = _folder_labels({field.input.path.parent for field in fields})
        return {field.name: labels[field.input.path.parent] for field in fields}
    found = {field.name: _match(by, field.name) for field in fields}
    strangers = [name for name, group in found.items() if not group]
    if strangers:
        raise TrainingDataError(
            f"The pattern '{by}' that says what belongs together is not found in {some_of(strangers)}. Make it fit "
            "every name, or leave these fields out."
        )
    return {name: group for name, group in found.items() if group}


def describe_groups(groups: Iterable[str]) -> str:
    """How many fields each group has, such as ``2 groups: 008 (76), 009 (51)``.

    Parameters
    ----------
    groups : iterable of str
        The group of each field.
    """
    sizes = Counter(groups)
    listed = some_of([f"{group} ({size})" for group, size in sorted(sizes.items())])
    if len(sizes) == 1:
        return f"1 group: {listed}"
    return f"{len(sizes)} groups: {listed}"


def _match(pattern: str, name: str) -> str | None:
    found = re.search(pattern, name)
    if found is None:
        return None
    if found.re.groups:
        return found[1]
    return found[0]


def _folder_labels(folders: set[Path]) -> dict[Path, str]:
    """Names of folders, with as many of their parents as it takes to tell them apart."""
    for depth in count(1):
        labels = {folder: "/".join(folder.parts[-depth:]) for folder in folders}
        if len(set(labels.values())) == len(folders):
            break
    return labels


def _taken(
    units: Sequence[str], wanted: float | tuple[str, ...], groups: Mapping[str, str], minimum: int, left: int
) -> list[str]:
    """Names of the groups wanted, out of those that are there, `units`."""
    if isinstance(wanted, tuple):
        for name in wanted:
            _refuse_unknown(name, units, groups)
        return list(wanted)
    if not wanted:
        return []
    number = max(round(wanted * len(units)), minimum)
    return list(units[: max(0, min(number, len(units) - left))])


def _refuse_unknown(name: str, units: Sequence[str], groups: Mapping[str, str]) -> None:
    if name in units:
        return
    group = groups.get(name, name)
    if group != name:
        raise TrainingDataError(f"{name} belongs to the group {group}, which stays together: name the group.")
    what = "group" if any(group != field for field, group in groups.items()) else "field"
    raise TrainingDataError(
        f"No {what} named {name} (or it is used twice); {what}s: {some_of(sorted(units), most=len(units))}."
    )


def _of_groups(fields: Sequence[Field], groups: Mapping[str, str], wanted: Sequence[str]) -> tuple[Field, ...]:
    chosen = set(wanted)
    return tuple(sorted((field for field in fields if groups[field.name] in chosen), key=lambda field: field.name))


def _units(split: Split) -> str:
    if split.by is None:
        return "fields"
    return "groups"


def some_of(names: Sequence[str], most: int = _SHOWN) -> str:
    """The first names, and how many there are besides: ``a, b and 3 more``."""
    listed = ", ".join(names[:most])
    if len(names) <= most:
        return listed
    return f"{listed} and {len(names) - most} more"
