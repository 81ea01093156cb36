"""Mitochondria, nuclei and nucleoids of a recorded or predicted image in numbers.

Segmentation gives labels, measures of labels give tables, and agreement says which measures may be taken from
predictions. Names are listed in ``__init__.pyi`` and imported when they are first used: pandas and skan are heavy.
"""

from __future__ import annotations

import lazy_loader

_lazy = lazy_loader.attach_stub(__name__, __file__)
__getattr__ = _lazy[0]
__dir__ = _lazy[1]
__all__ = _lazy[2]
