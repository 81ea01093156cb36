"""One colour for a model on an image, with the reasons: whether its prediction can be believed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from napari_mito_predict.image import Finding, Level


class Colour(StrEnum):
    """Of a `TrafficLight`."""

    GREEN = "green"
    """The image is like those that the model was trained on."""
    AMBER = "amber"
    """The prediction is to be taken with care."""
    RED = "red"
    """The prediction is not to be believed, or impossible."""


_COLOURS = {Level.ERROR: Colour.RED, Level.SEVERE: Colour.RED, Level.WARNING: Colour.AMBER}
_WORST_FIRST = (Level.ERROR, Level.SEVERE, Level.WARNING)


@dataclass(frozen=True)
class TrafficLight:
    """Whether a model's prediction of an image can be believed.

    Attributes
    ----------
    model : str
        Name of the model.
    colour : Colour
    reasons : tuple of Finding
        Why it is not green, the worst first; empty where it is.
    """

    model: str
    colour: Colour
    reasons: tuple[Finding, ...]

    @property
    def advice(self) -> str:
        """All reasons with what to do, as one text; empty of a green light."""
        return " ".join(finding.advice for finding in self.reasons)


def traffic_light(model: str, findings: Iterable[Finding]) -> TrafficLight:
    """Put together what was found about a model and an image; findings about other models are left out."""
    about = [finding for finding in findings if finding.model in ("", model) and finding.level is not Level.INFO]
    reasons = tuple(sorted(about, key=lambda finding: _WORST_FIRST.index(finding.level)))
    if not reasons:
        return TrafficLight(model, Colour.GREEN, ())
    return TrafficLight(model, _COLOURS[reasons[0].level], reasons)
