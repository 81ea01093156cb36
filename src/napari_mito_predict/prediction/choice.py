"""Which models predict an image where nobody chose any; made without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from napari_mito_predict.errors import ImageError
from napari_mito_predict.image import ChannelRole, Finding, Level, Modality, light_of
from napari_mito_predict.models.distributions import REAL_MODELS, installed_distributions
from napari_mito_predict.models.registry import ModelInfo, Source, bundled_names, list_models
from napari_mito_predict.prediction.fit import findings as fit_findings
from napari_mito_predict.prediction.volumes import Subject, VoxelSize

if TYPE_CHECKING:
    from napari_mito_predict.image import ImageSource
    from napari_mito_predict.models.card import ModelCard

GATE: Final = {"other-modality", "other-sampling", "very-different-voxel-size", "baseline-not-beaten"}
"""Findings with which a model of real cells is offered, but not chosen by itself."""


@dataclass(frozen=True)
class Choice:
    """Models for an image.

    Attributes
    ----------
    models : tuple of str
        Their names; empty where there are none for this kind of image.
    findings : tuple of Finding
        Why a model of real cells is not among them.
    """

    models: tuple[str, ...]
    findings: tuple[Finding, ...] = ()


def choose_models(
    image: ImageSource, channel: int | str | ChannelRole | None = None, voxel_size_um: VoxelSize | None = None
) -> Choice:
    """Choose models for an image.

    A single plane gets the installed models of real cells that are for planes like it: its light is of the kind they
    were trained on, or not known, and so are its pixels. Everything else gets the bundled models of its third axis.

    Parameters
    ----------
    image : ImageSource
        The image.
    channel : int, str or ChannelRole, optional
        The transmitted-light channel; found by role when absent.
    voxel_size_um : tuple of float or None, optional
        (z, y, x), where the image does not know it or is wrong.
    """
    bundled = tuple(bundled_names(image.third_axis or "z"))
    if image.third_axis is not None:
        return Choice(bundled)
    try:
        light = light_of(image, channel)
        subject = Subject(image, light.index, voxel_size_um or image.voxel_size_um)
    except ImageError:  # planning the prediction will say it
        return Choice(bundled)
    if light.role in (ChannelRole.MITOCHONDRIA, ChannelRole.DNA):
        return Choice(bundled)
    installed = [info for info in list_models() if info.source is Source.INSTALLED]
    candidates = [_Candidate(info.name, info.card) for info in installed if info.card and _is_real(info.card)]
    if not candidates:
        return Choice(bundled, _how_to_get_one(subject, installed))
    fitting: list[str] = []
    not_chosen: list[Finding] = []
    for candidate in candidates:
        against = [finding for finding in fit_findings(subject, candidate) if finding.code in GATE]
        if against:
            not_chosen += map(_not_chosen, against)
        else:
            fitting.append(candidate.name)
    if fitting:
        return Choice(tuple(fitting))
    return Choice(bundled, tuple(not_chosen))


class _Candidate(NamedTuple):
    name: str
    card: ModelCard


def _is_real(card: ModelCard) -> bool:
    """Whether a model is one of real cells, for single planes."""
    return card.simulated is False and not card.input.third_axes


def _not_chosen(reason: Finding) -> Finding:
    message = f"{reason.model} is for single planes, but not chosen by itself. {reason.message}"
    return replace(reason, message=message, fix="Choose it to see what it gives.")


def _how_to_get_one(subject: Subject, installed: Sequence[ModelInfo]) -> tuple[Finding, ...]:
    """Where a model of real cells for this plane would come from; nothing for planes that it would not be for."""
    light = subject.image.channels[subject.channel].modality
    if light not in (None, Modality.BRIGHT_FIELD):
        return ()
    problem = next((info.problem for info in installed if info.distribution == REAL_MODELS and info.problem), None)
    if problem:
        return (Finding(Level.WARNING, "real-models-broken", f"{REAL_MODELS} is installed, but broken. {problem}"),)
    if any(found.name == REAL_MODELS for found in installed_distributions()):
        message = f"The model of real cells of {REAL_MODELS} is hidden by one of your own of the same name."
        return (Finding(Level.INFO, "real-models-hidden", message, "Choose yours, or give it another name."),)
    return (
        Finding(
            Level.INFO,
            "real-models-missing",
            "A model of real cells for single planes of bright-field comes as a package of its own.",
            "In a clone of this program's repository: `pip install ./real-models`.",
        ),
    )
