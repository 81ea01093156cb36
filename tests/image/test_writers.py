from __future__ import annotations

from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_mito_predict.errors import OutputError, OutputExistsError, UnwritableOutputError
from napari_mito_predict.image import check_output, file_signature, open_image, write_ome_tiff, write_ome_zarr

DATA = np.random.default_rng(0).normal(size=(2, 3, 18, 26)).astype(np.float32)  # TZYX
GIVEN = {
    "axes": "TZYX",
    "channel_names": ["TMRM predicted (mito-z)"],
    "voxel_size_um": (0.5, 0.1, None),
    "time_step_s": 2.5,
    "description": "trained on simulated cells",
}
FORMATS = {"out.ome.tif": write_ome_tiff, "out.ome.zarr": write_ome_zarr}


@pytest.fixture(params=FORMATS)
def name(request: pytest.FixtureRequest) -> str:
    if request.param.endswith("zarr"):
        pytest.importorskip(
            "zarr", minversion="3", exc_type=ImportError, reason="pip install napari-mito-predict[zarr]"
        )
    return str(request.param)


def test_everything_comes_back(tmp_path: Path, name: str) -> None:
    path = FORMATS[name](tmp_path / name, DATA, **GIVEN)
    image = open_image(path)
    assert image.name == "out"
    assert list(image.sizes.values()) == [2, 1, 3, 18, 26]
    assert image.channels[0].name == "TMRM predicted (mito-z)"
    assert image.voxel_size_um == (0.5, 0.1, None)
    assert image.time_step_s == 2.5
    assert image.dtype == np.float32
    np.testing.assert_array_equal(image.read(1), DATA[1])
    assert [entry.name for entry in tmp_path.iterdir()] == [name], "no temporary file may stay"


@pytest.mark.parametrize("dtype", ["u1", "u2", "i4", "f4", "f8", "bool", ">u2"])
def test_types(tmp_path: Path, name: str, dtype: str) -> None:
    data = (DATA[0] > 0).astype(dtype)
    image = open_image(FORMATS[name](tmp_path / name, data, axes="ZYX"))
    np.testing.assert_array_equal(image.read(), data)
    assert image.voxel_size_um == (None, None, None)


def test_dask_is_written_in_pieces(tmp_path: Path, name: str) -> None:
    lazy = da.from_array(DATA, chunks=(1, 3, 18, 26))
    np.testing.assert_array_equal(open_image(FORMATS[name](tmp_path / name, lazy, **GIVEN)).read(1), DATA[1])


def test_several_channels(tmp_path: Path, name: str) -> None:
    path = FORMATS[name](tmp_path / name, DATA, axes="CZYX", channel_names=["TMRM", "SYBR Gold"])
    np.testing.assert_array_equal(open_image(path).read(channel="dna"), DATA[1])


def test_the_description_travels_in_the_file(tmp_path: Path) -> None:
    with tifffile.TiffFile(write_ome_tiff(tmp_path / "a.ome.tif", DATA, **GIVEN)) as tiff:
        assert "<Description>trained on simulated cells</Description>" in tiff.ome_metadata


def test_imagej_sees_a_stack(tmp_path: Path) -> None:
    """Any program that knows no OME reads the pages in order."""
    with tifffile.TiffFile(write_ome_tiff(tmp_path / "a.ome.tif", DATA, **GIVEN)) as tiff:
        pages = np.stack([page.asarray() for page in tiff.pages])
    np.testing.assert_array_equal(pages, DATA.reshape(6, 18, 26))


def test_ome_zarr_follows_the_specification(tmp_path: Path) -> None:
    pytest.importorskip("zarr", minversion="3", exc_type=ImportError)
    models = pytest.importorskip("ome_zarr_models.v05", reason="checks OME-Zarr metadata: pip install ome-zarr-models")
    import zarr

    path = write_ome_zarr(tmp_path / "a.ome.zarr", DATA, **GIVEN)
    found = models.Image.from_zarr(zarr.open_group(path, mode="r"))
    assert [axis.name for axis in found.attributes.ome.multiscales[0].axes] == ["t", "z", "y", "x"]


def test_nothing_is_overwritten_unasked(tmp_path: Path, name: str) -> None:
    write = FORMATS[name]
    path = write(tmp_path / name, DATA, **GIVEN)
    before = file_signature(path)
    with pytest.raises(OutputExistsError, match=r"exists already.*replaced"):
        write(path, DATA + 1, **GIVEN)
    assert file_signature(path) == before
    write(path, DATA + 1, overwrite=True, **GIVEN)
    np.testing.assert_array_equal(open_image(path).read(), DATA[0] + 1)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_a_failure_leaves_the_old_result(tmp_path: Path, name: str) -> None:
    class Broken:
        shape, dtype = DATA.shape, DATA.dtype

        def __getitem__(self, index: tuple[int, ...]) -> np.ndarray:
            if index == (1, 2):
                raise OSError(28, "No space left on device")
            return DATA[index]

    write = FORMATS[name]
    path = write(tmp_path / name, DATA, **GIVEN)
    with pytest.raises(UnwritableOutputError, match="No space left"):
        write(path, Broken(), overwrite=True, **GIVEN)
    np.testing.assert_array_equal(open_image(path).read(1), DATA[1])
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_the_place_is_checked_first(tmp_path: Path) -> None:
    with pytest.raises(UnwritableOutputError, match="does not exist"):
        check_output(tmp_path / "nowhere" / "a.ome.tif")
    with pytest.raises(UnwritableOutputError, match="bytes are needed"):
        check_output(tmp_path / "a.ome.tif", needed_bytes=2**70)
    assert check_output(tmp_path / "a.ome.tif") == tmp_path / "a.ome.tif"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"axes": "ZYX"}, "do not fit data"),
        ({"axes": "ZTYX"}, "do not fit data"),
        ({"axes": "TZXY"}, "do not fit data"),
        ({"channel_names": ["a", "b"]}, "2 channel names were given for 1"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, name: str, changed: dict[str, object], said: str) -> None:
    with pytest.raises(OutputError, match=said):
        FORMATS[name](tmp_path / name, DATA, **(GIVEN | changed))
    assert not list(tmp_path.iterdir())


def test_complex_numbers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="complex"):
        write_ome_tiff(tmp_path / "a.ome.tif", DATA.astype(complex), axes="TZYX")


def test_names_in_any_script(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"µ 細胞 {name}"
    FORMATS[name](path, DATA, axes="TZYX", channel_names=["線粒體 µ"])
    assert open_image(path).channels[0].name == "線粒體 µ"


@settings(max_examples=25)
@given(st.integers(0, 5 * 2**20), st.integers(0, 5 * 2**20), st.booleans())
def test_signature_notices_changes_at_both_ends(size: int, place: int, full: bool) -> None:
    import tempfile

    mib = 2**20
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.bin")
        path.write_bytes(bytes(size))
        before = file_signature(path, full=full)
        assert before["size_bytes"] == size
        if place >= size:
            return
        with path.open("r+b") as stream:
            stream.seek(place)
            stream.write(b"x")
        after = file_signature(path, full=full)
    seen = place < mib or place >= size - mib
    assert (after["sha256_ends"] != before["sha256_ends"]) == seen
    if full:
        assert after["sha256"] != before["sha256"]
