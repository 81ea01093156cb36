from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_mito_predict.errors import MissingReaderError, UnknownAxesError, UnreadableImageError
from napari_mito_predict.image import open_image, write_ome_zarr

STACK = np.random.default_rng(0).integers(1, 60000, (2, 2, 3, 18, 26), np.uint16)  # TCZYX


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """An OME-Zarr 0.4 as other programs write it: nanometres, a scale for the image and one for the level."""
    zarr = pytest.importorskip(
        "zarr", minversion="3", exc_type=ImportError, reason="pip install napari-mito-predict[zarr]"
    )
    from numcodecs import Zstd

    path = tmp_path / "cells.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=2)
    array = group.create_array("full", shape=STACK.shape, chunks=(1, 1, 1, 18, 26), dtype="u2", compressors=Zstd())
    array[:] = STACK
    axes = [{"name": "t", "type": "time", "unit": "second"}, {"name": "c", "type": "channel"}]
    axes += [{"name": name, "type": "space", "unit": "nanometer"} for name in "zyx"]
    scale = [{"type": "scale", "scale": [1, 1, 500, 50, 50]}]
    group.attrs["multiscales"] = [
        {
            "version": "0.4",
            "name": "left",
            "axes": axes,
            "datasets": [{"path": "full", "coordinateTransformations": scale}],
            "coordinateTransformations": [{"type": "scale", "scale": [30, 1, 1, 2, 2]}],
        }
    ]
    group.attrs["omero"] = {"channels": [{"label": "BF"}, {"label": "TMRM"}]}
    return path


def test_other_programs_files(foreign: Path) -> None:
    image = open_image(foreign)
    assert (image.name, image.scenes) == ("cells", ("left",))
    assert list(image.sizes.values()) == [2, 2, 3, 18, 26]
    assert [channel.name for channel in image.channels] == ["BF", "TMRM"]
    assert image.voxel_size_um == (0.5, 0.1, 0.1)
    assert image.time_step_s == 30
    np.testing.assert_array_equal(image.read(1, "TMRM"), STACK[1, 1])
    np.testing.assert_array_equal(image.read(1, "TMRM", z=2), STACK[1, 1, 2:])


def test_a_scale_without_a_unit_is_unknown(foreign: Path) -> None:
    import zarr

    group = zarr.open_group(foreign)
    multiscales = group.attrs["multiscales"]
    for axis in multiscales[0]["axes"]:
        axis.pop("unit", None)
    group.attrs["multiscales"] = multiscales
    image = open_image(foreign)
    assert (image.voxel_size_um, image.time_step_s) == ((None, None, None), None)


def test_several_images_in_one_folder(foreign: Path, tmp_path: Path) -> None:
    """bioformats2raw puts every scene into a numbered folder."""
    import zarr

    outer = tmp_path / "all.zarr"
    zarr.open_group(outer, mode="w", zarr_format=2).attrs["bioformats2raw.layout"] = 3
    for number in range(2):
        shutil.copytree(foreign, outer / str(number))
    image = open_image(outer, scene=1)
    assert len(image.scenes) == 2
    np.testing.assert_array_equal(image.read(0, 1), STACK[0, 1])


def test_a_missing_chunk_of_a_foreign_file_is_a_warning(foreign: Path) -> None:
    (foreign / "full" / "1.0.2.0.0").unlink()
    assert "1 of 12 chunks are missing" in open_image(foreign).warnings[0]


def test_a_missing_chunk_of_our_own_file_is_an_error(tmp_path: Path) -> None:
    pytest.importorskip("zarr", minversion="3", exc_type=ImportError)
    data = np.zeros((3, 18, 26), np.float32)  # blank chunks are written too, so absence is damage
    data[1] = 1
    path = write_ome_zarr(tmp_path / "a.ome.zarr", data, axes="TYX")
    assert open_image(path).warnings == ()
    (path / "0" / "c" / "2" / "0" / "0").unlink()
    with pytest.raises(UnreadableImageError, match="1 of 3 chunks are missing"):
        open_image(path)


def test_a_damaged_chunk_names_its_place(foreign: Path) -> None:
    chunk = foreign / "full" / "1.0.2.0.0"
    chunk.write_bytes(chunk.read_bytes()[:20])
    image = open_image(foreign)
    with pytest.raises(UnreadableImageError, match=r"cells\.zarr: a chunk of channel 0, time point 1 is damaged"):
        image.read(1, 0)
    np.testing.assert_array_equal(image.read(0, 0), STACK[0, 0])


def test_a_folder_that_is_no_image(tmp_path: Path) -> None:
    pytest.importorskip("zarr", minversion="3", exc_type=ImportError)
    with pytest.raises(UnreadableImageError, match="no OME-Zarr"):
        open_image(tmp_path)


def test_axes_nobody_can_read(foreign: Path) -> None:
    import zarr

    group = zarr.open_group(foreign)
    multiscales = group.attrs["multiscales"]
    multiscales[0]["axes"][0]["name"] = "angle"
    group.attrs["multiscales"] = multiscales
    with pytest.raises(UnknownAxesError, match="angle"):
        open_image(foreign)


def test_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(MissingReaderError, match=r"napari-mito-predict\[zarr\]"):
        open_image(tmp_path)
    (tmp_path / "plate.zarr" / "A" / "1").mkdir(parents=True)
    (tmp_path / "plate.zarr" / ".zattrs").write_text('{"plate": {"wells": [{"path": "A/1"}]}}')
    (tmp_path / "plate.zarr" / "A" / "1" / ".zattrs").write_text('{"well": {"images": [{"path": "0"}]}}')
    (tmp_path / "plate.zarr" / "A" / "1" / "0").mkdir()
    (tmp_path / "plate.zarr" / "A" / "1" / "0" / ".zattrs").write_text(
        '{"multiscales": [{"datasets": [{"path": "0"}]}]}'
    )
    with pytest.raises(MissingReaderError, match=r"napari-mito-predict\[zarr\]"):
        open_image(tmp_path / "plate.zarr")
    with pytest.raises(MissingReaderError, match=r"napari-mito-predict\[zarr\]"):
        write_ome_zarr(tmp_path / "a.ome.zarr", np.zeros((2, 2)), axes="YX")
