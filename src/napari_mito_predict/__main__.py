"""``python -m napari_mito_predict``: the same as ``mito-predict``."""

from __future__ import annotations

from napari_mito_predict.cli import main

if __name__ == "__main__":
    main()
