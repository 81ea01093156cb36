"""Files of other microscopes: through a reader of BioIO, which here is one of the test's own."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import dask.array
import numpy as np
import pytest

from napari_mito_predict.errors import MissingReaderError, UnreadableImageError, UnsupportedImageError
from napari_mito_predict.image import list_images, open_image

DATA = np.arange(2 * 3 * 4 * 5 * 6, dtype=np.uint16).reshape(2, 3, 4, 5, 6)


class UnsupportedFileFormatError(Exception):
    """Stands in for BioIO's own."""


class FakeImage:
    """What of ``bioio.BioImage`` is used."""

    scenes = ("XYPos:0", "XYPos:1")
    channel_names = ("BF", "DAPI", " ")
    dtype = DATA.dtype
    time_interval = None
    physical_pixel_sizes = SimpleNamespace(Z=0.5, Y=0.1, X=0.1)
    further: tuple[str, ...] = ()

    def __init__(self, path: Path) -> None:
        if not path.read_bytes().startswith(b"fake"):
            raise ValueError("a header that is no header")
        sizes = dict(zip("TCZYX", DATA.shape, strict=True)) | dict.fromkeys(self.further, 2)
        self.dims = SimpleNamespace(order="TCZYX", **sizes)
        self.reader = SimpleNamespace(dims=SimpleNamespace(order="".join(sizes), **sizes))
        self.standard_metadata = SimpleNamespace(timelapse_interval=3.0)
        self.scene = 0

    def set_scene(self, scene: int) -> None:
        self.scene = scene

    def get_image_dask_data(self, order: str, *, T: int, C: int, Z: list[int]) -> dask.array.Array:
        return dask.array.from_array(DATA[T, C, Z] + self.scene)


@pytest.fixture
def bioio(monkeypatch: pytest.MonkeyPatch) -> type[FakeImage]:
    """BioIO with a reader for ``.nd2`` and ``.fake``."""
    modules = {name: ModuleType(name) for name in ("bioio", "bioio.plugins", "bioio_base", "bioio_base.exceptions")}
    modules["bioio"].BioImage = FakeImage  # type: ignore[attr-defined]
    modules["bioio.plugins"].get_plugins = lambda use_cache: {".nd2": [], ".fake": []}  # type: ignore[attr-defined]
    modules["bioio_base.exceptions"].UnsupportedFileFormatError = UnsupportedFileFormatError  # type: ignore[attr-defined]
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    return FakeImage


@pytest.fixture
def no_bioio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bioio", None)
    monkeypatch.setitem(sys.modules, "bioio.plugins", None)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "cells.nd2"
    path.write_bytes(b"fake")
    return path


@pytest.mark.parametrize(
    ("name", "package"), [("a.nd2", "bioio-nd2"), ("a.LIF", "bioio-lif"), ("a.oib", "bioio-bioformats")]
)
def test_the_package_that_is_missing_is_named(tmp_path: Path, no_bioio: None, name: str, package: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"something")
    with pytest.raises(MissingReaderError, match=rf"reading \.{path.suffix[1:].lower()} needs: .*bioio {package}$"):
        open_image(path)


def test_what_the_reader_says(bioio: type[FakeImage], recording: Path) -> None:
    image = open_image(recording)
    assert image.name == "cells"
    assert image.scenes == ("XYPos:0", "XYPos:1")
    assert image.sizes == dict(zip("TCZYX", DATA.shape, strict=True))
    assert [channel.name for channel in image.channels] == ["BF", "DAPI", None]
    assert image.voxel_size_um == (0.5, 0.1, 0.1)
    assert image.time_step_s == 3.0
    np.testing.assert_array_equal(image.read(1, "DAPI"), DATA[1, 1])
    np.testing.assert_array_equal(image.with_scene(1).read(0, 0, z=2), DATA[0, 0, 2:3] + 1)


def test_travels_to_another_process(bioio: type[FakeImage], recording: Path) -> None:
    image = open_image(recording)
    image.read()
    copy = pickle.loads(pickle.dumps(image))
    np.testing.assert_array_equal(copy.read(1, 2), DATA[1, 2])


def test_axes_that_would_be_dropped_are_said(
    bioio: type[FakeImage], recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bioio, "further", ("A",))
    with pytest.raises(UnsupportedImageError, match=r"axes beyond time.*A \(2 steps\)"):
        open_image(recording).read()


def test_whatever_a_reader_raises_names_the_file(bioio: type[FakeImage], tmp_path: Path) -> None:
    path = tmp_path / "cells.fake"
    path.write_bytes(b"no such thing")
    with pytest.raises(UnreadableImageError, match=r"cells\.fake: the installed reader of \.fake files .*no header"):
        open_image(path)


def test_they_count_in_a_folder(recording: Path) -> None:
    assert list_images(recording.parent) == [recording]
