"""Why there is no number."""

from __future__ import annotations


class NotMeasured(Exception):
    """A way cannot be measured here; the message says why."""
