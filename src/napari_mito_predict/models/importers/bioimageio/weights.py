"""Which of the weights of a package is run here, as one file that is a graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_mito_predict.errors import ForeignModelError
from napari_mito_predict.models.importers.bioimageio.graph_file import GraphFile, file_content
from napari_mito_predict.models.importers.bioimageio.programs import graph_of_program

if TYPE_CHECKING:
    import numpy as np
    from bioimageio.spec.model.v0_5 import ModelDescr

    from napari_mito_predict.models.graphs import GraphArguments
    from napari_mito_predict.models.importers.bioimageio.contents import Contents
    from napari_mito_predict.models.importers.foreign import Told


def graph_file(
    description: ModelDescr, contents: Contents, arguments: GraphArguments, given: np.ndarray, told: Told
) -> GraphFile:
    """Choose weights: TorchScript, else ONNX, else a program in Python, of which TorchScript is made.

    Parameters
    ----------
    description : ModelDescr
        Of the package.
    contents : Contents
        The package.
    arguments : GraphArguments
        How the network is given images.
    given : ndarray, (1, *spatial)
        Its test input, normalised.
    told : Told
        Whether that program may be run.

    Raises
    ------
    ForeignModelError
        None of its weights can be run here.
    UntrustedModelError
        A program would have to be run, and nobody said that it may be.
    DamagedModelError
        They are not in the package, or not what it says.
    """
    weights = description.weights
    if weights.torchscript is not None:
        return GraphFile("network.torchscript", file_content(weights.torchscript, "weights", contents), arguments)
    if weights.onnx is not None:
        if weights.onnx.external_data is not None:
            raise ForeignModelError("its ONNX network keeps its weights in a second file: this is not read here.")
        return GraphFile("network.onnx", file_content(weights.onnx, "weights", contents), arguments)
    if weights.pytorch_state_dict is not None:
        return graph_of_program(weights.pytorch_state_dict, contents, arguments, given, trust=told.trust)
    names = ", ".join(name for name, entry in weights if entry is not None)
    raise ForeignModelError(
        f"its weights are for TensorFlow or Keras only ({names}), which are not run here: ask its authors for "
        "TorchScript or ONNX."
    )
