"""OME-TIFF: which Image is which series, sets of files, units, and descriptions that break the rules of the schema."""

from __future__ import annotations

import pickle
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_mito_predict.errors import (
    ImageError,
    IncompleteImageError,
    UnreadableImageError,
    UnsupportedImageError,
)
from napari_mito_predict.image import list_images, open_image

STACK = np.random.default_rng(0).integers(0, 60000, (3, 20, 24), np.uint16)
SCHEMA = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
UUIDS = [f"urn:uuid:0000000{part}-0000-4000-8000-000000000000" for part in range(4)]


def image_xml(
    number: int = 0,
    *,
    name: str = "cells",
    sizes: str = 'SizeX="24" SizeY="20" SizeC="1" SizeZ="3" SizeT="1"',
    more: str = 'PhysicalSizeX="0.1" PhysicalSizeY="0.2" PhysicalSizeZ="0.5"',
    channels: str = '<Channel ID="Channel:0" Name="TL" SamplesPerPixel="1"/>',
    data: str = '<TiffData IFD="0" PlaneCount="3"/>',
) -> str:
    return (
        f'<Image ID="Image:{number}" Name="{name}"><Pixels ID="Pixels:{number}" DimensionOrder="XYZCT" Type="uint16" '
        f"{sizes} {more}>{channels}{data}</Pixels></Image>"
    )


def ome_xml(*images: str, schema: str = SCHEMA, uuid: str = "") -> str:
    own = f' UUID="{uuid}"' if uuid else ""
    return f'<?xml version="1.0" encoding="UTF-8"?><OME xmlns="{schema}"{own}>{"".join(images)}</OME>'


def write(path: Path, xml: str, pixels: np.ndarray = STACK) -> Path:
    tifffile.imwrite(path, pixels, description=xml.encode(), metadata=None, photometric="minisblack")
    return path


def data_of(part: str, uuid: str, *, first: int = 0, count: int = 3, axis: str = "Z") -> str:
    named = f'<UUID FileName="{part}">{uuid}</UUID>'
    return "".join(
        f'<TiffData First{axis}="{first + ifd}" IFD="{ifd}" PlaneCount="1">{named}</TiffData>' for ifd in range(count)
    )


def test_images_are_paired_with_series_by_their_pages(tmp_path: Path) -> None:
    """Neither by their order nor by their number: the first has no pixels, the others lie the other way round."""
    xml = ome_xml(
        image_xml(0, name="no pixels", data="<MetadataOnly/>", more='PhysicalSizeX="9"'),
        image_xml(1, name="second", data='<TiffData IFD="3" PlaneCount="3"/>', more='PhysicalSizeX="0.2"'),
        image_xml(2, name="first", data='<TiffData IFD="0" PlaneCount="3"/>', more='PhysicalSizeX="0.1"'),
    )
    image = open_image(write(tmp_path / "a.ome.tif", xml, np.concatenate([STACK, STACK[::-1]])))
    sizes = {name: image.with_scene(name).voxel_size_um[2] for name in image.scenes}
    assert sizes == {"second": 0.2, "first": 0.1}
    np.testing.assert_array_equal(image.with_scene("first").read(), STACK)
    np.testing.assert_array_equal(image.with_scene("second").read(), STACK[::-1])


@pytest.mark.parametrize("schema", ["2013-06", "2015-01", "2016-06", "2030-01"])
def test_every_version_of_the_schema(tmp_path: Path, schema: str) -> None:
    xml = ome_xml(image_xml(), schema=f"http://www.openmicroscopy.org/Schemas/OME/{schema}")
    image = open_image(write(tmp_path / "a.ome.tif", xml))
    assert image.voxel_size_um == (0.5, 0.2, 0.1)
    assert image.channels[0].name == "TL"
    assert not image.warnings


@pytest.mark.parametrize(
    ("more", "size", "is_said"),
    [
        ('PhysicalSizeX="100" PhysicalSizeXUnit="nm"', 0.1, False),
        ('PhysicalSizeX="0.0001" PhysicalSizeXUnit="mm"', 0.1, False),
        ('PhysicalSizeX="1000" PhysicalSizeXUnit="Å"', 0.1, False),
        ('PhysicalSizeX="0.1" PhysicalSizeXUnit="um"', 0.1, False),
        ('PhysicalSizeX="0.1" PhysicalSizeXUnit="furlong"', None, True),
        ('PhysicalSizeX="1" PhysicalSizeXUnit="pixel"', None, False),
        ('PhysicalSizeX="0"', None, False),
        ('PhysicalSizeX="-1"', None, False),
        ('PhysicalSizeX="a lot"', None, True),
        ("", None, False),
    ],
)
def test_units_and_sizes(tmp_path: Path, more: str, size: float | None, is_said: bool) -> None:
    image = open_image(write(tmp_path / "a.ome.tif", ome_xml(image_xml(more=more))))
    assert image.voxel_size_um[2] == (None if size is None else pytest.approx(size))
    assert bool(image.warnings) == is_said
    np.testing.assert_array_equal(image.read(), STACK)


BROKEN = {
    "enumeration": image_xml(channels='<Channel ID="Channel:0" Name="TL" ContrastMethod="Guess" AcquisitionMode="x"/>'),
    "no type": image_xml().replace(' Type="uint16"', ""),
    "unknown type": image_xml().replace("uint16", "uint17"),
    "no identifiers": re.sub(r' ID="\w+:0"', "", image_xml()),
    "unknown elements": image_xml(channels='<Channel Name="TL"><Guess a="1"/></Channel>') + "<Guess><Deep/></Guess>",
    "unknown attributes": image_xml(more='Guess="1"'),
    "strange values": image_xml(channels='<Channel Name="TL" PinholeSize="wide" Color="red" EmissionWavelength="-5"/>'),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_description_that_breaks_the_rules_leaves_pixels_and_all_that_is_understood(
    tmp_path: Path, broken: str
) -> None:
    image = open_image(write(tmp_path / "a.ome.tif", ome_xml(BROKEN[broken])))
    np.testing.assert_array_equal(image.read(), STACK)
    assert image.channels[0].name == "TL"


@pytest.mark.parametrize("broken", ["no order", "no size", "cut"])
def test_a_description_without_what_pixels_need(tmp_path: Path, broken: str) -> None:
    xml = ome_xml(image_xml())
    damaged = {
        "no order": xml.replace('DimensionOrder="XYZCT"', ""),
        "no size": xml.replace('SizeZ="3"', ""),
        "cut": xml.replace("</Pixels></Image></OME>", "</OME>"),
    }
    path = write(tmp_path / "a.ome.tif", damaged[broken])
    with pytest.raises(ImageError, match="--axes") as caught:
        open_image(path)
    assert not isinstance(caught.value, UnreadableImageError)
    image = open_image(path, axes="ZYX")
    np.testing.assert_array_equal(image.read(), STACK)
    assert any("not understood" in warning for warning in image.warnings)


def test_times_of_planes(tmp_path: Path) -> None:
    planes = "".join(f'<Plane TheZ="0" TheC="0" TheT="{t}" DeltaT="{250 * t}" DeltaTUnit="ms"/>' for t in range(3))
    xml = ome_xml(
        image_xml(
            sizes='SizeX="24" SizeY="20" SizeC="1" SizeZ="1" SizeT="3"',
            data='<TiffData IFD="0" PlaneCount="3"/>' + planes,
        )
    )
    image = open_image(write(tmp_path / "a.ome.tif", xml))
    assert image.sizes["T"] == 3
    assert image.time_step_s == 0.25


def _set(folder: Path, *, companion: bool) -> list[Path]:
    """Two files of a time point each, described in both, or in a companion."""
    names = ["t0.ome.tif", "t1.ome.tif"]
    data = "".join(
        data_of(name, UUIDS[t]).replace("<TiffData ", f'<TiffData FirstT="{t}" ') for t, name in enumerate(names)
    )
    described = image_xml(sizes='SizeX="24" SizeY="20" SizeC="1" SizeZ="3" SizeT="2"', data=data)
    for t, name in enumerate(names):
        xml = ome_xml(described, uuid=UUIDS[t])
        if companion:
            xml = ome_xml(f'<BinaryOnly MetadataFile="set.companion.ome" UUID="{UUIDS[3]}"/>', uuid=UUIDS[t])
        write(folder / name, xml, STACK + 1000 * t)
    paths = [folder / name for name in names]
    if companion:
        (folder / "set.companion.ome").write_text(ome_xml(described, uuid=UUIDS[3]), encoding="utf-8")
        paths.append(folder / "set.companion.ome")
    return paths


@pytest.mark.parametrize("companion", [True, False])
def test_any_file_of_a_set_opens_the_set(tmp_path: Path, companion: bool) -> None:
    for path in _set(tmp_path, companion=companion):
        image = pickle.loads(pickle.dumps(open_image(path)))
        assert image.sizes["T"] == 2
        assert image.voxel_size_um == (0.5, 0.2, 0.1)
        for t in range(2):
            np.testing.assert_array_equal(image.read(t), STACK + 1000 * t)


def test_a_set_with_a_companion_that_lacks_something(tmp_path: Path) -> None:
    first, second, companion = _set(tmp_path, companion=True)
    assert open_image(companion).name == "set"
    assert list_images(tmp_path) == [companion], "its parts are not images of their own"
    second.unlink()
    for path in (first, companion):
        with pytest.raises(UnreadableImageError, match=r"1 of them are missing: t1\.ome\.tif"):
            open_image(path)
    companion.unlink()
    with pytest.raises(UnsupportedImageError, match=r'"set\.companion\.ome", which is not in this folder'):
        open_image(first)


def test_a_part_whose_description_is_in_another_tiff(tmp_path: Path) -> None:
    first, second = _set(tmp_path, companion=False)
    write(second, ome_xml(f'<BinaryOnly MetadataFile="t0.ome.tif" UUID="{UUIDS[0]}"/>', uuid=UUIDS[1]), STACK + 1000)
    for path in (first, second):
        np.testing.assert_array_equal(open_image(path).read(1), STACK + 1000)


@pytest.mark.parametrize("uuid", ["", UUIDS[0]])
def test_a_renamed_file(tmp_path: Path, uuid: str) -> None:
    xml = ome_xml(image_xml(data=data_of("old name.ome.tif", UUIDS[0])), uuid=uuid)
    image = open_image(write(tmp_path / "new name.ome.tif", xml))
    np.testing.assert_array_equal(image.read(), STACK)
    assert image.voxel_size_um == (0.5, 0.2, 0.1)


def _planes(numbers: Sequence[int]) -> str:
    return "".join(f'<TiffData FirstZ="{z}" IFD="{ifd}" PlaneCount="1"/>' for ifd, z in enumerate(numbers))


def test_planes_without_data_were_never_recorded(tmp_path: Path) -> None:
    xml = ome_xml(image_xml(data=_planes([0, 2])))
    image = open_image(write(tmp_path / "a.ome.tif", xml, STACK[:2]))
    assert image.missing == {(0, 0, 1)}
    np.testing.assert_array_equal(image.read(z=2), STACK[1:2])
    with pytest.raises(IncompleteImageError):
        image.read()


def test_planes_with_data_that_are_not_there_are_damage(tmp_path: Path) -> None:
    for data in (_planes([0, 1, 2]), '<TiffData IFD="0" PlaneCount="3"/>', "<TiffData/>"):
        path = write(tmp_path / "a.ome.tif", ome_xml(image_xml(data=data)), STACK[:2])
        with pytest.raises(UnreadableImageError, match="incomplete") as caught:
            open_image(path)
        assert not isinstance(caught.value, IncompleteImageError)


def test_modulo_is_said_and_selectable(tmp_path: Path) -> None:
    """Six time points that are three angles at two times."""
    data = '<TiffData IFD="0" PlaneCount="6"/>'
    annotation = (
        '<StructuredAnnotations><XMLAnnotation ID="Annotation:0" Namespace="openmicroscopy.org/omero/dimension/modulo">'
        '<Value><Modulo namespace="m"><ModuloAlongT Type="angle" Start="0" End="2" Step="1"/></Modulo></Value>'
        "</XMLAnnotation></StructuredAnnotations>"
    )
    body = image_xml(sizes='SizeX="24" SizeY="20" SizeC="1" SizeZ="1" SizeT="6"', data=data)
    body = body.replace("</Pixels>", '</Pixels><AnnotationRef ID="Annotation:0"/>')
    pixels = np.concatenate([STACK, STACK[::-1]])
    image = open_image(write(tmp_path / "a.ome.tif", ome_xml(body, annotation), pixels))
    assert image.scenes == ("angle 1", "angle 2", "angle 3")
    assert image.sizes["T"] == 2
    assert "3 angles" in image.warnings[0]
    np.testing.assert_array_equal(image.with_scene("angle 2").read(1)[0], pixels[4])
