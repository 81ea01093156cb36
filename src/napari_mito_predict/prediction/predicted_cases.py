"""Predictions made on the spot, each set beside the truth in the very image it was made from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from napari_mito_predict.errors import MitoPredictError, PredictionCancelled
from napari_mito_predict.evaluation.cases import Case, field_name, find_truth, refuse_predicted_truth
from napari_mito_predict.image import ChannelRole, from_array, open_image
from napari_mito_predict.prediction.predictor import predict

if TYPE_CHECKING:
    from napari_mito_predict.evaluation.case_files import CaseFiles
    from napari_mito_predict.image import ImageSource
    from napari_mito_predict.models import Model
    from napari_mito_predict.prediction.result import Prediction


def predict_cases(
    files: CaseFiles, models: Sequence[Model], on_progress: Callable[[int, int, str], None]
) -> Iterator[Case]:
    """Predict each truth image with all models, one image after the other.

    Parameters
    ----------
    files : CaseFiles
        Their truths are predicted; gets those that cannot be, with the reason.
    models : sequence of Model
    on_progress : callable
        ``(done, total, message)``, for each image from 0.

    Raises
    ------
    PredictionCancelled
        By `on_progress`.
    """
    for path in files.truths:
        try:
            image = open_image(path, scene=files.scene)
            _refuse_without_recorded_truth(image, files)
            for prediction in predict(image, models, on_progress=on_progress).values():
                yield _beside_truth(prediction, image, files)
        except PredictionCancelled:
            raise
        except MitoPredictError as error:
            files.skip(path, error)


def _refuse_without_recorded_truth(image: ImageSource, files: CaseFiles) -> None:
    """Before anything is computed: whatever could be the truth is a prediction."""
    if files.allow_prediction_as_truth:
        return
    possible = [channel for channel in image.channels if channel.role is not ChannelRole.TRANSMITTED]
    if files.truth_channel is not None:
        possible = [image.channel(files.truth_channel)]
    if possible and all(channel.prediction is not None for channel in possible):
        refuse_predicted_truth(image, possible[0])


def _beside_truth(prediction: Prediction, image: ImageSource, files: CaseFiles) -> Case:
    output = prediction.output
    record = prediction.record
    predicted = from_array(
        prediction.data,
        axes=output.axes,
        channel_names=[output.title],
        voxel_size_um=output.voxel_size_um,
        time_step_s=output.time_step_s,
        name=output.title,
    )
    if files.truth_channel is None:
        channel = find_truth(predicted, image, record)
    else:
        channel = image.channel(files.truth_channel)
    if not files.allow_prediction_as_truth:
        refuse_predicted_truth(image, channel)
    light_channel = 0
    if record.input.channel:
        light_channel = record.input.channel.index
    return Case(
        field=field_name(image),
        target=prediction.target,
        model=prediction.model,
        prediction=predicted,
        prediction_name=f"{image.path}, predicted now with {prediction.model}",
        truth=image,
        channel=channel,
        light=image,
        light_channel=light_channel,
        record=record,
        disclaimer=output.disclaimer,
    )
