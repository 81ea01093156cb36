"""The card of a model from bioimage.io: what its package says and what the user says, and no more."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from napari_mito_predict.errors import ForeignModelError
from napari_mito_predict.image.names import file_stem
from napari_mito_predict.models.card import Architecture, Input, ModelCard, Origin, Target, Training, Weights
from napari_mito_predict.models.graphs import GRAPH
from napari_mito_predict.models.importers.bioimageio import axes
from napari_mito_predict.models.licence import NOT_STATED

if TYPE_CHECKING:
    from bioimageio.spec.model.v0_5 import ModelDescr

    from napari_mito_predict.models.card import Normalisation
    from napari_mito_predict.models.importers.bioimageio.graph_file import GraphFile
    from napari_mito_predict.models.importers.foreign import Told

_LONGEST_NAME = 64
_SAYS_NOTHING = re.compile(r"(c|ch|channel|output)?[\s_-]*\d*")
"""Names of channels that are none."""
_UNKNOWN_LIGHT = f"images of a kind that is {NOT_STATED}"
_SHOWN = (1.0, 99.8)
"""Percentiles of the test output between which predictions are shown at first."""


def model_card(
    description: ModelDescr,
    graph: GraphFile,
    normalisation: Normalisation,
    expected: np.ndarray,
    told: Told,
    path: Path,
) -> ModelCard:
    """Write the card.

    Parameters
    ----------
    description : ModelDescr
        Of the package.
    graph : GraphFile
        Its network.
    normalisation : Normalisation
        Of its input.
    expected : ndarray, (C, *spatial)
        Its test output, by which predictions are shown.
    told : Told
        What the user says.
    path : Path
        The package.

    Raises
    ------
    ForeignModelError
        What the user says does not fit it.
    """
    given = description.inputs[0]
    third = axes.third_axis(given)
    third_axes = told.third_axes
    if third_axes is None:
        third_axes = () if third is None else (third,)
    targets = told.targets or _targets(description, expected)
    if len(targets) != len(expected):
        raise ForeignModelError(f"{len(targets)} targets are named, and it gives {len(expected)} images.")
    facts: dict[str, Any] = {
        "name": told.name or _name(description, path),
        "title": told.title or str(description.name),
        "targets": targets,
        "architecture": Architecture(kind=GRAPH, arguments=graph.arguments.model_dump(mode="json")),
        "input": Input(
            modality=told.modality or _UNKNOWN_LIGHT,
            voxel_size_um=told.voxel_size_um or axes.voxel_size_um(given),
            third_axes=third_axes,
            third_axis_step=_steps(given, third),
            normalisation=told.normalisation or normalisation,
        ),
        "training": Training(
            data=f"{NOT_STATED}; its authors describe it so: {description.description}"[:2000],
            pairs=None,
            iterations=None,
        ),
        "licence": told.licence or _licence(description),
        "authors": tuple(author.name[:200] for author in description.authors)[:200],
        "attribution": _attribution(description),
        "simulated": told.simulated,
        "trained_on": told.trained_on or "",
        "origin": Origin(format="bioimage.io", source=path.name),
        "weights": Weights(file=graph.file),
    }
    try:
        return ModelCard(**facts)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in error.errors()[:3])
        raise ForeignModelError(f"no model card can be written of it. {problems}.") from error


def _name(description: ModelDescr, path: Path) -> str:
    """A name for lists and files, by its id, its name or that of the file."""
    wanted = str(description.id or description.name or path.stem).rpartition("/")[2]
    return _as_name(wanted) or _as_name(path.stem) or "model"


def _as_name(text: str) -> str:
    """What can be a name everywhere: letters, digits and hyphens."""
    plain = re.sub(r"[^\w.]+", "-", text.lower()).strip("-._")[:_LONGEST_NAME].strip("-._")
    return plain if file_stem(plain) == plain else ""


def _targets(description: ModelDescr, expected: np.ndarray) -> tuple[Target, ...]:
    """Outputs, by the names of their channels, or their own where these say nothing."""
    names: list[str] = []
    for output in description.outputs:
        said = axes.channel_names(output) or [str(output.id)]
        if len(said) == 1 and _SAYS_NOTHING.fullmatch(said[0].casefold()):
            said = [str(output.id)]
        names += said
    plain = [_as_name(name) or "output" for name in names]
    repeated = {name for name, count in Counter(plain).items() if count > 1}
    numbered = [f"{name}-{i}" if name in repeated else name for i, name in enumerate(plain, start=1)]
    return tuple(
        Target(name=name, stain=NOT_STATED, contrast_limits=_limits(image))
        for name, image in zip(numbered, expected, strict=True)
    )


def _limits(image: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(image, _SHOWN).tolist()
    return (low, high) if low < high else (low, low + 1.0)


def _steps(given: Any, third: str | None) -> dict[str, float]:
    if third == "t":
        step = axes.time_step_s(given)
    elif third == "z":
        step = axes.voxel_size_um(given)[0]
    else:
        step = None
    return {} if step is None or third is None else {third: step}


def _licence(description: ModelDescr) -> str:
    """An SPDX identifier; of a licence in a file of its own, where it is."""
    licence = description.license
    if licence is None:
        return ""
    if hasattr(licence, "source"):
        return f"LicenseRef: see {licence.source} in the package"[:200]
    return str(licence)


def _attribution(description: ModelDescr) -> str:
    lines = []
    for entry in description.cite:
        where = f"doi:{entry.doi}" if entry.doi else str(entry.url or "")
        lines.append(f"{entry.text} {where}".strip())
    return "; ".join(lines)[:20_000]
