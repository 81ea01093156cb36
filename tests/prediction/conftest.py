from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from napari_mito_predict.models import Architecture, Input, Model, ModelCard, ModelTest, Normalisation, Target, Training
from napari_mito_predict.networks.gvtnet import GVTNet
from napari_mito_predict.networks.gvto import GVTO
from napari_mito_predict.networks.unet import UNet


@pytest.fixture(scope="module", autouse=True)
def _small_planes_may_shrink() -> Iterator[None]:
    """Arithmetic is tested on planes of a few pixels; that no real one shrinks to so few is tested with commands."""
    from napari_mito_predict.prediction import fit_sampling

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit_sampling, "_SMALLEST_PLANE", 1)
        yield


class Fake(nn.Module):
    """Adds the target's index to its input; `on_call` may look at the window, or raise."""

    def __init__(self, ndim: int = 3, targets: int = 1, stride: int = 4, field: int = 9) -> None:
        super().__init__()
        self.ndim = ndim
        self.in_channels = 1
        self.out_channels = targets
        self.contexts = 0
        self.fewest_planes = 1
        self.field_axes = (0, 1, 2)[3 - ndim :]
        self.single_precision = False
        self.bytes_per_voxel = None
        self.stride = (stride,) * ndim
        self.receptive_field = (field,) * ndim
        self.offsets = nn.Parameter(torch.arange(targets, dtype=torch.float32))
        self.layer = nn.Identity()
        self.on_call: Callable[[Tensor], Tensor | None] | None = None

    def forward(self, x: Tensor) -> Tensor:
        given = self.on_call(x) if self.on_call is not None else None
        x = self.layer(x if given is None else given)
        return x + self.offsets.reshape(-1, *(1,) * self.ndim)

    def __deepcopy__(self, memo: dict[int, Any]) -> Fake:
        copied = Fake(self.ndim, self.out_channels, self.stride[0], self.receptive_field[0])
        copied.on_call = self.on_call  # shared, so that a test sees what its copies are given
        return copied


@pytest.fixture(scope="session")
def make_model() -> Callable[..., Model]:
    """Model around any network: ``make_model(network, name=..., targets=..., third_axes=..., ...)``."""

    def make(
        network: nn.Module,
        *,
        name: str = "tiny",
        targets: Sequence[str] = ("mitochondria",),
        third_axes: Sequence[str] = ("z",),
        voxel_size_um: tuple[float | None, float, float] = (0.3, 0.1, 0.1),
        clip: tuple[float, float] | None = None,
        simulated: bool = False,
        step: dict[str, float] | None = None,
        tests: Sequence[ModelTest] = (),
        modality: str = "bright-field",
    ) -> Model:
        card = ModelCard(
            name=name,
            title=name,
            targets=tuple(Target(name=target, stain=target.upper()) for target in targets),
            architecture=Architecture(kind="unet"),
            input=Input(
                modality=modality,
                voxel_size_um=voxel_size_um,
                third_axes=tuple(third_axes),
                third_axis_step=step or {},
                normalisation=Normalisation(clip_percentiles=clip),
            ),
            training=Training(data="none", pairs=0, iterations=0),
            tests=tuple(tests),
            simulated=simulated,
        )
        return Model(card, network)

    return make


@pytest.fixture(scope="session")
def make_fake() -> type[Fake]:
    return Fake


@pytest.fixture(scope="session")
def make_unet() -> Callable[..., UNet]:
    """A small U-Net with random weights and random batch-norm statistics, so that every layer matters."""

    def make(ndim: int = 3, depth: int = 2, base_channels: int = 4, seed: int = 0, **arguments: Any) -> UNet:
        return _randomised(UNet(ndim=ndim, depth=depth, base_channels=base_channels, **arguments), seed)

    return make


@pytest.fixture(scope="session")
def make_gvtnet() -> Callable[..., GVTNet]:
    """The same of a GVTNet: ``make_gvtnet(ndim, depth, base_channels, attention="softmax", ...)``."""

    def make(ndim: int = 3, depth: int = 2, base_channels: int = 4, seed: int = 0, **arguments: Any) -> GVTNet:
        network = _randomised(GVTNet(ndim=ndim, depth=depth, base_channels=base_channels, **arguments), seed)
        for module in network.modules():
            if isinstance(module, GVTO):
                # Random operators one after the other are chaotic: they would blow up the rounding of float32.
                module.output.weight.data.mul_(0.1)
        return network

    return make


def _randomised(network: nn.Module, seed: int) -> Any:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            fan = max(parameter[0].numel(), 1) if parameter.ndim > 1 else 4
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * (2 / fan) ** 0.5)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
                module.weight.fill_(1.0)
                module.running_mean.copy_(torch.randn(module.running_mean.shape, generator=generator) * 0.3)
                module.running_var.copy_(0.5 + torch.rand(module.running_var.shape, generator=generator))
    return network.eval()


@pytest.fixture(scope="session")
def noise() -> Callable[..., np.ndarray]:
    """Smooth-ish random 16-bit volume."""

    def make(*shape: int, seed: int = 0) -> np.ndarray:
        rng = np.random.default_rng(seed)
        return rng.integers(100, 60000, shape, dtype=np.uint16)

    return make
