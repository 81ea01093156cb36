"""The microscope: waveorder's transfer functions for transmitted light and confocal fluorescence.

Transmitted light on a laser scanning microscope (T-PMT) is, by reciprocity, brightfield with the condenser's aperture
and the laser's wavelength, so one partially coherent model serves both [1]_. The confocal model multiplies the
excitation and the pinhole-weighted detection point spread functions.

.. [1] M. Chen, L. Tian, L. Waller, "3D differential phase contrast microscopy", Biomed. Opt. Express 7 (2016).
"""

from __future__ import annotations

import functools
import importlib
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_mito_predict.errors import MissingExtraError
from napari_mito_predict.simulation.conditions import N_MEDIUM

if TYPE_CHECKING:
    from napari_mito_predict.simulation.conditions import Conditions
    from napari_mito_predict.simulation.shapes import Array

_N_OIL = 1.515
_NA_OIL = 1.4
_PSF_FIELD_UM = 8.0
_TRANSMITTED_REACH_UM = 5.0
_FLUORESCENCE_REACH_UM = 4.0
"""How far sideways a point spreads in an image made of blocks: beyond it lies about a millionth of the energy."""


def transmitted_light(refractive_index: Array, conditions: Conditions) -> Array:
    """Brightfield intensity relative to empty background.

    Parameters
    ----------
    refractive_index : (Z, Y, X) float array
        Must approach the medium (1.337) towards its borders: the transform wraps round.
    conditions : Conditions
        Sampling and optics.

    Returns
    -------
    (Z, Y, X) float32 array
        1 where nothing is in the way. The Rytov form exp(contrast) of the first Born contrast: the same to first
        order and never negative.

    Raises
    ------
    MissingExtraError
        waveorder is not installed.
    """
    potential = scattering_potential(refractive_index, conditions)
    transfer = _phase_transfer(
        refractive_index.shape,
        conditions.voxel_size_um,
        conditions.wavelength_um,
        conditions.na_illumination,
        conditions.na_detection,
        conditions.flip_z,
    )
    model = _model("phase_thick_3d")
    born = model.apply_transfer_function(torch.from_numpy(potential), transfer, z_padding=0, brightness=1.0)
    return torch.exp(born - 1).numpy()


def scattering_potential(refractive_index: Array, conditions: Conditions) -> Array:
    """What the transfer function for transmitted light is applied to, in 1/um^2: k0^2 (n^2 - n_m^2).

    The "cycles per voxel" of waveorder's own phantom would give a contrast about a thousand times too small.
    """
    k0 = 2 * np.pi / conditions.wavelength_um
    return (k0**2 * (refractive_index**2 - N_MEDIUM**2)).astype(np.float32)


def transmitted_kernel(planes: int, conditions: Conditions) -> Array:
    """Point spread function of transmitted light, for blocks of a field too large for one transform.

    Parameters
    ----------
    planes : int
        Planes of the grid; along z the kernel wraps round as a transform does.
    conditions : Conditions

    Returns
    -------
    (planes, K, K) float32 array
        Convolved with the scattering potential it gives the first Born contrast. Centred in y and x, plane 0 in focus.
    """
    # A fifth wider than the kernel: what spreads beyond wraps round, and has to stay outside of it.
    side = 2 * int(np.ceil(1.2 * _TRANSMITTED_REACH_UM / conditions.voxel_size_um[1]))
    transfer = _phase_transfer(
        (planes, side, side),
        conditions.voxel_size_um,
        conditions.wavelength_um,
        conditions.na_illumination,
        conditions.na_detection,
        conditions.flip_z,
    )
    kernel = _compact(transfer, conditions.voxel_size_um, _TRANSMITTED_REACH_UM)
    middle = kernel.shape[1] // 2
    kernel[0, middle, middle] -= kernel.sum(dtype=np.float64)  # a uniform slab must stay invisible
    return kernel


def fluorescence_kernel(planes: int, emission_um: float, conditions: Conditions) -> Array:
    """Confocal point spread function as `transmitted_kernel` gives it; its sum is 1."""
    side = 2 * int(np.ceil(_PSF_FIELD_UM / conditions.voxel_size_um[1] / 2))
    transfer = _confocal_transfer((planes, side, side), conditions.voxel_size_um, emission_um, conditions.pinhole_um)
    kernel = _compact(transfer, conditions.voxel_size_um, _FLUORESCENCE_REACH_UM)
    return np.asarray(kernel / kernel.sum(dtype=np.float64), np.float32)


def _compact(transfer: torch.Tensor, voxel_um: tuple[float, float, float], reach_um: float) -> Array:
    """Point spread function with nothing beyond `reach_um` sideways, so that blocks add up to exactly the whole."""
    spread = torch.fft.fftshift(torch.fft.ifftn(transfer).real, dim=(1, 2)).numpy()
    middle_y, middle_x = (size // 2 for size in spread.shape[1:])
    reach = min(int(reach_um / max(voxel_um[1:])), middle_y - 1, middle_x - 1)
    kernel = spread[:, middle_y - reach : middle_y + reach + 1, middle_x - reach : middle_x + reach + 1]
    y, x = (np.arange(-reach, reach + 1) * step for step in voxel_um[1:])
    distance = np.hypot(y[:, None], x[None]) / (reach * max(voxel_um[1:]))
    # Falls to 0 over the outer quarter: a kernel cut off there would leave a faint edge round every bright point.
    window = np.sin(np.pi / 2 * np.clip(4 * (1 - distance), 0, 1)) ** 2
    return np.asarray(kernel * window.astype(np.float32))


def fluorescence(density: Array, emission_um: float, conditions: Conditions) -> Array:
    """Confocal image of a fluorophore density; the total is preserved.

    Parameters
    ----------
    density : (Z, Y, X) float array
        Any unit.
    emission_um : float
        Wavelength of the emitted light in um.
    conditions : Conditions
        Sampling and pinhole.

    Returns
    -------
    (Z, Y, X) float32 array
        In the unit of `density`, never negative.

    Raises
    ------
    MissingExtraError
        waveorder is not installed.
    """
    transfer = _confocal_transfer(density.shape, conditions.voxel_size_um, emission_um, conditions.pinhole_um)
    model = _model("isotropic_fluorescent_thick_3d")
    source = torch.from_numpy(density.astype(np.float32))
    image = model.apply_transfer_function(source, transfer, z_padding=0, background=0)
    return image.clamp(min=0).numpy()  # type: ignore[no-any-return]


@functools.lru_cache(maxsize=8)
def _phase_transfer(
    shape: tuple[int, int, int],
    voxel_um: tuple[float, float, float],
    wavelength_um: float,
    na_illumination: float,
    na_detection: float,
    flip: bool,
) -> torch.Tensor:
    """Transfer function from scattering potential to contrast: the real part of waveorder's, without absorption."""
    # z_padding stays 0: with padding waveorder crops the function's zero frequency away.
    return _model("phase_thick_3d").calculate_transfer_function(  # type: ignore[no-any-return]
        shape,
        voxel_um[1],
        voxel_um[0],
        wavelength_um,
        0,
        N_MEDIUM,
        na_illumination,
        na_detection,
        invert_phase_contrast=flip,
    )[0]


@functools.lru_cache(maxsize=8)
def _confocal_transfer(
    shape: tuple[int, int, int], voxel_um: tuple[float, float, float], emission_um: float, pinhole_um: float
) -> torch.Tensor:
    """Transfer function on the grid `shape`, scaled to 1 at zero frequency (waveorder's is scaled to its peak).

    A confocal point spread function is far smaller than the field: it is computed on a small field and embedded,
    which takes a tenth of the time.
    """
    side = 2 * int(np.ceil(_PSF_FIELD_UM / voxel_um[1] / 2))
    small = (shape[0], min(shape[1], side), min(shape[2], side))
    transfer = _model("isotropic_fluorescent_thick_3d").calculate_transfer_function(
        small, voxel_um[1], voxel_um[0], emission_um, 0, _N_OIL, _NA_OIL, confocal_pinhole_diameter=pinhole_um
    )
    spread = torch.fft.fftshift(torch.fft.ifftn(transfer).real)
    starts = [full // 2 - part // 2 for full, part in zip(shape, small, strict=True)]
    middle = tuple(slice(start, start + part) for start, part in zip(starts, small, strict=True))
    embedded = torch.zeros(shape)
    embedded[middle] = spread
    full_transfer: torch.Tensor = torch.fft.fftn(torch.fft.ifftshift(embedded))
    return full_transfer / full_transfer[0, 0, 0].abs()


def _model(name: str) -> Any:
    """A module of waveorder.models, imported when first needed: only the simulator requires it."""
    try:
        return importlib.import_module(f"waveorder.models.{name}")
    except ImportError as error:
        raise MissingExtraError(
            f"Simulating images needs the optics package waveorder, which could not be imported ({error}). "
            "Install it with: pip install napari-mito-predict[simulate]"
        ) from error
