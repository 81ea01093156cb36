"""The card for people: what a model predicts, from what, how it was trained, and how far to trust it, as Markdown."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Literal

from napari_mito_predict.models.graphs import GRAPH
from napari_mito_predict.models.licence import NOT_STATED

if TYPE_CHECKING:
    from napari_mito_predict.models.card import ModelCard

SIMULATED_DISCLAIMER = "Trained on simulated cells, not validated on real ones."
_WHAT_SIMULATED_MEANS = (
    "It never saw a real microscope image: on real cells take its output as a demonstration and as a start for "
    "fine-tuning on your own pairs, never as a measurement."
)
Measure = Literal["pcc", "fine_pcc"]
MEASURES: dict[Measure, str] = {"pcc": "PCC", "fine_pcc": "fine PCC"}


def card_markdown(card: ModelCard) -> str:
    """The card for people, as Markdown; a simulated model says so in its first line."""
    stains = ", ".join(f"{target.name} ({target.stain})" for target in card.targets)
    lines = [
        f"# {card.title}\n",
        f"Predicts {stains} from {card.input.modality}; {_third_axes_text(card)}, {_voxel_size_text(card)}.\n",
        f"- Training: {training_text(card)}.",
        f"- Network: {_network_text(card)}",
        f"- Licence: {card.licence or NOT_STATED}. Authors: {', '.join(card.authors) or NOT_STATED}.",
        f"- {_values_text(card)}",
    ]
    lines += _test_lines(card)
    lines += _verdict_lines(card)
    if card.origin is not None:
        lines.append(f"- Taken from a {card.origin.format} file: {card.origin.source}")
    if card.trained_on:
        lines.insert(2, f"- Cells: {card.trained_on}.")
    if card.attribution:
        lines.append(f"- Attribution: {card.attribution}")
    if card.training.notes:
        lines.append(f"- {card.training.notes}")
    warning = ""
    if card.simulated:
        warning = f"**{card.disclaimer}** {_WHAT_SIMULATED_MEANS}\n"
    return "\n".join([warning, *lines, "", *_metric_table(card)]) + "\n"


def training_text(card: ModelCard) -> str:
    """What it learned from, and for how long, as far as that is known."""
    training = card.training
    numbers = {"pairs": training.pairs, "iterations": training.iterations}
    known = [f"{number} {what}" for what, number in numbers.items() if number is not None]
    text = training.data
    if known:
        text += f"; {', '.join(known)}"
    if training.date:
        text += f" ({training.date})"
    return text


def _network_text(card: ModelCard) -> str:
    if card.architecture.kind == GRAPH:
        return f"a graph as its authors wrote it ({card.weights.file})."
    return f"{card.architecture.kind} {card.architecture.arguments}"


def _values_text(card: ModelCard) -> str:
    if card.architecture.kind == GRAPH:
        return "Values are those that its authors gave them."
    return "Values are z-scores of the training truth: brightness is relative, not calibrated."


def _third_axes_text(card: ModelCard) -> str:
    plurals = {"z": "z-stacks", "t": "time series"}
    return " or ".join(plurals[axis] for axis in card.input.third_axes) or "single planes"


def _voxel_size_text(card: ModelCard) -> str:
    if not card.input.sampling_known:
        estimated = card.input.estimated_pixel_um
        about = f" (about {estimated:g} um, estimated)" if estimated else ""
        return f"voxel size unknown{about}: images are taken as they are, pixel for pixel"
    z_um, *plane_um = card.input.voxel_size_um
    in_plane = f"{plane_um[0]:g} x {plane_um[1]:g} um"
    if z_um is None:
        return in_plane
    return f"{z_um:g} x {in_plane} (z, y, x)"


def _test_lines(card: ModelCard) -> list[str]:
    """Whether the model is better than what needs no network, as far as that was tested."""
    if not card.tests:
        return []
    if card.unbeaten:
        found = "; ".join(map(str, card.unbeaten))
        return [f"- **No better than without a network** on the {card.tests[0].on}: {found}."]
    baselines: list[str] = []
    measures: list[str] = []
    for measure, shown in MEASURES.items():
        compared = list(chain.from_iterable(test.compared(measure) for test in card.tests))
        if compared:
            baselines += compared
            measures.append(shown)
    if not measures:
        return []
    without = f"what needs no network ({', '.join(dict.fromkeys(baselines))})"
    return [f"- Better on the {card.tests[0].on} than {without}, in {' and '.join(measures)}."]


def _verdict_lines(card: ModelCard) -> list[str]:
    """What may be measured on its predictions, as far as that was tested; one line for each set of fields."""
    lines = []
    for on in dict.fromkeys(verdict.on for verdict in card.verdicts):
        tested = [verdict for verdict in card.verdicts if verdict.on == on]
        parts = []
        for verdict in dict.fromkeys(each.verdict for each in tested):
            names = ", ".join(each.measure for each in tested if each.verdict == verdict)
            parts.append(f"{verdict}: {names}")
        where = f" on {tested[0].fields} {on}" if on else ""
        lines.append(f"- Measures compared with those of the recorded fluorescence{where}: {'; '.join(parts)}.")
    return lines


def _metric_table(card: ModelCard) -> list[str]:
    if not card.metrics:
        return []
    columns = list(dict.fromkeys(chain.from_iterable(card.metrics.values())))
    rows = [_table_row(condition, values, columns) for condition, values in card.metrics.items()]
    return [f"| condition | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|", *rows]


def _table_row(condition: str, values: dict[str, float], columns: list[str]) -> str:
    """One row of the table of metrics; empty where a condition was not measured by one."""
    shown = {metric: f"{value:.3g}" for metric, value in values.items()}
    return f"| {condition} | " + " | ".join(shown.get(column, "") for column in columns) + " |"
