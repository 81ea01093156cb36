"""What can be chosen under Advanced: device, precision and tile, with the words for each."""

from __future__ import annotations

import platform

from napari_mito_predict._widgets.common.controls import Combo

_DEVICES = {"auto": "Automatic", "cpu": "Processor (CPU)", "cuda": "NVIDIA GPU (CUDA)", "mps": "Apple GPU (MPS)"}
PRECISIONS = {"auto": "Automatic", "32": "32 bits, exact", "bf16": "bf16, faster", "16": "16 bits, faster"}
TILES = {"auto": "Automatic", "whole": "Whole image", "256": "256 × 256", "128": "128 × 128"}


def devices() -> dict[str, str]:
    """Devices that this operating system can have."""
    absent = "cuda" if platform.system() == "Darwin" else "mps"
    return {device: text for device, text in _DEVICES.items() if device != absent}


def choice(entries: dict[str, str], chosen: str) -> Combo:
    """A combo box of these values and their words, with one of them chosen, or else the first."""
    combo = Combo()
    for value, text in entries.items():
        combo.addItem(text, value)
    combo.setCurrentIndex(max(0, combo.findData(chosen)))
    return combo
