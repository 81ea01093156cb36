"""Checkpoint files of torch: what they hold, without running any of it.

``torch.load(..., weights_only=True)`` runs no code either, but it believes what a file declares: 200 bytes make it
take gigabytes, or never end. And it refuses a whole file for one path or setting beside the weights. Here the file is
read as data (`pickled`), nothing but tensors is made of it, and each tensor only when its numbers are known to be
there.
"""

from __future__ import annotations

import math
import stat
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from napari_mito_predict.errors import DamagedModelError
from napari_mito_predict.models.importers.checkpoint.containers import (
    Container,
    declared_bytes,
    open_legacy,
    open_zip,
)
from napari_mito_predict.models.importers.checkpoint.described import Storage, StoredTensor
from napari_mito_predict.models.importers.checkpoint.pickled import PickleError

if TYPE_CHECKING:
    import torch

_LARGEST_BYTES: Final = 4 << 30
_ZIP = b"PK"
_PICKLE = b"\x80"


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

    Returns
    -------
    dict
        Tensors are made where they are values of it or of a dictionary in it, as weights are. Those that lie deeper,
        such as the state of optimizers, stay a `StoredTensor`; objects that are no data are a `LeftOut`.

    Raises
    ------
    DamagedModelError
        It is none, is damaged, declares more than it holds, or holds code.
    """
    path = Path(path)
    try:
        _refuse_what_is_no_file(path)
        with path.open("rb") as stream:
            container = _open(stream)
            content = container.content
            if not isinstance(content, dict):
                raise PickleError("it holds no named parts")
            return _with_tensors(content, container)
    except PickleError as error:
        raise DamagedModelError(f"this is no checkpoint that can be read: {error}.", file=path) from error
    except OSError as error:
        raise DamagedModelError(f"cannot be read ({error.strerror or error}).", file=path) from error
    except (zipfile.BadZipFile, ValueError, RuntimeError, NotImplementedError, EOFError) as error:
        raise DamagedModelError("this checkpoint is cut or altered. Get it again.", file=path) from error


def _refuse_what_is_no_file(path: Path) -> None:
    state = path.stat()
    if not stat.S_ISREG(state.st_mode):
        raise PickleError("it is no file")
    if state.st_size == 0:
        raise PickleError("it is empty")
    if state.st_size > _LARGEST_BYTES:
        raise PickleError(f"it is larger than {_LARGEST_BYTES >> 30} GiB")


def _open(stream: BinaryIO) -> Container:
    start = stream.read(2)
    if start.startswith(_ZIP):
        return open_zip(stream)
    if start.startswith(_PICKLE):
        return open_legacy(stream)
    raise PickleError("it begins like none")


def _with_tensors(content: dict[Any, Any], container: Container) -> dict[str, Any]:
    """Make the tensors of the first two levels."""
    reader = _TensorReader(container)
    loaded: dict[str, Any] = {}
    for name, part in content.items():
        if isinstance(part, dict):
            loaded[name] = {inner: reader.tensor_or_same(value) for inner, value in part.items()}
        else:
            loaded[name] = reader.tensor_or_same(part)
    return loaded


class _TensorReader:
    """Makes tensors; those that share their numbers in the file share them in memory."""

    def __init__(self, container: Container) -> None:
        self._container = container
        self._loaded: dict[str, bytearray] = {}

    def tensor_or_same(self, value: Any) -> Any:
        return self._tensor(value) if isinstance(value, StoredTensor) else value

    def _tensor(self, stored: StoredTensor) -> torch.Tensor:
        import torch

        dtype = getattr(torch, stored.dtype, None)
        if not isinstance(dtype, torch.dtype):
            raise PickleError(f"it holds numbers of the kind {stored.dtype}, which this torch does not know")
        count = math.prod(stored.shape)
        if count == 0:
            return torch.empty(stored.shape, dtype=dtype)
        declared = declared_bytes(stored.storage) // dtype.itemsize
        last = stored.offset + sum((size - 1) * step for size, step in zip(stored.shape, stored.strides, strict=True))
        if max(last + 1, count) > declared:
            raise PickleError("it declares tensors that are larger than what it holds")
        numbers = torch.frombuffer(self._bytes(stored.storage), dtype=dtype, count=declared)
        return numbers.as_strided(stored.shape, stored.strides, stored.offset)

    def _bytes(self, storage: Storage) -> bytearray:
        if storage.key not in self._loaded:
            self._loaded[storage.key] = bytearray(self._container.read(storage))
        return self._loaded[storage.key]
