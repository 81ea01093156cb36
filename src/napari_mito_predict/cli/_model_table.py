"""The model list and a model's card, for people and for scripts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_mito_predict.cli._console import console, echo, print_table

if TYPE_CHECKING:
    from napari_mito_predict.models import ModelCard, ModelInfo

_WIDE = 100
"""Characters of a terminal on which the table is easy to read."""
_THIRD_AXIS = {"z": "z-stacks", "t": "time series"}


def print_models(models: list[ModelInfo]) -> None:
    """Print the models; below them what their marks mean, and what cannot be used with the reason."""
    usable = [(info, info.card) for info in models if info.card is not None]
    if console().width < _WIDE:
        print_table(["NAME", "MODEL"], [_short_row(info, card) for info, card in usable])
    elif usable:
        columns = ["NAME", "PREDICTS", "FROM", "VOXEL (µm, z y x)", "CELLS", "WHERE"]
        print_table(columns, [_row(info, card) for info, card in usable])
    for disclaimer in sorted({card.disclaimer for _, card in usable if card.disclaimer}):
        echo(f"\nsimulated: {disclaimer}")
    problems = [info for info in models if info.card is None]
    if problems:
        echo(f"\n{len(problems)} cannot be used:")
        print_table(["NAME", "REASON"], [[info.name, info.problem or ""] for info in problems])


def print_card(path: Path, card: ModelCard, info: ModelInfo | None) -> None:
    """Print a card, and where what belongs to it lies."""
    from napari_mito_predict.models import has_self_test, printable

    if console().is_terminal:
        from rich.markdown import Markdown

        console().print(Markdown(card.to_markdown()))
    else:
        echo(card.to_markdown().rstrip())
    facts = {"Folder": printable(str(path))}
    if path.is_file():
        facts = {"Zip file": printable(str(path))}
    if info is not None:
        facts["Where"] = where(info)
    facts["Licence"] = card.licence or "not stated"
    if card.origin is not None:
        facts["Origin"] = f"{card.origin.format}, {card.origin.source}"
        if card.origin.sha256:
            facts["SHA-256"] = card.origin.sha256
    if card.picture is not None:
        facts["Picture"] = printable(str(path / card.picture))
    facts["Self-test"] = "yes" if has_self_test(path) else "none: its weights alone can be verified"
    width = max(map(len, facts)) + 1
    echo("")
    for name, fact in facts.items():
        echo(f"{name + ':':<{width}} {fact}")


def record(info: ModelInfo) -> dict[str, object]:
    """One model of the list, for scripts."""
    from napari_mito_predict.models import printable

    found: dict[str, object] = {
        "name": info.name,
        "path": printable(str(info.path)),
        "bundled": info.bundled,
        "source": info.source,
        "distribution": info.distribution,
        "problem": info.problem,
        "title": None,
        "targets": [],
        "third_axes": [],
        "voxel_size_um": None,
        "simulated": None,
        "cells": "",
        "licence": "",
        "disclaimer": "",
    }
    card = info.card
    if card is not None:
        found |= {
            "title": card.title,
            "targets": [target.model_dump(mode="json") for target in card.targets],
            "third_axes": card.input.third_axes,
            "voxel_size_um": card.input.voxel_size_um,
            "simulated": card.simulated,
            "cells": card.cells,
            "licence": card.licence,
            "disclaimer": card.disclaimer,
        }
    return found


def predicts(card: ModelCard) -> str:
    """Such as ``mitochondria (TMRM), dna (SYBR Gold)``."""
    return ", ".join(f"{target.name} ({target.stain})" for target in card.targets)


def where(info: ModelInfo) -> str:
    """Such as ``own``, or the name of a shared folder or of an installed package."""
    if info.distribution:
        return info.distribution
    if info.source == "shared":
        return f"shared: {info.path.parent.name}"
    return str(info.source)


def _row(info: ModelInfo, card: ModelCard) -> list[str]:
    return [info.name, predicts(card), _third_axes(card), _sampling(card), card.cells, where(info)]


def _short_row(info: ModelInfo, card: ModelCard) -> list[str]:
    """The same in two columns, for terminals of 80 characters."""
    images = f"from {_third_axes(card)}, voxel {_sampling(card)} µm"
    return [info.name, f"{predicts(card)}\n{images}\n{card.cells}; {where(info)}\n"]


def _third_axes(card: ModelCard) -> str:
    return ", ".join(_THIRD_AXIS[axis] for axis in card.input.third_axes) or "single planes"


def _sampling(card: ModelCard) -> str:
    if not card.input.sampling_known:
        estimated = card.input.estimated_pixel_um
        return f"unknown, about {estimated:g}" if estimated else "unknown"
    return " ".join("-" if size is None else f"{size:g}" for size in card.input.voxel_size_um)
