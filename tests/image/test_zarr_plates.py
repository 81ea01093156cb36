"""Images added to the wells of a plate: listed as any other, and nothing else changes."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_mito_predict.errors import OutputError, OutputExistsError, UnwritableOutputError
from napari_mito_predict.image import (
    ImageSource,
    create_ome_zarr,
    from_array,
    open_image,
    open_scenes,
    write_ome_zarr,
)
from napari_mito_predict.image.zarr_new_plate import field_in_new_plate
from napari_mito_predict.image.zarr_plates import PlateField, check_local, plate_field, scene_folder, scene_signature

VERSIONS = ["0.4", "0.5"]


def add_prediction(field: PlateField, *, size: int = 20) -> Path:
    """One of two channels, as `run_into_field` writes it."""
    image = field.beside("predicted")
    field.check_free(image)
    shape = (2, 1, size, size)
    with create_ome_zarr(
        image,
        shape,
        "f4",
        axes="CZYX",
        channel_names=["TMRM predicted (m)", "DNA predicted (m)"],
        channel_colours=["magenta", "cyan"],
        voxel_size_um=(0.3, 0.1, 0.1),
        predicted_by=["m", "m"],
        version=field.version,
    ) as writer:
        writer.write([slice(None)] * 4, np.ones(shape, "f4"))
    field.list_image(image)
    return image


def files(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def metadata(group: Path) -> dict[str, Any]:
    if (group / "zarr.json").exists():
        return json.loads((group / "zarr.json").read_text(encoding="utf-8"))["attributes"]["ome"]
    return json.loads((group / ".zattrs").read_text(encoding="utf-8"))


@pytest.mark.parametrize("version", VERSIONS)
def test_an_image_beside_its_field(make_plate: Callable[..., Path], version: str) -> None:
    plate = make_plate(version)
    before = files(plate)
    image = add_prediction(plate_field(open_image(plate, scene="B/2/1")))
    assert image == plate / "B" / "2" / "1predicted"
    changed = {name for name, content in files(plate).items() if before.get(name) != content}
    listing = str(Path("B", "2", "zarr.json" if version == "0.5" else ".zattrs"))
    assert {name for name in changed if not name.startswith(str(Path("B", "2", "1predicted")))} == {listing}
    assert metadata(plate / "B" / "2")["well"]["images"] == [
        {"acquisition": 7, "path": "0"},
        {"acquisition": 7, "path": "1"},
        {"acquisition": 7, "path": "1predicted"},
    ]
    scenes = dict(open_scenes(plate))
    assert [*scenes][-3:] == ["B/2/0", "B/2/1", "B/2/1predicted"]
    assert [channel.prediction is not None for channel in scenes["B/2/1predicted"].channels] == [True, True]
    assert scenes["B/2/1"].channels[0].prediction is None


@pytest.mark.parametrize("opened", ["A/1", "A/1/0"])
def test_a_well_or_field_by_itself_is_of_its_plate(make_plate: Callable[..., Path], opened: str) -> None:
    plate = make_plate("0.4")
    field = plate_field(open_image(plate / opened))
    assert (field.well, field.name, field.version) == (plate / "A" / "1", "0", "0.4")


def test_what_is_there_is_recognised(make_plate: Callable[..., Path]) -> None:
    field = plate_field(open_image(make_plate("0.5")))
    image = add_prediction(field)
    with pytest.raises(OutputExistsError, match=r"0predicted: is in this plate already"):
        field.check_free(image)
    field.check_free(image, overwrite=True)
    field.list_image(image)
    assert len(metadata(field.well)["well"]["images"]) == 3, "listed once"
    with pytest.raises(OutputExistsError, match="no prediction made here"):
        field.check_free(field.well / "1", overwrite=True)


def test_what_a_killed_run_left_is_free(make_plate: Callable[..., Path]) -> None:
    field = plate_field(open_image(make_plate("0.5")))
    listing = (field.well / "zarr.json").read_bytes()
    image = add_prediction(field)
    (field.well / "zarr.json").write_bytes(listing)
    field.check_free(image)


def test_read_only_plates_and_addresses_are_refused(
    make_plate: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    field = plate_field(open_image(make_plate("0.4")))
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(UnwritableOutputError, match=r"screen\.zarr.*may not be written to"):
        field.check_free(field.beside("predicted"))
    with pytest.raises(UnwritableOutputError, match="this is an address"):
        check_local(Path("https://example.org/screen.zarr"))
    check_local(Path("C:/screens/screen.zarr"))


def test_what_is_no_field_is_refused(make_plate: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no field of a plate"):
        plate_field(from_array(np.zeros((4, 4)), axes="YX"))
    shutil.copytree(make_plate("0.4") / "A" / "1" / "0", tmp_path / "alone.zarr")
    with pytest.raises(OutputError, match=r"alone\.zarr: this is no field of a plate"):
        plate_field(open_image(tmp_path / "alone.zarr"))
    field = plate_field(open_image(tmp_path / "screen.zarr"))
    with pytest.raises(OutputError, match="letters and digits only"):
        field.beside("_predicted")


def test_older_versions_are_refused_by_name(make_plate: Callable[..., Path]) -> None:
    plate = make_plate("0.4")
    attributes = plate / "A" / "1" / "0" / ".zattrs"
    attributes.write_text(attributes.read_text(encoding="utf-8").replace('"0.4"', '"0.2"'), encoding="utf-8")
    with pytest.raises(OutputError, match=r"NGFF 0\.2; predictions are written into plates of 0\.4 and 0\.5"):
        plate_field(open_image(plate))


def test_consolidated_metadata_are_said(make_plate: Callable[..., Path]) -> None:
    plate = make_plate("0.4")
    field = plate_field(open_image(plate))
    assert field.findings() == []
    (plate / ".zmetadata").write_text('{"zarr_consolidated_format": 1, "metadata": {}}', encoding="utf-8")
    assert [finding.code for finding in field.findings()] == ["consolidated-metadata"]


def test_a_field_is_recognised_whatever_is_added_to_its_plate(make_plate: Callable[..., Path]) -> None:
    plate = make_plate("0.5")
    before = scene_signature(plate, "A/1/0")
    add_prediction(plate_field(open_image(plate)))
    assert scene_signature(plate, "A/1/0") == before
    assert before["name"] == "screen.zarr"
    assert scene_folder(plate, "no field of it") == plate


def test_a_plate_of_its_own_is_like_the_other(make_plate: Callable[..., Path], tmp_path: Path) -> None:
    plate = make_plate("0.4")
    new = tmp_path / "new.ome.zarr"
    for scene in ("B/2/1", "A/1/0", "B/2/0"):
        write_into_new(new, open_image(plate, scene=scene))
    described = metadata(new)["plate"]
    assert [well["path"] for well in described["wells"]] == ["B/2", "A/1"]
    for key in ("rows", "columns", "acquisitions", "field_count"):
        assert described[key] == metadata(plate)["plate"][key]
    assert open_image(new).scenes == ("B/2/1", "B/2/0", "A/1/0")
    other = plate_field(open_image(plate, scene="A/1/1"))
    with pytest.raises(ValueError, match="within"), field_in_new_plate(new, other):
        raise ValueError("within")
    assert metadata(new / "A" / "1")["well"]["images"] == [{"acquisition": 7, "path": "0"}]


def write_into_new(new: Path, image: ImageSource) -> None:
    with field_in_new_plate(new, plate_field(image)) as path:
        write_ome_zarr(path, np.ones((3, 20, 24), "f4"), axes="ZYX", channel_names=["DNA predicted (m)"])


def test_a_new_plate_follows_the_specification(make_plate: Callable[..., Path], tmp_path: Path) -> None:
    models = pytest.importorskip("ome_zarr_models.v05", reason="checks OME-Zarr metadata: pip install ome-zarr-models")
    zarr = pytest.importorskip("zarr", minversion="3", exc_type=ImportError)
    write_into_new(tmp_path / "new.ome.zarr", open_image(make_plate("0.4"), scene="B/1/1"))
    found = models.HCS.from_zarr(zarr.open_group(tmp_path / "new.ome.zarr", mode="r"))
    assert [well.path for well in found.attributes.ome.plate.wells] == ["B/1"]


@pytest.mark.parametrize("version", VERSIONS)
def test_plate_and_resolutions_follow_the_specification(make_plate: Callable[..., Path], version: str) -> None:
    package = pytest.importorskip("ome_zarr_models", reason="checks OME-Zarr metadata: pip install ome-zarr-models")
    zarr = pytest.importorskip("zarr", minversion="3", exc_type=ImportError)
    models = getattr(package, f"v{version.replace('.', '')}")
    plate = make_plate(version)
    image = add_prediction(plate_field(open_image(plate)), size=600)

    def attributes_of(model: type, group: Path) -> Any:
        found = model.from_zarr(zarr.open_group(group, mode="r")).attributes
        return found.ome if version == "0.5" else found

    assert len(attributes_of(models.HCS, plate).plate.wells) == 4
    images = attributes_of(models.Well, plate / "A" / "1").well.images
    assert [entry.path for entry in images] == ["0", "1", "0predicted"]
    written = attributes_of(models.Image, image)
    assert [dataset.path for dataset in written.multiscales[0].datasets] == ["0", "1"]
    if version == "0.4":  # the models of 0.5 leave out the channels
        assert [channel.label for channel in written.omero.channels] == ["TMRM predicted (m)", "DNA predicted (m)"]
