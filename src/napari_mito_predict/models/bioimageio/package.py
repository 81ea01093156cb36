"""Writing a model as a zip file that bioimage.io takes: all of it, or nothing."""

from __future__ import annotations

import hashlib
import io
import zipfile
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from napari_mito_predict._files import atomic_path
from napari_mito_predict.errors import ForeignModelError
from napari_mito_predict.models.bioimageio.cover import cover
from napari_mito_predict.models.bioimageio.description import (
    CONFIG,
    OWN_WEIGHTS,
    axis_names,
    documentation,
    facts,
    tensors,
)
from napari_mito_predict.models.bioimageio.library import problems, quiet, specification
from napari_mito_predict.models.bioimageio.normalising import described
from napari_mito_predict.models.files import open_package
from napari_mito_predict.models.graphs import GRAPH
from napari_mito_predict.models.normalised import normalised
from napari_mito_predict.models.package import read_package
from napari_mito_predict.models.weights import forward

if TYPE_CHECKING:
    from napari_mito_predict.models.bioimageio.tracing import Traced
    from napari_mito_predict.models.card import ModelCard
    from napari_mito_predict.models.files import PackageFiles
    from napari_mito_predict.models.package import Model
    from napari_mito_predict.models.sample import Sample

_DESCRIPTION = "rdf.yaml"
_README = "README.md"
_COVER = "cover.png"
_LICENCE = "LICENSE.txt"
_WEIGHTS = "weights.pt"
_TESTS = {"inputs": "test_input.npy", "outputs": "test_output.npy"}
_EPOCH = (1980, 1, 1, 0, 0, 0)


class _Plain(yaml.SafeDumper):
    """YAML that says everything where it belongs, without references to other places."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def write_bioimageio(package: Path, final: Path) -> None:
    """Write a model as a package of bioimage.io, format 0.5, with TorchScript weights; no address is looked at.

    Parameters
    ----------
    package : Path
        A package of ours, any kind. Its self-test becomes the test, and its weights go with it as they are: read here
        again, it is the same model. A picture is made of the self-test where it has none.
    final : Path
        The zip file. It is the same for the same model of which the date of its training is stated.

    Raises
    ------
    ForeignModelError
        The model cannot be written in this format; says why.
    MissingExtraError
        ``bioimageio.spec`` is not installed.
    UnwritableOutputError
        The file cannot be written.
    """
    specification()  # before anything is computed
    model = read_package(package)
    if model.sample is None:
        raise ForeignModelError(f"{model.name} has no sample, which the test of the package would be made of.")
    if model.card.architecture.kind == GRAPH:
        raise ForeignModelError(
            f"{model.name} came as a finished graph ({model.card.weights.file}), and is no network that could be "
            "written anew. Share the package that it was imported from."
        )
    with open_package(package) as contents:
        weights = contents.read(model.card.weights.file)
        picture = _picture(contents, model.card)
    files = _files(model, model.sample, weights, picture)
    _check(files, final)
    with atomic_path(final) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content, zipfile.ZIP_DEFLATED)


def _files(model: Model, sample: Sample, weights: bytes, picture: bytes | None) -> dict[str, bytes]:
    """Everything in the package, by name; its description comes first."""
    from napari_mito_predict.models.bioimageio.tracing import traced

    card = model.card
    network = model.network
    names = axis_names(card, network.ndim)
    given = np.asarray(sample.given, np.float32)
    normalising = described(card.input.normalisation, names)
    found = traced(network, tuple(network.stride), given.shape[1:], normalising.within)
    raw = _as_recorded(model, given)
    expected = forward(network, normalised(raw, card.input.normalisation))
    files = {
        _README: _documentation(model).encode(),
        _COVER: picture or cover(raw[0], expected[0]),
        _WEIGHTS: found.content,
        OWN_WEIGHTS: weights,
        _TESTS["inputs"]: _npy(raw[None]),
        _TESTS["outputs"]: _npy(expected[None]),
    }
    if card.licence and not _is_spdx(card.licence):
        files[_LICENCE] = f"As stated by the authors of the weights: {card.licence}\n".encode()
    content = facts(card) | tensors(card, network.ndim, _sizes(model, found, names[1:]), normalising.steps)
    content |= _references(model, files)
    for tensors_of, name in _TESTS.items():
        content[tensors_of][0]["test_tensor"] = _reference(name, files)
    text: str = yaml.dump(content, Dumper=_Plain, sort_keys=False, allow_unicode=True)
    return {_DESCRIPTION: text.encode()} | files


def _picture(contents: PackageFiles, card: ModelCard) -> bytes | None:
    """Its own picture, where it has one."""
    if card.picture is None or not contents.has(card.picture):
        return None
    return contents.read(card.picture)


def _as_recorded(model: Model, given: np.ndarray) -> np.ndarray:
    """The sample before normalisation by constants; z-scores and percentiles take it as it is."""
    normalisation = model.card.input.normalisation
    if normalisation.kind != "fixed":
        return given
    recorded: np.ndarray = given * np.float32(normalisation.scale) + np.float32(normalisation.offset)
    return recorded


def _sizes(model: Model, found: Traced, names: tuple[str, ...]) -> dict[str, Any]:
    """Sizes that the file takes, by name of the axis."""
    from napari_mito_predict.models.bioimageio.tracing import smallest_size

    if found.fixed is not None:
        return dict(zip(names, found.fixed, strict=True))
    stride = tuple(model.network.stride)
    limits = zip(names, smallest_size(stride), stride, strict=True)
    return {name: {"min": smallest, "step": step} for name, smallest, step in limits}


def _documentation(model: Model) -> str:
    network = model.network
    needed = zip(network.receptive_field, network.stride, strict=True)
    context = tuple(ceil(max(field - step, 0) / 2) for field, step in needed)
    return documentation(model.card, context, whole_field=network.contexts != 0)


def _references(model: Model, files: dict[str, bytes]) -> dict[str, Any]:
    """Fields that name files, and what only this program reads."""
    import torch
    from bioimageio.spec.model.v0_5 import ModelDescr

    card = model.card
    weights = _reference(_WEIGHTS, files) | {"pytorch_version": torch.__version__.partition("+")[0]}
    found: dict[str, Any] = {
        "format_version": ModelDescr.implemented_format_version,
        "type": "model",
        "documentation": _reference(_README, files),
        "covers": [_reference(_COVER, files)],
        "weights": {"torchscript": weights},
        "attachments": [_reference(OWN_WEIGHTS, files)],
        "config": {
            # None of its own: what the format has for default may not be larger than a share of the output's maximum.
            "bioimageio": {"reproducibility_tolerance": []},
            CONFIG: {"card": card.model_dump(mode="json", exclude={"picture"})},
        },
    }
    if _LICENCE in files:
        found["license"] = _reference(_LICENCE, files)
    elif card.licence:
        found["license"] = card.licence
    return found


def _reference(name: str, files: dict[str, bytes]) -> dict[str, str]:
    return {"source": name, "sha256": hashlib.sha256(files[name]).hexdigest()}


def _is_spdx(licence: str) -> bool:
    """Whether this is one licence of the SPDX list, which the format asks for."""
    from bioimageio.spec.generic.v0_3 import DeprecatedLicenseId, LicenseId

    for known in (LicenseId, DeprecatedLicenseId):
        try:
            known(licence)
        except ValueError:
            continue
        return True
    return False


def _npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def _check(files: dict[str, bytes], final: Path) -> None:
    """Let the library look at the description."""
    spec = specification()
    with quiet(final.parent):
        found = spec.build_description(yaml.safe_load(files[_DESCRIPTION]))
    if isinstance(found, spec.InvalidDescr):
        raise ForeignModelError(f"it cannot be described as bioimage.io demands it ({problems(found)}).", file=final)
