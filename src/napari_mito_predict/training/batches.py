"""From patch numbers to batches on the device: cut by other threads in main memory, or on the device where it has room.

Patch *i* is the same function of (seed, *i*) in both; `PatchSampler.draw` draws for both.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from napari_mito_predict.prediction.resample import gaussian_weights
from napari_mito_predict.prediction.unet import channels_last
from napari_mito_predict.training.augment import BLUR_TRUNCATE
from napari_mito_predict.training.patches import INPUT_INTERPOLATION

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_mito_predict.training.augment import Alteration
    from napari_mito_predict.training.pairs import Pair
    from napari_mito_predict.training.patches import Drawn, PatchSampler, Place

_MOST_THREADS = 8
_SHARE = 0.1
"""Of a GPU's free memory that fields may take; the network needs the rest."""


class TensorBatch(NamedTuple):
    """Patches on the device, channels last: input ``(N, 1, *shape)``, truth ``(N, targets, *shape)``, float32."""

    input: Tensor
    truth: Tensor
    fields: tuple[str, ...]


class DrawnBatch(NamedTuple):
    """Patches that are not cut yet, and the noise of each, where it gets any."""

    patches: list[Drawn]
    noises: list[Tensor | None]


class Batches(Protocol):
    """Where batches come from.

    Attributes
    ----------
    threads : int
        How many threads `begin` batches, and so how many are begun ahead.
    """

    threads: int

    def begin(self, numbers: Sequence[int]) -> Any:
        """Do what can be done ahead, in a thread of its own."""

    def finish(self, begun: Any) -> TensorBatch:
        """Give the batch that was begun; in the thread that trains."""


def make_batches(sampler: PatchSampler, device: torch.device) -> Batches:
    """Choose where patches are cut: on a GPU where all fields fit there, else in main memory."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        if sum(pair.input.nbytes + pair.truth.nbytes for pair in sampler.pairs) < _SHARE * free:
            return DeviceBatches(sampler, device)
    return HostBatches(sampler, device)


class HostBatches:
    """Cut in main memory.

    On a processor one batch is cut ahead while the network works. A GPU is so fast that it takes several threads to
    feed it; what they cut is page-locked, so that it is uploaded while the GPU computes.
    """

    def __init__(self, sampler: PatchSampler, device: torch.device) -> None:
        self.threads = _threads(device)
        self._sampler = sampler
        self._device = device

    def begin(self, numbers: Sequence[int]) -> TensorBatch:
        """Cut the patches of these numbers."""
        batch = self._sampler.batch(numbers)
        return TensorBatch(self._tensor(batch.input), self._tensor(batch.truth), batch.fields)

    def finish(self, begun: TensorBatch) -> TensorBatch:
        """Upload them."""
        # Not on an Apple GPU, which would read memory that is long used again.
        beside = self._device.type == "cuda"
        given, truth = (tensor.to(self._device, non_blocking=beside) for tensor in begun[:2])
        return TensorBatch(given, truth, begun.fields)

    def _tensor(self, array: NDArray[np.float32]) -> Tensor:
        tensor = torch.from_numpy(array).contiguous(memory_format=channels_last(array.ndim - 2))
        return _page_locked(tensor, self._device)


class DeviceBatches:
    """Cut on the device, where all fields lie; only what is random is made in main memory.

    Parameters
    ----------
    sampler : PatchSampler
        Draws.
    device : torch.device
        Has room for all volumes, float16.
    """

    def __init__(self, sampler: PatchSampler, device: torch.device) -> None:
        self.threads = _threads(device)
        self._sampler = sampler
        self._device = device
        self._volumes: dict[int, tuple[Tensor, Tensor]] = {}
        for pair in sampler.pairs:
            self._volumes[id(pair)] = self._upload(pair.input[None]), self._upload(pair.truth)

    def begin(self, numbers: Sequence[int]) -> DrawnBatch:
        """Draw the patches of these numbers."""
        patches = [self._sampler.draw(number) for number in numbers]
        noises = []
        for drawn in patches:
            noise = None
            if drawn.alteration.noise is not None:
                noise = _page_locked(torch.from_numpy(drawn.alteration.noise), self._device)
            noises.append(noise)
        return DrawnBatch(patches, noises)

    def finish(self, begun: DrawnBatch) -> TensorBatch:
        """Cut and change them."""
        alterations = [drawn.alteration for drawn in begun.patches]
        cut = [self._cut(drawn) for drawn in begun.patches]
        given, truth = (torch.stack(images) for images in zip(*cut, strict=True))
        layout = channels_last(given.ndim - 2)
        given = self._changed(given, alterations)
        for image, noise in zip(given, begun.noises, strict=True):
            if noise is not None:
                image += noise.to(self._device, non_blocking=True)
        given = given.contiguous(memory_format=layout)
        fields = tuple(drawn.pair.field for drawn in begun.patches)
        return TensorBatch(given, truth.contiguous(memory_format=layout), fields)

    def _cut(self, drawn: Drawn) -> tuple[Tensor, Tensor]:
        """Input and truth of one patch, turned and flipped, but not changed in brightness."""
        shape, warp = self._sampler.shape, drawn.warp
        if warp is None:
            given, truth = self._parts(drawn.pair, drawn.place)
        else:
            around, centre = drawn.around(warp)
            size = shape[-2], shape[-1]
            given, truth = self._parts(drawn.pair, around)
            given = warp.sampled(given, centre, size, INPUT_INTERPOLATION)
            truth = warp.sampled(truth, centre, size, "bilinear")
        given, truth = _filled(given, shape), _filled(truth, shape)
        return _turned(given, drawn.alteration), _turned(truth, drawn.alteration)

    def _parts(self, pair: Pair, place: Place) -> tuple[Tensor, Tensor]:
        given, truth = (volume[:, *place].float() for volume in self._volumes[id(pair)])
        if self._sampler.ceiling is not None:
            truth = truth.clamp(max=float(np.float32(self._sampler.ceiling)))
        return given, truth

    def _changed(self, given: Tensor, alterations: Sequence[Alteration]) -> Tensor:
        """Inputs (N, 1, ...) blurred, bent and brightened, all together."""
        if any(each.blur for each in alterations):
            given = _blurred(given, [each.blur for each in alterations])
        if any(each.exponent != 1 for each in alterations):
            given = self._bent(given, [each.exponent for each in alterations])
        if any((each.scale, each.offset) != (1, 0) for each in alterations):
            scale = self._each([each.scale for each in alterations], given)
            given = given * scale + self._each([each.offset for each in alterations], given)
        return given

    def _bent(self, given: Tensor, exponents: Sequence[float]) -> Tensor:
        """What `napari_mito_predict.training.augment` does by its `exponent`, of each patch."""
        axes = tuple(range(1, given.ndim))
        darkest, brightest = given.amin(axes, keepdim=True), given.amax(axes, keepdim=True)
        flat = darkest == brightest
        raised = ((given - darkest) / (brightest - darkest).masked_fill(flat, 1)) ** self._each(exponents, given)
        spread = raised.std(axes, correction=0, keepdim=True).masked_fill(flat, 1)
        contrast = given.std(axes, correction=0, keepdim=True) / spread
        bent = (raised - raised.mean(axes, keepdim=True)) * contrast + given.mean(axes, keepdim=True)
        unchanged = flat | (self._each(exponents, given) == 1)
        return torch.where(unchanged, given, bent)

    def _each(self, values: Sequence[float], given: Tensor) -> Tensor:
        """One value for each patch, for arithmetic with all of them."""
        tensor = torch.tensor(values, dtype=torch.float32).to(self._device, non_blocking=True)
        return tensor.view(-1, *(1,) * (given.ndim - 1))

    def _upload(self, array: NDArray[np.float16]) -> Tensor:
        return torch.from_numpy(np.array(array)).to(self._device)


def _blurred(given: Tensor, sigmas: Sequence[float]) -> Tensor:
    """Each patch by its own Gaussian in y and x, as `scipy.ndimage.gaussian_filter` does it with ``mode="nearest"``."""
    gaussians = [gaussian_weights(sigma, BLUR_TRUNCATE) for sigma in sigmas]
    reach = max(len(gaussian) // 2 for gaussian in gaussians)
    padded_rows = [np.pad(gaussian, reach - len(gaussian) // 2) for gaussian in gaussians]
    rows = torch.tensor(np.stack(padded_rows), dtype=torch.float32)
    weights = rows.to(given.device, non_blocking=True).view(len(sigmas), -1, *(1,) * (given.ndim - 1))
    for dim in (given.ndim - 2, given.ndim - 1):
        size = given.shape[dim]
        places = torch.arange(-reach, size + reach, device=given.device).clamp(0, size - 1)
        padded = given.index_select(dim, places)
        given = padded.narrow(dim, 0, size) * weights[:, 0]
        for i in range(1, 2 * reach + 1):
            given = given.addcmul(padded.narrow(dim, i, size), weights[:, i])
    return given


def _turned(image: Tensor, alteration: Alteration) -> Tensor:
    image = torch.rot90(image, alteration.turns, (-2, -1))
    axes = []
    if alteration.mirrored:
        axes.append(-1)
    if alteration.third_mirrored:
        axes.append(1)
    return image.flip(axes) if axes else image


def _filled(image: Tensor, shape: tuple[int, ...]) -> Tensor:
    """`image` (C, *sizes), mirrored at its ends, edges repeated, where it is smaller than `shape`."""
    for dim, want in enumerate(shape, 1):
        have = image.shape[dim]
        if have < want:
            places = np.pad(np.arange(have), (0, want - have), mode="symmetric")
            image = image.index_select(dim, torch.from_numpy(places).to(image.device, non_blocking=True))
    return image


def _page_locked(tensor: Tensor, device: torch.device) -> Tensor:
    """`tensor` in memory that a GPU copies from by itself, while it computes."""
    return tensor.pin_memory() if device.type == "cuda" else tensor


def _threads(device: torch.device) -> int:
    """How many threads feed a device: one does where a processor computes, and needs its cores for that."""
    if device.type == "cpu":
        return 1
    return max(1, min(_MOST_THREADS, (os.cpu_count() or 1) // 2))
