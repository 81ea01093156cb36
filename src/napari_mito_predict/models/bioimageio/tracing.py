"""A network of ours as a TorchScript file, which programs run that know nothing of this one."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Any, Literal

import torch
from torch import Tensor, nn

from napari_mito_predict.errors import ForeignModelError

_LARGEST_DIFFERENCE = 1e-5
"""Of a traced network, in standard deviations of the output."""
_FEWEST = 8
_SMALLEST_SPREAD = 1e-12
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Traced:
    """A TorchScript file.

    Attributes
    ----------
    content : bytes
        The same for the same network.
    fixed : tuple of int or None
        The only spatial size it takes, or None where it takes all that the network does.
    """

    content: bytes
    fixed: tuple[int, ...] | None


def traced(
    network: nn.Module, stride: tuple[int, ...], size: tuple[int, ...], first: Literal["zscore", "robust"] | None = None
) -> Traced:
    """Write down what a network does with an image, as TorchScript.

    Parameters
    ----------
    network : Module
        In evaluation mode, from ``(N, 1, *spatial)`` to ``(N, C, *spatial)``.
    stride : tuple of int
        What sizes must be divisible by.
    size : tuple of int
        One that it is known to take, used alone if what it does depends on the size.
    first : {"zscore", "robust"}, optional
        Which statistics of all it is given images are normalised by first; see `Normalisation`.

    Raises
    ------
    ForeignModelError
        It cannot be written down.
    """
    function: Callable[[Tensor], Tensor] = network
    if first is not None:
        normalise = _NORMALISATIONS[first]
        function = nn.Sequential(normalise(), network).eval()
    smallest = smallest_size(stride)
    uneven = tuple(size + (axis + 1) * step for axis, (size, step) in enumerate(zip(smallest, stride, strict=True)))
    content = trace(function, _image(uneven))
    if all(agrees(function, content, _image(shape)) for shape in (smallest, uneven, size)):
        return Traced(content, None)
    content = trace(function, _image(size))
    if agrees(function, content, _image(size)):
        return Traced(content, size)
    raise ForeignModelError("this network cannot be written as TorchScript: it would give other values there.")


def smallest_size(stride: tuple[int, ...]) -> tuple[int, ...]:
    """The smallest size that other programs are offered: some voxels at least, along each axis."""
    return tuple(step * ceil(_FEWEST / step) for step in stride)


def trace(function: Callable[[Tensor], Any], example: Tensor) -> bytes:
    """Write what a function does with a tensor as a TorchScript file."""
    stream = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        # torch recommends formats that only Python reads; those programs read this one.
        warnings.simplefilter("ignore")
        # Of a function: what it holds are constants, and no name depends on what was traced before.
        graph = torch.jit.trace(lambda image: function(image), example, check_trace=False)  # type: ignore[no-untyped-call]
        torch.jit.save(graph, stream)
    return _without_origins(stream.getvalue())


def _without_origins(content: bytes) -> bytes:
    """Leave out where on this machine each line of the program came from."""
    settled = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as given, zipfile.ZipFile(settled, "w") as written:
        for name in given.namelist():
            if not name.endswith((".debug_pkl", "serialization_id")):
                written.writestr(zipfile.ZipInfo(name, _EPOCH), given.read(name))
    return settled.getvalue()


def agrees(function: Callable[[Tensor], Any], content: bytes, image: Tensor) -> bool:
    """Whether a TorchScript file gives for a tensor what the function gives."""
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        try:
            expected = _tensors(function(image))
            graph = torch.jit.load(io.BytesIO(content)).eval()  # type: ignore[no-untyped-call]
            found = _tensors(graph(image))
        except RuntimeError:
            return False
    if [tensor.shape for tensor in found] != [tensor.shape for tensor in expected]:
        return False
    return all(map(_close, found, expected))


def _tensors(result: Any) -> list[Tensor]:
    return list(result) if isinstance(result, list | tuple) else [result]


def _close(found: Tensor, expected: Tensor) -> bool:
    spread = float(expected.std()) or 1.0
    return float((found - expected).abs().max()) <= _LARGEST_DIFFERENCE * spread


def _image(size: tuple[int, ...]) -> Tensor:
    """Noise, the same each time, without touching torch's own."""
    return torch.randn((1, 1, *size), generator=torch.Generator().manual_seed(0))


class _ZScore(nn.Module):
    """Each image less its mean, divided by its standard deviation."""

    def forward(self, images: Tensor) -> Tensor:
        over = tuple(range(1, images.ndim))
        centred = images - images.mean(over, keepdim=True)
        spread = centred.square().mean(over, keepdim=True).sqrt()
        return centred / spread.clamp_min(_SMALLEST_SPREAD)


class _Robust(nn.Module):
    """Each image less its median, divided by its interquartile range."""

    def forward(self, images: Tensor) -> Tensor:
        values = images.flatten(1).sort(dim=1).values
        low = _quantile(values, 0.25)
        middle = _quantile(values, 0.5)
        spread = _quantile(values, 0.75) - low
        shape = (-1, *[1] * (images.ndim - 1))
        return (images - middle.reshape(shape)) / spread.reshape(shape).clamp_min(_SMALLEST_SPREAD)


def _quantile(values: Tensor, fraction: float) -> Tensor:
    """Quantile of sorted rows; their length stays a part of the graph."""
    rank = (torch.as_tensor(values.shape[1], dtype=torch.float64) - 1) * fraction
    below = rank.floor().long().reshape(1).to(values.device)
    above = rank.ceil().long().reshape(1).to(values.device)
    first = values.index_select(1, below)
    return first + (values.index_select(1, above) - first) * (rank - rank.floor()).to(values)


_NORMALISATIONS: dict[str, type[nn.Module]] = {"zscore": _ZScore, "robust": _Robust}
