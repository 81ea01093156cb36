"""The weights of a package: from bytes to a network, and what it gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from napari_mito_predict.errors import DamagedModelError, InvalidModelError

if TYPE_CHECKING:
    import torch

    from napari_mito_predict.models.card import ModelCard
    from napari_mito_predict.networks import Network


def load_network(card: ModelCard, weights: bytes, source: str) -> Network:
    """Build the card's network and load the `weights`, strictly; `source` is named in messages."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    from napari_mito_predict.networks import build_network

    try:
        tensors = load(weights)
    except SafetensorError as error:
        raise DamagedModelError(f"{source}: the weights cannot be read ({error}).") from error
    network = build_network(card.architecture.kind, card.architecture.arguments)
    _require_same_shapes(network.state_dict(), tensors, source)
    if network.out_channels != len(card.targets):
        raise InvalidModelError(
            f"{source}: {network.out_channels} outputs but {len(card.targets)} targets on the card."
        )
    # Counters of batch normalisation are whole numbers: they can be neither NaN nor half precision.
    fractional = {name: tensor for name, tensor in tensors.items() if tensor.is_floating_point()}
    if not all(bool(tensor.isfinite().all()) for tensor in fractional.values()):
        raise InvalidModelError(f"{source}: the weights hold NaN or infinite numbers.")
    single = {name: tensor.float() for name, tensor in fractional.items()}
    network.load_state_dict(tensors | single, strict=True)
    network.eval().requires_grad_(False)
    return network


def _require_same_shapes(wanted: Mapping[str, torch.Tensor], given: Mapping[str, torch.Tensor], source: str) -> None:
    wanted_shapes = {name: tuple(tensor.shape) for name, tensor in wanted.items()}
    given_shapes = {name: tuple(tensor.shape) for name, tensor in given.items()}
    names = wanted_shapes.keys() | given_shapes.keys()
    wrong = sorted(name for name in names if wanted_shapes.get(name) != given_shapes.get(name))
    if wrong:
        raise InvalidModelError(
            f"{source}: weights do not fit the network; first of {len(wrong)}: {', '.join(wrong[:5])}."
        )


def forward(network: Network, image: np.ndarray) -> np.ndarray:
    """Predict one normalised image ``(C, *spatial)``: float32, ``(targets, *spatial)``."""
    import torch

    batch = torch.from_numpy(np.ascontiguousarray(image))[None]
    with torch.inference_mode():
        output: np.ndarray = network(batch)[0].float().numpy()
    return output


def to_stored(tensor: torch.Tensor, precision: str) -> torch.Tensor:
    """A copy of a weight on the CPU, in the precision it is stored in; see `save_model`."""
    import torch

    tensor = tensor.detach().cpu().contiguous()
    if precision == "float16" and tensor.is_floating_point() and tensor.ndim > 1:
        return tensor.to(torch.float16)
    return tensor.clone()
