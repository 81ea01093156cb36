"""How objects were found and followed, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_mito_predict.measurement import MitochondriaSettings, NucleiSettings

if TYPE_CHECKING:
    from napari_mito_predict.measurement import DynamicsSettings, MeasuredChannel, PunctaSettings


def how_found(channel: MeasuredChannel) -> str:
    """Steps and numbers of a segmentation, with their unit."""
    settings = channel.settings
    if isinstance(settings, MitochondriaSettings):
        return _mitochondria(settings)
    if isinstance(settings, NucleiSettings):
        return _nuclei(settings)
    return _nucleoids(settings)


def how_followed(settings: DynamicsSettings) -> str:
    """By what fissions, fusions and movement are found, with the unit of each number."""
    length = _Lengths(settings.unit)
    return (
        f"Optical flow after a Gaussian of {length(settings.smoothing)}; a part belongs to an object of the frame "
        f"before or after that has at least {settings.share:g} of its voxels. A fission and a fusion within "
        f"{length(settings.near)} and less than {settings.lasting} frames of each other: no events. Smaller than a "
        f"circle or ball of {length(settings.least_diameter)}: not followed."
    )


def _mitochondria(settings: MitochondriaSettings) -> str:
    length = _Lengths(settings.unit)
    if settings.method == "ridge":
        begin = (
            f"Ridge filter (Sato et al. 1998) for tubes with a radius from {length(settings.smoothing)} to "
            f"{length(settings.background / 2)}"
        )
    else:
        begin = f"Band-pass (difference of Gaussians of {length(settings.smoothing)} and {length(settings.background)})"
    return (
        f"{begin}; what is at least {settings.local_level:g} times as bright as the brightest within a box of "
        f"{length(settings.neighbourhood)}, and above {settings.threshold:g} × Otsu's threshold. Smaller than a "
        f"circle or ball of {length(settings.least_diameter)}: left out."
    )


def _nuclei(settings: NucleiSettings) -> str:
    length = _Lengths(settings.unit)
    threshold = f"above {settings.threshold:g} × Otsu's threshold"
    if settings.local:
        threshold = (
            f"above the mean within a box of {length(settings.neighbourhood)} and {settings.threshold / 2:g} × Otsu's "
            "threshold"
        )
    return (
        f"Gaussian of {length(settings.smoothing)}; {threshold}. Nuclei that touch are divided where their middles are "
        f"at least {length(settings.split)} apart. Smaller than a circle or ball of {length(settings.least_diameter)}: "
        "left out."
    )


def _nucleoids(settings: PunctaSettings) -> str:
    length = _Lengths(settings.unit)
    return (
        f"Laplacian of a Gaussian for spots of {length(settings.diameter)}; what exceeds {settings.threshold:g} "
        f"standard deviations of its noise, outside of nuclei. Closer than {length(settings.least_distance)}: one."
    )


class _Lengths:
    """Lengths with their unit."""

    def __init__(self, unit: str) -> None:
        self._unit = {"um": "µm", "px": "px"}[unit]

    def __call__(self, length: float) -> str:
        return f"{length:g} {self._unit}"
