"""Which arguments each network takes, and within which bounds: looked at before one is built. Needs no torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

_LONGEST_SHOWN = 40
"""Letters of a value in a message: it may come from a file of anybody."""


class _Bound(Protocol):
    """What an argument has to be."""

    def allows(self, value: object) -> bool:
        """Whether `value` is such a one."""

    def words(self, value: object) -> str:
        """What it has to be, instead of a `value` that is not allowed."""


@dataclass(frozen=True)
class Whole:
    """A whole number from `low` to `high`; neither 2.0 nor true is one."""

    low: int
    high: int

    def allows(self, value: object) -> bool:
        return type(value) is int and self.low <= value <= self.high

    def words(self, value: object) -> str:
        bounds = f"between {self.low} and {self.high}"
        if type(value) is int:
            return bounds
        return f"a whole number {bounds}"


@dataclass(frozen=True)
class Share:
    """A number above 0 and up to 1."""

    def allows(self, value: object) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 1

    def words(self, value: object) -> str:
        return "a number above 0 and up to 1"


@dataclass(frozen=True)
class OneOf:
    """One of a few values."""

    values: tuple[str | int | bool, ...]

    def allows(self, value: object) -> bool:
        return any(type(value) is type(one) and value == one for one in self.values)

    def words(self, value: object) -> str:
        return " or ".join(map(str, self.values))


@dataclass(frozen=True)
class Several:
    """A list of so many things of one kind."""

    each: _Bound
    fewest: int
    most: int

    def allows(self, value: object) -> bool:
        if not isinstance(value, list | tuple) or not self.fewest <= len(value) <= self.most:
            return False
        return all(map(self.each.allows, value))

    def words(self, value: object) -> str:
        return f"a list of {self.fewest} to {self.most}, each {self.each.words(None)}"


_NDIM: Final = OneOf((2, 3))
_YES_OR_NO: Final = OneOf((False, True))
_CHANNELS: Final = Whole(1, 64)
_RESIZING: Final = OneOf(("convolution", "v1", "v2"))

_SLIDING: Final[dict[str, _Bound]] = {
    "in_stack_depth": Whole(1, 128),
    "stem_depth": Whole(1, 128),
    "widths": Several(Whole(1, 4096), 2, 6),
    "depths": Several(Whole(1, 64), 2, 6),
    "decoder_blocks": Whole(1, 16),
    "head_expansion": Whole(1, 64),
    "head_pool": _YES_OR_NO,
    "in_channels": _CHANNELS,
    "out_channels": _CHANNELS,
}
"""Of both networks that slide a window along a stack."""

ARGUMENTS: Final[Mapping[str, Mapping[str, _Bound]]] = {
    "unet": {
        "ndim": _NDIM,
        "depth": Whole(1, 6),
        "base_channels": Whole(1, 512),
        "convs_per_level": Whole(1, 8),
        "in_channels": _CHANNELS,
        "out_channels": _CHANNELS,
    },
    "gvtnet": {
        "ndim": _NDIM,
        "depth": Whole(1, 6),
        "base_channels": Whole(1, 512),
        "in_channels": _CHANNELS,
        "out_channels": _CHANNELS,
        "attention": OneOf(("linear", "softmax")),
        "heads": Whole(1, 32),
        "down": _RESIZING,
        "up": _RESIZING,
        "momentum": Share(),
    },
    "unext2": _SLIDING
    | {
        "version": OneOf((1, 2)),
        "upsampling_convolution": _YES_OR_NO,
    },
    "fcmae": _SLIDING
    | {
        "stem_size": Whole(1, 16),
        "head": OneOf(("shuffle", "convolution")),
    },
}
"""Kind of network -> argument -> what it has to be. The bounds are wide; what they keep out would take gigabytes."""


def check_arguments(kind: str, arguments: Mapping[str, Any]) -> None:
    """Find out whether a network can be built.

    Parameters
    ----------
    kind : str
        Of network.
    arguments : mapping
        See `napari_mito_predict.networks.build_network`; what is left out has its default.

    Raises
    ------
    ValueError
        The kind is unknown, or some of the arguments are unknown or out of bounds: all of them, in plain words.
    """
    if kind not in ARGUMENTS:
        raise ValueError(f"Unknown network '{kind:.{_LONGEST_SHOWN}}': expected one of {', '.join(ARGUMENTS)}")
    problems = list(_problems(kind, arguments))
    if problems:
        raise ValueError("; ".join(problems))


def _problems(kind: str, arguments: Mapping[str, Any]) -> Iterator[str]:
    bounds = ARGUMENTS[kind]
    for name, value in arguments.items():
        if name not in bounds:
            yield f"a {kind} has no '{name:.{_LONGEST_SHOWN}}'; it has {', '.join(bounds)}"
        elif not bounds[name].allows(value):
            yield f"{name} has to be {bounds[name].words(value)}, not {_shown(value)}"


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits, lists in lists in lists
        return f"a {type(value).__name__} that is too long to show"
    if len(text) > _LONGEST_SHOWN:
        return f"{text[:_LONGEST_SHOWN]}…"
    return text
