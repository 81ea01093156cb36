"""A look at a pickle before it is read: how long it is, what it names, how deep it goes. Nothing of it is made.

``torch.load(..., weights_only=True)`` runs no code of a file either, but there are files of 200 bytes that make it take
gigabytes, or never end.
"""

from __future__ import annotations

import pickletools
from typing import BinaryIO, Final

_MOST_BYTES: Final = 32 << 20
_MOST_STEPS: Final = 300_000
"""A large network with the state of its optimizer takes some 100,000."""
_DEEPEST_TUPLE: Final = 16
"""Tuples that hold one other twice, and so on, take forever to be hashed: twice as long for each level."""
_TUPLES: Final = {"TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"}
_FROM_MEMO: Final = {"GET", "BINGET", "LONG_BINGET"}
_INTO_MEMO: Final = {"PUT", "BINPUT", "LONG_BINPUT"}
_MAKES_MEMORY: Final = "bytearray"
"""Called with a number, it takes that many bytes."""


class PickleError(ValueError):
    """A pickle that is cut or altered, or that is no description of weights."""


def scan_pickle(stream: BinaryIO) -> None:
    """Look through one pickle; `stream` is left behind it.

    Raises
    ------
    PickleError
        It is cut or altered, or would take more time or memory than weights do.
    """
    bounded = _Bounded(stream)
    tuples = _TupleDepths()
    try:
        for step, (opcode, argument, _) in enumerate(pickletools.genops(bounded)):  # type: ignore[arg-type]
            if step > _MOST_STEPS:
                raise PickleError(f"it has more than {_MOST_STEPS:,} parts")
            if argument is not None and str(argument).endswith(f" {_MAKES_MEMORY}"):
                raise PickleError(f"beside weights it holds a '{_MAKES_MEMORY}', which is not read")
            tuples.follow(opcode, argument)
    except PickleError:
        raise
    except (ValueError, LookupError, OverflowError) as error:
        raise PickleError("it is cut or altered") from error


class _Bounded:
    """The bytes of one pickle; more than weights need for their description are refused before they are read."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._left = _MOST_BYTES

    def read(self, size: int) -> bytes:
        self._take(size)
        return self._stream.read(size)

    def readline(self) -> bytes:
        line = self._stream.readline(self._left)
        self._take(len(line))
        return line

    def _take(self, size: int) -> None:
        self._left -= size
        if self._left <= 0:
            raise PickleError(f"it describes more than {_MOST_BYTES >> 20} MiB beside its weights")


class _TupleDepths:
    """How deep the tuples on the stack of a pickle are; what each opcode takes and gives is said by `pickletools`."""

    def __init__(self) -> None:
        self._stack: list[int | None] = []  # None is a mark
        self._memo: dict[int, int | None] = {}

    def follow(self, opcode: pickletools.OpcodeInfo, argument: object) -> None:
        """Follow one opcode."""
        if opcode.name in _FROM_MEMO and isinstance(argument, int):
            self._stack.append(self._memo[argument])
        elif opcode.name in _INTO_MEMO and isinstance(argument, int):
            self._memo[argument] = self._stack[-1]
        elif opcode.name == "MEMOIZE":
            self._memo[len(self._memo)] = self._stack[-1]
        elif opcode.name == "MARK":
            self._stack.append(None)
        else:
            taken = self._take(opcode)
            depth = 1 + max(taken, default=0) if opcode.name in _TUPLES else 0
            if depth > _DEEPEST_TUPLE:
                raise PickleError("it describes tuples in tuples in tuples, which weights have no use for")
            self._stack += [depth] * len(opcode.stack_after)

    def _take(self, opcode: pickletools.OpcodeInfo) -> list[int]:
        """Take off the stack what an opcode does; of those up to a mark, all of them."""
        taken: list[int] = []
        below = [kind for kind in opcode.stack_before if kind not in (pickletools.markobject, pickletools.stackslice)]
        if pickletools.markobject in opcode.stack_before:
            while (depth := self._stack.pop()) is not None:
                taken.append(depth)
        for _ in below:
            taken.append(self._stack.pop() or 0)
        return taken
