"""Strip by strip equals one whole pass, for any U-Net, axis and strips."""

from __future__ import annotations

from collections import deque

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_mito_predict.prediction.unet import FoldedUNet


@st.composite
def cases(draw):
    ndim, depth = draw(st.sampled_from([2, 3])), draw(st.integers(1, 3))
    cells = [draw(st.integers(1, 2)) for _ in range(ndim)]
    axis = draw(st.integers(0, ndim - 1))
    cells[axis] = draw(st.integers(1, 5))
    shape = [n * 2**depth for n in cells]
    strips = draw(st.lists(st.integers(1, shape[axis]), min_size=1, max_size=6))
    convs = draw(st.integers(1, 3))
    channels = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    return ndim, depth, convs, channels, shape, axis, strips, draw(st.integers(0, 99))


@settings(max_examples=40, deadline=None)
@given(cases())
def test_strips_equal_the_whole(make_unet, case):
    ndim, depth, convs, channels, shape, axis, strips, seed = case
    options = {"convs_per_level": convs, "in_channels": channels[0], "out_channels": channels[1]}
    network = make_unet(ndim, depth, 3, seed, **options)
    image = torch.randn(1, channels[0], *shape)
    with torch.inference_mode():
        whole = network(image)
        streamed = _streamed(network, image, axis, strips)
    assert streamed.shape == whole.shape
    assert float((streamed - whole).abs().max()) < 1e-5 * float(whole.std()) + 1e-6


def _streamed(network: torch.nn.Module, image: torch.Tensor, axis: int, strips: list[int]) -> torch.Tensor:
    """Through a stream, in strips of these sizes again and again."""
    stream, start, size, pieces, i = FoldedUNet(network).stream(axis), 0, image.shape[axis + 2], [], 0
    while start < size:
        rows = min(strips[i % len(strips)], size - start)
        out = stream.push(image.narrow(axis + 2, start, rows), last=start + rows == size)
        pieces += [] if out is None else [out]
        start, i = start + rows, i + 1
    return torch.cat(pieces, axis + 2)


def test_what_is_kept_does_not_grow_with_the_length(make_unet) -> None:
    """Rows that wait inside: the same after 20 strips as after 10."""
    network = make_unet(2, 3, seed=0)
    stream = FoldedUNet(network).stream(0)
    kept = []
    with torch.inference_mode():
        for _ in range(20):
            stream.push(torch.randn(1, 1, 16, 8), last=False)
            kept.append(_kept(stream))
    assert kept[9] == kept[19] > 0


def _kept(stream: object, seen: set[int] | None = None) -> int:
    """Bytes of all tensors in the object, each storage once, weights included."""
    seen = set() if seen is None else seen
    if isinstance(stream, torch.Tensor):
        storage = stream.untyped_storage()
        new = storage.data_ptr() not in seen
        seen.add(storage.data_ptr())
        return storage.nbytes() if new else 0
    if isinstance(stream, list | tuple | deque):
        return sum(_kept(part, seen) for part in stream)
    return sum(_kept(part, seen) for part in vars(stream).values()) if hasattr(stream, "__dict__") else 0


@pytest.mark.parametrize("dtype", [torch.bfloat16])
def test_half_precision_is_close(make_unet, dtype) -> None:
    network = make_unet(3, 2, seed=1)
    image = torch.randn(1, 1, 16, 32, 16)
    with torch.inference_mode():
        whole = network(image)
        stream = FoldedUNet(network, dtype).stream(1)
        parts = [stream.push(image[:, :, :, i : i + 8].to(dtype), last=i == 24) for i in range(0, 32, 8)]
    streamed = torch.cat([part for part in parts if part is not None], 3).float()
    r = torch.corrcoef(torch.stack((whole.flatten(), streamed.flatten())))[0, 1]
    assert float(r) > 0.999
