"""The two ways to predict: everything at once, or block by block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_mito_predict.prediction.execute import run
from napari_mito_predict.prediction.looking import look as look_at_pixels
from napari_mito_predict.prediction.plan import plan_prediction
from napari_mito_predict.prediction.run_state import RunContext

if TYPE_CHECKING:
    from napari_mito_predict.image import ChannelRole, ImageSource
    from napari_mito_predict.models import Model
    from napari_mito_predict.prediction.result import Block, Prediction
    from napari_mito_predict.prediction.run_state import Cancel, OnProgress


def predict(
    image_or_array: ImageSource | str | Path | Any,
    model_or_models: Model | str | Path | Iterable[Model | str | Path],
    *,
    channel: int | str | ChannelRole | None = None,
    scene: int | str | None = None,
    times: range | None = None,
    planes: range | None = None,
    voxel_size_um: Sequence[float | None] | None = None,
    resample: bool = True,
    device: str = "auto",
    precision: str = "auto",
    tile: str | tuple[int, int, int] = "auto",
    tta: bool = False,
    look: bool = True,
    on_progress: OnProgress | None = None,
    cancel: Cancel | None = None,
) -> dict[str, Prediction]:
    """Predict fluorescence from transmitted light.

    Parameters
    ----------
    image_or_array : ImageSource, path, or array
        An image; or an array (Y, X), (D, Y, X) with D the model's third axis, or (T, Z, Y, X), of any real dtype.
    model_or_models : Model, name or path, or several
        What to predict with. Several models share reading and preparation of the image.
    channel : int, str or ChannelRole, optional
        The transmitted-light channel of an image; found by its role when absent.
    scene : int or str, optional
        Scene of an image that has several.
    times, planes : range, optional
        Only these time points and Z steps of an image, such as ``range(0, 2)`` for the first two.
    voxel_size_um : tuple of float, optional
        z, y, x in micrometres, where the image does not know or is wrong. Unknown: the model's own sampling.
    resample : bool
        Give each model the image at the voxel size that it was trained at, where both are known.
    device : {"auto", "cpu", "cuda", "cuda:N", "mps"}
        Where to compute.
    precision : {"auto", "32", "bf16", "16"}
        Of the convolutions; ``"auto"`` is what this device is fast in.
    tile : {"auto", "whole"} or tuple of int
        Parts to predict at a time, (D, Y, X) without context. It changes memory and speed, not the result (but of
        softmax attention, which is said then).
    tta : bool
        Test-time augmentation: give the mean of the predictions of all eight flips and quarter turns in y, x, each
        turned back. Eight times the work, hardly more memory, and slightly better.
    look : bool
        Look at a little of the image first: is it like those that the models were trained on? What is found goes into
        the record, and nothing else changes.
    on_progress : callable, optional
        Called with tiles done, tiles in all, and a message.
    cancel : callable, optional
        Asked before every layer of the network; True stops.

    Returns
    -------
    dict of str to Prediction
        By target name; ``target/model`` where several models give one target. ``.data`` is float32, on the grid of
        the input: an array's shape; of an image (Z, Y, X), or (T, Z, Y, X) when it has several time points.

    Raises
    ------
    MitoPredictError
        A subclass that says what is wrong: `ModelMismatchError`, `ImageContentError` (NaN, no contrast),
        `UnsupportedImageError`, `ChannelNotFoundError`, `AmbiguousChannelError`, `DeviceUnavailableError`,
        `InsufficientMemoryError`, `PredictionError`, `PredictionCancelled`, ...
    """
    plan = plan_prediction(
        image_or_array,
        model_or_models,
        channel=channel,
        scene=scene,
        times=times,
        planes=planes,
        voxel_size_um=voxel_size_um,
        resample=resample,
        device=device,
        precision=precision,
        tile=tile,
        tta=tta,
    )
    if look:
        plan = look_at_pixels(plan, cancel)
    return run(plan, RunContext(on_progress, cancel)).predict()


def iter_predict(
    image_or_array: ImageSource | str | Path | Any,
    model_or_models: Model | str | Path | Iterable[Model | str | Path],
    *,
    channel: int | str | ChannelRole | None = None,
    scene: int | str | None = None,
    times: range | None = None,
    planes: range | None = None,
    voxel_size_um: Sequence[float | None] | None = None,
    resample: bool = True,
    device: str = "auto",
    precision: str = "auto",
    tile: str | tuple[int, int, int] = "auto",
    tta: bool = False,
    look: bool = True,
    on_progress: OnProgress | None = None,
    cancel: Cancel | None = None,
) -> Iterator[Block]:
    """Predict block by block: each block is final and lies on the grid of the input. Takes what `predict` takes.

    Close the iterator to stop early; memory and device are released then.

    Yields
    ------
    Block
        All blocks of an output together cover it once.
    """
    plan = plan_prediction(
        image_or_array,
        model_or_models,
        channel=channel,
        scene=scene,
        times=times,
        planes=planes,
        voxel_size_um=voxel_size_um,
        resample=resample,
        device=device,
        precision=precision,
        tile=tile,
        tta=tta,
    )
    if look:
        plan = look_at_pixels(plan, cancel)
    for block in run(plan, RunContext(on_progress, cancel)).blocks():
        if plan.device.kind == "cuda":  # it copies to page-locked memory, which is not for keeping
            block = replace(block, data=block.data.copy())
        yield block
