"""What an OME-Zarr may not do: run code, or give zeros for chunks that are gone. Half of it runs without zarr."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_mito_predict.errors import UnreadableImageError, UnsupportedImageError
from napari_mito_predict.image import ImageSource, create_ome_zarr, open_image

STACK = np.random.default_rng(0).integers(1, 60000, (3, 18, 26), np.uint16)
MULTISCALES = [{"version": "0.4", "axes": list("zyx"), "datasets": [{"path": "0"}]}]


class _Opens:
    """Unpickled, it leaves a file behind."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.canary), "w")


V2: dict[str, Any] = {
    "zarr_format": 2, "shape": [1, 2, 2], "chunks": [1, 2, 2], "dtype": "<u2", "compressor": None, "fill_value": 0,
    "order": "C", "filters": None,
}  # fmt: skip
V3: dict[str, Any] = {
    "zarr_format": 3, "node_type": "array", "shape": [1, 2, 2], "data_type": "uint16", "fill_value": 0,
    "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [1, 2, 2]}},
    "chunk_key_encoding": {"name": "v2", "configuration": {"separator": "."}},
    "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
}  # fmt: skip
PICKLE = {"id": "pickle", "protocol": 4}
PICKLE_V3 = {"name": "numcodecs.pickle", "configuration": {}}
SHARDS = {
    "name": "sharding_indexed",
    "configuration": {"chunk_shape": [1, 2, 2], "codecs": [PICKLE_V3], "index_codecs": [{"name": "bytes"}]},
}
HOSTILE = {
    "objects, pickled": V2 | {"dtype": "|O", "filters": [{"id": "vlen-utf8"}, PICKLE]},
    "objects, only pickled": V2 | {"dtype": "|O", "filters": [PICKLE]},
    "numbers, pickled": V2 | {"filters": [PICKLE]},
    "numbers, pickled instead of compressed": V2 | {"compressor": PICKLE},
    "texts": V2 | {"dtype": "<U8"},
    "bytes": V2 | {"dtype": "|S8"},
    "dates": V2 | {"dtype": "<M8[ns]"},
    "records": V2 | {"dtype": [["a", "<u2"], ["b", "|O"]]},
    "no dtype": {k: v for k, v in V2.items() if k != "dtype"},
    "v3 texts": V3 | {"data_type": "string"},
    "v3 objects": V3 | {"data_type": "object"},
    "v3 bytes": V3 | {"data_type": "variable_length_bytes"},
    "v3 raw bits": V3 | {"data_type": "r16"},
    "v3 records": V3 | {"data_type": {"name": "structured", "configuration": {"fields": [["a", "uint16"]]}}},
    "v3 numbers, pickled": V3 | {"codecs": [*V3["codecs"], PICKLE_V3]},
    "v3 numbers, pickled within shards": V3 | {"codecs": [SHARDS]},
}


def _write(folder: Path, metadata: dict[str, Any], chunk: bytes) -> Path:
    """An OME-Zarr with one array of one chunk, made without zarr."""
    array = folder / "0"
    array.mkdir(parents=True)
    if metadata["zarr_format"] == 2:
        (folder / ".zgroup").write_text('{"zarr_format": 2}', encoding="utf-8")
        (folder / ".zattrs").write_text(json.dumps({"multiscales": MULTISCALES}), encoding="utf-8")
        (array / ".zarray").write_text(json.dumps(metadata), encoding="utf-8")
    else:
        consolidated = {"kind": "inline", "must_understand": False, "metadata": {"0": metadata}}
        group = {"zarr_format": 3, "node_type": "group", "attributes": {"multiscales": MULTISCALES}}
        (folder / "zarr.json").write_text(json.dumps(group | {"consolidated_metadata": consolidated}), encoding="utf-8")
        (array / "zarr.json").write_text(json.dumps(metadata), encoding="utf-8")
    (array / "0.0.0").write_bytes(chunk)
    return folder


@pytest.mark.parametrize("metadata", HOSTILE.values(), ids=HOSTILE)
def test_nothing_in_a_file_runs_code(tmp_path: Path, metadata: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused before a codec is made, so that it holds with releases of numcodecs that unpickle what they are told."""
    pickles = pytest.importorskip("numcodecs.pickles", reason="numcodecs is not installed")
    monkeypatch.setattr(pickles, "ALLOW_UNSAFE_PICKLE_DECODE", True, raising=False)
    canary = tmp_path / "canary"
    path = _write(tmp_path / "cells.ome.zarr", metadata, pickle.dumps(_Opens(canary)))
    with pytest.raises(UnsupportedImageError, match=r"only whole and real numbers|may run code"):
        open_image(path).read()
    assert not canary.exists()


def test_the_pickles_of_this_test_are_dangerous(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(_Opens(tmp_path / "canary"))).close()
    assert (tmp_path / "canary").exists()


def test_an_array_that_becomes_hostile_after_opening(tmp_path: Path) -> None:
    pytest.importorskip("zarr", minversion="3", exc_type=ImportError)
    path = _write(tmp_path / "cells.ome.zarr", V2, np.ones(4, "<u2").tobytes())
    image = open_image(path)
    assert image.read().tolist() == [[[1, 1], [1, 1]]]
    (path / "0" / ".zarray").write_text(json.dumps(V2 | {"filters": [PICKLE]}), encoding="utf-8")
    with pytest.raises(UnsupportedImageError, match="pickle"):
        image.read()


@pytest.mark.parametrize("dtype", ["|b1", "|u1", ">u2", "<i4", "<f4", "<f8", "<f2"])
def test_numbers_of_every_kind_are_read(tmp_path: Path, dtype: str) -> None:
    pytest.importorskip("zarr", minversion="3", exc_type=ImportError)
    path = _write(tmp_path / "cells.ome.zarr", V2 | {"dtype": dtype}, np.ones(4, dtype).tobytes())
    assert (open_image(path).read() == 1).all()


@pytest.mark.parametrize("damage", ["", "[1]", '"text"', "{", "[" * 100_000, "\xff"], ids=range(6))
@pytest.mark.parametrize("name", [".zattrs", "0/.zarray"])
def test_metadata_that_are_no_object(tmp_path: Path, name: str, damage: str) -> None:
    path = _write(tmp_path / "cells.ome.zarr", V2, bytes(8))
    (path / name).write_bytes(damage.encode("latin-1"))
    with pytest.raises(UnreadableImageError, match=str(path / name).replace("\\", ".")):
        open_image(path)


def _foreign(folder: Path, **options: Any) -> Path:
    """As another program writes it: nothing says that blank chunks are there."""
    zarr = pytest.importorskip("zarr", minversion="3", exc_type=ImportError)
    group = zarr.open_group(folder, mode="w", zarr_format=options.pop("zarr_format", 2))
    group.attrs["multiscales"] = MULTISCALES
    group.create_array("0", shape=STACK.shape, dtype=STACK.dtype, **options)[:] = STACK
    return folder


def _own(folder: Path) -> Path:
    pytest.importorskip("zarr", minversion="3", exc_type=ImportError)
    with create_ome_zarr(folder, STACK.shape, STACK.dtype, axes="ZYX", version="0.4") as writer:
        writer.write([slice(None)] * 3, STACK)
    return folder


def _sharded(folder: Path) -> Path:
    return _foreign(folder, zarr_format=3, chunks=(1, 9, 13), shards=(1, 18, 26))


def _nested(folder: Path) -> Path:
    return _foreign(folder, chunks=(1, 18, 13), chunk_key_encoding={"name": "v2", "separator": "/"})


def _with(codec: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        numcodecs = pytest.importorskip("numcodecs")
        return _foreign(folder, chunks=(1, 18, 26), compressors=getattr(numcodecs, codec)())

    return make


def _blosc_v3(folder: Path) -> Path:
    zarr = pytest.importorskip("zarr", minversion="3", exc_type=ImportError)
    return _foreign(folder, zarr_format=3, chunks=(1, 18, 26), compressors=zarr.codecs.BloscCodec())


STORES = {
    "own": _own,
    "foreign": lambda folder: _foreign(folder, chunks=(1, 9, 26)),
    "nested": _nested,
    "sharded": _sharded,
    "uncompressed": lambda folder: _foreign(folder, chunks=(1, 9, 26), compressors=None),
    "blosc of format 3": _blosc_v3,
    **{codec: _with(codec) for codec in ("Blosc", "Zstd", "GZip", "Zlib", "LZ4", "BZ2", "LZMA")},
}


_CUTS = ["gone", "emptied", "cut to 3 bytes", "cut to 60 bytes", "one byte short"]


def _cut(length: int) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(path.read_bytes()[:length])


def _chunks(path: Path) -> list[Path]:
    files = (file for file in (path / "0").rglob("*") if file.is_file())
    return sorted(file for file in files if file.name not in ("zarr.json", ".zarray", ".zattrs"))


@pytest.mark.parametrize("make", STORES.values(), ids=STORES)
@pytest.mark.parametrize("vanish", [Path.unlink, _cut(0), _cut(3), _cut(60), _cut(-1)], ids=_CUTS)
def test_a_chunk_that_vanishes_after_opening_is_no_zero(tmp_path: Path, make: Any, vanish: Any) -> None:
    path = make(tmp_path / "cells.ome.zarr")
    image = open_image(path)
    assert image.warnings == ()
    np.testing.assert_array_equal(image.read(), STACK)
    vanish(_chunks(path)[-1])
    np.testing.assert_array_equal(image.read(z=0), STACK[:1])  # what is there can be read
    for z in (None, 2):
        with pytest.raises(UnreadableImageError, match=r"cells\.ome\.zarr: .*chunk"):
            image.read(z=z)


def test_a_chunk_that_vanishes_in_another_process_of_the_image(tmp_path: Path) -> None:
    """What was there at opening goes with the image when it is sent to a process."""
    image = open_image(_own(tmp_path / "cells.ome.zarr"))
    sent: ImageSource = pickle.loads(pickle.dumps(image))
    _chunks(tmp_path / "cells.ome.zarr")[0].unlink()
    with pytest.raises(UnreadableImageError, match="gone or cut short"):
        sent.read()


def test_a_chunk_left_out_by_its_writer_reads_as_zeros(tmp_path: Path) -> None:
    path = _foreign(tmp_path / "cells.ome.zarr", chunks=(1, 18, 26))
    _chunks(path)[1].unlink()
    image = open_image(path)
    assert "1 of 3 chunks are missing" in image.warnings[0]
    expected = STACK.copy()
    expected[1] = 0
    np.testing.assert_array_equal(image.read(), expected)


def test_a_folder_that_vanishes(tmp_path: Path) -> None:
    path = _own(tmp_path / "cells.ome.zarr")
    image = open_image(path)
    path.rename(tmp_path / "elsewhere.ome.zarr")
    with pytest.raises(UnreadableImageError, match=r"cells\.ome\.zarr"):
        image.read()


def test_a_declared_size_far_beyond_its_chunks_is_told_at_once(tmp_path: Path) -> None:
    metadata = V2 | {"shape": [1, 2, 2**31]}
    pytest.importorskip("zarr", minversion="3", exc_type=ImportError)
    path = _write(tmp_path / "cells.ome.zarr", metadata, bytes(8))
    image = open_image(path)
    assert image.sizes["X"] == 2**31
    assert f"{2**30 - 1} of {2**30} chunks are missing" in image.warnings[0]


def test_multiscales_without_the_path_of_a_dataset(tmp_path: Path) -> None:
    path = _write(tmp_path / "cells.ome.zarr", V2, bytes(8))
    broken = [{"version": "0.4", "axes": list("zyx"), "datasets": [{}]}]
    (path / ".zattrs").write_text(json.dumps({"multiscales": broken}), encoding="utf-8")
    with pytest.raises(UnreadableImageError, match="do not say where the pixels are"):
        open_image(path)
