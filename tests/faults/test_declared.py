"""TIFFs that declare more than any file has: refused by name before a library makes room for it."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_mito_predict.errors import UnreadableImageError, UnsupportedImageError
from napari_mito_predict.image import open_image
from napari_mito_predict.image.record_within import record_within

STACK = np.zeros((4, 40, 44), np.uint16)
OME = """<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">
<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="44" SizeY="40" SizeZ="{z}" SizeC="1" SizeT="{t}">
<Channel ID="Channel:0:0"/>{rest}</Pixels></Image></OME>"""


def _write(path: Path, *, z: object = 4, t: object = 1, rest: str = "<TiffData/>") -> Path:
    tifffile.imwrite(path, STACK, description=OME.format(z=z, t=t, rest=rest), metadata=None, photometric="minisblack")
    return path


@pytest.mark.parametrize(
    "declared",
    [
        {"t": 2**31},
        {"t": "9" * 5000},
        {"z": 2**16, "t": 2**16},
        {"rest": f'<TiffData IFD="0" PlaneCount="{2**31}"/>'},
        {"rest": f'<TiffData IFD="{2**31}" PlaneCount="1"/>'},
        {"rest": f'<TiffData/><TiffData NumPlanes="{2**31}"/>'},
    ],
    ids=["times", "digits", "product", "count", "place", "old count"],
)
def test_planes(tmp_path: Path, declared: dict[str, object]) -> None:
    with pytest.raises(UnsupportedImageError, match=r"a\.ome\.tif: its metadata declare an image of .* planes"):
        open_image(_write(tmp_path / "a.ome.tif", **declared))


def test_planes_of_a_companion(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "b.tif", STACK, metadata=None, photometric="minisblack")
    data = f'<TiffData PlaneCount="{2**31}"><UUID FileName="b.tif">urn:uuid:1</UUID></TiffData>'
    companion = tmp_path / "a.companion.ome"
    companion.write_text(OME.format(z=4, t=1, rest=data), encoding="utf-8")
    with pytest.raises(UnsupportedImageError, match="planes"):
        open_image(companion)


def test_of_many_times_the_first_and_the_last_are_asked(tmp_path: Path) -> None:
    stack = np.zeros((2100, 16, 16), np.uint8)
    times = "".join(f'<Plane TheC="0" TheZ="0" TheT="{t}" DeltaT="{2.5 * t}"/>' for t in range(2100))
    xml = OME.format(z=1, t=2100, rest="<TiffData/>" + times).replace('"44"', '"16"').replace('"40"', '"16"')
    tifffile.imwrite(
        tmp_path / "a.ome.tif",
        stack,
        description=xml.replace("uint16", "uint8"),
        metadata=None,
        photometric="minisblack",
    )
    assert open_image(tmp_path / "a.ome.tif").time_step_s == pytest.approx(2.5)


@pytest.mark.parametrize("big", [False, True], ids=["classic", "BigTIFF"])
@pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
def test_strips(tmp_path: Path, big: bool, order: str) -> None:
    """The file is as long as the places of its strips need, all of it a hole."""
    parts = 2**24
    mark = b"II" if order == "<" else b"MM"
    entry, kind = (order + "HHQQ", 16) if big else (order + "HHII", 4)
    values = ((256, 3, 1, 44), (257, 3, 1, 40), (258, 3, 1, 16), (259, 3, 1, 1), (273, kind, parts, 4096))
    tags = b"".join(struct.pack(entry, *value) for value in values)
    head = struct.pack(order + "HI", 42, 8) + struct.pack(order + "H", len(values))
    if big:
        head = struct.pack(order + "HHHQ", 43, 8, 0, 16) + struct.pack(order + "Q", len(values))
    path = tmp_path / "a.tif"
    path.write_bytes(mark + head + tags)
    with path.open("ab") as stream:
        stream.truncate(4096 + parts * 8)
    with pytest.raises(UnreadableImageError, match=r"a\.tif: .*declares 16,777,216 strips or tiles of one plane"):
        open_image(path)
    assert record_within(path) is None
