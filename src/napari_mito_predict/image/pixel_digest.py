"""A fingerprint of pixels, by which an image is recognised wherever it lies and whatever it is called."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BYTES = 8


def pixel_digest(stack: NDArray[Any]) -> str:
    """Digest of an array: 16 hexadecimal digits (BLAKE2b).

    It depends on values and their type, and neither on the order of bytes in a file nor on axes of one element.
    """
    array = np.squeeze(np.asarray(stack))
    array = np.ascontiguousarray(array, array.dtype.newbyteorder("="))
    digest = hashlib.blake2b(repr((array.shape, array.dtype.name)).encode(), digest_size=_BYTES)
    digest.update(array.tobytes())
    return digest.hexdigest()
