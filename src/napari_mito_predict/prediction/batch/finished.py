"""Whether a prediction that is there is the one that would be made now."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from napari_mito_predict.errors import EvaluationError
from napari_mito_predict.models.record import read_record
from napari_mito_predict.prediction.traffic_light import traffic_light

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_mito_predict.models.record import PredictionRecord
    from napari_mito_predict.prediction.traffic_light import TrafficLight

_INPUT: Final = ("size_bytes", "sha256_ends", "scene", "channel", "sizes", "time_points", "z_steps", "voxel_size_um")
"""Of the record's input: what was predicted from. Its path is left out, for a disk may be mounted elsewhere."""
_CHANGES_NO_RESULT: Final = {"tile", "halo"}
"""Of its parameters: they change memory and speed; where they change more, `tiling` says so."""


def is_finished(path: Path, planned: Sequence[PredictionRecord]) -> bool:
    """Whether the file at `path` is what a plan would make.

    Files are written whole or not at all, so that one that is there with its record is complete.

    Parameters
    ----------
    path : Path
        Where it would be written.
    planned : sequence of PredictionRecord
        Of the outputs that go there.
    """
    if not path.exists():
        return False
    try:
        record = read_record(path)
    except EvaluationError:  # damaged, or written by a newer version
        return False
    if record is None:
        return False
    channels = record.channels or (record,)
    return [_essence(each) for each in channels] == [_essence(each) for each in planned]


def stored_lights(path: Path) -> dict[str, TrafficLight]:
    """The traffic lights of a prediction that is there, by model, as they were when it was made; none of older ones."""
    try:
        record = read_record(path)
    except EvaluationError:
        return {}
    channels = () if record is None else record.channels or (record,)
    lit = [channel for channel in channels if channel.light]
    return {channel.model.name: traffic_light(channel.model.name, channel.findings) for channel in lit}


def _essence(record: PredictionRecord) -> dict[str, Any]:
    """All that a result depends on."""
    return {
        "target": record.target,
        "weights": record.model.weights_sha256,
        "input": record.input.model_dump(mode="json", include=set(_INPUT)),
        "parameters": record.parameters.model_dump(mode="json", exclude=_CHANGES_NO_RESULT),
    }
