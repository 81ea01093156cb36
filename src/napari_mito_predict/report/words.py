"""Names and numbers as people write them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # control characters, but tabs and ends of lines
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # what turns the direction of reading
    "\u2028\u2029\ud800-\udfff\ufffe\uffff]"  # other ends of lines; bytes of a name that is no text
)


def visible(text: str) -> str:
    r"""The text with an escape for everything that cannot be seen, but could make it read as another one.

    ``\u202e`` in a name turns what follows around; bytes in the name of a file that are no text cannot be written.
    """
    return _UNSEEN.sub(lambda found: ascii(found[0])[1:-1], text)


def capitalised(target: str) -> str:
    """A target as people write it at the beginning of a heading."""
    return {"dna": "DNA"}.get(target, f"{target[:1].upper()}{target[1:]}")


def listed(names: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def count(n: int, what: str) -> str:
    """``1 field``, ``2 fields``."""
    plural = "" if n == 1 else "s"
    return f"{n} {what}{plural}"
