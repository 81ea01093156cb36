"""The network that a training begins with: the start model's, or a new one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from napari_mito_predict.errors import TrainingError
from napari_mito_predict.models import Model, Normalisation, load_model
from napari_mito_predict.networks import Network, build_network
from napari_mito_predict.networks.planar import planar
from napari_mito_predict.networks.unet import UNet
from napari_mito_predict.training.config_parts import NetworkConfig
from napari_mito_predict.training.sampling import require_trainable

if TYPE_CHECKING:
    from napari_mito_predict.training.config import TrainingConfig


def start_network(config: TrainingConfig, ndim: int) -> Network:
    """The network to begin with, for `ndim`-dimensional fields: the start model's, or a new one.

    Raises
    ------
    TrainingError
        It does not fit the data.
    """
    if config.start_from:
        network = start_model(config.start_from, ndim).network
        network.requires_grad_(True)
    else:
        shape = config.network or NetworkConfig()
        network = build_network(shape.kind, shape.arguments(ndim, len(config.targets)))
    if network.ndim != ndim or network.out_channels != len(config.targets):
        raise TrainingError(
            f"The network is {network.ndim}-D with {network.out_channels} targets, the data {ndim}-D with "
            f"{len(config.targets)}. Choose another start model, or other targets."
        )
    return network


def of_normalised(model: Model) -> Model:
    """The same model, for inputs that are normalised already: z-scores are their own, and others are not touched."""
    if model.card.input.normalisation.kind == "zscore":
        return model
    as_given = Normalisation(kind="fixed", offset=0.0, scale=1.0)
    input_card = model.card.input.model_copy(update={"normalisation": as_given})
    return replace(model, card=model.card.model_copy(update={"input": input_card}))


def start_model(name_or_path: str, ndim: int) -> Model:
    """A model to start from; a U-Net of stacks or series is made one of single planes where `ndim` is 2.

    Raises
    ------
    UnknownModelError, DamagedModelError, InvalidModelError
        There is no such model, or it cannot be used.
    TrainingError
        Its network is not one that is trained here.
    """
    model = load_model(name_or_path)
    require_trainable(model.card)
    if ndim != 2 or not isinstance(model.network, UNet) or model.network.ndim != 3:
        return model
    architecture = model.card.architecture
    card = model.card.model_copy(
        update={
            "architecture": architecture.model_copy(update={"arguments": architecture.arguments | {"ndim": 2}}),
            "input": model.card.input.model_copy(
                update={
                    "third_axes": (),
                    "third_axis_step": {},
                    "voxel_size_um": (None, *model.card.input.voxel_size_um[1:]),
                }
            ),
        }
    )
    return Model(card, planar(model.network))
