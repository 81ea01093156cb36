"""How good a model is, as its card says: scores on fields it had not seen, and verdicts on measures."""

from __future__ import annotations

from typing import Literal, NamedTuple

from pydantic import Field, FiniteFloat

from napari_mito_predict.models.card_text import MEASURES, Measure
from napari_mito_predict.models.card_values import CardPart, Count, Line, Name, Text


class ValueRange(CardPart):
    """Least and largest value of a measure in the recorded fluorescence of the fields that it was tested on."""

    least: FiniteFloat
    largest: FiniteFloat
    unit: Literal["um", "px"]
    """Of lengths."""


class MeasureVerdict(CardPart):
    """How far a measure that is taken from predictions of this model can be trusted."""

    measure: Line
    """Such as ``mitochondria.total_length``: what is measured, and its name."""
    target: Name
    verdict: Literal["supported", "with care", "not supported"]
    fields: Count
    """How many independent fields it was tried on."""
    on: Line = ""
    """Which fields."""
    simulated: bool | None = None
    """Whether those are of simulated cells; such a verdict says nothing of real ones. ``None`` where not stated."""
    dimensions: Literal[2, 3] | None = None
    """Whether it was measured in planes or stacks."""
    concordance: FiniteFloat | None = None
    """Lin's coefficient of the measure on prediction and on truth."""
    bias: FiniteFloat | None = None
    """Mean difference to the truth, relative to it."""
    limits_of_agreement: tuple[FiniteFloat, FiniteFloat] | None = None
    """In the same way."""
    tested: ValueRange | None = None
    """Between which values; ``None`` where not stated."""


class Agreement(CardPart):
    """Means over groups of fields; ``None`` where there is none, such as of a constant prediction."""

    pcc: FiniteFloat | None = None
    fine_pcc: FiniteFloat | None = None


class ModelTest(CardPart):
    """One target on fields that were not trained on, beside what needs no network."""

    target: Name
    on: Text
    """Which fields."""
    model: Agreement
    baselines: dict[Line, Agreement] = Field(default_factory=dict, max_length=50)

    def compared(self, measure: Measure) -> tuple[str, ...]:
        """The baselines that were compared with the model in a measure."""
        if getattr(self.model, measure) is None:
            return ()
        return tuple(name for name, found in self.baselines.items() if getattr(found, measure) is not None)


class Unbeaten(NamedTuple):
    """A baseline that a model is not better than, in one measure."""

    target: str
    measure: Measure
    value: float | None
    """Of the model."""
    baseline: str
    baseline_value: float

    def __str__(self) -> str:
        """Such as ``mitochondria, PCC 0.41 against 0.43 of the local contrast``."""
        name = MEASURES[self.measure]
        value = "none" if self.value is None else f"{self.value:.2f}"
        return f"{self.target}, {name} {value} against {self.baseline_value:.2f} of the {self.baseline}"
