"""ONNX files, run by ONNX Runtime: looked through before, since they may name other files and foreign operations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor

from napari_mito_predict.errors import DamagedModelError, InvalidModelError, MissingExtraError, first_line

if TYPE_CHECKING:
    from types import ModuleType

LARGEST = 2_000_000_000
"""What one file in ONNX's own format can hold."""
_DEEPEST = 16
_DOMAINS: Final = frozenset({"", "ai.onnx"})
"""Of operations that are part of ONNX."""
_QUIET = 4
"""Fatal errors are said alone: others become errors of ours."""


def open_onnx(content: bytes, device: torch.device, source: str) -> Callable[[Tensor], Sequence[Tensor]]:
    """Open an ONNX file, which is computed by the processor whatever the `device`; gives one pass of it.

    Parameters
    ----------
    content : bytes
        Of the file.
    device : torch.device
        Where results are wanted.
    source : str
        Where it is from, for messages.

    Raises
    ------
    DamagedModelError
        It cannot be read.
    InvalidModelError
        It needs other files or operations of other programs, or takes several tensors.
    MissingExtraError
        ONNX Runtime is not installed.
    """
    runtime = _installed("onnxruntime", source)
    check_onnx(content, source)
    options = runtime.SessionOptions()
    options.log_severity_level = _QUIET
    options.intra_op_num_threads = torch.get_num_threads()
    failures = _failures(runtime)
    try:
        session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"], enable_fallback=0)
    except failures as error:
        raise DamagedModelError(f"the ONNX network cannot be read ({first_line(error)}).", file=source) from error
    inputs = session.get_inputs()
    if len(inputs) != 1:
        raise InvalidModelError(f"the ONNX network takes {len(inputs)} tensors; one image can be given.", file=source)
    name = inputs[0].name

    def run(given: Tensor) -> Sequence[Tensor]:
        try:
            found = session.run(None, {name: given.cpu().numpy()}, None)
        except failures as error:
            raise RuntimeError(first_line(error)) from error
        return [torch.from_numpy(array).to(device) for array in found]

    return run


def check_onnx(content: bytes, source: str) -> None:
    """Look through an ONNX file without running it; takes and raises what `open_onnx` does."""
    onnx = _installed("onnx", source)
    from google.protobuf.message import DecodeError

    if len(content) > LARGEST:
        raise DamagedModelError("the ONNX network is larger than a network may be.", file=source)
    try:
        model = onnx.load_model_from_string(content)
    except (DecodeError, ValueError, RecursionError) as error:
        raise DamagedModelError(f"the ONNX network cannot be read ({error}).", file=source) from error
    if not model.graph.node:
        raise DamagedModelError("this is no ONNX network: there is nothing in it.", file=source)
    own = {function.domain for function in model.functions}
    functions = chain.from_iterable(function.node for function in model.functions)
    for problem in chain(_of_graph(model.graph, own, 0), _of_nodes(functions, own, 0)):
        raise InvalidModelError(f"the ONNX network {problem}. Such a file is not run.", file=source)


def _of_graph(graph: Any, own: set[str], depth: int) -> Iterator[str]:
    """What may not be in a graph."""
    sparse = chain.from_iterable((tensor.values, tensor.indices) for tensor in graph.sparse_initializer)
    yield from _of_tensors(chain(graph.initializer, sparse))
    yield from _of_nodes(graph.node, own, depth)


def _of_nodes(nodes: Iterable[Any], own: set[str], depth: int) -> Iterator[str]:
    """What may not be in the operations of a graph, and in graphs within them."""
    if depth > _DEEPEST:
        yield "has graphs within graphs without end"
        return
    for node in nodes:
        if node.domain not in _DOMAINS | own:
            yield f"uses the operation '{node.op_type}' of '{node.domain}', which is no part of ONNX"
        for attribute in node.attribute:
            yield from _of_tensors(chain([attribute.t], attribute.tensors))
            for graph in chain([attribute.g], attribute.graphs):
                yield from _of_graph(graph, own, depth + 1)


def _of_tensors(tensors: Iterable[Any]) -> Iterator[str]:
    for tensor in tensors:
        if tensor.data_location or tensor.external_data:
            yield "keeps its weights in another file: ask for one file that holds everything"


def _installed(package: str, source: str) -> ModuleType:
    """An optional package."""
    import importlib

    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise MissingExtraError(
            f"this network is in the ONNX format, which needs '{package}': install napari-mito-predict[bioimageio].",
            file=source,
        ) from error


def _failures(runtime: ModuleType) -> tuple[type[Exception], ...]:
    """What ONNX Runtime raises."""
    native = runtime.capi.onnxruntime_pybind11_state
    names = ("Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NoModel", "NotImplemented", "NoSuchFile")
    named = [getattr(native, name) for name in (*names, "RuntimeException", "EPFail") if hasattr(native, name)]
    return (*named, RuntimeError, ValueError)
