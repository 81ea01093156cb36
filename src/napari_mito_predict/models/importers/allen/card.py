"""The card of a model of pytorch_fnet: from what the file, the options beside it and the user say."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from napari_mito_predict._files import sha256_file
from napari_mito_predict.errors import ForeignModelError
from napari_mito_predict.models.card import (
    Architecture,
    ModelCard,
    Origin,
    Target,
    ThirdAxis,
    Training,
)
from napari_mito_predict.models.importers.allen.presets import STACKS
from napari_mito_predict.models.importers.telling import impossible, input_of, model_name, unsaid

if TYPE_CHECKING:
    from napari_mito_predict.models.importers.allen.train_options import TrainOptions
    from napari_mito_predict.models.importers.allen.unet_weights import UNetWeights
    from napari_mito_predict.models.importers.foreign import Told

_FORMATS: Final = {
    "nn_module": "pytorch_fnet (release_1)",
    "fnet_model_class": "pytorch_fnet (master)",
    "state_dict": "Lightning checkpoint with a network of pytorch_fnet",
}
_ANY_FORMAT: Final = "weights of a network of pytorch_fnet"
_UNSPECIFIC_STEM: Final = re.compile(r"model(_\d+)?", re.IGNORECASE)
_ALLEN_PIXEL_UM: Final = 0.108


def completed(told: Told, options: TrainOptions, weights: UNetWeights, path: Path) -> Told:
    """Add what the options beside the file say, and what follows from the network.

    Raises
    ------
    ForeignModelError
        What was said does not fit the network, or is not enough: lists all that is missing.
    """
    planar = weights.arguments["ndim"] == 2
    if told.preset == STACKS and planar:
        raise ForeignModelError(
            f"the preset '{STACKS}' is for stacks, and this network is for single planes: say its pixel size "
            "and normalisation instead.",
            file=path,
        )
    told = dataclasses.replace(
        told,
        normalisation=told.normalisation or options.normalisation,
        third_axes=_third_axes(told, planar, path),
        targets=_targets(told, weights.arguments["out_channels"], path),
    )
    missing = dict(_missing(told, options, weights, planar))
    if missing:
        raise unsaid(missing, "pytorch_fnet", _preset_hint(told, planar), path)
    return told


def _third_axes(told: Told, planar: bool, path: Path) -> tuple[ThirdAxis, ...]:
    """Those that were told; pytorch_fnet itself trains on planes and on z-stacks."""
    if told.third_axes is None:
        return () if planar else ("z",)
    if bool(told.third_axes) == planar:
        kind = "for single planes" if planar else "three-dimensional"
        raise ForeignModelError(
            f"its network is {kind}, which does not fit the third axes {', '.join(told.third_axes) or 'none'}.",
            file=path,
        )
    return told.third_axes


def _targets(told: Told, outputs: int, path: Path) -> tuple[Target, ...] | None:
    if not told.targets:
        return None
    names = [target.name for target in told.targets]
    if len(names) != outputs or len(set(names)) != outputs:
        raise ForeignModelError(
            f"the network has {_outputs(outputs)}, and {len(names)} targets were named: {', '.join(names)}. Name one "
            "for each output, with a name of its own.",
            file=path,
        )
    return told.targets


def _outputs(count: int) -> str:
    return "one output" if count == 1 else f"{count} outputs"


def _missing(told: Told, options: TrainOptions, weights: UNetWeights, planar: bool) -> Iterator[tuple[str, str]]:
    """What nobody said, as `Told` names it, and in words with how it could look."""
    outputs = weights.arguments["out_channels"]
    if told.targets is None:
        each = "what it predicts" if outputs == 1 else f"what each of its {outputs} outputs shows, in their order"
        yield "targets", f"{each} (structure and stain, such as mitochondria and TOM20)"
    if told.voxel_size_um is None:
        size = "pixel size, such as 0.29 um" if planar else "voxel size (z, y, x), such as 0.29 x 0.29 x 0.29 um"
        yield "voxel_size_um", f"its {size}, or that it is unknown{_scaled(options)}"
    if told.normalisation is None:
        reason = f" ({'; '.join(options.unclear)})" if options.unclear else ""
        yield "normalisation", f"how its images were normalised, such as to z-scores without clipping{reason}"


def _preset_hint(told: Told, planar: bool) -> str:
    if planar or (told.voxel_size_um is not None and told.normalisation is not None):
        return ""
    return (
        f" The preset '{STACKS}' says voxel size and normalisation of models for bright-field stacks of the "
        "Allen Institute's 100x microscopes: 0.29 um in all directions, z-scores."
    )


def _scaled(options: TrainOptions) -> str:
    """What the options tell of the pixel size: by how much images were scaled, from nobody knows what."""
    if options.factors is None:
        return ""
    factor = options.factors[-1]
    example = ""
    if factor > 0:
        example = f", which makes {_ALLEN_PIXEL_UM / factor:.3g} um of {_ALLEN_PIXEL_UM} um"
    return f" (its images were scaled by {factor:g} in the plane{example})"


def make_card(content: Mapping[str, Any], weights: UNetWeights, told: Told, notes: str, path: Path) -> ModelCard:
    """Make the card of a model of which all that is needed was said.

    Raises
    ------
    ForeignModelError
        Something of it cannot be, such as a negative pixel size.
    """
    name = told.name or model_name(_name_of(path))
    origin_format = next((text for key, text in _FORMATS.items() if key in content), _ANY_FORMAT)
    try:
        return ModelCard(
            name=name,
            title=told.title or f"{name}, a model of pytorch_fnet",
            targets=told.targets or (),
            architecture=Architecture(kind="unet", arguments=weights.arguments),
            input=input_of(told),
            training=Training(
                data="not stated",
                pairs=None,
                iterations=_iterations(content),
                notes=notes,
            ),
            licence=told.licence or "",
            simulated=told.simulated,
            trained_on=told.trained_on or "",
            origin=Origin(format=origin_format, source=path.name, sha256=sha256_file(path)),
        )
    except ValidationError as error:
        raise impossible(error, path) from error


def _iterations(content: Mapping[str, Any]) -> int | None:
    count = content.get("count_iter", content.get("global_step"))
    return count if type(count) is int and count >= 0 else None


def _name_of(path: Path) -> str:
    """What the file is called, or its folder where all files are called the same: ``run_mito`` of run_mito/model.p."""
    folder = path.absolute().parent
    if not _UNSPECIFIC_STEM.fullmatch(path.stem):
        return path.stem
    if folder.name == "checkpoints":
        folder = folder.parent
    return folder.name or path.stem
