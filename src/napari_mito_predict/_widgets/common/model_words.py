"""What docks say of a model in a few words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_mito_predict.models.card import ModelCard
    from napari_mito_predict.models.registry import ModelInfo

_TITLES = {"mitochondria": "Mitochondria", "dna": "DNA"}
_AXES = {("z",): "z-stacks", ("t",): "time series", ("z", "t"): "z-stacks and time series", (): "single planes"}
_TRAINED = ("unet", "gvtnet")
"""Kinds of networks that can be trained here; others only predict."""
_LONGEST_PROBLEM = 600


def target_title(name: str) -> str:
    """A target as a row begins with it."""
    return _TITLES.get(name, name)


def third_axes(card: ModelCard) -> str:
    """Which kind of images it is for."""
    return _AXES.get(card.input.third_axes, "images")


def voxel_size(card: ModelCard) -> str:
    """Sampling in micrometres, short, since a row is one line of a dock."""
    if not card.input.sampling_known:
        estimated = card.input.estimated_pixel_um
        return f"pixels of about {estimated:g} µm" if estimated else "in pixels"
    z_step = card.input.voxel_size_um[0]
    y, x = card.input.voxel_size_um[1:]
    text = f"{y:g} × {x:g} µm"
    if x == y:
        text = f"{x:g} µm"
    if z_step:
        text = f"{z_step:g} × {text}"
    return text


def sampling_explained(card: ModelCard) -> str:
    """What was trained on, and what becomes of images of another voxel size."""
    if not card.input.sampling_known:
        estimated = card.input.estimated_pixel_um
        size = f"about {estimated:g} µm (estimated)" if estimated else "unknown size"
        return f"Trained on {third_axes(card)} with pixels of {size}; images are taken as they are."
    z_step = card.input.voxel_size_um[0]
    y, x = card.input.voxel_size_um[1:]
    text = f"Trained on {third_axes(card)} with pixels of {y:g} × {x:g} µm"
    if z_step:
        text += f" and a Z step of {z_step:g} µm"
    return f"{text}; others are resampled."


def cells_kind(card: ModelCard) -> str:
    """Of the cells it knows only whether they were ``simulated`` or ``real``, or that this is ``not stated``."""
    kind, *_ = card.cells.split(":")
    return kind


def cells_explained(card: ModelCard) -> str:
    """Which cells it knows, and what that means for its results."""
    trained_on = card.trained_on or ("real cells" if card.simulated is False else "cells that nobody stated")
    return card.disclaimer or f"Trained on {trained_on}."


def problem_of(info: ModelInfo) -> str:
    """Why a model cannot be used, without the beginning that only repeats where it is; the rest is bounded."""
    problem = info.problem or "It cannot be used."
    for start in (f"{info.path}: ", f"{info.path}/", f"{info.path}\\"):
        problem = problem.removeprefix(start)
    if len(problem) > _LONGEST_PROBLEM:
        problem = f"{problem[:_LONGEST_PROBLEM]}…"
    return problem


def why_not_trained_further(card: ModelCard) -> str:
    """Why no training can start from a model; empty where one can."""
    if card.architecture.kind not in _TRAINED:
        return f"Its network ({card.architecture.kind}) only predicts here; U-Nets and GVTNets can be trained."
    if len(card.targets) > 1:
        return f"It predicts {len(card.targets)} targets together, and this dock learns one at a time."
    return ""
