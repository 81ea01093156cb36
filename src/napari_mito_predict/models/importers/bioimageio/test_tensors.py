"""Test tensors: numpy files with a bound on what they claim to hold."""

from __future__ import annotations

import io
import math
import tokenize
from typing import TYPE_CHECKING

import numpy as np

from napari_mito_predict.errors import DamagedModelError, ForeignModelError, one_line

if TYPE_CHECKING:
    from bioimageio.spec.model.v0_5 import FileDescr

    from napari_mito_predict.models.importers.bioimageio.contents import Contents

_LARGEST_FILE = 256 << 20
_LARGEST_HEADER = 10_000
_ERRORS = (
    EOFError,
    MemoryError,
    OSError,
    OverflowError,
    RecursionError,
    SyntaxError,
    TypeError,
    ValueError,
    tokenize.TokenError,  # the header is a Python literal
)


def read_tensor(reference: FileDescr | None, letters: str, contents: Contents) -> np.ndarray:
    """Read a test tensor as an image ``(C, *spatial)`` of float32; of a batch the first.

    Parameters
    ----------
    reference : FileDescr or None
        As described.
    letters : str
        Its axes, see `napari_mito_predict.models.graphs.GraphArguments`.
    contents : Contents
        The package.

    Raises
    ------
    ForeignModelError
        There is none.
    DamagedModelError
        It cannot be read, or has other axes.
    """
    if reference is None:
        raise ForeignModelError("it has no test tensors, by which to find out whether it runs as it is meant.")
    name = contents.named(reference.source, "test tensor")
    content = contents.read(name, _LARGEST_FILE)
    try:
        array = _array(content)
    except _ERRORS as error:
        raise DamagedModelError(
            f"its test tensor '{name}' cannot be read ({one_line(error)}).", file=contents.path
        ) from error
    if array.ndim != len(letters) or 0 in array.shape:
        raise DamagedModelError(
            f"its test tensor '{name}' has the shape {array.shape}, and {len(letters)} axes are described.",
            file=contents.path,
        )
    return _image(array, letters)


def _array(content: bytes) -> np.ndarray:
    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    header = read(stream, max_header_size=_LARGEST_HEADER)
    shape, dtype = header[0], header[2]
    if dtype.kind not in "buif" or math.prod(shape) * dtype.itemsize > len(content):
        raise ValueError(f"{shape} values of the type {dtype} are not in it")
    stream.seek(0)
    found: np.ndarray = np.load(stream, allow_pickle=False)
    return found


def _image(array: np.ndarray, letters: str) -> np.ndarray:
    """Bring a tensor into the order (C, [z,] y, x)."""
    for position in reversed(range(array.ndim)):
        if letters[position] in "b1":
            array = array.take(0, axis=position)
    left = [letter for letter in letters if letter not in "b1"]
    if "c" not in left:
        array = array[None]
        left.insert(0, "c")
    order = [left.index(letter) for letter in "czyx" if letter in left]
    return np.ascontiguousarray(array.transpose(order), np.float32)
