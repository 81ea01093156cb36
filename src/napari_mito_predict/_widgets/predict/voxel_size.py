"""Voxel sizes: typed where the image does not say them, and said in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QDoubleSpinBox, QHBoxLayout, QWidget

if TYPE_CHECKING:
    from napari_mito_predict.image import ImageSource

    VoxelSize = tuple[float | None, float | None, float | None]


class VoxelSizeBoxes(QWidget):
    """Z step and pixel size in micrometres."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        self.z, self.xy = _micrometres("Z step"), _micrometres("pixel")
        for box in (self.z, self.xy):
            box.valueChanged.connect(lambda _: self.changed.emit())
            row.addWidget(box, 1)

    def value(self, source: ImageSource) -> VoxelSize | None:
        """What the image says, completed by what was typed; None where the image knows all."""
        if not is_unknown(source):
            return None
        z, y, x = source.voxel_size_um
        return z or self.z.value() or None, y or self.xy.value() or None, x or self.xy.value() or None


def is_unknown(source: ImageSource) -> bool:
    """Whether a voxel size that matters is missing: Z only matters where there are several planes."""
    return None in (source.voxel_size_um if source.sizes["Z"] > 1 else source.voxel_size_um[1:])


def sizes_line(source: ImageSource, typed: VoxelSize | None) -> str:
    """Sizes of an image as microscopists say them."""
    sizes, (z, y, x) = source.sizes, typed or source.voxel_size_um
    parts = []
    if sizes["T"] > 1:
        step = source.time_step_s
        parts.append(f"{sizes['T']} time points" + (f" · every {step:g} s" if step else ""))
    if sizes["Z"] > 1:
        parts.append(f"{sizes['Z']} planes · {f'{z:.3g} µm' if z else 'Z step unknown'}")
    pixel = f" at {x:.3g} µm" if x and x == y else f" at {y:.3g} × {x:.3g} µm" if x and y else ", pixel size unknown"
    parts.append(f"{sizes['X']} × {sizes['Y']}{pixel}")
    return " · ".join(parts)


def _micrometres(what: str) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setRange(0.0, 100.0)
    box.setDecimals(3)
    box.setSingleStep(0.01)
    box.setSpecialValueText(f"{what}?")
    box.setSuffix(" µm")
    box.setMinimumWidth(60)
    box.setAccessibleName(f"{what} in micrometres")
    return box
