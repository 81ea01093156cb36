"""U-Nets from the weights of pytorch_fnet and what descends from it: the names and shapes tell all of the architecture.

The names are those of `napari_mito_predict.networks.unet`: ``net_recurse``, once more ``sub_u`` for each level further
down, and ``conv_out``.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeGuard

from napari_mito_predict.errors import InvalidModelError, UnsupportedModelError

if TYPE_CHECKING:
    import torch

    from napari_mito_predict.networks import Network

_RECURSE = "net_recurse."
_FIRST: Final = f"{_RECURSE}sub_2conv_more.conv1.weight"
_LAST: Final = "conv_out.weight"
_COUNTER = "num_batches_tracked"
_BESIDE: Final = re.compile(r"(criterion|loss|\w*metric|discriminator|optimizer|lr_scheduler)", re.IGNORECASE)
"""What else a training program may keep the weights of, where all of the network is in one part of its own."""
_SHOWN = 3


@dataclass(frozen=True)
class UNetWeights:
    """A network in the file of another program.

    Attributes
    ----------
    arguments : dict
        For ``build_network("unet", arguments)``.
    state : dict of str to Tensor
        By the names of our network, float32, without the counters of batch normalisation.
    """

    arguments: dict[str, int]
    state: dict[str, torch.Tensor]

    @property
    def depth(self) -> int:
        """Number of levels below the top one."""
        return self.arguments["depth"]

    def network(self) -> Network:
        """Build the network with its weights as float32, in evaluation mode."""
        from napari_mito_predict.networks import build_network

        network = build_network("unet", self.arguments)
        counters = {name: value for name, value in network.state_dict().items() if name.endswith(_COUNTER)}
        network.load_state_dict(counters | self.state, strict=True)
        return network.eval().requires_grad_(False)


def has_unet_names(state: object) -> TypeGuard[Mapping[Any, Any]]:
    """Whether these may be the weights of such a network, by a name among them."""
    return isinstance(state, Mapping) and any(isinstance(name, str) and name.endswith(_FIRST) for name in state)


def read_unet_weights(state: Mapping[Any, Any], path: Path) -> UNetWeights:
    """Find out the architecture that weights are of, and check that they are all there.

    Parameters
    ----------
    state : mapping of str to Tensor
        As in the file: the names may have a prefix in common, such as ``module.`` of networks on several GPUs.
    path : Path
        Of the file, for messages.

    Raises
    ------
    UnsupportedModelError
        They are of another network, or are no weights.
    """
    weights = _tensors(_within_prefix(state, path), path)
    arguments = _arguments(weights, path)
    _require_fit(arguments, weights, path)
    return UNetWeights(arguments, {name: _single_precision(name, value, path) for name, value in weights.items()})


def _within_prefix(state: Mapping[Any, Any], path: Path) -> dict[str, Any]:
    """The part of the weights that is the network, by names without their prefix."""
    names = [name for name in state if isinstance(name, str)]
    prefixes = [name.removesuffix(_FIRST) for name in names if name.endswith(_FIRST)]
    if len(prefixes) != 1:
        raise _other_network(f"it holds {len(prefixes)} such networks, called {_some(prefixes)}", path)
    prefix = prefixes[0]
    beside = [name for name in names if not name.startswith(prefix) and not _BESIDE.match(name)]
    if len(names) < len(state):
        raise _other_network("some of its weights have a number instead of a name", path)
    if beside:
        raise _other_network(f"it has more parts: {_some(beside)}", path)
    return {name.removeprefix(prefix): state[name] for name in names if name.startswith(prefix)}


def _tensors(state: Mapping[str, Any], path: Path) -> dict[str, torch.Tensor]:
    """Leave out the counters of batch normalisation: older versions of torch had none, and predicting needs none."""
    weights = {name: value for name, value in state.items() if not name.endswith(_COUNTER)}
    wrong = [name for name, value in weights.items() if not _is_plain(value)]
    if wrong:
        raise UnsupportedModelError(
            f"what the file holds as {_some(wrong)} are no plain weights; sparse and quantised ones are not read.",
            file=path,
        )
    not_real = [name for name, value in weights.items() if not value.is_floating_point()]
    if not_real:
        dtypes = sorted({str(weights[name].dtype).removeprefix("torch.") for name in not_real})
        raise UnsupportedModelError(
            f"weights are real numbers, and {_some(not_real)} are of type {', '.join(dtypes)}.", file=path
        )
    return weights


def _is_plain(value: object) -> bool:
    import torch

    return isinstance(value, torch.Tensor) and value.layout == torch.strided and not value.is_quantized


def _arguments(weights: Mapping[str, torch.Tensor], path: Path) -> dict[str, int]:
    first = weights[_FIRST]
    last = weights.get(_LAST)
    if last is None or last.ndim != first.ndim or first.ndim not in (4, 5):
        raise _other_network(f"'{_FIRST}' and '{_LAST}' have to be convolutions of planes or of volumes", path)
    base_channels, in_channels = first.shape[:2]
    depth = max(name.count("sub_u.") for name in weights)
    convs_per_level = next(
        number - 1 for number in itertools.count(1) if f"{_RECURSE}sub_2conv_more.conv{number}.weight" not in weights
    )
    return {
        "ndim": first.ndim - 2,
        "depth": depth,
        "base_channels": base_channels,
        "convs_per_level": convs_per_level,
        "in_channels": in_channels,
        "out_channels": last.shape[0],
    }


def _require_fit(arguments: Mapping[str, int], weights: Mapping[str, torch.Tensor], path: Path) -> None:
    """Compare names and shapes with those of the network, which takes no memory for it."""
    import torch

    from napari_mito_predict.networks import build_network

    try:
        with torch.device("meta"):
            wanted = build_network("unet", arguments).state_dict()
    except InvalidModelError as error:
        raise _other_network(f"no network of ours can have its sizes. {error}".rstrip("."), path) from error
    wanted_shapes = {name: tuple(value.shape) for name, value in wanted.items() if not name.endswith(_COUNTER)}
    given_shapes = {name: tuple(value.shape) for name, value in weights.items()}
    missing = sorted(wanted_shapes.keys() - given_shapes.keys())
    more = sorted(given_shapes.keys() - wanted_shapes.keys())
    other = sorted(name for name, shape in wanted_shapes.items() if given_shapes.get(name, shape) != shape)
    problems = {"these are missing": missing, "these are too many": more, "these have another shape": other}
    found = [f"{problem}: {_some(names)}" for problem, names in problems.items() if names]
    if found:
        raise _other_network(f"of its weights {'; '.join(found)}", path)


def _single_precision(name: str, value: torch.Tensor, path: Path) -> torch.Tensor:
    single = value.float()
    if not bool(single.isfinite().all()):
        raise UnsupportedModelError(
            f"the weights '{name}' hold NaN or infinite numbers: the training diverged, or the file is damaged. "
            "Take an earlier checkpoint.",
            file=path,
        )
    return single


def _other_network(reason: str, path: Path) -> UnsupportedModelError:
    return UnsupportedModelError(f"this is not the U-Net of pytorch_fnet: {reason}.", file=path)


def _some(names: list[str]) -> str:
    """The first few of some names, whatever is in them."""
    shown = ", ".join(f"{name!r:.80}" for name in names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown
