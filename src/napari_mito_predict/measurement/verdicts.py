"""What is known of a measure that is taken from a prediction: the verdict in the card of the model that predicted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from napari_mito_predict.errors import ModelError
from napari_mito_predict.measurement.measures import (
    DYNAMICS_MEASURES,
    FIELD_MEASURES,
    DynamicsKind,
    Measure,
    Structure,
    measures_of,
)
from napari_mito_predict.models import find_model, read_card

if TYPE_CHECKING:
    from napari_mito_predict.measurement.voxels import Unit
    from napari_mito_predict.models import MeasureVerdict, ModelCard, ValueRange

RECORDED = "recorded"
"""Of numbers from what a microscope recorded."""
NOT_TESTED = "not tested"
_ORDER = (RECORDED, "supported", "with care", NOT_TESTED, "not supported")

_OTHER_SETTINGS = "tested with other settings of the segmentation"
_RELATIVE = frozenset(measure.name for measure in FIELD_MEASURES if measure.relative)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What stands beside a number.

    Attributes
    ----------
    verdict : str
        ``recorded``, or for a prediction ``supported``, ``with care``, ``not supported`` or ``not tested``.
    why : str
        For people; empty for what was recorded.
    tested : ValueRange or None
        Between which values a verdict was found, where the card tells.
    """

    verdict: str
    why: str = ""
    tested: ValueRange | None = None

    def about(self, value: float, unit: Unit) -> Judgement:
        """What stands beside this very value: *with care* instead of *supported* outside of what was tested."""
        if self.verdict != "supported" or self.tested is None or math.isnan(value):
            return self
        low, high = self.tested.least, self.tested.largest
        if unit != self.tested.unit:
            names = {"um": "micrometres", "px": "pixels"}
            return Judgement("with care", f"tested in {names[self.tested.unit]}, and not in {names[unit]}")
        if low <= value <= high:
            return self
        return Judgement("with care", f"outside of what was tested ({_short(low)} to {_short(high)})")


_FALSE_EVENTS = Judgement(
    "not supported", "seven simulated series: at most 2 % of the events that were found took place"
)
_DYNAMICS_TRIED: Final[Mapping[tuple[str, DynamicsKind], Judgement]] = {
    ("mito-z", "events"): _FALSE_EVENTS,
    ("mito-t", "events"): _FALSE_EVENTS,
    ("mito-z", "movement"): Judgement(NOT_TESTED, "only on seven simulated series of two cells: speed 5 % too low"),
    ("mito-t", "movement"): Judgement("not supported", "seven simulated series: speed 45 % too low"),
}
"""By model; found by benchmarks/dynamics.py on series with known events."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the pixels come from that are measured.

    Attributes
    ----------
    model : str
        Name of the model that predicted them; empty for a recording.
    weights_sha256 : str
        Of the model, where the record tells; a model of that name with other weights is another.
    simulated : bool
        What was predicted from is a simulated image.
    default_settings : bool
        Segmented as the verdicts were found.
    """

    model: str = ""
    weights_sha256: str = ""
    simulated: bool = False
    default_settings: bool = True


def key_of(measure: Measure) -> str:
    """Name of a measure in a card: ``mitochondria.total_length``."""
    return f"{measure.structure}.{measure.name}"


def judge(
    origin: Origin, structure: Structure, dimensions: int, predicted: Mapping[Structure, str] | None = None
) -> dict[str, Judgement]:
    """Say of each measure of a field what is known of it, by name.

    Parameters
    ----------
    origin : Origin
    structure : Structure
    dimensions : {2, 3}
    predicted : mapping, optional
        The structures of the field that are predicted -> by which model, for measures that need two.
    """
    measures = measures_of(structure, "field", dimensions)
    if not origin.model:
        return {measure.name: _recorded(measure, predicted or {}) for measure in measures}
    card, why = _card(origin)
    stored = () if card is None else card.verdicts
    found = {}
    for measure in measures:
        fitting = [each for each in stored if each.measure == key_of(measure) and each.dimensions in (None, dimensions)]
        found[measure.name] = _judged(measure, fitting, origin, why)
    return found


def _recorded(measure: Measure, predicted: Mapping[Structure, str]) -> Judgement:
    """Of a recording; what needs a structure that is predicted is no recording."""
    if measure.beside is not None and measure.beside in predicted:
        return Judgement(NOT_TESTED, f"the {measure.beside} are predicted by {predicted[measure.beside]}")
    return Judgement(RECORDED)


def judge_dynamics(origin: Origin) -> dict[str, Judgement]:
    """Say of each of `DYNAMICS_MEASURES` what is known of it, by name.

    What failed on the simulated cells that a model learned from is not supported on real cells either.
    """
    if not origin.model:
        return {measure.name: Judgement(RECORDED) for measure in DYNAMICS_MEASURES}
    card, why = _card(origin)
    found = {}
    for measure in DYNAMICS_MEASURES:
        judgement = Judgement(NOT_TESTED, why)
        if card is not None:
            judgement = _DYNAMICS_TRIED.get((origin.model, measure.kind), judgement)
        if card is not None and not origin.default_settings:
            judgement = Judgement(NOT_TESTED, _OTHER_SETTINGS)
        found[measure.name] = judgement
    return found


def worst(judgements: Mapping[str, Judgement]) -> str:
    """The verdict of the measures of a field together, but of brightness; empty without any."""
    return worst_of(judgement.verdict for name, judgement in judgements.items() if name not in _RELATIVE)


def worst_of(verdicts: Iterable[str]) -> str:
    """The one that says least for a number; empty without any."""
    return max(verdicts, key=_ORDER.index, default="")


def _card(origin: Origin) -> tuple[ModelCard | None, str]:
    """The card of the model that predicted, if it is here; and why nothing is known of what it does not tell."""
    try:
        card = read_card(find_model(origin.model))
    except ModelError:
        return None, f"the model {origin.model} is not here, so that nothing is known of its measures"
    if origin.weights_sha256 and card.weights.sha256 != origin.weights_sha256:
        return None, f"the model {origin.model} that is here is not the one that predicted (other weights)"
    return card, f"nobody tested this measure on predictions of {origin.model}"


def _judged(measure: Measure, stored: list[MeasureVerdict], origin: Origin, why: str) -> Judgement:
    if measure.relative:
        return Judgement("not supported", "brightness in a prediction is relative")
    real = [each for each in stored if not each.simulated]
    usable = stored if origin.simulated else real
    if not usable:
        reason = why
        if stored:
            reason = f"tested on {stored[0].on or 'simulated cells'} only, not on real ones"
        return Judgement(NOT_TESTED, reason)
    chosen = usable[0]
    if not origin.default_settings:
        return Judgement(NOT_TESTED, _OTHER_SETTINGS)
    return Judgement(chosen.verdict, _numbers(chosen), chosen.tested)


def _numbers(verdict: MeasureVerdict) -> str:
    parts = [f"{verdict.fields} fields"]
    if verdict.on:
        parts[0] = f"{verdict.on}, {parts[0]}"
    if verdict.concordance is not None:
        parts.append(f"concordance {verdict.concordance:.2f}")
    if verdict.bias is not None:
        parts.append(f"bias {verdict.bias:+.0%}")
    if verdict.concordance is None and verdict.bias is not None:
        parts.append("no concordance, as it was the same in all of them")
    return ", ".join(parts)


def _short(value: float) -> str:
    """Four digits, or all before the point."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"
