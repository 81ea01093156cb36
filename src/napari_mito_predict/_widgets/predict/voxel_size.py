"""Voxel sizes: typed where the image does not say them, and said in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSize, Signal
from qtpy.QtWidgets import QDoubleSpinBox, QWidget

from napari_mito_predict._widgets.common.layouts import column
from napari_mito_predict.image.metadata import impossible_axes

if TYPE_CHECKING:
    from napari_mito_predict.image import ImageSource

    VoxelSize = tuple[float | None, float | None, float | None]


class VoxelSizeBoxes(QWidget):
    """Z step and pixel size in micrometres."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        boxes = column()  # beside each other they would be wider than the dock
        self.setLayout(boxes)
        self.z = _micrometres("Z step", "Z ")
        self.xy = _micrometres("pixel", "XY ")
        for box in (self.z, self.xy):
            box.valueChanged.connect(lambda _: self.changed.emit())
            boxes.addWidget(box)

    def minimumSizeHint(self) -> QSize:
        # The style of napari lets them be narrower than their numbers.
        needed = max(box.minimumSizeHint().width() for box in (self.z, self.xy))
        return QSize(needed, super().minimumSizeHint().height())

    def value(self, source: ImageSource) -> VoxelSize | None:
        """What the image says, completed by what was typed; None where the image knows all."""
        if not is_unknown(source):
            return None
        known = _possible(source)
        typed = (self.z.value(), self.xy.value(), self.xy.value())
        # A box that was left alone says zero, which is unknown.
        completed = [said or box or None for said, box in zip(known, typed, strict=True)]
        return completed[0], completed[1], completed[2]


def is_unknown(source: ImageSource) -> bool:
    """Whether a voxel size that matters is missing or cannot be: Z only matters where there are several planes."""
    sizes = _possible(source)
    if source.sizes["Z"] > 1:
        return None in sizes
    return None in sizes[1:]


def _possible(source: ImageSource) -> VoxelSize:
    """What the image says, without what no voxel can be."""
    impossible = impossible_axes(source.voxel_size_um)
    sizes = zip("zyx", source.voxel_size_um, strict=True)
    possible = [None if axis in impossible else size for axis, size in sizes]
    return possible[0], possible[1], possible[2]


def sizes_line(source: ImageSource, typed: VoxelSize | None) -> str:
    """Sizes of an image as microscopists say them."""
    sizes = source.sizes
    voxel = typed or source.voxel_size_um
    parts = []
    if sizes["T"] > 1:
        parts.append(f"{sizes['T']} time points")
        if source.time_step_s:
            parts.append(f"every {source.time_step_s:g} s")
    if sizes["Z"] > 1:
        parts.append(f"{sizes['Z']} planes")
        parts.append(f"{voxel[0]:.3g} µm" if voxel[0] else "Z step unknown")
    parts.append(f"{sizes['X']} × {sizes['Y']}{_pixel_size(*voxel[1:])}")
    return " · ".join(parts)


def _pixel_size(y: float | None, x: float | None) -> str:
    if not y or not x:
        return ", pixel size unknown"
    if x == y:
        return f" at {x:.3g} µm"
    return f" at {y:.3g} × {x:.3g} µm"


def _micrometres(what: str, prefix: str) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setRange(0.0, 100.0)
    box.setDecimals(3)
    box.setSingleStep(0.01)
    box.setSpecialValueText(f"{what}?")
    box.setPrefix(prefix)
    box.setSuffix(" µm")
    box.setAccessibleName(f"{what} in micrometres")
    return box
