"""What can be known of a training before it: what is wrong with its fields, and how long it would take here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_mito_predict.training.checks import FieldReport, check_together
from napari_mito_predict.training.data import FieldReader, refuse
from napari_mito_predict.training.estimate import seconds_per_iteration
from napari_mito_predict.training.lifecycle import reference_of
from napari_mito_predict.training.patch_size import patch_of

if TYPE_CHECKING:
    from napari_mito_predict.image import Finding
    from napari_mito_predict.training.config import TrainingConfig


@dataclass(frozen=True)
class FieldChecks:
    """What was found in the fields of a training.

    Attributes
    ----------
    reports : tuple of FieldReport
        Of each field: training, then validation, then test.
    together : tuple of Finding
        What only shows when all fields are seen.
    ndim : int
        Spatial dimensions of their volumes.
    """

    reports: tuple[FieldReport, ...]
    together: tuple[Finding, ...]
    ndim: int

    def refuse_errors(self) -> None:
        """Raise what the training itself would raise.

        Raises
        ------
        TrainingDataError
            Lists every error of every field.
        """
        refuse(self.reports, self.together)


@dataclass(frozen=True)
class Duration:
    """How long a training would take on this computer.

    Attributes
    ----------
    seconds_each : float
        Of one iteration.
    minutes : float
        Of all iterations.
    limit_minutes : float or None
        When the training ends before, because its configuration says so; None where it does not.
    """

    seconds_each: float
    minutes: float
    limit_minutes: float | None


def check_fields(
    config: TrainingConfig, on_progress: Callable[[int, int, str], None], parts: Mapping[str, str] | None = None
) -> FieldChecks:
    """Read all fields of a training and check them, as the training would.

    Parameters
    ----------
    config : TrainingConfig
    on_progress : callable
        Told ``(done, total, name)`` after each field.
    parts : mapping of str to str, optional
        Name of each field -> the part it is in, where that is not one of the configuration: the folds of a
        cross-validation, which must not share pixels either.

    Raises
    ------
    TrainingDataError
        There are no fields, or none can be opened, or only some know their voxel size.
    """
    reader = FieldReader(config, reference_of(config))
    reports = []
    for done, field in enumerate(reader.all_fields, 1):
        _, report = reader.read(field)
        if parts is not None:
            report = replace(report, part=parts[report.name])
        reports.append(report)
        on_progress(done, len(reader.all_fields), field.name)
    return FieldChecks(tuple(reports), (*reader.findings, *check_together(reports)), reader.sampling.ndim)


def expected_duration(config: TrainingConfig, ndim: int) -> Duration:
    """Time a few iterations, see `seconds_per_iteration`, on fields of `ndim` dimensions.

    Raises
    ------
    TrainingDataError
        The patch has another number of dimensions.
    """
    each = seconds_per_iteration(config, patch_of(config, ndim))
    minutes = each * config.iterations / 60
    limit = config.max_minutes
    if not limit or limit >= minutes:
        limit = None
    return Duration(each, minutes, limit)
