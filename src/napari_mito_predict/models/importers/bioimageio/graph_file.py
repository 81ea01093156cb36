"""One file that is a network with its weights, and reading files as the description means them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

from napari_mito_predict.errors import DamagedModelError

if TYPE_CHECKING:
    from napari_mito_predict.models.card import WeightsFile
    from napari_mito_predict.models.graphs import GraphArguments
    from napari_mito_predict.models.importers.bioimageio.contents import Contents

LARGEST_WEIGHTS = 1 << 30


class GraphFile(NamedTuple):
    """A graph for a package of ours."""

    file: WeightsFile
    content: bytes
    arguments: GraphArguments


def file_content(reference: Any, what: str, contents: Contents) -> bytes:
    """Read a file that the description refers to, if it is what the description says."""
    name = contents.named(reference.source, what)
    content = contents.read(name, LARGEST_WEIGHTS)
    found = hashlib.sha256(content).hexdigest()
    if reference.sha256 is not None and str(reference.sha256) != found:
        raise DamagedModelError(
            f"'{name}' is not the file that its description means (SHA-256 {found[:12]}..., not "
            f"{str(reference.sha256)[:12]}...). Get the package again.",
            file=contents.path,
        )
    return content
