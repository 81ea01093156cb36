"""How numbers are said to people."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 1:
        return "less than 1 s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
