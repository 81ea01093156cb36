"""What is known of a measure that is taken from a prediction: the verdict in the card of the model that predicted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from napari_mito_predict.errors import ModelError
from napari_mito_predict.measurement.measures import (
    DYNAMICS_MEASURES,
    FIELD_MEASURES,
    DynamicsMeasure,
    Measure,
    Structure,
    measures_of,
)
from napari_mito_predict.models import find_model, read_card

if TYPE_CHECKING:
    from napari_mito_predict.measurement.voxels import Unit
    from napari_mito_predict.models import MeasureVerdict, ValueRange

RECORDED = "recorded"
"""Of numbers from what a microscope recorded."""
NOT_TESTED = "not tested"
_ORDER = (RECORDED, "supported", "with care", NOT_TESTED, "not supported")

_OTHER_SETTINGS = "tested with other settings"
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
        Segmented, and followed over time, as the verdicts were found.
    """

    model: str = ""
    weights_sha256: str = ""
    simulated: bool = False
    default_settings: bool = True


def key_of(measure: Measure | DynamicsMeasure) -> str:
    """Name of a measure in a card: ``mitochondria.total_length``, ``dynamics.fissions_per_min``."""
    of = measure.structure if isinstance(measure, Measure) else "dynamics"
    return f"{of}.{measure.name}"


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
    known = _Known.of(origin)
    return {measure.name: _judged(measure, known, dimensions) for measure in measures}


def _recorded(measure: Measure, predicted: Mapping[Structure, str]) -> Judgement:
    """Of a recording; what needs a structure that is predicted is no recording."""
    if measure.beside is not None and measure.beside in predicted:
        return Judgement(NOT_TESTED, f"the {measure.beside} are predicted by {predicted[measure.beside]}")
    return Judgement(RECORDED)


def judge_dynamics(origin: Origin, dimensions: int) -> dict[str, Judgement]:
    """Say of each of `DYNAMICS_MEASURES` what is known of it, by name.

    Parameters
    ----------
    origin : Origin
    dimensions : {2, 3}
    """
    if not origin.model:
        return {measure.name: Judgement(RECORDED) for measure in DYNAMICS_MEASURES}
    known = _Known.of(origin)
    return {measure.name: known.of_measure(key_of(measure), dimensions) for measure in DYNAMICS_MEASURES}


def worst(judgements: Mapping[str, Judgement]) -> str:
    """The verdict of the measures of a field together, but of brightness; empty without any."""
    return worst_of(judgement.verdict for name, judgement in judgements.items() if name not in _RELATIVE)


def worst_of(verdicts: Iterable[str]) -> str:
    """The one that says least for a number; empty without any."""
    return max(verdicts, key=_ORDER.index, default="")


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of the measures of one origin: the verdicts of its model, and why there are no others."""

    origin: Origin
    verdicts: tuple[MeasureVerdict, ...]
    why: str

    @classmethod
    def of(cls, origin: Origin) -> Self:
        try:
            card = read_card(find_model(origin.model))
        except ModelError:
            return cls(origin, (), f"the model {origin.model} is not here, so that nothing is known of its measures")
        if origin.weights_sha256 and card.weights.sha256 != origin.weights_sha256:
            return cls(
                origin, (), f"the model {origin.model} that is here is not the one that predicted (other weights)"
            )
        return cls(origin, card.verdicts, f"nobody tested this measure on predictions of {origin.model}")

    def of_measure(self, key: str, dimensions: int) -> Judgement:
        stored = [each for each in self.verdicts if each.measure == key and each.dimensions in (None, dimensions)]
        real = [each for each in stored if not each.simulated]
        usable = stored if self.origin.simulated else real
        if not stored:
            return Judgement(NOT_TESTED, self.why)
        if not self.origin.default_settings:
            return Judgement(NOT_TESTED, _OTHER_SETTINGS)
        if usable:
            return Judgement(usable[0].verdict, _numbers(usable[0]), usable[0].tested)
        if all(each.verdict == "not supported" for each in stored):
            return Judgement("not supported", f"not even on simulated cells: {_numbers(stored[0])}")
        return Judgement(NOT_TESTED, f"tested on {stored[0].on or 'simulated cells'} only, not on real ones")


def _judged(measure: Measure, known: _Known, dimensions: int) -> Judgement:
    if measure.relative:
        return Judgement("not supported", "brightness in a prediction is relative")
    return known.of_measure(key_of(measure), dimensions)


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
