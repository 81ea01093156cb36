"""A part of a pass is what the whole pass gives there, and less work."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_mito_predict.prediction.tiles import Span
from napari_mito_predict.prediction.unet import FoldedUNet
from napari_mito_predict.prediction.unet.layers import Layers

if TYPE_CHECKING:
    import pytest


@st.composite
def cases(draw):
    ndim, depth = draw(st.sampled_from([2, 3])), draw(st.integers(0, 3))
    shape = [draw(st.integers(1, 5 if ndim == 2 else 3)) * 2**depth for _ in range(ndim)]
    starts = [draw(st.integers(0, n - 1)) for n in shape]
    kept = [Span(start, draw(st.integers(start + 1, n))) for start, n in zip(starts, shape, strict=True)]
    return ndim, depth, draw(st.integers(1, 3)), shape, kept, draw(st.integers(0, 99))


@settings(max_examples=60, deadline=None)
@given(cases())
def test_a_part_is_that_of_the_whole(make_unet, case):
    ndim, depth, convs, shape, kept, seed = case
    network, window = make_unet(ndim, depth, 3, seed, convs_per_level=convs, in_channels=2), torch.randn(2, 2, *shape)
    with torch.inference_mode():
        whole = network(window)
        part = FoldedUNet(network)(window, kept)
    assert part.shape == (2, 1, *(span.size for span in kept))
    expected = whole[:, :, *(span.slice for span in kept)]
    assert float((part - expected).abs().max()) < 1e-5 * float(whole.std(correction=0)) + 1e-6


def test_everything_where_nothing_is_said(make_unet):
    network, window = make_unet(3, 2), torch.randn(1, 1, 8, 12, 16)
    with torch.inference_mode():
        torch.testing.assert_close(FoldedUNet(network)(window), network(window), atol=1e-5, rtol=1e-5)


def test_a_plane_takes_less_than_half_of_the_work(make_unet, monkeypatch: pytest.MonkeyPatch):
    """Multiplications of all 3x3x3 convolutions, for one plane of a field of view with its context."""
    network, window = make_unet(3, 3), torch.zeros(1, 1, 32, 176, 176)
    convolve, work = Layers.convolve, []

    def counted(layers, kernel, features, padding):
        work.append(prod(features.shape[2:]) * kernel.weight.numel())
        return convolve(layers, kernel, features, padding)

    monkeypatch.setattr(Layers, "convolve", counted)
    folded = FoldedUNet(network)
    with torch.inference_mode():
        folded(window)
        whole, work[:] = sum(work), []
        folded(window, [Span(16, 17), Span(48, 128), Span(48, 128)])
    assert sum(work) < 0.5 * whole


def test_somebody_is_asked_before_every_layer(make_unet):
    asked = []
    with torch.inference_mode():
        FoldedUNet(make_unet(3, 2))(torch.zeros(1, 1, 8, 8, 8), before_layer=lambda: asked.append(1))
    assert len(asked) == 2 * (2 + 1 + 1 + 2) + 2 + 1, "two levels, down and up, the coarsest, and the output"
