"""Packages that were written by this program: the model itself is in them, beside the graph for others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from napari_mito_predict.errors import ForeignModelError
from napari_mito_predict.models.bioimageio import CONFIG, OWN_WEIGHTS
from napari_mito_predict.models.card import ModelCard, Origin
from napari_mito_predict.models.importers.bioimageio.graph_file import file_content
from napari_mito_predict.models.importers.foreign import Told
from napari_mito_predict.models.weights import load_network

if TYPE_CHECKING:
    from bioimageio.spec.model.v0_5 import ModelDescr

    from napari_mito_predict.models.importers.bioimageio.contents import Contents
    from napari_mito_predict.networks import Network


def own_model(description: ModelDescr, contents: Contents, told: Told, path: Path) -> tuple[ModelCard, Network] | None:
    """Read the model of ours in a package; None where there is none, or no whole one any more.

    Parameters
    ----------
    description : ModelDescr
        Of the package.
    contents : Contents
        The package.
    told : Told
        The name it shall have; its card says everything else.
    path : Path
        The package, for messages and the card's origin.

    Raises
    ------
    DamagedModelError, InvalidModelError
        It cannot be used.
    ForeignModelError
        Something was said that its card says.
    """
    written = getattr(description.config, CONFIG, None)
    attached = [entry for entry in description.attachments if str(entry.source) == OWN_WEIGHTS]
    if not isinstance(written, dict) or "card" not in written or not attached or OWN_WEIGHTS not in contents.names():
        return None
    try:
        text = json.dumps(written["card"])
    except (TypeError, ValueError, RecursionError) as error:
        raise ForeignModelError("the model card in its description cannot be read.") from error
    if told != Told(name=told.name, trust=told.trust):
        raise ForeignModelError("it is a model of this program, whose card says everything but its name: say no more.")
    card = ModelCard.from_json(text, source=f"{path}: the model card in its description")
    network = load_network(card, file_content(attached[0], "weights", contents), str(path))
    changed = {
        "schema_version": ModelCard.model_fields["schema_version"].default,
        "name": told.name or card.name,
        "origin": Origin(format="bioimage.io", source=path.name),
    }
    return ModelCard.model_validate(card.model_dump() | changed), network
