"""A plate of its own for images made from the fields of another one, with the same rows, columns and wells.

Metadata are written from the inside out, so that whatever is listed is there.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_mito_predict._files import atomic_write_text
from napari_mito_predict.errors import OutputError, OutputExistsError
from napari_mito_predict.image.output import check_output, writing
from napari_mito_predict.image.zarr_files import attributes_of
from napari_mito_predict.image.zarr_metadata import OURS
from napari_mito_predict.image.zarr_ngff import ome_metadata
from napari_mito_predict.image.zarr_plates import PlateField, change_attributes

if TYPE_CHECKING:
    from napari_mito_predict.image.zarr_metadata import NgffVersion

_VERSION: NgffVersion = "0.5"
_KEPT = ("acquisitions", "columns", "field_count", "name", "rows")


@contextlib.contextmanager
def field_in_new_plate(plate: Path, like: PlateField, *, overwrite: bool = False) -> Iterator[Path]:
    """Give the place of an image in a plate of its own; when the block ends without an error, the plate lists it.

    The plate appears with its first image, and lists the wells that have one.

    Parameters
    ----------
    plate : Path
        The plate, which is made if it is missing; its folder must exist.
    like : PlateField
        Of another plate, whose rows, columns and acquisitions the new one gets.
    overwrite : bool
        Replace an image that is there.

    Yields
    ------
    Path
        Where to write the image.

    Raises
    ------
    OutputError
        The metadata of the other plate do not list the well.
    OutputExistsError
        The image is there; or there is something of that name that is no plate made here.
    UnwritableOutputError
        It cannot be written.
    """
    if plate.exists() and OURS not in attributes_of(plate):
        raise OutputExistsError("is there, and no plate of predictions: choose another name.", file=plate)
    check_output(plate, overwrite=True)
    _described(like)
    well = plate / like.well.parent.name / like.well.name
    image = well / like.name
    with writing(well):
        well.mkdir(parents=True, exist_ok=True)
    try:
        check_output(image, overwrite=overwrite)
        yield image
    except BaseException:
        _remove_empty(well)
        raise
    list_in_new_plate(plate, like)


def list_in_new_plate(plate: Path, like: PlateField) -> None:
    """List an image that is complete in its well, and the well in a plate of its own; see `field_in_new_plate`."""
    described = _described(like)
    well = plate / like.well.parent.name / like.well.name
    with writing(plate):
        _make_group(well, {"well": {"version": _VERSION, "images": []}})
        replace(like, well=well, version=_VERSION).list_image(well / like.name)
        _make_group(well.parent, {})
        _make_group(plate, {"plate": described})
        change_attributes(plate, partial(_add_well, entry=described["wells"][0]))


def _described(field: PlateField) -> dict[str, Any]:
    """What a plate like that of a field says of itself, with the field's well alone."""
    found = ome_metadata(attributes_of(field.plate), field.plate).get("plate")
    source = found if isinstance(found, dict) else {}
    path = f"{field.well.parent.name}/{field.well.name}"
    wells = [well for well in source.get("wells", []) if isinstance(well, dict) and well.get("path") == path]
    if not wells:
        raise OutputError(
            f"its metadata do not list the well {path}, so that no plate can be made like it.", file=field.plate
        )
    return {key: source[key] for key in _KEPT if key in source} | {"version": _VERSION, "wells": wells[:1]}


def _add_well(attributes: dict[str, Any], entry: dict[str, Any]) -> None:
    wells = attributes["ome"]["plate"]["wells"]
    if entry["path"] not in [well["path"] for well in wells]:
        wells.append(entry)


def _make_group(folder: Path, metadata: dict[str, Any]) -> None:
    """Make a group of zarr 3, where there is none."""
    path = folder / "zarr.json"
    if path.exists():
        return
    attributes: dict[str, Any] = {"ome": {"version": _VERSION} | metadata} if metadata else {}
    attributes |= {OURS: {"empty_chunks_written": True}} if "plate" in metadata else {}
    atomic_write_text(path, json.dumps({"zarr_format": 3, "node_type": "group", "attributes": attributes}, indent=2))


def _remove_empty(well: Path) -> None:
    """Remove what was made for an image that was not written."""
    for folder in (well, well.parent, well.parent.parent):
        with contextlib.suppress(OSError):
            folder.rmdir()
