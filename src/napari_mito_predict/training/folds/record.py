"""What a cross-validation was begun with: `folds.json` in its folder, so that it goes on with that and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from napari_mito_predict._files import atomic_write_text
from napari_mito_predict._reading import read_bytes
from napari_mito_predict.errors import TrainingError, one_line
from napari_mito_predict.training.config import TrainingConfig
from napari_mito_predict.training.run import Run
from napari_mito_predict.training.split import some_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from napari_mito_predict.training.folds.plan import CrossValidation, Fold

SCHEMA_VERSION = 1
_RECORD = "folds.json"
_LARGEST_BYTES = 64 << 20
_WAY_OUT = "Choose another `output`, or delete this one to begin anew."


class _Record(BaseModel):
    """What `folds.json` holds."""

    model_config = ConfigDict(frozen=True)

    schema_version: int = SCHEMA_VERSION
    config: dict[str, Any]
    """Of the training, without what each fold sets."""
    groups: dict[str, str]
    """Name of each field -> its group."""
    folds: dict[str, tuple[str, ...]]
    """Name of each fold -> the groups it holds out."""


def claim(planned: CrossValidation) -> None:
    """Write down what a folder is for; see that nothing in it was begun with something else.

    Raises
    ------
    TrainingError
        It holds another cross-validation, a fold of other settings, or a run of its own; names what differs.
    UnwritableOutputError
        It cannot be written to.
    """
    folder = planned.folder
    if Run(folder).exists:
        raise TrainingError(f"holds a single run. {_WAY_OUT}", file=folder)
    path = folder / _RECORD
    if path.exists():
        _refuse(list(_differences(planned, _read(path))), folder)
    for fold in planned.folds:
        run = planned.run_of(fold)
        if run.exists:
            _refuse(planned.config_of(fold).differences(run.config.model_dump(mode="json")), run.path)
    if path.exists():
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(
            f"cannot be made ({error.strerror or error}). Choose another `output`.", file=folder
        ) from error
    record = _Record(
        config=planned.config.model_dump(mode="json"), groups=dict(planned.groups), folds=_held_out(planned.folds)
    )
    atomic_write_text(path, record.model_dump_json(indent=1))


def _read(path: Path) -> _Record:
    try:
        record = _Record.model_validate_json(read_bytes(path, _LARGEST_BYTES))
    except (OSError, ValidationError) as error:
        raise TrainingError(f"not readable ({one_line(error)}). {_WAY_OUT}", file=path) from error
    if record.schema_version > SCHEMA_VERSION:
        raise TrainingError(
            f"was written by a newer version (schema {record.schema_version}). Update napari-mito-predict.", file=path
        )
    return record


def _differences(planned: CrossValidation, before: _Record) -> Iterator[str]:
    """What is another one than before, as ``what: before -> now``."""
    config = TrainingConfig.parse(before.config, source=planned.folder / _RECORD)
    yield from planned.config.differences(config.model_dump(mode="json"))
    added = sorted(planned.groups.keys() - before.groups.keys())
    gone = sorted(before.groups.keys() - planned.groups.keys())
    if added:
        yield f"new fields: {some_of(added)}"
    if gone:
        yield f"fields that are gone: {some_of(gone)}"
    moved = [name for name, group in planned.groups.items() if before.groups.get(name, group) != group]
    if moved:
        yield f"fields of another group: {some_of(moved)}"
    same_groups = set(before.groups.values()) == set(planned.groups.values())
    if same_groups and before.folds != _held_out(planned.folds):
        yield f"folds: {len(before.folds)} -> {len(planned.folds)}"


def _held_out(folds: Sequence[Fold]) -> Mapping[str, tuple[str, ...]]:
    return {fold.name: fold.held_out for fold in folds}


def _refuse(different: Sequence[str], folder: Path) -> None:
    if different:
        raise TrainingError(f"was begun with something else ({'; '.join(different)}). {_WAY_OUT}", file=folder)
