"""What a worker of a cluster does: whole images, and parts of long series. It keeps the models of its batch."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari_mito_predict.prediction.batch.parts import Division, Finished, Part, Sharing, divide, finish, write_part
from napari_mito_predict.prediction.batch.stages import Begun, Computed, Stages

if TYPE_CHECKING:
    from napari_mito_predict.prediction.batch.inputs import Entry
    from napari_mito_predict.prediction.batch.outcome import Outcome
    from napari_mito_predict.prediction.batch.settings import BatchSettings

_opening = threading.Lock()
_computing = threading.Lock()
"""A network uses all threads that its process may use: threads of a worker take turns."""
_kept: list[Stages] = []
"""Of the batch that this worker works for, with its models."""
_planned: dict[tuple[Path, ...], Begun] = {}
"""The image that it had the last part of: a file of terabytes is not opened for each of them."""


def predict_entry(entry: Entry, settings: BatchSettings, sharing: Sharing) -> Outcome | Division:
    """Predict one image in this process; or only begin it, where it is divided."""
    with _opening:
        stages = _stages(settings)
        result: Begun | Computed | Outcome = stages.begin(entry)
    if isinstance(result, Begun):
        division = divide(result, settings, sharing)
        if division is not None:
            return division
        with _computing:
            result = stages.compute(result)
    if isinstance(result, Computed):
        result = stages.finish(result)
    return result


def predict_part(division: Division, settings: BatchSettings, times: range) -> Part:
    """Predict some time points of an image that is divided."""
    planned = _plan(division, settings)
    with _computing:
        return write_part(division, planned, settings, times)


def finish_entry(division: Division, settings: BatchSettings, parts: Sequence[Part]) -> Finished:
    """Complete an image of which all parts are written."""
    return finish(division, _plan(division, settings), settings, parts)


def _stages(settings: BatchSettings) -> Stages:
    if not _kept or _kept[0].settings != settings:
        _kept[:] = [Stages(settings)]
        _planned.clear()
    return _kept[0]


def _plan(division: Division, settings: BatchSettings) -> Begun:
    with _opening:
        stages = _stages(settings)
        if division.folders not in _planned:
            _planned.clear()
            _planned[division.folders] = stages.planned(division.entry)
        return _planned[division.folders]
