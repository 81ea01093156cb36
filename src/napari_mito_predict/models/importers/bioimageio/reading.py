"""From a package of bioimage.io to a model of ours, which gives for its test input what the package says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_mito_predict.errors import ForeignModelError, one_line
from napari_mito_predict.models.graphs import GraphArguments, check_graph
from napari_mito_predict.models.importers.bioimageio import axes
from napari_mito_predict.models.importers.bioimageio.card import model_card
from napari_mito_predict.models.importers.bioimageio.contents import open_contents
from napari_mito_predict.models.importers.bioimageio.description import LARGEST_DESCRIPTION, read_description
from napari_mito_predict.models.importers.bioimageio.own import own_model
from napari_mito_predict.models.importers.bioimageio.processing import postprocessing, preprocessing
from napari_mito_predict.models.importers.bioimageio.test_tensors import read_tensor
from napari_mito_predict.models.importers.bioimageio.weights import graph_file
from napari_mito_predict.models.importers.foreign import ForeignModel
from napari_mito_predict.models.normalised import normalised
from napari_mito_predict.models.sample import LARGEST_SAMPLE
from napari_mito_predict.models.weights import forward

if TYPE_CHECKING:
    from bioimageio.spec.model.v0_5 import ModelDescr

    from napari_mito_predict.models.card import Normalisation
    from napari_mito_predict.models.importers.bioimageio.contents import Contents
    from napari_mito_predict.models.importers.bioimageio.graph_file import GraphFile
    from napari_mito_predict.models.importers.foreign import Told
    from napari_mito_predict.networks import Network

_LARGEST_DIFFERENCE = 1e-2
"""From the test output, in standard deviations of it: what other processors and versions make, and no more."""


class TestImages(NamedTuple):
    """What the package is tested with, as ``(C, *spatial)``."""

    given: np.ndarray
    expected: np.ndarray


def read(path: Path, told: Told) -> ForeignModel:
    """Read a package of bioimage.io.

    Parameters
    ----------
    path : Path
        The folder, the zip file, or the description in a folder.
    told : Told
        What the user says about it; it goes before what the package says.

    Raises
    ------
    ForeignModelError
        It cannot be run here just as it is meant; says why.
    UntrustedModelError
        Its network is a program in Python, and nobody said that it may be run.
    DamagedModelError
        It cannot be read, or does not give the output that it says.
    MissingExtraError
        Reading or running it needs an optional package.
    """
    path = Path(path)
    with open_contents(path) as (contents, name):
        description = read_description(contents.read(name, LARGEST_DESCRIPTION), path)
        try:
            own = own_model(description, contents, told, path)
            if own is not None:
                card, network = own
                images = _test_images(description, contents)
            else:
                arguments, normalisation = _arguments(description)
                images = _test_images(description, contents)
                given = normalised(images.given, normalisation)
                graph = graph_file(description, contents, arguments, given, told)
                card = model_card(description, graph, normalisation, images.expected, told, path)
                network = _network(graph, path)
        except ForeignModelError as error:
            raise type(error)(error.reason_about(path), file=path) from error
    given = normalised(images.given, card.input.normalisation)
    _compare(network, given, images.expected, path)
    return ForeignModel(card, network, _cropped(given, network))


def _arguments(description: ModelDescr) -> tuple[GraphArguments, Normalisation]:
    """How to give its network an image."""
    inputs = [tensor for tensor in description.inputs if not tensor.optional]
    if len(inputs) != 1 or len(description.inputs) != 1:
        raise ForeignModelError(f"it takes {len(description.inputs)} tensors; one image can be given.")
    given = inputs[0]
    prepared = preprocessing(given)
    sizes = axes.sizes(given, description.outputs)
    outputs = [
        {
            "axes": axes.output_letters(output, given),
            "channels": axes.channels(output),
            "after": [step.model_dump() for step in postprocessing(output)],
        }
        for output in description.outputs
    ]
    known = any(size.halo for size in sizes) or all(size.fixed for size in sizes)
    arguments = {
        "input_axes": axes.input_letters(given),
        "sizes": [size.model_dump() for size in sizes],
        "outputs": outputs,
        "before": [step.model_dump() for step in prepared.before],
        "dtype": prepared.dtype,
        "whole_field": not known,
    }
    try:
        return check_graph(arguments), prepared.normalisation
    except ValueError as error:
        raise ForeignModelError(f"{error}.") from error


def _network(graph: GraphFile, path: Path) -> Network:
    """Open the graph."""
    from napari_mito_predict.models.graphs.network import GraphNetwork

    network = GraphNetwork(graph.arguments, graph.file, graph.content, str(path)).eval()
    network.open()
    return network


def _test_images(description: ModelDescr, contents: Contents) -> TestImages:
    """The test tensors of the package, first of the batch, all outputs together."""
    given = description.inputs[0]
    image = read_tensor(given.test_tensor, axes.input_letters(given), contents)
    images = [
        read_tensor(output.test_tensor, axes.output_letters(output, given), contents) for output in description.outputs
    ]
    if any(found.shape[1:] != image.shape[1:] for found in images):
        raise ForeignModelError("its test output has another size than its test input.")
    return TestImages(image, np.concatenate(images))


def _compare(network: Network, given: np.ndarray, expected: np.ndarray, path: Path) -> None:
    """Run the package's own test."""
    try:
        found = forward(network, given)
    except RuntimeError as error:
        raise ForeignModelError(f"its network cannot compute its own test ({one_line(error)}).", file=path) from error
    if found.shape != expected.shape:
        raise ForeignModelError(
            f"its network gives images of {found.shape} for its own test, not of {expected.shape}.", file=path
        )
    with np.errstate(all="ignore"):  # values that no image has
        spread = float(expected.std(dtype=np.float64)) or 1.0
        difference = float(np.abs(found.astype(np.float64) - expected).max()) / spread
    if not difference <= _LARGEST_DIFFERENCE:
        raise ForeignModelError(
            f"it does not give the output of its own test (largest difference {difference:.1e} standard deviations): "
            "the package is damaged, or asks for something that is done otherwise here.",
            file=path,
        )


def _cropped(given: np.ndarray, network: Network) -> np.ndarray:
    """A part of the test input that a self-test may be: not too large, and divisible by the stride."""
    sizes = list(given.shape[1:])
    while int(np.prod(sizes)) > LARGEST_SAMPLE:
        largest = sizes.index(max(sizes))
        sizes[largest] //= 2
    for axis, step in enumerate(network.stride):
        sizes[axis] = max(sizes[axis] // step, 1) * step
    # Shorter than one step: mirrored, as images are.
    padding = [(0, max(size - have, 0)) for size, have in zip(sizes, given.shape[1:], strict=True)]
    padded = np.pad(given, [(0, 0), *padding], mode="symmetric")
    return np.ascontiguousarray(padded[:, *(slice(size) for size in sizes)])
