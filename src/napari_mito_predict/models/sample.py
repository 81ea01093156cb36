"""The self-test of a package: a small input with the output that belongs to it, read with a bound on everything."""

from __future__ import annotations

import io
import math
import re
import zipfile
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from napari_mito_predict.errors import DamagedModelError, one_line
from napari_mito_predict.models.files import SAMPLE
from napari_mito_predict.models.zips import ZIP_ERRORS, check_member, read_member

if TYPE_CHECKING:
    from pathlib import Path

    from napari_mito_predict.networks import Network

LARGEST_SAMPLE: Final = 1 << 21
"""Numbers in one array: a stack of 32 x 256 x 256. Who verifies a model computes as much as its sample asks for."""
_ITEM_BYTES = 8
_NPY = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '(?P<dtype>[<>|=]?[a-zA-Z]\d{0,9})', 'fortran_order': (True|False), "
    rb"'shape': \((?P<shape>[0-9, ]{0,99})\), \} *\n",
    re.DOTALL,
)
"""How numpy begins a file; it would find out by evaluating what stands there."""
_HEADER_BYTES = 4096
_AXES = {2: "C, Y, X", 3: "C, Z, Y, X"}


class Sample(NamedTuple):
    """A small normalised input ``(C, *spatial)``, and the float32 output ``(targets, *spatial)`` that belongs to it."""

    given: np.ndarray
    expected: np.ndarray


def decode_sample(content: bytes, path: Path) -> Sample:
    """Read a self-test; objects in it are refused, since unpickling may run code.

    Parameters
    ----------
    content : bytes
        Of `sample.npz`.
    path : Path
        The package, for messages.

    Raises
    ------
    DamagedModelError
        It is no such file, or what it holds is larger, or of another kind, than a self-test.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            given = _array(archive, "input", path)
            expected = _array(archive, "output", path)
    except (*ZIP_ERRORS, TypeError) as error:  # the latter of a dtype that numpy does not know
        raise DamagedModelError(f"its self-test '{SAMPLE}' is damaged ({one_line(error)}).", file=path) from error
    return Sample(given, expected)


def check_sample(sample: Sample, network: Network, path: Path) -> None:
    """Find out whether a network can be asked for a sample.

    Raises
    ------
    DamagedModelError
        It is too large, or its shapes are others than the network takes and gives.
    """
    if max(sample.given.size, sample.expected.size) > LARGEST_SAMPLE:
        raise DamagedModelError(f"its self-test holds more than {LARGEST_SAMPLE:,} values.", file=path)
    channels, *spatial = sample.given.shape
    axes = _AXES[network.ndim]
    stride = network.stride
    fits = len(spatial) == network.ndim and channels == network.in_channels
    if not fits or any(size % step for size, step in zip(spatial, stride, strict=True)):
        raise DamagedModelError(
            f"the input of its self-test has the shape {sample.given.shape}; its network takes ({axes}) with "
            f"{network.in_channels} channels and sizes divisible by {' x '.join(map(str, stride))}.",
            file=path,
        )
    wanted = (network.out_channels, *spatial)
    if sample.expected.shape != wanted:
        raise DamagedModelError(
            f"the output of its self-test has the shape {sample.expected.shape}, and its network gives {wanted}.",
            file=path,
        )


def _array(archive: zipfile.ZipFile, name: str, path: Path) -> np.ndarray:
    """Read one array of an npz file; what its header declares is checked before memory is taken for it."""
    member = f"{name}.npy"
    if archive.namelist().count(member) != 1:
        raise DamagedModelError(f"its self-test '{SAMPLE}' has no array '{name}'.", file=path)
    info = archive.getinfo(member)
    check_member(info, LARGEST_SAMPLE * _ITEM_BYTES + _HEADER_BYTES, path)
    content = read_member(archive, info, path)
    declared = _NPY.match(content)
    if declared is None:
        raise DamagedModelError(
            f"the array '{name}' of its self-test is damaged: it does not say what it is.", file=path
        )
    dtype = np.dtype(declared["dtype"].decode())
    shape = tuple(int(size) for size in declared["shape"].replace(b",", b" ").split())
    if dtype.kind != "f" or dtype.itemsize > _ITEM_BYTES:
        raise DamagedModelError(
            f"the array '{name}' of its self-test holds values of the type {dtype.name:.40}, no float32.", file=path
        )
    if not 3 <= len(shape) <= 4 or 0 in shape or math.prod(shape) > LARGEST_SAMPLE:
        raise DamagedModelError(
            f"the array '{name}' of its self-test has the shape {shape!s:.60}; expected channels and two or three "
            f"axes, with at most {LARGEST_SAMPLE:,} values.",
            file=path,
        )
    array: np.ndarray = np.load(io.BytesIO(content), allow_pickle=False).astype(np.float32)
    if not np.isfinite(array).all():
        raise DamagedModelError(f"the array '{name}' of its self-test holds NaN or infinite numbers.", file=path)
    return array
