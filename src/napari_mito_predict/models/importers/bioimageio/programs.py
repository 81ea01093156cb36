"""Networks that are programs in Python, with their weights: run once, when the user said so, to write them as a graph.

What stays of them is TorchScript: a model is never again asked for its program.
"""

from __future__ import annotations

import importlib.util
import io
import pickle
import sys
import tempfile
import warnings
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from napari_mito_predict.errors import DamagedModelError, ForeignModelError, UntrustedModelError, one_line
from napari_mito_predict.models.graphs import AxisSize, GraphArguments
from napari_mito_predict.models.importers.bioimageio.graph_file import GraphFile, file_content

if TYPE_CHECKING:
    import numpy as np
    import torch
    from bioimageio.spec.model.v0_5 import PytorchStateDictWeightsDescr

    from napari_mito_predict.models.importers.bioimageio.contents import Contents

_MODULE = "napari_mito_predict_trusted_program"


def graph_of_program(
    entry: PytorchStateDictWeightsDescr,
    contents: Contents,
    arguments: GraphArguments,
    given: np.ndarray,
    *,
    trust: bool,
) -> GraphFile:
    """Run the program that makes the network, load its weights, and write it as TorchScript.

    Parameters
    ----------
    entry : PytorchStateDictWeightsDescr
        Of the description.
    contents : Contents
        The package.
    arguments : GraphArguments
        How the network is given images.
    given : ndarray, (1, *spatial)
        Its test input, normalised.
    trust : bool
        Whether the user said that the program may be run.

    Raises
    ------
    UntrustedModelError
        `trust` is not said.
    ForeignModelError
        It cannot be run, or not be written as a graph.
    DamagedModelError
        A file is missing, or is not what the description says.
    """
    program = _program(entry)
    if not trust:
        raise UntrustedModelError(
            f"its network is a program in Python ({program}). To read the model, this program would be run, with all "
            "that you may do on this computer. Say that it may only if you trust its authors; or ask them for "
            "TorchScript or ONNX.",
            file=contents.path,
        )
    network = _loaded(_built(entry, contents, program), file_content(entry, "weights", contents), entry, contents)
    return _as_graph(network, arguments, given)


def _program(entry: PytorchStateDictWeightsDescr) -> str:
    """Which program it is, for people."""
    architecture = entry.architecture
    where = getattr(architecture, "source", None) or getattr(architecture, "import_from", "")
    return f"'{architecture.callable}' of '{where}'"


def _built(entry: PytorchStateDictWeightsDescr, contents: Contents, program: str) -> torch.nn.Module:
    import torch

    architecture = entry.architecture
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if hasattr(architecture, "source"):
                module = _module(file_content(architecture, "program", contents))
            else:
                module = importlib.import_module(architecture.import_from)
            network = getattr(module, str(architecture.callable))(**architecture.kwargs)
        except DamagedModelError:
            raise
        except Exception as error:
            reason = f"{type(error).__name__}: {one_line(error)}"
            raise ForeignModelError(f"its program {program} failed ({reason}).") from error
    if not isinstance(network, torch.nn.Module):
        raise ForeignModelError(f"its program {program} gave no network.")
    return network


def _module(source: bytes) -> ModuleType:
    """Run a program file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "program.py")
        path.write_bytes(source)
        loader = SourceFileLoader(_MODULE, str(path))
        module = importlib.util.module_from_spec(ModuleSpec(_MODULE, loader, origin=str(path)))
        sys.modules[_MODULE] = module  # where its classes look for themselves
        loader.exec_module(module)
    return module


def _loaded(
    network: torch.nn.Module, weights: bytes, entry: PytorchStateDictWeightsDescr, contents: Contents
) -> torch.nn.Module:
    import torch

    try:
        state = torch.load(io.BytesIO(weights), map_location="cpu", weights_only=True)
        network.load_state_dict(state, strict=entry.strict)
    except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedModelError(f"its weights cannot be read ({one_line(error)}).", file=contents.path) from error
    return network.eval().requires_grad_(False)


def _as_graph(network: torch.nn.Module, arguments: GraphArguments, given: np.ndarray) -> GraphFile:
    """Write the network as TorchScript, for all sizes or, where it depends on them, for that of the test alone."""
    import torch

    from napari_mito_predict.models.bioimageio.tracing import agrees, trace
    from napari_mito_predict.models.graphs.network import from_ours

    image = torch.from_numpy(given)[None].to(getattr(torch, arguments.dtype))
    example = from_ours(image, arguments.input_axes).contiguous()
    content = trace(network, example)
    if not agrees(network, content, example):
        raise ForeignModelError("its network cannot be written as TorchScript: it would give other values there.")
    another = [size.valid(given.shape[axis + 1] + 1) for axis, size in enumerate(arguments.sizes)]
    noise = torch.randn((1, 1, *another), generator=torch.Generator().manual_seed(0)).to(image)
    if not agrees(network, content, from_ours(noise, arguments.input_axes).contiguous()):
        known = zip(given.shape[1:], arguments.sizes, strict=True)
        fixed = [AxisSize(min=size, halo=described.halo) for size, described in known]
        arguments = arguments.model_copy(update={"sizes": tuple(fixed)})
    return GraphFile("network.torchscript", content, arguments)
