"""Fields of plates as places to write to: an image beside a field in its well, listed by the well as any other."""

from __future__ import annotations

import json
import os
import re
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_mito_predict._files import atomic_write_text
from napari_mito_predict.errors import ImageError, OutputError, OutputExistsError, UnwritableOutputError
from napari_mito_predict.image.checks import Finding, Level
from napari_mito_predict.image.signature import file_signature
from napari_mito_predict.image.zarr_files import attributes_of, is_regular_file, is_zarr
from napari_mito_predict.image.zarr_metadata import OURS
from napari_mito_predict.image.zarr_ngff import ome_metadata

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_mito_predict.image.source import ImageSource
    from napari_mito_predict.image.zarr_metadata import NgffVersion

_NAME = re.compile(r"[A-Za-z0-9]+")
"""What NGFF allows as the path of an image in its well."""
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
_V3 = "zarr.json"
_ATTRIBUTES_V2 = ".zattrs"


@dataclass(frozen=True)
class PlateField:
    """One field of view of a plate.

    Attributes
    ----------
    well : Path
        Folder of its well, whose metadata list the images that are in it.
    name : str
        Path of the field within the well.
    version : {"0.4", "0.5"}
        Of NGFF, in which the plate is written.
    acquisition : int or None
        Number of the acquisition that it belongs to, where the well says so.
    """

    well: Path
    name: str
    version: NgffVersion
    acquisition: int | None = None

    @property
    def plate(self) -> Path:
        """Folder of the plate."""
        return self.well.parent.parent

    def beside(self, suffix: str) -> Path:
        """Where an image made from this field goes: ``A/1/0predicted`` for the field ``A/1/0``.

        Raises
        ------
        OutputError
            No such name is allowed in a well.
        """
        if not _NAME.fullmatch(suffix):
            raise OutputError(
                f"'{suffix}' cannot be the name of an image in a well: NGFF allows letters and digits only.",
                file=self.well,
            )
        return self.well / f"{self.name}{suffix}"

    def check_free(self, image: Path, *, overwrite: bool = False) -> None:
        """Find out whether an image can be written into the well, and be listed there.

        Raises
        ------
        OutputExistsError
            It is listed, and may not be replaced; or what is there was not made by this program. What is ours and not
            listed was left by a run that was killed, and counts as free.
        UnwritableOutputError
            Folder or metadata of the well are read-only.
        """
        if image.exists() and OURS not in attributes_of(image):
            raise OutputExistsError("is there, and no prediction made here: it is not replaced.", file=image)
        if not overwrite and any(entry.get("path") == image.name for entry in self._images()):
            raise OutputExistsError("is in this plate already. Keep it, or allow that it is replaced.", file=image)
        for path in (self.well, self._metadata_file):
            if not os.access(path, os.W_OK):
                raise UnwritableOutputError(
                    "may not be written to, so that nothing can be added to this plate. "
                    "Write the predictions into a folder of their own, or copy the plate.",
                    file=path,
                )

    def list_image(self, image: Path) -> None:
        """Add an image to the list of the well, in the acquisition of this field; everything else in it stays.

        Raises
        ------
        UnreadableImageError, MetadataError
            The metadata of the well have been damaged since.
        UnwritableOutputError
            They cannot be written.
        """
        added = (
            {"path": image.name} if self.acquisition is None else {"acquisition": self.acquisition, "path": image.name}
        )

        def add(attributes: dict[str, Any]) -> None:
            images = ome_metadata(attributes, self.well)["well"]["images"]
            if not any(entry.get("path") == image.name for entry in images):
                images.append(added)

        change_attributes(self.well, add)

    def findings(self) -> list[Finding]:
        """What has to be known before an image is added to the plate."""
        plate = self.plate
        metadata = plate / (_V3 if self.version == "0.5" else ".zmetadata")
        if not is_regular_file(metadata) or "consolidated" not in metadata.read_text(encoding="utf-8"):
            return []
        return [
            Finding(
                Level.INFO,
                "consolidated-metadata",
                f"{plate.name} has consolidated metadata, which are left as they are: programs that read only those "
                "do not list what is added.",
                "Consolidate the metadata of the plate again.",
            )
        ]

    @property
    def _metadata_file(self) -> Path:
        return self.well / (_V3 if self.version == "0.5" else _ATTRIBUTES_V2)

    def _images(self) -> list[dict[str, Any]]:
        return _listed(self.well)


def plate_field(image: ImageSource) -> PlateField:
    """Find the field of a plate that an image is, opened as a scene of its plate or well, or by itself.

    Raises
    ------
    OutputError
        It is no field of a plate in an OME-Zarr, or of a version that is not written.
    """
    folder = None
    if image.path is not None:
        folder = scene_folder(image.path, image.scenes[image.scene])
    entry = None
    if folder is not None:
        entry = next((entry for entry in _listed(folder.parent) if entry.get("path") == folder.name), None)
    if folder is None or entry is None:
        raise OutputError(
            "this is no field of a plate (an OME-Zarr with wells that list their fields), so that there is no well to "
            "write a prediction into. Write it into a folder.",
            file=image.path or image.name,
        )
    acquisition = entry.get("acquisition")
    return PlateField(
        folder.parent, folder.name, _version(folder), acquisition if isinstance(acquisition, int) else None
    )


def scene_folder(path: Path, scene: str) -> Path:
    """Folder of a scene's own image: a field of its plate or well; for all other files the file itself."""
    if not is_zarr(path) or not is_zarr(path / scene):
        return path
    try:
        metadata = ome_metadata(attributes_of(path), path)
    except ImageError:
        return path
    return path / scene if "plate" in metadata or "well" in metadata else path


def scene_signature(path: Path, scene: str) -> dict[str, Any]:
    """`file_signature` of a file; of a plate that of one field, which stays as it is when others are added.

    Raises
    ------
    UnreadableImageError
        The file cannot be read.
    """
    return file_signature(scene_folder(path, scene)) | {"name": path.name}


def made_from(path: Path, scene: str, scenes: Iterable[str]) -> list[str]:
    """Scenes that `PlateField.beside` named after one of a plate or well, and others whose names begin like its."""
    if scene_folder(path, scene) == path:
        return []
    return [other for other in scenes if other != scene and other.startswith(scene)]


def check_local(path: str | Path) -> None:
    """Refuse an address, where a folder on a disk is needed.

    Raises
    ------
    UnwritableOutputError
        It is one.
    """
    if _ADDRESS.match(str(path)):
        raise UnwritableOutputError(
            "this is an address, and predictions are written into plates on disks only. Copy the plate first.",
            file=path,
        )


def change_attributes(group: Path, change: Any) -> None:
    """Let `change` alter the attributes of a group in place, and write them: as they were, or altered, never half."""
    path = group / _V3
    if is_regular_file(path):
        document = json.loads(path.read_text(encoding="utf-8"))
        attributes = document.setdefault("attributes", {})
    else:
        path = group / _ATTRIBUTES_V2
        document = attributes = attributes_of(group)
    before = deepcopy(attributes)
    change(attributes)
    if attributes != before:
        atomic_write_text(path, json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def _listed(well: Path) -> list[dict[str, Any]]:
    """What a well lists as its images; empty for whatever is no well."""
    try:
        metadata = ome_metadata(attributes_of(well), well)
    except ImageError:
        return []
    listed = metadata.get("well")
    images = listed.get("images") if isinstance(listed, dict) else None
    return [entry for entry in images if isinstance(entry, dict)] if isinstance(images, list) else []


def _version(field: Path) -> NgffVersion:
    """The version of NGFF of a field, which is that of its plate: the field says it always, a well not always."""
    metadata = ome_metadata(attributes_of(field), field)
    multiscales = metadata.get("multiscales") or [{}]
    version = str(metadata.get("version") or multiscales[0].get("version"))
    if version == "0.4" and not is_regular_file(field / _V3):
        return "0.4"
    if version == "0.5" and is_regular_file(field / _V3):
        return "0.5"
    raise OutputError(
        f"this field is of NGFF {version:.20}; predictions are written into plates of 0.4 and 0.5. "
        "Write them into a folder, or convert the plate.",
        file=field,
    )
