"""From an image and models to predictions: whole or block by block, the same answer whatever the tiling.

Names are listed in ``__init__.pyi`` and imported when they are first used, so that `fit` works without torch.
"""

from __future__ import annotations

import lazy_loader

_lazy = lazy_loader.attach_stub(__name__, __file__)
__getattr__ = _lazy[0]
__dir__ = _lazy[1]
__all__ = _lazy[2]
