"""Which images an OME-Zarr holds: by the metadata of plates, wells and collections, without opening any of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

from napari_mito_predict.errors import ImageError, MetadataError, UnsupportedImageError
from napari_mito_predict.image.metadata import parse_xml
from napari_mito_predict.image.zarr_files import attributes_of, declared_array, folder_within, is_regular_file, is_zarr
from napari_mito_predict.image.zarr_ngff import clean_text, multiscales_of, ome_metadata, validated

# A plate has up to 1536 wells.
_MOST_WELLS = 10_000
_MOST_IMAGES = 100_000
_LARGEST_XML_BYTES = 64 * 2**20
_LISTED = 5


class Place(NamedTuple):
    """Where in an OME-Zarr an image is.

    Attributes
    ----------
    name : str
        Of the scene.
    group : str
        Path of its group; empty for the folder itself.
    number : int or None
        Which of the multiscales of its group; None for an array without any.
    """

    name: str
    group: str = ""
    number: int | None = 0


class Images(NamedTuple):
    """The images of a folder, and what was left out."""

    places: tuple[Place, ...]
    notes: tuple[str, ...] = ()


def find_images(folder: Path, attributes: dict[str, Any]) -> Images:
    """Find every image: of an image, a plate, a well, a bioformats2raw collection, or a bare array.

    Parameters
    ----------
    folder : Path
        A group or array.
    attributes : dict
        Its attributes.

    Raises
    ------
    MetadataError
        What the metadata say of a collection is not understood, or none of its parts.
    UnsupportedImageError
        It declares more images than any collection has.
    """
    metadata = ome_metadata(attributes, folder)
    multiscales = multiscales_of(metadata, folder)
    if multiscales:
        names = [clean_text(each.get("name") or f"Image:{number}") for number, each in enumerate(multiscales)]
        found = Images(tuple(Place(name, "", number) for number, name in enumerate(names)))
    elif "plate" in metadata:
        found = _of_plate(folder, metadata["plate"])
    elif "well" in metadata:
        fields, left_out = _fields(metadata["well"], folder)
        found = Images(tuple(Place(field, field) for field in fields), _left_out("fields", left_out))
    elif "bioformats2raw.layout" in metadata:
        found = _of_bioformats2raw(folder)
    elif declared_array(folder) is not None:
        found = Images((Place("array", "", None),))
    else:
        found = Images(())
    if len(found.places) > _MOST_IMAGES:
        raise UnsupportedImageError(
            f"its metadata name {len(found.places):,} images; more than {_MOST_IMAGES:,} are not read.", file=folder
        )
    return found


def is_plate(path: Path) -> bool:
    """Whether a path is an OME-Zarr plate, by its metadata; False for what cannot be read."""
    if not is_zarr(path):
        return False
    try:
        return "plate" in ome_metadata(attributes_of(path), path)
    except ImageError:
        return False


def _of_plate(folder: Path, plate: object) -> Images:
    """The fields of a plate, called after row, column and field: ``A/1/0``."""
    from yaozarrs.v04 import PlateWell

    # The path has row and column in it; what else is said of a well is not needed, and so cannot be wrong.
    wells, left_out = _paths(
        _entries(plate, "wells", folder, "plate"),
        lambda path: validated(PlateWell, {"path": path, "rowIndex": 0, "columnIndex": 0}, "wells").path,
        folder,
    )
    places: list[Place] = []
    for well in wells:
        try:
            group = folder_within(folder, well)
            fields, without = _fields(ome_metadata(attributes_of(group), group).get("well"), group)
        except ImageError:
            left_out.append(well)
            continue
        places += [Place(f"{well}/{field}", f"{well}/{field}") for field in fields]
        left_out += [f"{well}/{field}" for field in without]
        if len(places) > _MOST_IMAGES:
            break
    if not places:
        raise MetadataError("none of the wells of this plate is there with its metadata.", file=folder)
    return Images(tuple(places), _left_out("wells or fields", left_out))


def _fields(well: object, folder: Path) -> tuple[list[str], list[str]]:
    """Paths of the fields of a well, and of those left out."""
    from yaozarrs.v04 import FieldOfView

    found, left_out = _paths(
        _entries(well, "images", folder, "well"),
        lambda path: validated(FieldOfView, {"path": path}, "images").path,
        folder,
    )
    if not found:
        raise MetadataError("none of the fields of this well is described in a way that is understood.", file=folder)
    return found, left_out


def _entries(collection: object, key: str, folder: Path, what: str) -> list[Any]:
    entries = collection.get(key) if isinstance(collection, dict) else None
    if not isinstance(entries, list):
        raise MetadataError(
            f"what it says of its {what} is not understood ({what}.{key}: expected a list). Open its images singly.",
            file=folder,
        )
    if len(entries) > _MOST_WELLS:
        raise UnsupportedImageError(
            f"its metadata name {len(entries):,} {key} in one {what}; more than {_MOST_WELLS:,} are not read.",
            file=folder,
        )
    return entries


def _paths(entries: Sequence[Any], check: Callable[[object], str], folder: Path) -> tuple[list[str], list[str]]:
    """The paths of entries, each once, and those that are not understood or lead elsewhere."""
    found: dict[str, None] = {}
    left_out: list[str] = []
    for entry in entries:
        path = entry.get("path") if isinstance(entry, dict) else entry
        try:
            checked = check(path)
            folder_within(folder, checked)
        except ImageError:
            left_out.append(f"{path!r:.40}")
        else:
            found[checked] = None
    return list(found), left_out


def _of_bioformats2raw(folder: Path) -> Images:
    """The series of a collection: in the order that its OME group says, else of its groups, numbers before names."""
    from yaozarrs.v04 import Series

    ome = folder / "OME"
    notes: tuple[str, ...] = ()
    groups: list[str] | None = None
    try:
        metadata = ome_metadata(attributes_of(ome), ome)
        if "series" in metadata:
            groups = validated(Series, {"series": metadata["series"]}, "OME").series
    except ImageError as error:
        notes = (f"Its list of series is not understood ({error}): its images are those that are there.",)
    if groups is None:
        groups = _groups_with_images(folder)
    if len(groups) > _MOST_IMAGES:
        raise UnsupportedImageError(
            f"its metadata name {len(groups):,} series; more than {_MOST_IMAGES:,} are not read.", file=folder
        )
    places = _named(groups, _names_in_xml(ome, len(groups)))
    there = tuple(place for place in places if folder_within(folder, place.group).is_dir())
    missing = [place.name for place in places if not folder_within(folder, place.group).is_dir()]
    if missing and not there:
        raise MetadataError(f"none of the series is there that its metadata name ({_some(missing)}).", file=folder)
    return Images(there, notes + _left_out("series", missing))


def _named(groups: Sequence[str], names: Sequence[str]) -> tuple[Place, ...]:
    """Call images as the OME-XML does, if it tells them apart, else like their groups."""
    if len(set(names)) != len(groups):
        names = [clean_text(group) for group in groups]
    return tuple(Place(name, group) for name, group in zip(names, groups, strict=True))


def _names_in_xml(ome: Path, count: int) -> list[str]:
    """Names of the images in the OME-XML of a collection; empty where it does not name each of them."""
    path = ome / "METADATA.ome.xml"
    try:
        if not is_regular_file(path) or path.stat().st_size > _LARGEST_XML_BYTES:
            return []
        document = parse_xml(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, ElementTree.ParseError):
        return []
    images = [node for node in document if node.tag.rpartition("}")[2] == "Image"]
    names = [clean_text(image.get("Name", "")) for image in images]
    return names if len(names) == count and all(names) else []


def _groups_with_images(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for _, entry in zip(range(_MOST_IMAGES), entries, strict=False) if entry.is_dir()]
    except OSError:
        return []
    names.sort(key=lambda name: (0, int(name), name) if name.isdecimal() else (1, 0, name))
    return [name for name in names if _holds_image(folder, name)]


def _holds_image(folder: Path, name: str) -> bool:
    try:
        group = folder_within(folder, name)
        return bool(multiscales_of(ome_metadata(attributes_of(group), group), group))
    except ImageError:
        return False


def _left_out(what: str, names: Sequence[str]) -> tuple[str, ...]:
    if not names:
        return ()
    return (f"{len(names)} {what} are left out, because they are not there or not understood: {_some(names)}.",)


def _some(names: Sequence[str]) -> str:
    listed = ", ".join(names[:_LISTED])
    return f"{listed} and more" if len(names) > _LISTED else listed
