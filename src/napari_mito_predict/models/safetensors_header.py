"""What a safetensors file says it holds: names, shapes and types of its tensors, read without any of them."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from napari_mito_predict.errors import DamagedModelError, InvalidModelError

_LENGTH_BYTES = 8
_LARGEST_HEADER = 4 << 20
_MOST_AXES = 8
_LARGEST_SIZE = 1 << 40
_METADATA = "__metadata__"
_SHOWN = 60
_FLOATING: Final = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
_COUNTERS: Final = {"I64": 8}
"""Such as how many batches were normalised."""
_BYTES = _FLOATING | _COUNTERS


@dataclass(frozen=True)
class StoredTensor:
    """What is said of one tensor."""

    shape: tuple[int, ...]
    dtype: str
    """As the format calls it, such as ``F32``."""

    @property
    def is_floating_point(self) -> bool:
        """Whether it is made of decimal numbers."""
        return self.dtype in _FLOATING


def read_header(stream: BinaryIO, size: int, source: str, what: str = "the weights") -> dict[str, StoredTensor]:
    """Read what a safetensors file says of its tensors.

    Parameters
    ----------
    stream : binary file
        At its beginning; read up to the first tensor.
    size : int
        Bytes of the whole file.
    source : str
        Named in messages.
    what : str
        What the file is for, likewise.

    Raises
    ------
    DamagedModelError
        It is no such file, or tensors lie over each other, beyond the end, or not where their shapes say.
    InvalidModelError
        Tensors are of a type that is not read, such as 8-bit floats.
    """
    source = f"{source}: {what}"
    length = int.from_bytes(stream.read(_LENGTH_BYTES), "little")
    if size < _LENGTH_BYTES or length > min(size - _LENGTH_BYTES, _LARGEST_HEADER):
        raise DamagedModelError(f"{source} are no safetensors file, or cut short.")
    try:
        header = json.loads(stream.read(length), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise DamagedModelError(f"{source} are no safetensors file: what they say of themselves is no JSON.") from error
    if not isinstance(header, dict):
        raise DamagedModelError(f"{source} are no safetensors file: they have no names.")
    header.pop(_METADATA, None)
    found: dict[str, StoredTensor] = {}
    places: list[tuple[int, int, str]] = []
    for name, entry in header.items():
        first, last = _place(name, entry, source)
        places.append((first, last, name))
        found[name] = StoredTensor(tuple(entry["shape"]), entry["dtype"])
    _require_side_by_side(places, size - _LENGTH_BYTES - length, source)
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON; readers disagree on which value of a name that is there twice counts."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name is there twice")
    return found


def _place(name: str, entry: Any, source: str) -> tuple[int, int]:
    """Where a tensor lies, in bytes after the header; its entry is as it should be then."""
    shown = ascii(name[:_SHOWN])
    if not isinstance(entry, dict) or not {"dtype", "shape", "data_offsets"} <= entry.keys():
        raise DamagedModelError(f"{source}: of {shown} it is not said what it is and where.")
    dtype = entry["dtype"]
    if not isinstance(dtype, str) or dtype not in _BYTES:
        raise InvalidModelError(f"{source}: {shown} is of the type {dtype!s:.20}; {', '.join(_BYTES)} are read.")
    shape = entry["shape"]
    offsets = entry["data_offsets"]
    if not _are_sizes(shape) or len(shape) > _MOST_AXES:
        raise DamagedModelError(f"{source}: {shown} has the impossible shape {shape!s:.{_SHOWN}}.")
    if not _are_sizes(offsets) or len(offsets) != 2 or offsets[1] - offsets[0] != math.prod(shape) * _BYTES[dtype]:
        raise DamagedModelError(
            f"{source}: {shown} has the shape {shape!s:.{_SHOWN}}, and lies at {offsets!s:.{_SHOWN}}, "
            "which does not go together."
        )
    return offsets[0], offsets[1]


def _are_sizes(value: object) -> bool:
    return isinstance(value, list) and all(type(size) is int and 0 <= size <= _LARGEST_SIZE for size in value)


def _require_side_by_side(places: list[tuple[int, int, str]], size: int, source: str) -> None:
    """Refuse tensors that lie over each other, with gaps between them, or not up to the end of the file."""
    end = 0
    for first, last, name in sorted(places):
        if first != end:
            raise DamagedModelError(
                f"{source}: {name[:_SHOWN]!a} begins at byte {first}, where {end} was expected: they "
                "lie one behind the other."
            )
        end = last
    if end != size:
        raise DamagedModelError(f"{source} end at byte {end}, and the file at {size}.")
