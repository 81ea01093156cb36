"""Reading models of pytorch_fnet.

Two formats, ``release_1`` and ``master``, hold the same U-Net; Lightning checkpoints and bare weights with its names
are read as well. The file tells the network, and hardly anything else: the rest is told by the user, a preset, or
``train_options.json`` beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_mito_predict.errors import UnsupportedModelError
from napari_mito_predict.models.importers.allen.card import completed, make_card
from napari_mito_predict.models.importers.allen.presets import PRESETS
from napari_mito_predict.models.importers.allen.train_options import read_train_options
from napari_mito_predict.models.importers.allen.unet_weights import UNetWeights, has_unet_names, read_unet_weights
from napari_mito_predict.models.importers.foreign import ForeignModel, Told, require_one_channel
from napari_mito_predict.models.importers.telling import with_preset

if TYPE_CHECKING:
    import numpy.typing as npt

_STATES: Final = ("nn_state", "state_dict", "model_state_dict", "model", "net", "network")
"""Parts of a checkpoint that weights are kept in, by this program and by others."""
_SMALLEST_SAMPLE: Final = 16
_NO_LICENCE: Final = "Nobody stated a licence for these weights"
_LICENCE_OF_PROGRAM: Final = (
    "the program that they were trained with is under the Allen Institute licence, which allows no commercial use"
)
_VARIANCE_NOTE: Final = "The second output of the network, the logarithm of a variance, was left out."


def recognises(content: Mapping[str, Any]) -> bool:
    """Whether a checkpoint is one of pytorch_fnet, or holds a network with the names of its."""
    if "nn_state" in content or "fnet_model_class" in content:
        return True
    return has_unet_names(content) or any(has_unet_names(content.get(name)) for name in _STATES)


def read(content: Mapping[str, Any], path: Path, told: Told) -> ForeignModel:
    """Read a model of pytorch_fnet.

    Parameters
    ----------
    content : mapping
        What the checkpoint holds, see `napari_mito_predict.models.importers.checkpoint.load_checkpoint`.
    path : Path
        Of the file; ``train_options.json`` is looked for beside it.
    told : Told
        What the user says about it.

    Raises
    ------
    UnsupportedModelError
        It cannot be imported.
    ForeignModelError
        Not without being told more: all that is missing is listed.
    """
    weights = read_unet_weights(_state(content, path), path)
    require_one_channel(weights.arguments["in_channels"], path)
    has_variance = _has_variance(content, weights)
    if has_variance:
        weights = _without_second_output(weights)
    options = read_train_options(path)
    told = completed(with_preset(told, PRESETS, path), options, weights, path)
    notes = [*options.notes, *_notes(content, told, has_variance)]
    card = make_card(content, weights, told, " ".join(notes), path)
    return ForeignModel(card, weights.network(), _sample_input(weights))


def _state(content: Mapping[str, Any], path: Path) -> Mapping[Any, Any]:
    """The weights, wherever in the checkpoint they are."""
    settings = content.get("fnet_model_kwargs")
    if isinstance(settings, dict) and "paths_model" in settings:
        raise UnsupportedModelError(
            "this is an ensemble of pytorch_fnet: it holds no weights, but says where its members were on the computer "
            "it was made on. Import the model.p of each member by itself.",
            file=path,
        )
    candidates = [content.get(name) for name in _STATES]
    for state in [*candidates, content]:
        if has_unet_names(state):
            return state
    raise UnsupportedModelError(f"this checkpoint of pytorch_fnet holds no U-Net: {_held(content)}.", file=path)


def _held(content: Mapping[str, Any]) -> str:
    """What a checkpoint holds instead of a U-Net."""
    state = content.get("nn_state")
    if not isinstance(state, dict) or not state:
        return "there are no weights in it"
    names = ", ".join(f"{name!r:.60}" for name in list(state)[:3])
    return f"its network, {content.get('nn_module', 'of another kind')!r:.60}, has weights called {names}"


def _has_variance(content: Mapping[str, Any], weights: UNetWeights) -> bool:
    """Whether the second output is no image, but how uncertain the first one is."""
    settings = content.get("fnet_model_kwargs")
    criterion = settings.get("criterion_class") if isinstance(settings, dict) else None
    return weights.arguments["out_channels"] == 2 and str(criterion).endswith("HeteroscedasticLoss")


def _without_second_output(weights: UNetWeights) -> UNetWeights:
    last = {name: value[:1] for name, value in weights.state.items() if name.startswith("conv_out.")}
    return UNetWeights(weights.arguments | {"out_channels": 1}, weights.state | last)


def _notes(content: Mapping[str, Any], told: Told, has_variance: bool) -> Iterator[str]:
    """What the card says beside its fields."""
    if has_variance:
        yield _VARIANCE_NOTE
    if not told.licence:
        by_pytorch_fnet = "nn_state" in content
        yield f"{_NO_LICENCE}; {_LICENCE_OF_PROGRAM}." if by_pytorch_fnet else f"{_NO_LICENCE}."


def _sample_input(weights: UNetWeights) -> npt.NDArray[np.float32]:
    """Noise for the self-test, of a size that the network can divide."""
    stride = 2**weights.depth
    size = -(-_SMALLEST_SAMPLE // stride) * stride
    shape = (1,) + (size,) * weights.arguments["ndim"]
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)
