"""Sets of OME-TIFF files: which file to begin with, which one describes it, and whether all of them are there."""

from __future__ import annotations

from pathlib import Path, PureWindowsPath
from typing import Final
from xml.etree import ElementTree

import tifffile

from napari_mito_predict._reading import open_file, read_bytes
from napari_mito_predict.errors import MetadataError, UnreadableImageError, UnsupportedImageError
from napari_mito_predict.image.ome_xml import (
    is_of_renamed_file,
    metadata_file,
    most_planes,
    part_names,
    without_file_names,
)
from napari_mito_predict.image.tiff_stored import MOST_PAGES, refuse_vast_index
from napari_mito_predict.image.zarr_files import is_regular_file

TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""Classic and BigTIFF, little- and big-endian."""
LARGEST_COMPANION: Final = 256 << 20
"""Bytes; a plate of 100,000 planes has some 30 MB."""


def described_file(path: Path) -> tuple[Path, str | None]:
    """Give the TIFF to begin with, and the OME-XML where it is not in that file, or has to be read differently."""
    if not _is_tiff(path):
        return _first_part(path), _text_of(path)
    refuse_vast_index(path)
    with tifffile.TiffFile(path) as tiff:
        xml = tiff.ome_metadata
    try:
        described_by = metadata_file(xml) if xml else None
        names = part_names(xml) if xml else ()
        is_renamed = bool(xml) and is_of_renamed_file(str(xml), path.name)
        _refuse_too_many_planes(path, most_planes(xml) if xml else 0)
    except ElementTree.ParseError:
        return path, None  # said where it is read
    if described_by is not None:
        _refuse_elsewhere(path, described_by)
        companion = path.parent / described_by
        if not described_by or not companion.is_file():
            raise UnsupportedImageError(
                "this OME-TIFF is one part of a set and has no description of its own: that is in "
                f'"{described_by}", which is not in this folder. Put the files of the set together.',
                file=path,
            )
        return described_file(companion) if _is_tiff(companion) else (_first_part(companion), _text_of(companion))
    if is_renamed:
        return path, without_file_names(str(xml))
    if len(names) > 1:
        _refuse_missing_parts(path, set(names) - {path.name})
    return path, None


def _first_part(companion: Path) -> Path:
    """The first of the files that a companion describes, all of which have to be there."""
    try:
        names = part_names(_text_of(companion))
        _refuse_too_many_planes(companion, most_planes(_text_of(companion)))
    except ElementTree.ParseError as error:
        raise MetadataError(
            f"this companion of an OME-TIFF set is no sound XML ({error}). Open the TIFF files themselves, with their "
            "axes (--axes).",
            file=companion,
        ) from error
    if not names:
        raise UnsupportedImageError(
            "this OME-XML names no TIFF file that its pixels are in. Open the image itself.", file=companion
        )
    _refuse_missing_parts(companion, set(names))
    return companion.parent / names[0]


def _refuse_missing_parts(path: Path, names: set[str]) -> None:
    for name in names:
        _refuse_elsewhere(path, name)
    missing = sorted(name for name in names if not is_regular_file(path.parent / name))
    if missing:
        raise UnreadableImageError(
            f"this OME-TIFF is spread over several files, and {len(missing)} of them are missing: "
            f"{', '.join(missing[:5])}{', ...' if len(missing) > 5 else ''}. Put them into the same folder.",
            file=path,
        )


def _refuse_too_many_planes(path: Path, planes: int) -> None:
    """Refuse what would take gigabytes to list, before tifffile lists it."""
    if planes > MOST_PAGES:
        raise UnsupportedImageError(
            f"its metadata declare an image of {planes:.4g} planes; those of more than {MOST_PAGES:,} are not read.",
            file=path,
        )


def _refuse_elsewhere(path: Path, name: str) -> None:
    """Refuse the name of a part that leads out of the folder of the set: metadata may not choose what is opened."""
    named = PureWindowsPath(name)  # knows drive letters, and separators of both kinds
    if named.drive or named.root or ".." in named.parts:
        raise UnsupportedImageError(
            f"its metadata name {name!r:.80} as a part of it, which leads out of this folder and is not followed.",
            file=path,
        )


def _is_tiff(path: Path) -> bool:
    """Whether a file begins as TIFFs do: classic and BigTIFF, little- and big-endian."""
    with open_file(path) as stream:
        return stream.read(4) in TIFF_MAGIC


def _text_of(companion: Path) -> str:
    return read_bytes(companion, LARGEST_COMPANION).decode("utf-8-sig", errors="replace")
