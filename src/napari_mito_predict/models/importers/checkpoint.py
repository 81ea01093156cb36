"""Checkpoint files of torch: their weights, without running anything that is in them."""

from __future__ import annotations

import os
import pickle
import re
import stat
import warnings
import zipfile
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Final

from napari_mito_predict.errors import DamagedModelError
from napari_mito_predict.models.importers.pickle_scan import PickleError, scan_pickle

_LARGEST_BYTES: Final = 4 << 30
_ZIP: Final = b"PK"
_PICKLE: Final = b"\x80"
_CONTENTS: Final = "/data.pkl"
_LEGACY_PICKLES: Final = 5
"""Magic number, version, system, content, order of what is stored: before torch 1.6 they stood one after the other."""
_END_OF_DIRECTORY: Final = b"PK\x05\x06"
_LONGEST_END: Final = 22 + (1 << 16)
"""Bytes: what a zip archive ends with, and a comment."""
_LARGEST_DIRECTORY: Final = 8 << 20
_NOT_ALLOWED: Final = re.compile(r"GLOBAL ([\w.]+)")
_DAMAGED: Final = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    NotImplementedError,
    OverflowError,
    RecursionError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What torch raises for files that are damaged, or that were made to hurt."""


class Setting:
    """Stands for an object that a program keeps beside weights, and that is of no use here, such as a path."""

    def __init__(self, *arguments: object, **options: object) -> None: ...


_SETTINGS: Final = (
    "argparse.Namespace",
    "pathlib.Path",
    "pathlib.PosixPath",
    "pathlib.PurePosixPath",
    "pathlib.PureWindowsPath",
    "pathlib.WindowsPath",
)
_DICTIONARIES: Final = (
    "lightning.fabric.utilities.data.AttributeDict",
    "lightning_fabric.utilities.data.AttributeDict",
    "pytorch_lightning.utilities.parsing.AttributeDict",
)


def is_checkpoint(path: Path) -> bool:
    """Whether a file begins as those that torch writes do: as a zip archive, or as a pickle."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return False
        with path.open("rb") as stream:
            return stream.read(2).startswith((_ZIP, _PICKLE))
    except (OSError, ValueError):
        return False


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Load what a checkpoint holds: tensors, numbers, text and containers of them, on the CPU.

    Parameters
    ----------
    path : Path
        Of any version of torch, with the weights of any device.

    Raises
    ------
    DamagedModelError
        It is none, is damaged, declares more than it holds, or holds code.
    """
    path = Path(path)
    try:
        _require_regular_file(path)
        with path.open("rb") as stream:
            _scan(stream)
        content = _load(path)
        if not isinstance(content, dict):
            raise PickleError("it holds no named parts")
        _refuse_repeated_numbers(content)
    except PickleError as error:
        raise DamagedModelError(f"this is no checkpoint that can be read: {error}.", file=path) from error
    except OSError as error:
        raise DamagedModelError(f"cannot be read ({error.strerror or error}).", file=path) from error
    except _DAMAGED as error:
        raise DamagedModelError(f"this is no checkpoint that can be read: {_words(error)}.", file=path) from error
    return content


def _require_regular_file(path: Path) -> None:
    state = path.stat()
    if not stat.S_ISREG(state.st_mode):
        raise PickleError("it is no file")
    if state.st_size == 0:
        raise PickleError("it is empty")
    if state.st_size > _LARGEST_BYTES:
        raise PickleError(f"it is larger than {_LARGEST_BYTES >> 30} GiB")


def _scan(stream: BinaryIO) -> None:
    """Find out whether a file may be given to torch: whether it takes no more than it holds."""
    start = stream.read(2)
    if start.startswith(_ZIP):
        _scan_archive(stream)
    elif start.startswith(_PICKLE):
        stream.seek(0)
        for _ in range(_LEGACY_PICKLES):
            scan_pickle(stream)
    else:
        raise PickleError("it begins like none")


def _scan_archive(stream: BinaryIO) -> None:
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, size - _LONGEST_END))
    end = stream.read()
    found = end.rfind(_END_OF_DIRECTORY)
    # zipfile reads the whole list of files at once, which may be of millions.
    if found >= 0 and int.from_bytes(end[found + 12 : found + 16], "little") > _LARGEST_DIRECTORY:
        raise PickleError("it holds more files than a checkpoint has")
    archive = zipfile.ZipFile(stream)
    members = archive.infolist()
    names = [member.filename for member in members]
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise PickleError("it is a compressed zip archive, and torch writes uncompressed ones")
    if sum(member.file_size for member in members) > size:
        raise PickleError("it is cut or altered")
    contents = [name for name in names if name.endswith(_CONTENTS)]
    if len(contents) != 1:
        raise PickleError("it is a zip archive, but none that torch wrote")
    if contents[0].replace("data.pkl", "constants.pkl") in names:
        raise PickleError("it is a TorchScript program, and no checkpoint")
    if archive.testzip() is not None:  # torch does not look at checksums
        raise PickleError("it is cut or altered. Get it again")
    with archive.open(contents[0]) as pickled:
        scan_pickle(pickled)  # type: ignore[arg-type]


def _load(path: Path) -> Any:
    import torch

    # What another program kept beside its weights would keep them from being loaded; of these nothing is imported.
    stand_ins: list[Any] = [(Setting, name) for name in _SETTINGS]
    stand_ins += [(dict, name) for name in _DICTIONARIES]
    with warnings.catch_warnings(), torch.serialization.safe_globals(stand_ins):
        warnings.simplefilter("ignore")  # of pickle protocols and devices that are long gone
        return torch.load(path, map_location="cpu", weights_only=True)


def _refuse_repeated_numbers(content: dict[Any, Any]) -> None:
    """Refuse tensors that are larger than what is stored of them: copied, they would fill memory."""
    import torch

    parts = [content, *(part for part in content.values() if isinstance(part, dict))]
    tensors = [
        value for value in chain.from_iterable(part.values() for part in parts) if isinstance(value, torch.Tensor)
    ]
    for tensor in tensors:
        if tensor.layout == torch.strided and tensor.numel() * tensor.itemsize > tensor.untyped_storage().nbytes():
            raise PickleError("it declares tensors that are larger than what it holds")


def _words(error: Exception) -> str:
    """What torch said, in a few words."""
    found = _NOT_ALLOWED.search(str(error))
    if found:
        return (
            f"beside weights it holds '{found[1]:.80}', which is code and is not run. Whoever made the file can save "
            "the weights alone"
        )
    return "it is cut or altered. Get it again"
