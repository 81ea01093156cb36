"""The card of a model of VisCy: from what its network, a preset and the user say."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from napari_mito_predict._files import sha256_file
from napari_mito_predict.errors import ForeignModelError
from napari_mito_predict.models.card import ModelCard, Origin, ThirdAxis, Training
from napari_mito_predict.models.importers.telling import impossible, input_of, model_name, unsaid
from napari_mito_predict.models.importers.viscy.presets import ATTRIBUTION, POOLS, PUBLISHED, VOXEL_SIZE_NOTE

if TYPE_CHECKING:
    from napari_mito_predict.models.card import Architecture
    from napari_mito_predict.models.importers.foreign import Told

_FORMAT: Final = "VisCy (Lightning checkpoint)"


def completed(told: Told, architecture: Architecture, *, knows_head: bool, path: Path) -> Told:
    """What was said, with what follows from the network.

    Raises
    ------
    ForeignModelError
        What was said does not fit the network, or is not enough: lists all that is missing.
    """
    planes = architecture.arguments["in_stack_depth"]
    told = dataclasses.replace(told, third_axes=_third_axes(told, planes, path))
    missing = dict(_missing(told, architecture, knows_head=knows_head))
    if missing:
        hint = f" The presets {', '.join(PUBLISHED)} say all of it for the published models."
        raise unsaid(missing, "VisCy", hint, path)
    targets = told.targets or ()
    if len(targets) != architecture.arguments["out_channels"]:
        names = ", ".join(target.name for target in targets)
        raise ForeignModelError(
            f"the network has {architecture.arguments['out_channels']} outputs, and the targets {names} were named: it "
            "has to be one for each output.",
            file=path,
        )
    return told


def _third_axes(told: Told, planes: int, path: Path) -> tuple[ThirdAxis, ...]:
    """Those that were told; of a network of several planes the z-axis, since the authors train on z-stacks."""
    takes = "single planes" if planes == 1 else f"{planes} planes at a time"
    if told.preset in PUBLISHED and told.third_axes is not None and bool(told.third_axes) != (planes > 1):
        raise ForeignModelError(
            f"the preset '{told.preset}' does not fit: this network takes {takes}. Choose another preset.", file=path
        )
    if told.third_axes is None:
        return () if planes == 1 else ("z",)
    if bool(told.third_axes) != (planes > 1):
        raise ForeignModelError(
            f"its network takes {takes}, which does not fit the third axes {', '.join(told.third_axes) or 'none'}.",
            file=path,
        )
    return told.third_axes


def _missing(told: Told, architecture: Architecture, *, knows_head: bool) -> Iterator[tuple[str, str]]:
    """What nobody said, as `Told` names it, and in words with how it could look."""
    outputs = architecture.arguments["out_channels"]
    if told.targets is None:
        each = "what it predicts" if outputs == 1 else f"what each of its {outputs} outputs shows, in their order"
        yield "targets", f"{each} (structure and stain, such as nuclei and Hoechst)"
    if told.voxel_size_um is None:
        size = "voxel size (z, y, x), such as 0.2 x 0.1 x 0.1 um" if told.third_axes else "pixel size, such as 0.3 um"
        yield "voxel_size_um", f"its {size}, or that it is unknown"
    if told.normalisation is None:
        yield (
            "normalisation",
            "how its images were normalised, such as by median and interquartile range, or to z-scores",
        )
    if not knows_head:
        choices = " or ".join(name for name in POOLS if name not in PUBLISHED)
        yield "preset", f"whether its head pools (head_pool): the preset {choices}"


def make_card(content: Mapping[str, Any], architecture: Architecture, told: Told, path: Path) -> ModelCard:
    """Make the card of a model of which all that is needed was said.

    Raises
    ------
    ForeignModelError
        Something of it cannot be, such as a negative pixel size.
    """
    published = told.preset if told.preset in PUBLISHED else None
    name = told.name or model_name(published or path.stem)
    try:
        return ModelCard(
            name=name,
            title=told.title or f"{name}, a model of VisCy",
            targets=told.targets or (),
            architecture=architecture,
            input=input_of(told),
            training=Training(
                data="as its authors describe" if published else "not stated",
                pairs=None,
                iterations=_iterations(content),
                notes=VOXEL_SIZE_NOTE if published and told.voxel_size_um != (None, None, None) else "",
            ),
            licence=told.licence or "",
            attribution=ATTRIBUTION if published else "",
            simulated=told.simulated,
            trained_on=told.trained_on or "",
            origin=Origin(format=_FORMAT, source=path.name, sha256=sha256_file(path)),
        )
    except ValidationError as error:
        raise impossible(error, path) from error


def _iterations(content: Mapping[str, Any]) -> int | None:
    count = content.get("global_step")
    return count if type(count) is int and count > 0 else None
