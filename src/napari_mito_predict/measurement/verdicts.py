"""What is known of a measure that is taken from a prediction: the verdict in the card of the model that predicted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_mito_predict.errors import ModelError
from napari_mito_predict.measurement.measures import FIELD_MEASURES, Measure, Structure, measures_of
from napari_mito_predict.models import find_model, read_card

if TYPE_CHECKING:
    from napari_mito_predict.models import MeasureVerdict

RECORDED = "recorded"
"""Of numbers from what a microscope recorded."""
NOT_TESTED = "not tested"
_ORDER = (RECORDED, "supported", "with care", NOT_TESTED, "not supported")

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
    """

    verdict: str
    why: str = ""


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
    stored, why = _stored(origin)
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


def worst(judgements: Mapping[str, Judgement]) -> str:
    """The verdict of the measures of a field together, but of brightness; empty without any."""
    return worst_of(judgement.verdict for name, judgement in judgements.items() if name not in _RELATIVE)


def worst_of(verdicts: Iterable[str]) -> str:
    """The one that says least for a number; empty without any."""
    return max(verdicts, key=_ORDER.index, default="")


def _stored(origin: Origin) -> tuple[tuple[MeasureVerdict, ...], str]:
    """Verdicts of the model, or why there are none."""
    try:
        card = read_card(find_model(origin.model))
    except ModelError:
        return (), f"the model {origin.model} is not here, so that nothing is known of its measures"
    if origin.weights_sha256 and card.weights.sha256 != origin.weights_sha256:
        return (), f"the model {origin.model} that is here is not the one that predicted (other weights)"
    return card.verdicts, f"nobody tested this measure on predictions of {origin.model}"


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
        return Judgement(NOT_TESTED, "tested with other settings of the segmentation")
    return Judgement(chosen.verdict, _numbers(chosen))


def _numbers(verdict: MeasureVerdict) -> str:
    parts = [f"{verdict.fields} fields"]
    if verdict.on:
        parts[0] = f"{verdict.on}, {parts[0]}"
    if verdict.concordance is not None:
        parts.append(f"concordance {verdict.concordance:.2f}")
    if verdict.bias is not None:
        parts.append(f"bias {verdict.bias:+.0%}")
    return ", ".join(parts)
