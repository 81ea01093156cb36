"""The weights of a package: from bytes to a network, and what it gives."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, BinaryIO, cast

import numpy as np

from napari_mito_predict.errors import DamagedModelError, InvalidModelError
from napari_mito_predict.models.graphs import GRAPH
from napari_mito_predict.models.safetensors_header import StoredTensor, read_header

if TYPE_CHECKING:
    import torch

    from napari_mito_predict.models.card import ModelCard, WeightsFile
    from napari_mito_predict.networks import Network

_MOST_NAMED = 5
_SHOWN = 60


def check_weights(card: ModelCard, stream: BinaryIO, size: int, source: str) -> None:
    """Compare what a weights file says of itself with the network of the card, before memory is taken for either.

    Parameters
    ----------
    card : ModelCard
        Of the model.
    stream : binary file
        The weights, at their beginning.
    size : int
        Bytes of all of them.
    source : str
        Named in messages.

    Raises
    ------
    DamagedModelError
        It is no weights file.
    InvalidModelError
        Names, shapes or types are not those of the network, or it has more or fewer outputs than targets.
    """
    if card.architecture.kind == GRAPH:  # looked at when it is loaded
        return

    import torch

    from napari_mito_predict.networks import build_network

    stored = read_header(stream, size, source)
    with torch.device("meta"):  # shapes alone
        network = build_network(card.architecture.kind, card.architecture.arguments)
    if network.out_channels != len(card.targets):
        raise InvalidModelError(
            f"{source}: {network.out_channels} outputs but {len(card.targets)} targets on the card."
        )
    _require_same(network.state_dict(), stored, source)


def load_network(card: ModelCard, weights: bytes, source: str) -> Network:
    """Build the card's network and load the `weights`, strictly; `source` is named in messages.

    Raises
    ------
    DamagedModelError, InvalidModelError
        See `check_weights`; or the weights hold numbers that are not finite.
    """
    if card.architecture.kind == GRAPH:
        from napari_mito_predict.models.graphs.network import load_graph

        return load_graph(card, weights, source)
    from safetensors import SafetensorError
    from safetensors.torch import load

    from napari_mito_predict.networks import build_network

    check_weights(card, io.BytesIO(weights), len(weights), source)
    try:
        tensors = load(weights)
    except SafetensorError as error:
        raise DamagedModelError(f"{source}: the weights cannot be read ({error}).") from error
    # Counters of batch normalisation are whole numbers: they can be neither NaN nor half precision.
    single = {name: tensor.float() for name, tensor in tensors.items() if tensor.is_floating_point()}
    if not all(bool(tensor.isfinite().all()) for tensor in single.values()):
        raise InvalidModelError(f"{source}: the weights hold NaN or infinite numbers.")
    network = build_network(card.architecture.kind, card.architecture.arguments)
    network.load_state_dict(tensors | single, strict=True)
    network.eval().requires_grad_(False)
    return network


def _require_same(wanted: Mapping[str, torch.Tensor], given: Mapping[str, StoredTensor], source: str) -> None:
    expected = {name: (tuple(tensor.shape), tensor.is_floating_point()) for name, tensor in wanted.items()}
    found = {name: (tensor.shape, tensor.is_floating_point) for name, tensor in given.items()}
    names = expected.keys() | found.keys()
    wrong = sorted(name for name in names if expected.get(name) != found.get(name))
    if wrong:
        first = ", ".join(ascii(name[:_SHOWN])[1:-1] for name in wrong[:_MOST_NAMED])
        raise InvalidModelError(f"{source}: weights do not fit the network; first of {len(wrong)}: {first}.")


def forward(network: Network, image: np.ndarray) -> np.ndarray:
    """Predict one normalised image ``(C, *spatial)``: float32, ``(targets, *spatial)``."""
    import torch

    batch = torch.from_numpy(np.ascontiguousarray(image))[None]
    with torch.inference_mode():
        output: np.ndarray = network(batch)[0].float().numpy()
    return output


def to_file(network: Network, precision: str) -> tuple[WeightsFile, bytes]:
    """The file of a package that holds the weights of a network, and its content; see `save_model`."""
    from safetensors.torch import save

    if network.stored is not None:
        file, content = network.stored
        return cast("WeightsFile", file), content
    tensors = {name: _to_stored(tensor, precision) for name, tensor in network.state_dict().items()}
    return "weights.safetensors", save(tensors, metadata={"format": "pt"})


def _to_stored(tensor: torch.Tensor, precision: str) -> torch.Tensor:
    """A copy of a weight on the CPU, in the precision it is stored in; see `save_model`."""
    import torch

    tensor = tensor.detach().cpu().contiguous()
    if precision == "float16" and tensor.is_floating_point() and tensor.ndim > 1:
        return tensor.to(torch.float16)
    return tensor.clone()
