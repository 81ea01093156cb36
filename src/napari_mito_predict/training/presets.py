"""What a preset fills in where a training configuration is silent."""

from __future__ import annotations

from typing import Any

_SMALL = {"network": {"depth": 3, "base_channels": 16}, "batch_size": 4, "schedule": "cosine", "warmup": 50}

# Without such variety, training learns a few fields by heart, and the strip held back of them hardly notices.
_VARIED = {"flip": True, "rotate": True, "zoom": 0.25, "blur": 1.0, "noise": 0.2, "intensity": 0.2, "gamma": 0.3}

PRESETS: dict[str, dict[str, Any]] = {
    # Hsu, Lee & Wei 2021: mean squared error, Adam at 0.001, random patches.
    "paper": {"network": {"depth": 4, "base_channels": 32}, "iterations": 10_000, "batch_size": 8},
    # "Modified with deeper layers", the paper says of its U-Net, and no more: one level more is our reading of it.
    "paper-deep": {"network": {"depth": 5, "base_channels": 32}, "iterations": 10_000, "batch_size": 8},
    # Ounkomol et al. 2018: other betas and batches.
    "fnet": {
        "network": {"depth": 4, "base_channels": 32},
        "iterations": 50_000,
        "batch_size": 24,
        "betas": (0.5, 0.999),
    },
    # Wang, Xie & Ji 2020, label-free experiments; their patch is the default one, 32 x 64 x 64.
    "gvtnet": {
        "network": {"kind": "gvtnet", "depth": 4, "base_channels": 32},
        "iterations": 100_000,
        "batch_size": 16,
        "learning_rate": 1e-3,
        "betas": (0.5, 0.999),
    },
    "quick": {**_SMALL, "iterations": 2_000, "augment": _VARIED, "validate_every": 100},
    "robust": {
        **_SMALL,
        "iterations": 10_000,
        "clip_gradient": 1.0,
        "augment": {"flip": True, "noise": 0.3, "blur": 0.8, "intensity": 0.2},
    },
    # What did best on real fields that training had not seen.
    "general": {
        **_SMALL,
        "iterations": 3_000,
        "batch_size": 8,
        "loss": "mse+pcc",
        "average": 0.998,
        "augment": _VARIED,
    },
}
"""Preset -> values of `TrainingConfig`."""

_PATCH = {2: (256, 256), 3: (32, 64, 64)}
# Smaller than many images, so that a patch that is turned shows what lies around it instead of a mirror.
_PATCH_OF_PRESET = {"general": {2: (192, 192)}}


def default_patch(preset: str, ndim: int) -> tuple[int, ...]:
    """Patch size of a preset for fields of `ndim` dimensions."""
    return (_PATCH | _PATCH_OF_PRESET.get(preset, {}))[ndim]
