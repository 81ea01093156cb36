"""What is wrong with a value of a training configuration, in words, with the nearest value that is right."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_SHOWN = 60
_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'")
_BOUNDS: Final = {
    "greater_than_equal": ("ge", "has to be at least {}"),
    "greater_than": ("gt", "has to be more than {}"),
    "less_than_equal": ("le", "has to be at most {}"),
    "less_than": ("lt", "has to be less than {}"),
}
"""Kinds of pydantic -> name of the bound, and the sentence."""


def explain(error: ErrorDetails, known_keys: Sequence[str]) -> str:
    """Say what is wrong with one value.

    Parameters
    ----------
    error : dict
        As pydantic tells it.
    known_keys : sequence of str
        Of the part of the configuration that the value is in.
    """
    where = ".".join(map(str, error["loc"])) or "configuration"
    return f"{where[:_SHOWN]}: {_reason(error, known_keys)}"


def _reason(error: ErrorDetails, known_keys: Sequence[str]) -> str:
    kind = error["type"]
    context = error.get("ctx", {})
    if kind == "extra_forbidden":
        return f"unknown key{_meant(error['loc'][-1], known_keys)}"
    if kind == "literal_error":
        known = _QUOTED.findall(context["expected"]) or [context["expected"]]
        return f"{_shown(error['input'])} is unknown{_meant(error['input'], known)}"
    if kind in _BOUNDS:
        bound, sentence = _BOUNDS[kind]
        return f"{sentence.format(_plain(context[bound]))}, not {_shown(error['input'])}"
    if kind == "finite_number":
        return f"has to be a finite number, not {_shown(error['input'])}"
    if kind == "missing":
        return "has to be given"
    if kind == "value_error":  # one of our own sentences
        return error["msg"].removeprefix("Value error, ")
    return f"{error['msg']}, not {_shown(error['input'])}"


def _meant(given: object, known: Sequence[str]) -> str:
    """Name what was meant, or all there is."""
    by_lower = {choice.lower(): choice for choice in known}
    near = difflib.get_close_matches(str(given)[:_SHOWN].lower(), by_lower, n=1)
    if near:
        return f", did you mean '{by_lower[near[0]]}'?"
    return f"; known are {', '.join(known)}"


def _plain(bound: float) -> float:
    """A bound as people write it: 0 for 0.0."""
    return int(bound) if bound == int(bound) else bound


def _shown(value: Any) -> str:
    """A value on one line, of a bounded length and without what a terminal would take for a command."""
    if isinstance(value, int) and abs(value) > 10**_SHOWN:
        return "a number of very many digits"
    return f"{value!r:.{_SHOWN}}"
