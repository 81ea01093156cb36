"""What the images trained on look like, summed up for the package of the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_mito_predict.prediction.appearance import Look, look_at, reference_of, sample_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_mito_predict.models.training_images import TrainingImages
    from napari_mito_predict.networks import Network
    from napari_mito_predict.training.data import TrainingData
    from napari_mito_predict.training.pairs import Pair


def look_at_pair(pair: Pair, data: TrainingData, network: Network) -> Look:
    """See what the input of a pair looks like to a network; fields that belong together are held out together."""
    return look_at(pair.input, pair.contrast, network, data.fields.groups.get(pair.field, pair.field))


def training_images_of(data: TrainingData, network: Network, tested: Sequence[Look] = ()) -> TrainingImages | None:
    """Sum up what the fields trained on look like, beside others.

    Parameters
    ----------
    data : TrainingData
        What was trained and validated on. Strips held back of the fields trained on are no other fields.
    network : Network
        The trained one, in evaluation mode, on the CPU.
    tested : sequence of Look
        At test fields.
    """
    held_out = list(tested)
    if data.fields.validation:
        held_out += [look_at_pair(pair, data, network) for pair in sample_of(data.validation)]
    training = [look_at_pair(pair, data, network) for pair in sample_of(data.training)]
    return reference_of(training, held_out)
