"""What a pickle describes, as plain data: nothing that it names is imported, made or called.

The arguments of opcodes are read by `pickletools`. Those opcodes that containers, numbers and text are written with are
followed, and no others; what stands for an object is decided by whoever reads, by the name of its class alone.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, Protocol

_MOST_BYTES: Final = 32 << 20
_MOST_STEPS: Final = 600_000
"""A large network with the state of its optimizer takes some 100,000."""
_DEEPEST: Final = 40

_VALUES = frozenset(
    "BININT BININT1 BININT2 LONG1 LONG4 BINFLOAT BINSTRING SHORT_BINSTRING BINUNICODE SHORT_BINUNICODE BINUNICODE8 "
    "BINBYTES SHORT_BINBYTES BINBYTES8".split()
)
_CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_EMPTY: dict[str, Callable[[], Any]] = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_SET": list}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_WITHOUT_EFFECT = frozenset(["PROTO", "FRAME"])
_OTHERS = frozenset(
    "BINGET LONG_BINGET BINPUT LONG_BINPUT MEMOIZE MARK TUPLE LIST DICT APPEND APPENDS ADDITEMS SETITEM SETITEMS "
    "GLOBAL STACK_GLOBAL REDUCE NEWOBJ BUILD BINPERSID POP STOP".split()
)
_OPCODES: Final = {
    opcode.code.encode("latin-1"): opcode
    for opcode in pickletools.opcodes
    if opcode.name in {*_VALUES, *_CONSTANTS, *_EMPTY, *_TUPLES, *_WITHOUT_EFFECT, *_OTHERS}
}
_KEYS = (str, int, float, bytes, type(None))


class PickleError(ValueError):
    """It is cut or altered, or says more than data do."""


@dataclass(frozen=True)
class Named:
    """A class or function, of which nothing but its name is known."""

    name: str


class Objects(Protocol):
    """What stands for the objects that a pickle describes."""

    def check(self, name: str) -> None:
        """Raise `PickleError` for a class or function that has no business there, such as ``"os.system"``."""

    def make(self, name: str, arguments: tuple[Any, ...]) -> Any:
        """Give what stands for the result of a call of a class or function, by its name and what it is called with."""

    def find(self, identifier: Any) -> Any:
        """Give what stands for something that is stored outside of the pickle."""


def read_pickle(stream: BinaryIO, objects: Objects) -> Any:
    """Read one pickle; `stream` is left behind it.

    Parameters
    ----------
    stream : file
        Open for reading.
    objects : Objects
        What stands for the objects that it describes.

    Returns
    -------
    object
        Dictionaries, lists, tuples, text, numbers, and what `objects` gave. Sets are lists. Of dictionaries, items
        whose key is neither text nor a number are left out.

    Raises
    ------
    PickleError
        It is damaged, too large, too deep to be walked through, or written with opcodes that data do not need; or
        one of `objects` raised it.
    """
    content = _Reader(objects).read(_Bounded(stream))
    _refuse_tangled(content)
    return content


class _Bounded:
    """The bytes of one pickle; reading more than a pickle of data may have is refused before memory is taken."""

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


class _Reader:
    """The stack machine of pickle, as far as data need it."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def read(self, stream: _Bounded) -> Any:
        try:
            for _ in range(_MOST_STEPS):
                opcode = _OPCODES[stream.read(1)]
                if opcode.name == "STOP":
                    return self._stack.pop()
                self._step(opcode.name, _argument(opcode, stream))
        except PickleError:
            raise
        except (ValueError, TypeError, LookupError, OverflowError) as error:
            raise PickleError("it is cut or altered, or is written as data need not be") from error
        raise PickleError(f"it has more than {_MOST_STEPS:,} parts")

    def _step(self, opcode: str, argument: Any) -> None:
        if opcode in _VALUES:
            self._stack.append(argument)
        elif opcode in _CONSTANTS:
            self._stack.append(_CONSTANTS[opcode])
        elif opcode in _EMPTY:
            self._stack.append(_EMPTY[opcode]())
        elif opcode in _TUPLES:
            self._stack.append(tuple(self._take(_TUPLES[opcode])))
        elif opcode in ("BINGET", "LONG_BINGET"):
            self._stack.append(self._memo[argument])
        elif opcode in ("BINPUT", "LONG_BINPUT"):
            self._memo[argument] = self._stack[-1]
        elif opcode not in _WITHOUT_EFFECT:
            self._rarer_step(opcode, argument)

    def _rarer_step(self, opcode: str, argument: Any) -> None:
        match opcode:
            case "MARK":
                self._marks.append(len(self._stack))
            case "MEMOIZE":
                self._memo[len(self._memo)] = self._stack[-1]
            case "TUPLE":
                self._stack.append(tuple(self._after_mark()))
            case "LIST":
                self._stack.append(self._after_mark())
            case "DICT":
                self._stack.append(_dictionary(self._after_mark()))
            case "APPEND":
                self._extend(self._take(1))
            case "APPENDS" | "ADDITEMS":
                self._extend(self._after_mark())
            case "SETITEM":
                self._update(self._take(2))
            case "SETITEMS":
                self._update(self._after_mark())
            case "GLOBAL":
                self._name(argument)
            case "STACK_GLOBAL":
                module, name = self._take(2)
                self._name(f"{module:s}.{name:s}")
            case "REDUCE" | "NEWOBJ":
                self._call()
            case "BUILD":
                self._take(1)  # the attributes of an object: of what stands for it nobody asks for them
            case "BINPERSID":
                self._stack.append(self._objects.find(self._stack.pop()))
            case "POP":
                self._stack.pop()

    def _name(self, name: str) -> None:
        self._objects.check(name)
        self._stack.append(Named(name))

    def _call(self) -> None:
        called, arguments = self._take(2)
        if not isinstance(called, Named) or not isinstance(arguments, tuple):
            raise PickleError("it is cut or altered")
        self._stack.append(self._objects.make(called.name, arguments))

    def _take(self, count: int) -> list[Any]:
        """Take the topmost values off the stack."""
        if len(self._stack) < count:
            raise PickleError("it is cut or altered")
        taken = self._stack[-count:]
        del self._stack[-count:]
        return taken

    def _after_mark(self) -> list[Any]:
        """Take all values off the stack that came after the last mark."""
        mark = self._marks.pop()
        taken = self._stack[mark:]
        del self._stack[mark:]
        return taken

    def _extend(self, values: list[Any]) -> None:
        target = self._stack[-1]
        if isinstance(target, list):
            target.extend(values)

    def _update(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if isinstance(target, dict):
            target.update(_dictionary(items))


def _refuse_tangled(content: Any) -> None:
    """Refuse what holds itself, or one part so many times over that walking through it would never end."""
    level = [content] if isinstance(content, dict | list | tuple) else []
    for _ in range(_DEEPEST):
        inner: list[Any] = []
        for container in level:
            inner += container.values() if isinstance(container, dict) else container
            if len(inner) > _MOST_STEPS:
                raise PickleError(f"it has more than {_MOST_STEPS:,} parts")
        level = [part for part in inner if isinstance(part, dict | list | tuple)]
        if not level:
            return
    raise PickleError(f"its parts lie more than {_DEEPEST} deep in each other")


def _argument(opcode: pickletools.OpcodeInfo, stream: _Bounded) -> Any:
    """What follows an opcode in the file."""
    if opcode.name == "GLOBAL":  # pickletools takes a backslash for the beginning of something else
        module, name = (stream.readline().removesuffix(b"\n").decode("ascii") for _ in range(2))
        return f"{module}.{name}"
    return opcode.arg.reader(stream) if opcode.arg else None  # type: ignore[arg-type]


def _dictionary(items: list[Any]) -> dict[Any, Any]:
    """From keys and values in turn. A tuple as a key may hold itself many times over, and takes forever to hash."""
    return pairs_as_dictionary(zip(items[::2], items[1::2], strict=True))


def pairs_as_dictionary(pairs: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
    """A dictionary of those pairs whose key is text or a number."""
    return {key: value for key, value in pairs if isinstance(key, _KEYS)}
