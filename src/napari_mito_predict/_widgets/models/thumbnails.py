"""A small picture of what a model does: its own, or the sample of its self-test beside what it gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from napari.utils.colormaps import AVAILABLE_COLORMAPS
from qtpy.QtCore import QObject, QSize, Qt, Signal
from qtpy.QtGui import QColor, QImage, QPainter

from napari_mito_predict._widgets.common.worker import Job
from napari_mito_predict.errors import DamagedModelError
from napari_mito_predict.models.files import SAMPLE, open_package
from napari_mito_predict.models.sample import decode_sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_mito_predict._widgets.common.worker import Work
    from napari_mito_predict.models.card import ModelCard, Target
    from napari_mito_predict.models.registry import ModelInfo

SIDE = 56
"""Pixels of each of the two planes on screen."""
GAP = 4
SIZE = QSize(2 * SIDE + GAP, SIDE)
SCALE = 2
"""Pixels drawn for each of these, for sharp screens."""
_SMOOTH = Qt.TransformationMode.SmoothTransformation
_INPUT_PERCENTILES = (0.5, 99.5)
_OUTPUT_PERCENTILES = (2, 99.8)

Key = tuple[str, str]
"""Path, and fingerprint of the weights."""


class Drawn(NamedTuple):
    """A finished picture; None where there is nothing to show."""

    key: Key
    image: QImage | None


class Thumbnails(QObject):
    """Draws pictures in a worker, each once; tells by `drawn` which one is there."""

    drawn = Signal(object)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._known: dict[Key, QImage | None] = {}
        self._job = Job(self, low_priority=True)
        self._job.yielded.connect(self._receive)

    def is_drawn(self, info: ModelInfo) -> bool:
        """Whether it is known what there is to show of a model."""
        return key_of(info) in self._known

    def get(self, info: ModelInfo) -> QImage | None:
        """The picture of a model; None where there is none, or none yet."""
        return self._known.get(key_of(info))

    def want(self, infos: Sequence[ModelInfo]) -> None:
        """Draw those that were not drawn yet."""
        missing = [info for info in infos if info.card is not None and not self.is_drawn(info)]
        if missing:
            self._job.start(_drawing(missing))

    def _receive(self, found: Drawn) -> None:
        self._known[found.key] = found.image
        self.drawn.emit(found.key)


def key_of(info: ModelInfo) -> Key:
    """What a picture is known by; another one for a model that was trained further."""
    fingerprint = "" if info.card is None else info.card.weights.sha256
    return str(info.path), fingerprint


def _drawing(infos: Sequence[ModelInfo]) -> Work:
    def work(should_stop: Callable[[], bool]) -> Iterator[Drawn]:
        for info in infos:
            if info.card is not None:
                yield Drawn(key_of(info), _picture_or_none(info.path, info.card))

    return work


def _picture_or_none(package: Path, card: ModelCard) -> QImage | None:
    """Draw a model; an odd one keeps no other from being drawn."""
    try:
        return picture_of(package, card)
    except (DamagedModelError, MemoryError):
        return None


def picture_of(package: Path, card: ModelCard) -> QImage | None:
    """Draw a model; None where its package holds nothing to draw."""
    with open_package(package) as files:
        if card.picture is not None and files.has(card.picture):
            own = QImage.fromData(files.read(card.picture))
            if not own.isNull():
                return own.scaled(SIZE * SCALE, Qt.AspectRatioMode.KeepAspectRatio, _SMOOTH)
        if not files.has(SAMPLE):
            return None
        sample = decode_sample(files.read(SAMPLE), package)
    return _side_by_side(_grey(_planes(sample.given)[0]), _coloured(_planes(sample.expected), card.targets))


def _planes(volume: NDArray[np.float32]) -> NDArray[np.float32]:
    """The middle plane of each channel, (C, Y, X)."""
    if volume.ndim == 4:
        volume = volume[:, volume.shape[1] // 2]
    step = max(1, max(volume.shape[1:]) // (SIDE * SCALE))
    return volume[:, ::step, ::step]


def _grey(plane: NDArray[np.float32]) -> NDArray[np.uint8]:
    values = _stretched(plane, *np.percentile(plane, _INPUT_PERCENTILES))
    return _bytes(np.repeat(values[..., None], 3, axis=-1))


def _coloured(planes: NDArray[np.float32], targets: Sequence[Target]) -> NDArray[np.uint8]:
    """All targets over each other, each in its colour, from its darkest to its brightest value."""
    total = np.zeros((*planes.shape[1:], 3), np.float32)
    for plane, target in zip(planes, targets, strict=False):
        values = _stretched(plane, *np.percentile(plane, _OUTPUT_PERCENTILES))
        total += _colours(target.colormap, values)
    return _bytes(total.clip(0, 1))


def _stretched(plane: NDArray[np.float32], low: float, high: float) -> NDArray[np.float32]:
    values: NDArray[np.float32] = ((plane - low) / max(high - low, 1e-12)).clip(0, 1).astype(np.float32)
    return values


def _colours(name: str, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Values from 0 to 1 as RGB; grey where napari does not know the colours."""
    colormap = AVAILABLE_COLORMAPS.get(name, AVAILABLE_COLORMAPS["gray"])
    found: NDArray[np.float32] = colormap.map(values.ravel())[:, :3].reshape(*values.shape, 3)
    return found


def colour_of(name: str) -> QColor:
    """The brightest colour of a colormap of napari."""
    rgb = _colours(name, np.ones((1, 1), np.float32))[0, 0]
    return QColor.fromRgbF(*map(float, rgb))


def _bytes(rgb: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.ascontiguousarray((rgb * 255).astype(np.uint8))


def _side_by_side(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> QImage:
    picture = QImage(SIZE * SCALE, QImage.Format.Format_ARGB32_Premultiplied)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.drawImage(0, 0, _square(left))
    painter.drawImage((SIDE + GAP) * SCALE, 0, _square(right))
    painter.end()
    return picture


def _square(rgb: NDArray[np.uint8]) -> QImage:
    """The middle of a plane, as large as there is room for."""
    height, width = rgb.shape[:2]
    image = QImage(rgb.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
    side = SIDE * SCALE
    filled = image.scaled(side, side, Qt.AspectRatioMode.KeepAspectRatioByExpanding, _SMOOTH)
    return filled.copy((filled.width() - side) // 2, (filled.height() - side) // 2, side, side)
