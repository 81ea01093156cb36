"""What a card says at a glance: scores, where it comes from, what to do where it cannot be used."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from napari_mito_predict._widgets.common.model_words import (
    problem_of,
    target_title,
    third_axes,
    voxel_size,
)
from napari_mito_predict.models.licence import NOT_STATED
from napari_mito_predict.models.registry import Source

if TYPE_CHECKING:
    from napari_mito_predict.models.card import ModelCard, Target
    from napari_mito_predict.models.card_tests import Agreement, ModelTest
    from napari_mito_predict.models.registry import ModelInfo

_ORDER = list(Source)
_MEASURES = {"pcc": "PCC", "fine_pcc": "fine PCC", "ssim_global": "SSIM (global)"}
_SHOWN_WORDS = 40
"""Letters of a condition beside its score."""


class Score(NamedTuple):
    """What tests say of a model, in a line."""

    text: str
    better: bool = True
    """Than what needs no network, as far as that was tested."""


def scores_of(card: ModelCard) -> list[Score]:
    """PCC of each target beside the best that needs no network; of older cards PCC alone."""
    if card.tests:
        several = len(card.targets) > 1
        return [_tested(test, several) for test in card.tests]
    for condition, values in card.metrics.items():
        if "pcc" in values:
            where = shortened(condition, _SHOWN_WORDS)
            return [Score(f"PCC {values['pcc']:.2f} ({where}) · without a network: not tested")]
    return [Score("no scores on the card")]


def _tested(test: ModelTest, named: bool) -> Score:
    text = f"PCC {_number(test.model)}"
    if named:
        text = f"{target_title(test.target)}: {text}"
    known = {name: found.pcc for name, found in test.baselines.items() if found.pcc is not None}
    if not known:
        return Score(f"{text} · without a network: not tested")
    best = max(known, key=known.__getitem__)
    text += f" · without a network {known[best]:.2f} ({shortened(best, _SHOWN_WORDS)})"
    return Score(text, test.model.pcc is not None and test.model.pcc > known[best])


def _number(agreement: Agreement) -> str:
    if agreement.pcc is None:
        return "none"
    return f"{agreement.pcc:.2f}"


def narrow_markdown(card: ModelCard) -> str:
    """The text of a card with a line for each condition, where a table would be wider than a dock."""
    text = card.model_copy(update={"metrics": {}}).to_markdown().rstrip()
    if not card.metrics:
        return text
    lines = [f"- **{condition}**: {_values(values)}" for condition, values in card.metrics.items()]
    return "\n".join([text, "", "### Scores", "", *lines])


def _values(values: dict[str, float]) -> str:
    return ", ".join(f"{_MEASURES.get(metric, metric)} {value:.3g}" for metric, value in values.items())


def target_line(target: Target) -> str:
    """What is predicted, and by which label it was seen in training."""
    if not target.stain or target.stain.casefold() == target.name.casefold():
        return target_title(target.name)
    return f"{target_title(target.name)} · {target.stain}"


def input_line(card: ModelCard) -> str:
    """From what it predicts, in which sampling."""
    return f"from {card.input.modality}, {third_axes(card)}, {voxel_size(card)}"


def training_images_line(card: ModelCard) -> str:
    """What a missing description of the images trained on means; empty where there is one."""
    if card.training_images is not None:
        return ""
    return "Does not know what its training images look like: no image can be compared with them"


def licence_line(info: ModelInfo) -> str:
    """Under which licence it is, and where it comes from."""
    licence = NOT_STATED
    if info.card is not None and info.card.licence:
        licence = info.card.licence
    return f"Licence {licence} · {place_of(info)}"


def place_of(info: ModelInfo) -> str:
    """Where a model of the list comes from."""
    match info.source:
        case Source.OWN:
            return "yours"
        case Source.SHARED:
            return f"shared folder {info.path.parent.name}"
        case Source.INSTALLED:
            return f"installed with {info.distribution}"
        case _:
            return "built in"


def remedy_of(info: ModelInfo) -> str:
    """What to do about a model that cannot be used."""
    match info.source:
        case Source.OWN:
            return "Get it again from where it came from, or remove it."
        case Source.SHARED:
            return f"Tell whoever keeps {info.path.parent}; the other models there can be used."
        case Source.INSTALLED:
            return f"Install {info.distribution} again."
        case _:
            return "Install napari-mito-predict again."


def why_protected(info: ModelInfo) -> str:
    """Why a model can be neither renamed nor removed; empty for the user's own."""
    if info.source is Source.OWN:
        return ""
    return (
        f"Only your own models can be renamed or removed; this one is not yours ({place_of(info)}). "
        "A copy can be: export it, and import that."
    )


def position(info: ModelInfo) -> tuple[bool, int, str]:
    """Order of the list: the user's own first; what cannot be used comes last."""
    return info.card is None, _ORDER.index(info.source), info.name.casefold()


def searched(info: ModelInfo) -> str:
    """All that the filter looks in."""
    words = [info.name, place_of(info)]
    if info.card is None:
        words += ["cannot be used", problem_of(info)]
    else:
        words += [info.card.title, info.card.licence, info.card.cells, input_line(info.card)]
        words += map(target_line, info.card.targets)
    return os.linesep.join(words).casefold()


def shortened(text: str, letters: int) -> str:
    """As much of a text as there is room for."""
    if len(text) <= letters:
        return text
    return f"{text[: letters - 1]}…"
