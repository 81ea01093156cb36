"""What stands for the objects of a checkpoint: tensors by where they are stored, all others by nothing but a name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from napari_mito_predict.models.importers.checkpoint.pickled import Named, PickleError, pairs_as_dictionary

_DTYPES: Final = {
    "FloatStorage": "float32",
    "DoubleStorage": "float64",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
    "UntypedStorage": "uint8",
}
_STORAGE: Final = re.compile(r"torch\.(?:cuda\.|storage\.)?(\w+Storage)")
_DTYPE: Final = re.compile(r"torch\.((?:b?float|u?int|complex)\d\w*|bool)")
_TENSORS: Final = {f"torch._utils._rebuild_tensor{version}" for version in ("", "_v2", "_v3")}
_PARAMETERS: Final = {
    "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_parameter_with_state",
    "torch.nn.parameter.Parameter",
}
_DICTIONARIES: Final = {
    "collections.OrderedDict",
    "lightning.fabric.utilities.data.AttributeDict",
    "lightning_fabric.utilities.data.AttributeDict",
    "pytorch_lightning.utilities.parsing.AttributeDict",
}
_HARMLESS: Final = {
    "__builtin__.set",
    "_codecs.encode",
    "argparse.Namespace",
    "builtins.complex",
    "builtins.set",
    "collections.Counter",
    "collections.defaultdict",
    "collections.deque",
    "numpy._core.multiarray._reconstruct",
    "numpy._core.multiarray.scalar",
    "numpy.core.multiarray._reconstruct",
    "numpy.core.multiarray.scalar",
    "numpy.dtype",
    "numpy.ndarray",
    "pathlib.Path",
    "pathlib.PosixPath",
    "pathlib.PurePosixPath",
    "pathlib.PureWindowsPath",
    "pathlib.WindowsPath",
    "pathlib._local.PosixPath",
    "pathlib._local.WindowsPath",
    "torch.Size",
    "torch._utils._rebuild_qtensor",
    "torch._utils._rebuild_sparse_tensor",
    "torch.device",
    "torch.per_channel_affine",
    "torch.per_tensor_affine",
    "torch.serialization._get_layout",
}
"""What programs keep beside weights. Nothing is made of these either: they are left out."""
_SETTINGS: Final = (
    "fnet.",
    "lightning.",
    "lightning_fabric.",
    "mmv_im2im.",
    "omegaconf.",
    "pytorch_lightning.",
    "viscy",
)
"""Modules with the settings of programs, kept beside weights in the same way."""
_LARGEST: Final = 1 << 48
_MOST_AXES: Final = 8


@dataclass(frozen=True)
class Storage:
    """Numbers in a row, somewhere in the file; how many, and of which dtype, as the file declares."""

    key: str
    dtype: str
    count: int


@dataclass(frozen=True)
class StoredTensor:
    """A tensor that was not made: where its numbers are, as the file declares."""

    storage: Storage
    dtype: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True)
class LeftOut:
    """Something else than data or a tensor, of which nothing but the name of its class is known."""

    name: str


class Description:
    """The objects of one checkpoint.

    Attributes
    ----------
    storages : dict of str to Storage
        What is stored outside of the pickle, in the order in which it is met.
    """

    def __init__(self) -> None:
        self.storages: dict[str, Storage] = {}

    def check(self, name: str) -> None:
        """Raise `PickleError` for a class or function that has no business beside weights."""
        known = name in _TENSORS or name in _PARAMETERS or name in _DICTIONARIES or name in _HARMLESS
        if not known and not _STORAGE.fullmatch(name) and not _DTYPE.fullmatch(name) and not name.startswith(_SETTINGS):
            raise PickleError(
                f"beside weights it holds {name!r:.80}, which is code and is not run. Whoever made the file can save "
                "the weights alone"
            )

    def make(self, name: str, arguments: tuple[Any, ...]) -> Any:
        """Give what stands for the result of a call."""
        if name in _TENSORS:
            return _tensor(*arguments)
        if name in _PARAMETERS:
            return arguments[0]
        if name in _DICTIONARIES:
            return pairs_as_dictionary(*arguments[:1]) if arguments else {}
        return LeftOut(name)

    def find(self, identifier: Any) -> Storage:
        """Note what is stored outside of the pickle: ``("storage", class, key, device, count)``."""
        key = identifier[2]
        is_view = any(identifier[5:])  # as some files before torch 1.0 have them
        if identifier[0] != "storage" or not isinstance(key, str) or is_view:
            raise PickleError("it keeps something else than numbers outside of its list of contents")
        storage = Storage(key, _storage_dtype(identifier[1]), _size(identifier[4]))
        if self.storages.setdefault(key, storage) != storage:
            raise PickleError("it says two things of the same numbers")
        return storage


def _storage_dtype(storage_class: Any) -> str:
    found = _STORAGE.fullmatch(storage_class.name) if isinstance(storage_class, Named) else None
    if found is None or found[1] not in _DTYPES:
        raise PickleError("it stores numbers of a kind that is not known here, such as quantised ones")
    return _DTYPES[found[1]]


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *rest: Any) -> StoredTensor:
    if not isinstance(storage, Storage) or len(shape) != len(strides) or len(shape) > _MOST_AXES:
        raise PickleError("it describes a tensor that cannot be")
    sizes = tuple(_size(size) for size in shape)
    steps = tuple(_size(step) for step in strides)
    dtypes = [part.name for part in rest if isinstance(part, Named) and _DTYPE.fullmatch(part.name)]
    dtype = dtypes[0].removeprefix("torch.") if dtypes else storage.dtype
    return StoredTensor(storage, dtype, _size(offset), sizes, steps)


def _size(value: Any) -> int:
    if type(value) is not int or not 0 <= value < _LARGEST:
        raise PickleError("it describes a tensor that cannot be")
    return value
