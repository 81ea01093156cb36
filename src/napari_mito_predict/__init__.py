"""Label-free prediction of mitochondria and DNA from transmitted light.

>>> import napari_mito_predict as nmp
>>> image = nmp.open_image("cells.czi")                                      # doctest: +SKIP
>>> result = nmp.predict(image, [nmp.load_model("mito-z"), nmp.load_model("dna-z")])  # doctest: +SKIP
>>> result["mitochondria"].save("mitochondria.ome.tif")                      # doctest: +SKIP

Names are listed in ``__init__.pyi`` and imported when they are first used: importing the package costs next to
nothing, and neither torch nor Qt.
"""

from __future__ import annotations

import lazy_loader

_lazy = lazy_loader.attach_stub(__name__, __file__)
_import_name = _lazy[0]
__all__ = _lazy[2]


def __getattr__(name: str) -> object:
    if name == "__version__":  # importlib.metadata takes longer to import than all of this
        from importlib.metadata import version

        return version("napari-mito-predict")
    return _import_name(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
