"""Physics-simulated images of cells: transmitted light with the TMRM and SYBR Gold images of the same field.

Geometry is our own, both optics models are waveorder's. The sample image that ships with the package is what
``mito-predict simulate FOLDER -n 1 --seed 200005 --planes 24 --size 224`` writes; no bundled model was trained on it.

Names are listed in ``__init__.pyi`` and imported when they are first used: torch and scipy are heavy, and most people
never simulate.
"""

from __future__ import annotations

import lazy_loader

_lazy = lazy_loader.attach_stub(__name__, __file__)
__getattr__ = _lazy[0]
__dir__ = _lazy[1]
__all__ = _lazy[2]
