"""Whether a model may be computed in half precision: asked of the sample that comes with it, once for each device."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
import torch

from napari_mito_predict.image import Finding, Level
from napari_mito_predict.prediction.forward import Forward

if TYPE_CHECKING:
    from napari_mito_predict.models import Model
    from napari_mito_predict.networks import Network
    from napari_mito_predict.prediction.device import Device

LOWEST = 0.9999
"""Pearson correlation with the float32 output that half precision must reach."""

# What was measured, for each network and by kind of device and precision.
_measured: WeakKeyDictionary[Network, dict[tuple[str, str], float]] = WeakKeyDictionary()


def checked(device: Device, models: Iterable[Model]) -> tuple[Device, list[Finding]]:
    """The device, in single precision where half precision would change the answer of any of these models.

    Parameters
    ----------
    device : Device
        As `choose_device` gave it for the precision ``"auto"``.
    models : iterable of Model
        Those without a sample are trusted.
    """
    for model in models:
        if model.network.single_precision and device.precision != "32":
            message = f"{model.name} computes in single precision only: everything is computed so."
            return _single(device, model), [Finding(Level.INFO, "single-precision", message)]
        r = agreement(model, device)
        if r is not None and r < LOWEST:
            message = (
                f"{model.name} would give other values in {device.precision} (PCC {r:.5f} with single precision on its "
                f"sample, {LOWEST} is needed): everything is computed in single precision."
            )
            return _single(device, model), [Finding(Level.INFO, "single-precision", message)]
    return device, []


def _single(device: Device, model: Model) -> Device:
    return replace(device, precision="32", reason=f"{device.reason} {model.name} needs single precision.")


def agreement(model: Model, device: Device) -> float | None:
    """How well the model's output in the device's precision agrees with float32 on its sample, or None without one.

    The Pearson correlation, for a sample with a variance of at least 1. Outputs are z-scores: over a whole image their
    variance is about 1. A sample that shows next to nothing has less, and rounding would weigh more there than it ever
    does in an image, so that a variance of 1 is taken then.
    """
    if device.precision == "32" or model.sample is None or model.network.single_precision:
        return None
    known = _measured.setdefault(model.network, {})
    key = (device.kind, device.precision)
    if key not in known:
        given, expected = model.sample
        forward = Forward(model.network, device, lambda: False, name=model.name)
        output = forward(torch.from_numpy(np.ascontiguousarray(given.reshape(-1, *given.shape[-2:]), np.float32)))
        fetched = None if output is None else forward.to_host(output)
        if fetched is None:  # memory ran out: nothing is known, and the run itself will find smaller parts
            return None
        known[key] = min(_agreement(a, b) for a, b in zip(fetched.numpy(), expected, strict=True))
    return known[key]


def describe_agreement(models: Iterable[Model], device: Device) -> list[str]:
    """In words for people, what `checked` decides for each of these models by itself."""
    lines = []
    for model in models:
        r = agreement(model, device)
        if r is not None:
            verdict = "is good enough"
            if r < LOWEST:
                verdict = "is not good enough, float32 is used"
            lines.append(f"{model.name}: {device.precision} agrees with float32 to a PCC of {r:.6f} and {verdict}.")
    return lines


def _agreement(found: np.ndarray, expected: np.ndarray) -> float:
    """``1 - E / 2`` with the variance of the error in units of the output's: the correlation, for small errors."""
    error = float(np.var(found.astype(np.float64) - expected.reshape(found.shape)))
    variance = max(float(np.var(expected.astype(np.float64))), 1.0)
    return 1 - error / (2 * variance)
