"""How to recognise a file again: for the provenance of results."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from napari_mito_predict._files import sha256_file
from napari_mito_predict.errors import UnreadableImageError
from napari_mito_predict.image.names import as_text

_MIB = 2**20


def file_signature(path: str | Path, *, full: bool = False) -> dict[str, Any]:
    """Describe a file so that it can be recognised, quickly even for a recording of many gigabytes.

    Parameters
    ----------
    path : str or Path
        A file, or a folder such as an OME-Zarr.
    full : bool
        Also hash the whole file.

    Returns
    -------
    dict
        JSON-ready: ``name``, ``size_bytes``, ``modified`` (ISO time, UTC), ``sha256_ends`` (of the first and last
        MiB; of a folder: of its file names and sizes), and with `full` ``sha256``.

    Raises
    ------
    UnreadableImageError
        The file cannot be read.
    """
    path = Path(path)
    try:
        if path.is_dir():
            return _folder_signature(path)
        state = path.stat()
        signature = _describe(path, state.st_size, state.st_mtime) | {"sha256_ends": _hash_ends(path, state.st_size)}
        return signature | {"sha256": sha256_file(path)} if full else signature
    except OSError as error:
        raise UnreadableImageError(f"cannot be read ({error.strerror or error}).", file=path) from error


def _folder_signature(path: Path) -> dict[str, Any]:
    files = sorted(file for file in path.rglob("*") if file.is_file())
    states = [file.stat() for file in files]
    digest = hashlib.sha256()
    for file, state in zip(files, states, strict=True):
        digest.update(os.fsencode(f"{file.relative_to(path).as_posix()}\0{state.st_size}\n"))
    newest = max((state.st_mtime for state in states), default=path.stat().st_mtime)
    total = sum(state.st_size for state in states)
    return _describe(path, total, newest) | {"sha256_ends": digest.hexdigest()}


def _describe(path: Path, size: int, modified: float) -> dict[str, Any]:
    return {
        "name": as_text(path.name),
        "size_bytes": size,
        "modified": datetime.fromtimestamp(modified, UTC).isoformat(),
    }


def _hash_ends(path: Path, size: int) -> str:
    """Hash the first and the last MiB; a file of up to 2 MiB completely."""
    with path.open("rb") as stream:
        digest = hashlib.sha256(stream.read(_MIB))
        stream.seek(max(_MIB, size - _MIB))
        digest.update(stream.read(_MIB))
    return digest.hexdigest()
