"""Cross-validation: every group of fields is held out once, by a training of its own that never sees it."""

from __future__ import annotations
