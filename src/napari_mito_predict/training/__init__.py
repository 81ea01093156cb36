"""Training: configuration, pairs, patches, the loop and its run folder.

Names are listed in ``__init__.pyi`` and imported when they are first used, so that a run can be watched without torch.
"""

from __future__ import annotations

import lazy_loader

_lazy = lazy_loader.attach_stub(__name__, __file__)
__getattr__ = _lazy[0]
__dir__ = _lazy[1]
__all__ = _lazy[2]
