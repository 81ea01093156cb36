"""What a model card says, in the fields of a bioimage.io description; nothing is said that the card does not state."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from napari_mito_predict.models.card_text import SIMULATED_DISCLAIMER
from napari_mito_predict.models.licence import NOT_STATED

if TYPE_CHECKING:
    from napari_mito_predict.models.card import ModelCard

INPUT: Final = "transmitted"
OUTPUT: Final = "prediction"
CONFIG: Final = "napari_mito_predict"
"""Key of what only this program reads."""
OWN_WEIGHTS: Final = "weights.safetensors"
"""Attachment that only this program reads."""

_ALLOWED_IN_NAMES = re.compile(r"[^A-Za-z0-9_+\- ()]")
_SHORTEST_NAME = 5
_LONGEST_NAME = 64
_LONGEST_DESCRIPTION = 1024
_DOI = re.compile(r"\b10\.\d{4,9}/[^\s;,\"<>]+")
_TASKS = {"mitochondria": "mitochondria", "dna": "nuclei", "nuclei": "nuclei"}
"""Tags for targets."""


def axis_names(card: ModelCard, ndim: int) -> tuple[str, ...]:
    """Names of all axes of an image but the batch; the third one is z, or time for models of time series."""
    if ndim == 2:
        return ("channel", "y", "x")
    third = "z" if "z" in card.input.third_axes else "time"
    return ("channel", third, "y", "x")


def facts(card: ModelCard) -> dict[str, Any]:
    """Whose model it is, and what it is: all fields that are not about tensors or files."""
    found: dict[str, Any] = {
        "name": _name(card),
        "description": _description(card),
        "authors": [{"name": re.sub(r"[/\\]", " ", author)} for author in card.authors],
        "tags": _tags(card),
        "timestamp": _timestamp(card),
    }
    citation = _DOI.search(card.attribution)
    if citation is not None:
        found["cite"] = [{"text": card.attribution, "doi": citation.group().rstrip(".)")}]
    return found


def tensors(card: ModelCard, ndim: int, size: dict[str, Any], steps: list[dict[str, Any]]) -> dict[str, Any]:
    """Describe input and output, without their test tensors.

    Parameters
    ----------
    card : ModelCard
        Of the model.
    ndim : {2, 3}
        Of its network.
    size : dict
        By name of each spatial axis: the only size, or ``{"min": ..., "step": ...}``.
    steps : list of dict
        Preprocessing.
    """
    names = axis_names(card, ndim)[1:]
    spatial = [_axis(card, name) for name in names]
    given = [axis | {"size": size[axis["id"]]} for axis in spatial]
    # Without a halo: programs would add one to an image before they normalise it.
    found = [axis | {"size": {"tensor_id": INPUT, "axis_id": axis["id"]}} for axis in spatial]
    batch = {"type": "batch"}
    light = {"type": "channel", "id": "channel", "channel_names": ["transmitted light"]}
    targets = {"type": "channel", "id": "channel", "channel_names": [target.name for target in card.targets]}
    return {
        "inputs": [
            {
                "id": INPUT,
                "description": f"One channel: {card.input.modality}."[:128],
                "axes": [batch, light, *given],
                "data": {"type": "float32"},
                "preprocessing": steps,
            }
        ],
        "outputs": [
            {
                "id": OUTPUT,
                "description": "Brightness in standard deviations: relative, not calibrated.",
                "axes": [batch, targets, *found],
                "data": {"type": "float32"},
            }
        ],
    }


def documentation(card: ModelCard, context: tuple[int, ...], *, whole_field: bool) -> str:
    """The README: our card for people, and what other programs have to mind.

    Parameters
    ----------
    card : ModelCard
        Of the model.
    context : tuple of int
        Voxels around a tile that its predictions depend on, per axis.
    whole_field : bool
        Whether they depend on all of the image.
    """
    return f"{card.to_markdown()}\n{_use(card, context, whole_field=whole_field)}\n{_validation(card)}"


def _name(card: ModelCard) -> str:
    name = " ".join(_ALLOWED_IN_NAMES.sub(" ", card.title).split())
    if len(name) < _SHORTEST_NAME:
        name = " ".join(_ALLOWED_IN_NAMES.sub(" ", f"model {card.name} {name}").split())
    return name[:_LONGEST_NAME].strip().ljust(_SHORTEST_NAME, "-")


def _description(card: ModelCard) -> str:
    stains = ", ".join(f"{target.name} ({target.stain})" for target in card.targets)
    text = f"{card.title}: predicts {stains} from {card.input.modality}."
    warning = f"{card.disclaimer} " if card.simulated else ""
    return (warning + text)[:_LONGEST_DESCRIPTION]


def _tags(card: ModelCard) -> list[str]:
    kinds = {(): "2d", ("t",): "2d-t"}
    tags = [kinds.get(card.input.third_axes, "3d"), "pytorch", "in-silico-labeling", "label-free"]
    tags += ["cells", "transmission-light-microscopy", card.architecture.kind]
    tags += [_TASKS[target.name] for target in card.targets if target.name in _TASKS]
    if card.simulated:
        tags.append("simulated-training-data")
    return list(dict.fromkeys(tags))


def _timestamp(card: ModelCard) -> str:
    """When it was trained; now where nobody stated that."""
    try:
        stated = datetime.fromisoformat(card.training.date)
    except ValueError:
        stated = datetime.now().astimezone().replace(microsecond=0)
    return stated.isoformat()


def _axis(card: ModelCard, name: str) -> dict[str, Any]:
    """An axis with its scale, where that is known."""
    if name == "time":
        step = card.input.third_axis_step.get("t")
        unit, kind = "second", "time"
    else:
        step = card.input.voxel_size_um["zyx".index(name)]
        unit, kind = "micrometer", "space"
    axis: dict[str, Any] = {"type": kind, "id": name}
    if step is not None:
        axis |= {"unit": unit, "scale": step}
    return axis


def _use(card: ModelCard, context: tuple[int, ...], *, whole_field: bool) -> str:
    lines = [
        "## Use",
        "",
        "- Give whole images as they were recorded: they are normalised by statistics of all that the network is "
        "given, so that tiles come out with other brightness than whole images.",
    ]
    if whole_field:
        lines.append("- The network looks at the whole image: tiles of it give other values.")
    else:
        around = " x ".join(map(str, context))
        lines.append(
            f"- Where an image is predicted in tiles, each needs {around} voxels around what is kept (axes as in the "
            "description); with less, tiles show."
        )
    if card.input.sampling_known:
        lines.append("- Images of another pixel size have to be resampled to that of the description first.")
    if "t" in card.input.third_axes and "z" not in card.input.third_axes:
        lines.append("- The third axis is time: give a series of one plane.")
    if not card.licence:
        lines.append(f"- The licence is {NOT_STATED}: ask the authors before you use or share it.")
    return "\n".join(lines) + "\n"


def _validation(card: ModelCard) -> str:
    lines = ["## Validation", ""]
    if card.simulated:
        lines.append(f"{SIMULATED_DISCLAIMER} All scores above are of simulated cells.")
    elif card.metrics:
        lines.append("The scores above are of the fields that the card names.")
    else:
        lines.append("No scores are stated.")
    lines.append(
        "Validate it on your own cells: record the fluorescence of some fields together with the transmitted light, "
        "predict these, and compare prediction and truth by the Pearson correlation coefficient, beside that of the "
        "transmitted light itself."
    )
    return "\n".join(lines) + "\n"
