"""What an importer is told, and what it gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_mito_predict.errors import UnsupportedModelError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from napari_mito_predict.models.card import ModelCard, Normalisation, Target, ThirdAxis
    from napari_mito_predict.networks import Network


@dataclass(frozen=True)
class Told:
    """What the user says about a model, because its file does not; None for what was not said.

    Attributes
    ----------
    preset : str
        Name of a published model, or of a way of training, that the rest is taken from.
    name, title, licence, trained_on : str
        As on the card.
    targets : tuple of Target
        One for each output of the network.
    voxel_size_um : tuple of float or None
        (z, y, x) that it was trained at; None for what is not known.
    third_axes : tuple of {"z", "t"}
        As on the card; ``()`` for a model of single planes.
    normalisation : Normalisation
        Of the input.
    modality : str
        Kind of transmitted light.
    simulated : bool
        Whether it was trained on simulated cells.
    trust : bool
        Whether code that comes with the file may be run.
    """

    preset: str | None = None
    name: str | None = None
    title: str | None = None
    licence: str | None = None
    trained_on: str | None = None
    targets: tuple[Target, ...] | None = None
    voxel_size_um: tuple[float | None, float | None, float | None] | None = None
    third_axes: tuple[ThirdAxis, ...] | None = None
    normalisation: Normalisation | None = None
    modality: str | None = None
    simulated: bool | None = None
    trust: bool = False


@dataclass(frozen=True)
class ForeignModel:
    """A model of another program, ready to be written as a package with `napari_mito_predict.models.save_model`.

    Attributes
    ----------
    card : ModelCard
        Its origin is filled in, but for the fingerprint of the file.
    network : Network
        With its weights, in evaluation mode, on the CPU.
    sample_input : ndarray, float32, (C, *spatial)
        Normalised, for the self-test.
    """

    card: ModelCard
    network: Network
    sample_input: np.ndarray


def require_one_channel(channels: int, path: Path) -> None:
    """Raise `UnsupportedModelError` for a network that is given several image channels."""
    if channels != 1:
        raise UnsupportedModelError(
            f"this network is given {channels} channels at once, and only one can be given here. Train a model of one "
            "channel, or ask its authors for one.",
            file=path,
        )
