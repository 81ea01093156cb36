"""An image is recognised by its pixels."""

from __future__ import annotations

import numpy as np

from napari_mito_predict.image.pixel_digest import pixel_digest


def test_same_pixels_have_the_same_digest_in_any_order_of_bytes() -> None:
    pixels = np.arange(12, dtype=np.uint16).reshape(1, 3, 4)
    digest = pixel_digest(pixels)
    assert len(digest) == 16
    for same in (pixels.astype(">u2"), pixels[0], np.asfortranarray(pixels)):
        assert pixel_digest(same) == digest
    for other in (pixels + 1, pixels.reshape(1, 4, 3), pixels.astype(np.uint8)):
        assert pixel_digest(other) != digest
