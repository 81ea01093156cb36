"""What was found out about the measures of a model, and how it comes into its card."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from napari_mito_predict.errors import MeasurementError
from napari_mito_predict.measurement.agreement import MeasureAgreement, agreement
from napari_mito_predict.measurement.measures import FIELD_MEASURES, Measure
from napari_mito_predict.measurement.verdicts import key_of
from napari_mito_predict.models import MeasureVerdict, ValueRange, judgeable_model, read_card, save_verdicts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_mito_predict.judging.values import FieldValues
    from napari_mito_predict.measurement.voxels import Unit

_DIGITS = 4
_DIMENSIONS = (2, 3)


class Pair(NamedTuple):
    """A measure of one field."""

    field: str
    recorded: float
    predicted: float

    @property
    def is_known(self) -> bool:
        """Whether it counts: there is a value of both."""
        return math.isfinite(self.recorded) and math.isfinite(self.predicted)


@dataclass(frozen=True)
class JudgedMeasure:
    """One measure on predictions and on the recorded fluorescence of the same fields.

    Attributes
    ----------
    measure : Measure
    target : str
        Of the model.
    dimensions : {2, 3}
        Whether it was measured in planes or stacks.
    unit : {"um", "px"}
        Of lengths.
    agreement : MeasureAgreement
        Fields, bias, limits, concordance; its `verdict`, and `why` it is no better.
    pairs : tuple of Pair
        What was compared; NaN where a field has no value.
    """

    measure: Measure
    target: str
    dimensions: int
    unit: Unit
    agreement: MeasureAgreement
    pairs: tuple[Pair, ...]

    @property
    def name(self) -> str:
        """As in a card: ``mitochondria.total_length``."""
        return key_of(self.measure)

    @property
    def tested(self) -> ValueRange | None:
        """Least and largest recorded value of the fields that count; None where none does."""
        known = [pair.recorded for pair in self.pairs if pair.is_known]
        if not known:
            return None
        return ValueRange(least=min(known), largest=max(known), unit=self.unit)

    def as_verdict(self, on: str, *, simulated: bool) -> MeasureVerdict:
        """As it stands in a card; `on` says which fields."""
        found = self.agreement
        limits = found.limits
        return MeasureVerdict(
            measure=self.name,
            target=self.target,
            verdict=found.verdict,
            fields=found.fields,
            on=on,
            simulated=simulated,
            dimensions=3 if self.dimensions == 3 else 2,
            concordance=_rounded(found.concordance),
            bias=_rounded(found.bias),
            limits_of_agreement=None if limits is None else (round(limits[0], _DIGITS), round(limits[1], _DIGITS)),
            tested=self.tested,
        )


@dataclass(frozen=True)
class ModelVerdicts:
    """What may be measured on predictions of a model.

    Attributes
    ----------
    model, weights_sha256 : str
        Its name, and the fingerprint of its weights.
    on : str
        Which fields, for people.
    fields : tuple of FieldValues
        One for each independent field.
    measures : tuple of JudgedMeasure
    skipped : tuple of str
        What does not count, with the reason.
    training_known : bool
        The card tells by their pixels which fields the model learned from; those do not count. Else nobody but the
        user knows whether it learned from these.
    """

    model: str
    weights_sha256: str
    on: str
    fields: tuple[FieldValues, ...]
    measures: tuple[JudgedMeasure, ...]
    skipped: tuple[str, ...]
    training_known: bool

    @property
    def simulated(self) -> bool:
        """Whether any field is simulated: then nothing is said of real cells."""
        return any(field.simulated for field in self.fields)

    @property
    def verdicts(self) -> tuple[MeasureVerdict, ...]:
        """As they stand in a card."""
        return tuple(measure.as_verdict(self.on, simulated=self.simulated) for measure in self.measures)

    def save(self, *, unseen: bool = False) -> Path:
        """Write the verdicts into the card and the README of the model, which has to be one of the user's own.

        Parameters
        ----------
        unseen : bool
            The user's word that the model was not trained on any of these fields, where its card does not tell.

        Returns
        -------
        Path
            The package.

        Raises
        ------
        MeasurementError
            It is not known which fields the model was trained on, and `unseen` is not set; or the user's own model of
            that name is another, with other weights.
        UnknownModelError, ProtectedModelError
            It is not one of the user's own models.
        UnwritableOutputError
            The package cannot be written; it is what it was.
        """
        if not self.training_known and not unseen:
            raise MeasurementError(
                f"the card of {self.model} does not tell which fields it was trained on, and on those everything "
                "agrees better than elsewhere. Nothing was saved. Confirm that none of these fields was trained on."
            )
        path = judgeable_model(self.model)
        if read_card(path).weights.sha256 != self.weights_sha256:
            raise MeasurementError("this is not the model that was judged (other weights). Judge it anew.", file=path)
        return save_verdicts(self.model, self.verdicts)


def judge_measures(fields: Sequence[FieldValues]) -> tuple[JudgedMeasure, ...]:
    """Compare each measure of predictions with that of the recordings, planes and stacks each by themselves.

    Brightness is left out: in a prediction it is relative.
    """
    found = []
    for dimensions in _DIMENSIONS:
        same = [field for field in fields if field.dimensions == dimensions]
        for measure in FIELD_MEASURES:
            has_it = any(key_of(measure) in field.recorded for field in same)
            if has_it and not measure.relative:
                found.append(_judge(measure, same))
    return tuple(found)


def _judge(measure: Measure, fields: Sequence[FieldValues]) -> JudgedMeasure:
    key = key_of(measure)
    pairs = [Pair(f.name, f.recorded.get(key, math.nan), f.predicted.get(key, math.nan)) for f in fields]
    return JudgedMeasure(
        measure,
        target=next(field.targets[measure.structure] for field in fields if measure.structure in field.targets),
        dimensions=fields[0].dimensions,
        unit=fields[0].unit,
        agreement=agreement([pair.recorded for pair in pairs], [pair.predicted for pair in pairs]),
        pairs=tuple(pairs),
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)
