from __future__ import annotations

from pathlib import Path

from napari_mito_predict.image import list_images


def test_images_by_name_without_hidden_and_other_files(tmp_path: Path) -> None:
    for name in ("b.ome.tif", "a.CZI", "._a.CZI", "notes.txt", "c.tiff"):
        (tmp_path / name).touch()
    (tmp_path / "d.ome.zarr").mkdir()
    (tmp_path / "more").mkdir()
    assert [path.name for path in list_images(tmp_path)] == ["a.CZI", "b.ome.tif", "c.tiff", "d.ome.zarr"]
