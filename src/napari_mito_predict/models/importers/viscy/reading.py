"""From a checkpoint of VisCy to a network of ours, and its card."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_mito_predict.errors import InvalidModelError, UnsupportedModelError
from napari_mito_predict.models.importers.foreign import ForeignModel, Told, require_one_channel
from napari_mito_predict.models.importers.telling import with_preset
from napari_mito_predict.models.importers.viscy.architecture import (
    FCMAE,
    UNEXT2,
    State,
    head_may_pool,
    read_architecture,
)
from napari_mito_predict.models.importers.viscy.card import completed, make_card
from napari_mito_predict.models.importers.viscy.presets import POOLS, PRESETS

if TYPE_CHECKING:
    import numpy.typing as npt
    import torch

    from napari_mito_predict.models.card import Architecture
    from napari_mito_predict.networks import Network

_NETWORK: Final = (UNEXT2, FCMAE)
_OTHERS: Final = {
    "down_conv_block_0.Conv2d_0.weight": "a 2-D U-Net (Unet2d)",
    "down_conv_block_0.Conv3d_0.weight": "a 2.5-D U-Net (Unet25d)",
    "terminal_block.Conv2d_0.weight": "a 2-D U-Net (Unet2d)",
    "terminal_block.Conv3d_0.weight": "a 2.5-D U-Net (Unet25d)",
    "_downsamples.0.weight": "a 3-D U-Net (FNet3D)",
}
"""Other networks of VisCy, by names of weights."""
_COMPILED: Final = "_orig_mod."
_SHOWN: Final = 3


def recognises(content: Mapping[str, Any]) -> bool:
    """Whether a checkpoint holds a network of VisCy."""
    return _network_name(_weights(content)) is not None


def read(content: Mapping[str, Any], path: Path, told: Told) -> ForeignModel:
    """Read a model of VisCy.

    Parameters
    ----------
    content : mapping
        What the checkpoint holds, see `napari_mito_predict.models.importers.checkpoint.load_checkpoint`.
    path : Path
        Of the file.
    told : Told
        What the user says about it.

    Raises
    ------
    UnsupportedModelError
        It cannot be imported.
    ForeignModelError
        It cannot be imported without being told more: all that is missing is listed.
    """
    weights = _weights(content)
    name = _network_name(weights)
    marker = next((marker for marker in (*_NETWORK, *_OTHERS) if name is not None and name.endswith(marker)), None)
    if name is None or marker is None:
        raise UnsupportedModelError("this checkpoint holds no network of VisCy.", file=path)
    if marker in _OTHERS:
        raise UnsupportedModelError(
            f"this is {_OTHERS[marker]} of VisCy, which is not computed here: UNeXt2 and FCMAE are.", file=path
        )
    _refuse_pretraining(content, path)
    state = _without_prefix(weights, name.removesuffix(marker))
    told = with_preset(told, PRESETS, path)
    pools = _pools(state, _settings(content), told, marker)
    architecture = read_architecture(state, bool(pools), path)
    require_one_channel(architecture.arguments["in_channels"], path)
    told = completed(told, architecture, knows_head=pools is not None, path=path)
    card = make_card(content, architecture, told, path)
    return ForeignModel(card, _network(architecture, state, path), _sample_input(architecture))


def _weights(content: Mapping[str, Any]) -> State:
    """All weights of a checkpoint, which may be nothing but weights."""
    import torch

    state = content.get("state_dict", content)
    if not isinstance(state, Mapping):
        return {}
    return {
        name.replace(_COMPILED, ""): weight
        for name, weight in state.items()
        if isinstance(name, str) and isinstance(weight, torch.Tensor)
    }


def _network_name(weights: State) -> str | None:
    """Name of a weight that tells which network it is; of several networks of one kind, that with the shortest name."""
    for marker in (*_NETWORK, *_OTHERS):
        found = [name for name in weights if name == marker or name.endswith(f".{marker}")]
        if found and _is_whole(weights, min(found, key=len).removesuffix(marker), marker):
            return min(found, key=len)
    return None


def _is_whole(weights: State, prefix: str, marker: str) -> bool:
    """Whether there is a way up beside the way down: others use the backbones, too."""
    return marker in _OTHERS or any(name.startswith(f"{prefix}decoder.decoder_stages.") for name in weights)


def _without_prefix(weights: State, prefix: str) -> dict[str, torch.Tensor]:
    """The weights of the network alone, in single precision; 1x1 convolutions within blocks become matrices."""
    state = {}
    for name, weight in weights.items():
        if not name.startswith(prefix):
            continue
        if name.endswith(("mlp.fc1.weight", "mlp.fc2.weight")) and weight.shape[2:] == (1, 1):
            weight = weight.flatten(1)
        state[name.removeprefix(prefix)] = weight.float()
    return state


def _settings(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """The ``model_config`` that newer versions store."""
    hyper_parameters = content.get("hyper_parameters")
    if not isinstance(hyper_parameters, Mapping):
        return {}
    settings = hyper_parameters.get("model_config")
    return settings if isinstance(settings, Mapping) else {}


def _pools(state: State, settings: Mapping[str, Any], told: Told, marker: str) -> bool | None:
    """Whether its head averages neighbouring pixels; None where nobody says so."""
    if not head_may_pool(state):
        return True
    setting, default = ("head_pool", False) if marker == UNEXT2 else ("head_conv_pool", True)
    if settings:
        given = settings.get(setting, default)
        return given if isinstance(given, bool) else None
    return POOLS.get(told.preset or "")


def _refuse_pretraining(content: Mapping[str, Any], path: Path) -> None:
    hyper_parameters = content.get("hyper_parameters")
    if not isinstance(hyper_parameters, Mapping):
        return
    ratio = hyper_parameters.get("fit_mask_ratio")
    if isinstance(ratio, int | float) and ratio > 0:
        raise UnsupportedModelError(
            f"this is an FCMAE from masked pre-training (fit_mask_ratio {ratio:g}): it fills in hidden parts of its "
            "own input, and predicts no stain. Import a model that was trained further on pairs.",
            file=path,
        )


def _network(architecture: Architecture, state: dict[str, torch.Tensor], path: Path) -> Network:
    """Build the network and give it its weights; nothing is allocated before both are known to be of one shape."""
    import torch

    from napari_mito_predict.networks import build_network

    try:
        with torch.device("meta"):
            network = build_network(architecture.kind, architecture.arguments)
    except InvalidModelError as error:
        raise UnsupportedModelError(str(error), file=path) from error
    problems = list(_differences(network.state_dict(), state))
    if problems:
        shown = ", ".join(problems[:_SHOWN])
        raise UnsupportedModelError(
            f"this is no {_TITLES[architecture.kind]} of VisCy as it is known here: {len(problems)} of its weights "
            f"differ, such as {shown}.",
            file=path,
        )
    if not all(bool(weight.isfinite().all()) for weight in state.values()):
        raise UnsupportedModelError("its weights hold NaN or infinite numbers.", file=path)
    network.load_state_dict(state, strict=True, assign=True)
    return network.eval().requires_grad_(False)


def _differences(wanted: State, given: State) -> Iterator[str]:
    for name in sorted(wanted.keys() | given.keys()):
        if name not in given:
            yield f"{name} (missing)"
        elif name not in wanted:
            yield f"{name} (unknown)"
        elif wanted[name].shape != given[name].shape:
            yield f"{name} {tuple(given[name].shape)} instead of {tuple(wanted[name].shape)}"


_TITLES: Final = {"unext2": "UNeXt2", "fcmae": "FCMAE"}


def _sample_input(architecture: Architecture) -> npt.NDArray[np.float32]:
    """Noise for the self-test: one window, of a size that the network can divide."""
    arguments = architecture.arguments
    side = 2 * arguments.get("stem_size", 4) * 2 ** (len(arguments["widths"]) - 1)
    planes = () if arguments["in_stack_depth"] == 1 else (arguments["in_stack_depth"],)
    return np.random.default_rng(0).standard_normal((1, *planes, side, side)).astype(np.float32)
