"""`judge_model`: from a folder of fields to what may be measured on predictions of a model."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from napari_mito_predict.errors import MeasurementCancelled, MeasurementError, MitoPredictError
from napari_mito_predict.evaluation.case_files import CaseFiles
from napari_mito_predict.image.names import image_stem
from napari_mito_predict.judging.comparable import ComparableFields, OnProgress
from napari_mito_predict.judging.model_verdicts import ModelVerdicts, judge_measures
from napari_mito_predict.judging.values import FieldValues, mean_of, measure_field
from napari_mito_predict.measurement.measures import Structure
from napari_mito_predict.models import find_model, read_card
from napari_mito_predict.training.fields import Field, Place
from napari_mito_predict.training.split import groups_of

_UNITS = {"um": "in micrometres", "px": "in pixels"}
_SHOWN = 3


def _say_nothing(done: int, total: int, name: str) -> None:
    pass


def _go_on() -> bool:
    return False


def judge_model(
    model: str | Path,
    truth: str | Path,
    predictions: Sequence[str | Path] = (),
    *,
    structures: Sequence[Structure | str] | None = None,
    by: str | None = None,
    on: str = "",
    truth_channel: int | str | None = None,
    scene: int | str | None = None,
    on_progress: OnProgress = _say_nothing,
    should_stop: Callable[[], bool] = _go_on,
) -> ModelVerdicts:
    """Find out which measures may be taken from predictions of a model.

    Each field is predicted, unless its prediction is given; prediction and recorded fluorescence are measured with the
    same settings, the defaults, and compared field by field (bias and limits of agreement of Bland & Altman 1986,
    concordance of Lin 1989). *Supported* needs 8 independent fields, a concordance of 0.8 and a bias of at most 10 %.
    A file is one field, with the means over its time points and scenes, which are of the same cells or dish. Fields
    that the model was trained on or chosen by do not count.

    Parameters
    ----------
    model : str or Path
        Name of a model, or path of a package.
    truth : str or Path
        Folder of images, or an image, with the recorded fluorescence; and the transmitted light where no predictions
        are given.
    predictions : sequence of str or Path
        Predictions by this model, or folders of them, which find their truths as in `mito-predict evaluate`.
    structures : sequence of Structure or str, optional
        Of ``mitochondria``, ``nuclei`` and ``nucleoids``; by default all that the model predicts.
    by : str, optional
        What of the name of a file says what belongs together, such as a dish, as a regular expression: its first
        group, or all that matches. Files of one group are one field.
    on : str, optional
        Which fields, in a few words for the card, such as ``fields of HeLa, 63x``; by default the name of the folder.
    truth_channel : int or str, optional
        Which channel is the recorded fluorescence, where the files do not tell.
    scene : int or str, optional
        Of the images with the fluorescence; default the one that was predicted, or the first.
    on_progress : callable, optional
        Told ``(done, total, name)``, image by image.
    should_stop : callable, optional
        Asked between the steps of a measurement.

    Returns
    -------
    ModelVerdicts
        Nothing is written; see `ModelVerdicts.save`.

    Raises
    ------
    ModelError
        There is no such model, or it cannot be used.
    MeasurementError
        No field is left; says why. Or `by` is no regular expression.
    EvaluationError
        Not one prediction has a truth.
    ImageError
        There is no such folder, or no image in it.
    TrainingDataError
        `by` does not fit the name of a file.
    MeasurementCancelled
        By `should_stop`.

    Examples
    --------
    >>> import napari_mito_predict as nmp
    >>> found = nmp.judge_model("mine", "stained")                           # doctest: +SKIP
    >>> [(each.name, each.agreement.verdict) for each in found.measures]     # doctest: +SKIP
    >>> found.save()                                                         # doctest: +SKIP
    """
    package = find_model(str(model))
    card = read_card(package)
    truth = Path(truth)
    files = CaseFiles([Path(path) for path in predictions], truth, truth_channel=truth_channel, scene=scene)
    wanted = None if structures is None else tuple(map(Structure, structures))
    groups = _groups(files, by)
    measured: dict[Path, FieldValues] = {}
    for cases in ComparableFields(files, package, card, on_progress):
        path = cases[0].truth.path or truth
        try:
            measured[path] = measure_field(cases, wanted, should_stop)
        except MeasurementCancelled:
            raise
        except MitoPredictError as error:
            files.skip(path, error)
    fields = _independent(_of_one_unit(measured, files), groups)
    if not fields:
        raise MeasurementError(
            f"no field is left to judge {card.name} on. {' '.join(files.skipped[:_SHOWN])}".strip(), file=truth
        )
    return ModelVerdicts(
        model=card.name,
        weights_sha256=card.weights.sha256,
        on=on or f"fields of {image_stem(truth.resolve())}",
        fields=tuple(fields),
        measures=judge_measures(fields),
        skipped=tuple(files.skipped),
        training_known=card.training.fields_seen is not None,
    )


def _groups(files: CaseFiles, by: str | None) -> dict[str, str] | None:
    """The group of each file, by its stem, found before anything is predicted; None where each is by itself."""
    if by is None:
        return None
    try:
        return groups_of([Field(image_stem(path), Place(path, None), ()) for path in files.truths], by)
    except re.error as error:
        raise MeasurementError(f"'{by}' is no regular expression ({error}).") from error


def _of_one_unit(measured: Mapping[Path, FieldValues], files: CaseFiles) -> dict[Path, FieldValues]:
    """Leave out what is not in the unit of the first file: pixels and micrometres are not compared."""
    units = [field.unit for field in measured.values()]
    kept = {}
    for path, field in measured.items():
        if field.unit == units[0]:
            kept[path] = field
        else:
            words = f"measured {_UNITS[field.unit]}, and others {_UNITS[units[0]]}"
            files.skipped.append(f"{path}: {words}. State the voxel size in its file.")
    return kept


def _independent(measured: Mapping[Path, FieldValues], groups: Mapping[str, str] | None) -> list[FieldValues]:
    """One for each file, or for each group of files; planes and stacks apart."""
    if groups is None:
        return list(measured.values())
    parts: dict[tuple[str, int], list[FieldValues]] = {}
    for path, field in measured.items():
        parts.setdefault((groups[image_stem(path)], field.dimensions), []).append(field)
    return [mean_of(name, same) for (name, _), same in parts.items()]
