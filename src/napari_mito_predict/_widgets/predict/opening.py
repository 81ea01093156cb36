"""Opening files for the first step, in a worker thread: one that cannot be read does not stop the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_mito_predict._widgets.common.file_layers import file_layers
from napari_mito_predict._widgets.common.worker import Failure, describe
from napari_mito_predict.errors import MitoPredictError
from napari_mito_predict.image import ImageSource, open_image

if TYPE_CHECKING:
    from napari_mito_predict._widgets.common.file_layers import LayerData
    from napari_mito_predict._widgets.common.worker import Work


@dataclass(frozen=True)
class Opened:
    """A file, and what its layers are to be made of."""

    source: ImageSource
    layers: list[LayerData]


@dataclass(frozen=True)
class NotOpened:
    """A file that cannot be read, and why."""

    path: Path
    failure: Failure


@dataclass(frozen=True)
class Part:
    """Which part of a file is opened; None for the first scene, and for all that is complete of it."""

    scene: int | None = None
    times: range | None = None
    planes: range | None = None


ALL = Part()


def opening(paths: Sequence[Path], part: Part) -> Work:
    """Work that opens files, and yields `Opened` or `NotOpened` for each."""

    def work(should_stop: Callable[[], bool]) -> Iterator[object]:
        for path in paths:
            if should_stop():
                return
            try:
                whole = open_image(path, scene=part.scene)
                source = _part_of(whole, part)
                yield Opened(source, file_layers(source, for_overlay=True))
            except MitoPredictError as error:
                yield NotOpened(path, describe(error))

    return work


def _part_of(whole: ImageSource, part: Part) -> ImageSource:
    if part.times is None and part.planes is None:
        return whole.complete_part()
    return whole.crop(times=part.times, planes=part.planes)
