"""Recordings of Nikon microscopes, through BioIO's reader where it is installed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_mito_predict.image import open_image

nd2 = pytest.importorskip("nd2", reason="reads Nikon's files: pip install bioio bioio-nd2")
pytest.importorskip("bioio", reason="pip install bioio bioio-nd2")
pytest.importorskip("bioio_nd2", reason="pip install bioio bioio-nd2")

FILES = {
    "example-multichannel": ((1, 4, 1, 256, 256), ("Mono", "DAPI", "FITC BP", "TRITC BP"), None, None),
    "example-timelapse": ((53, 1, 1, 64, 64), ("GFP 488 nm",), None, 0.581),
    "example-zstack": ((1, 1, 11, 128, 128), ("FITC BP",), 6.0, None),
}


def test_every_recording_is_tested(real_data: Path) -> None:
    assert {path.stem for path in (real_data / "nd2").glob("*.nd2")} == set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_what_is_in_it(real_data: Path, name: str) -> None:
    sizes, names, z_um, step_s = FILES[name]
    path = real_data / "nd2" / f"{name}.nd2"
    image = open_image(path)
    assert tuple(image.sizes.values()) == sizes
    assert tuple(channel.name for channel in image.channels) == names
    assert image.voxel_size_um[0] == z_um
    assert image.voxel_size_um[1:] == pytest.approx((0.324, 0.324), rel=0.01)
    assert image.time_step_s == (None if step_s is None else pytest.approx(step_s, rel=0.01))
    with nd2.ND2File(path) as file:
        pixels = file.asarray().reshape(sizes)
    for channel in image.channels:
        np.testing.assert_array_equal(image.read(sizes[0] - 1, channel.index), pixels[-1, channel.index])
