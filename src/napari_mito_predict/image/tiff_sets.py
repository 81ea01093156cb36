"""Sets of OME-TIFF files: which file to begin with, which one describes it, and whether all of them are there."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import tifffile

from napari_mito_predict.errors import MetadataError, UnreadableImageError, UnsupportedImageError
from napari_mito_predict.image.ome_xml import is_of_renamed_file, metadata_file, part_names, without_file_names

TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""Classic and BigTIFF, little- and big-endian."""


def described_file(path: Path) -> tuple[Path, str | None]:
    """Give the TIFF to begin with, and the OME-XML where it is not in that file, or has to be read differently."""
    if not _is_tiff(path):
        return _first_part(path), _text_of(path)
    with tifffile.TiffFile(path) as tiff:
        xml = tiff.ome_metadata
    try:
        described_by = metadata_file(xml) if xml else None
        names = part_names(xml) if xml else ()
        is_renamed = bool(xml) and is_of_renamed_file(str(xml), path.name)
    except ElementTree.ParseError:
        return path, None  # said where it is read
    if described_by is not None:
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
    missing = sorted(name for name in names if not (path.parent / name).exists())
    if missing:
        raise UnreadableImageError(
            f"this OME-TIFF is spread over several files, and {len(missing)} of them are missing: "
            f"{', '.join(missing[:5])}{', ...' if len(missing) > 5 else ''}. Put them into the same folder.",
            file=path,
        )


def _is_tiff(path: Path) -> bool:
    """Whether a file begins as TIFFs do: classic and BigTIFF, little- and big-endian."""
    with path.open("rb") as stream:
        return stream.read(4) in TIFF_MAGIC


def _text_of(companion: Path) -> str:
    return companion.read_bytes().decode("utf-8-sig", errors="replace")
