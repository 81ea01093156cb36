"""TorchScript files: looked through before torch opens them, since they are programs.

Such a program knows tensors only; but a few of its operations reach files or other machines, and a part of it may run
while it is opened. Files with any of these are refused, whatever they would do.
"""

from __future__ import annotations

import ast
import io
import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import torch
from torch import Tensor

from napari_mito_predict.errors import DamagedModelError, InvalidModelError, first_line
from napari_mito_predict.models.zips import ZIP_ERRORS

LARGEST = 2 << 30
_LARGEST_CODE = 8 << 20
_MOST_MEMBERS = 50_000

_FORBIDDEN: Final = frozenset(
    {
        "save", "from_file", "rpc_async", "rpc_sync", "rpc_remote", "classes", "manual_seed", "__setstate__",
        "__getstate__", "_print", "profiler",
    }
)  # fmt: skip
"""Names of operations that reach beyond tensors, of what runs when a file is opened, and of classes of other programs.
"""
_NAMESPACES: Final = frozenset({"aten", "prim"})
"""Of operations that every torch has."""


def open_torchscript(content: bytes, device: torch.device, source: str) -> Callable[[Tensor], Sequence[Tensor]]:
    """Open a TorchScript file on a device; gives one pass of it.

    Parameters
    ----------
    content : bytes
        Of the file.
    device : torch.device
        Where it will compute.
    source : str
        Where it is from, for messages.

    Raises
    ------
    DamagedModelError
        It cannot be read.
    InvalidModelError
        It does more than to compute with tensors.
    """
    check_torchscript(content, source)
    with warnings.catch_warnings():
        # torch recommends other formats for new models; this is what there is of published ones.
        warnings.simplefilter("ignore")
        try:
            module = torch.jit.load(io.BytesIO(content), map_location=device).eval()  # type: ignore[no-untyped-call]
        except (RuntimeError, ValueError, AttributeError) as error:
            raise DamagedModelError(
                f"the TorchScript network cannot be read ({first_line(error)}).", file=source
            ) from error

    def run(given: Tensor) -> Sequence[Tensor]:
        found = module(given)
        results = list(found) if isinstance(found, list | tuple) else [found]
        if not all(isinstance(result, Tensor) for result in results):
            raise RuntimeError("the network gave something else than tensors")
        return results

    return run


def check_torchscript(content: bytes, source: str) -> None:
    """Look through a TorchScript file without opening it; takes and raises what `open_torchscript` does."""
    for code in _code_of(content, source):
        for name in _forbidden_names(_parsed(code, source)):
            raise InvalidModelError(
                f"the TorchScript network uses '{name}', and so does more than to compute with images. Such a file is "
                "not opened. Ask its authors for ONNX.",
                file=source,
            )


def _code_of(content: bytes, source: str) -> Iterator[str]:
    """All program texts of the file; everything in it is checked for damage on the way."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            if len(members) > _MOST_MEMBERS or sum(member.file_size for member in members) > LARGEST:
                raise DamagedModelError("the TorchScript network is larger than a network may be.", file=source)
            damaged = archive.testzip()
            if damaged is not None:
                raise DamagedModelError(f"the TorchScript network is damaged, at '{damaged}'.", file=source)
            code = [member for member in members if "/code/" in member.filename and member.filename.endswith(".py")]
            if not code or sum(member.file_size for member in code) > _LARGEST_CODE:
                raise DamagedModelError("this is no TorchScript network: there is no program in it.", file=source)
            for member in code:
                yield archive.read(member).decode("utf-8")
    except ZIP_ERRORS as error:
        raise DamagedModelError(f"the TorchScript network cannot be read ({error}).", file=source) from error


def _parsed(code: str, source: str) -> ast.AST:
    """The program as Python reads it: TorchScript is a part of Python."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(code)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise DamagedModelError(f"the TorchScript network cannot be understood ({error}).", file=source) from error


def _forbidden_names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            if node.attr in _FORBIDDEN or _foreign(node):
                yield node.attr
        elif isinstance(node, ast.Name | ast.FunctionDef):
            name = node.id if isinstance(node, ast.Name) else node.name
            if name in _FORBIDDEN:
                yield name


def _foreign(node: ast.Attribute) -> bool:
    """Whether this is ``ops.<namespace>`` of operations that not every torch has."""
    return isinstance(node.value, ast.Name) and node.value.id == "ops" and node.attr not in _NAMESPACES
