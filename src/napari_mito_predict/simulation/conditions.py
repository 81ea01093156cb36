"""How a simulated field was imaged: everything that is not the cell itself."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from napari_mito_predict.errors import SimulationError

SIMULATOR_VERSION = 2
"""Increased whenever the same seed and conditions give other pixels than before."""

SAME_PIXELS_SINCE = {"stack": 1, "series": 2}
"""The earliest version whose files are what this one would write. Version 2 mended the drift of time series."""

N_MEDIUM = 1.337
"""Refractive index of the medium round the cells."""

NATIVE_VOXEL_UM = (0.15, 0.11, 0.11)
Detector = Literal["confocal", "airyscan"]

_AIRYSCAN_PINHOLE_UM = 0.1
_AIRYSCAN_LIGHT = 0.5
_NEWER_SETTINGS = ("detector", "counts_per_photon")
"""Left out of the JSON while at their defaults, so that files written before these existed are still recognised."""

_OTHER_VOXELS_UM = ((0.10, 0.11, 0.11), (0.25, 0.13, 0.13), (0.20, 0.16, 0.16), (0.30, 0.11, 0.11))


@dataclass(frozen=True, slots=True)
class Conditions:
    """Microscope and detector settings of one simulated stack or series.

    Lengths are micrometres, noise and shading are fractions of the bright field, "photons" are expected detected
    photons per voxel.

    Attributes
    ----------
    voxel_size_um : tuple of float
        Sampling (z, y, x).
    wavelength_um : float
        Vacuum wavelength of the laser that makes the transmitted light.
    na_illumination, na_detection : float
        Numerical aperture of condenser and objective for transmitted light; detection must stay below the refractive
        index of the medium (1.337), which limits an oil lens in a watery sample anyway.
    flip_z : bool
        Light runs the other way through the stack: every contrast reverses between above and below focus.
    ri_contrast : float
        Factor on all refractive index differences to the medium.
    focus_offset_um : float
        Shift of the whole stack along z relative to the cell.
    pinhole_um : float
        Confocal pinhole, back-projected into the sample.
    photons : float
        Transmitted light per voxel of empty background; sets the shot noise.
    tl_read_noise, stripe, fringe, dirt : float
        Standard deviation of detector noise and of line-to-line laser fluctuation, amplitude of an interference
        fringe, standard deviation of a blotchy pattern that is the same in every plane.
    shading : tuple of five float
        Uneven illumination: coefficients of x, y, xy, x^2, y^2 with x and y from -1 to 1 across the field.
    tl_counts, tl_offset_counts : float
        Grey level of the bright field, and of darkness.
    peak_photons : tuple of two float
        Photons at the 99.8th percentile of TMRM and SYBR Gold.
    fluorescence_read_noise : tuple of two float
        Standard deviation of the read noise of TMRM and SYBR Gold, in photons.
    nucleus_in_view, neighbour : bool
        Whether the nucleus lies inside the field, and whether a second cell reaches into it. Neither matters in a
        field wide enough for a whole culture.
    detector : {"confocal", "airyscan"}
        What the fluorescence was recorded with. A label: resolution and noise are in the fields above, which
        `matched` fills in.
    counts_per_photon : float
        Gain of the fluorescence detectors: grey levels per photon.

    Raises
    ------
    SimulationError
        An aperture that light in the medium cannot fill, a length or light level that is not positive, or a detector
        that is not known.
    """

    voxel_size_um: tuple[float, float, float] = NATIVE_VOXEL_UM
    wavelength_um: float = 0.561
    na_illumination: float = 0.55
    na_detection: float = 1.25
    flip_z: bool = False
    ri_contrast: float = 1.0
    focus_offset_um: float = 0.0
    pinhole_um: float = 0.25
    photons: float = 1000.0
    tl_read_noise: float = 0.004
    stripe: float = 0.002
    fringe: float = 0.0
    dirt: float = 0.0
    shading: tuple[float, float, float, float, float] = (0.0, 0.0, 0.0, 0.0, 0.0)
    tl_counts: float = 12000.0
    tl_offset_counts: float = 0.0
    peak_photons: tuple[float, float] = (70.0, 70.0)
    fluorescence_read_noise: tuple[float, float] = (0.8, 0.8)
    nucleus_in_view: bool = True
    neighbour: bool = False
    detector: Detector = "confocal"
    counts_per_photon: float = 100.0

    def __post_init__(self) -> None:
        for name, aperture in (("illumination", self.na_illumination), ("detection", self.na_detection)):
            if not 0 < aperture < N_MEDIUM:
                raise SimulationError(
                    f"The numerical aperture of {name} is {aperture}; it must lie between 0 and {N_MEDIUM}, the "
                    "refractive index of the medium, which limits an oil lens too."
                )
        positive = {
            "voxel size": min(self.voxel_size_um),
            "wavelength": self.wavelength_um,
            "pinhole": self.pinhole_um,
            "number of photons": min(self.photons, *self.peak_photons),
            "gain": self.counts_per_photon,
        }
        for name, value in positive.items():
            if not value > 0:
                raise SimulationError(f"The {name} is {value}; it must be larger than 0.")
        if self.detector not in get_args(Detector):
            raise SimulationError(
                f"The detector is {self.detector!r}; it must be one of {', '.join(get_args(Detector))}."
            )

    @classmethod
    def matched(
        cls,
        rng: np.random.Generator | None = None,
        detector: Detector = "confocal",
        voxel_size_um: tuple[float, float, float] | None = None,
    ) -> Conditions:
        """Conditions of a well-adjusted microscope; by default at the native sampling of the bundled models.

        Optics are fixed; with `rng`, light level, noise and shading vary as they do from day to day.

        Parameters
        ----------
        rng : Generator, optional
        detector : {"confocal", "airyscan"}
            An Airyscan is taken for a confocal microscope with a pinhole so small (0.1 um) that the resolution is the
            best this optics model gives, about a tenth better than that of the confocal detector. There is no model
            of its 32 elements, of pixel reassignment or of deconvolution. All elements together see as much light as
            an open pinhole does, but the processing magnifies noise: as if half the photons had been detected. Both
            numbers are assumptions. The detector of the transmitted light is the same.
        voxel_size_um : tuple of float, optional
            (z, y, x); default (0.15, 0.11, 0.11). A plane takes the same time and the same light dose whatever its
            number of pixels, so that the time spent on one pixel, and with it its photons, goes with its area (0.055
            um: a quarter, 0.2 um: three times), and noise of the electronics with the square root. The z step
            changes neither: planes are exposed one by one. Where a pixel gets more light than at the native size,
            the gain is turned down so that bright structures do not saturate.

        Returns
        -------
        Conditions
        """
        conditions = cls()
        if rng is not None:
            conditions = _with_detector(conditions, rng, photons=rng.uniform(300, 2500))
        if voxel_size_um is not None:
            sizes = [float(size) for size in voxel_size_um]
            conditions = dataclasses.replace(conditions, voxel_size_um=(sizes[0], sizes[1], sizes[2]))
        fluorescence_share = 1.0
        if detector == "airyscan":
            conditions = dataclasses.replace(conditions, pinhole_um=_AIRYSCAN_PINHOLE_UM)
            fluorescence_share = _AIRYSCAN_LIGHT
        conditions = dataclasses.replace(conditions, detector=detector)
        return _exposed(conditions, fluorescence_share)

    @classmethod
    def randomised(cls, rng: np.random.Generator) -> Conditions:
        """Conditions spread far wider than any one microscope, so that a network learns the cell and not the optics.

        Optics and sampling are drawn from short lists, because each combination costs a transfer function. Half of
        the fields have the light running the other way, half keep the native sampling.
        """
        native = rng.random() < 0.5
        # Drawn in any case: what follows is the same for either sampling.
        voxel_size_um = _OTHER_VOXELS_UM[int(rng.integers(len(_OTHER_VOXELS_UM)))]
        if native:
            voxel_size_um = NATIVE_VOXEL_UM
        lowest_um = -1
        if voxel_size_um[0] < NATIVE_VOXEL_UM[0]:
            lowest_um = 0  # a finely sampled stack is thin: nobody would start it a micrometre below the cell
        optics = cls(
            voxel_size_um=voxel_size_um,
            wavelength_um=float(rng.choice([0.488, 0.561, 0.640])),
            na_illumination=float(rng.choice([0.35, 0.55, 0.75])),
            na_detection=float(rng.choice([1.15, 1.25])),
            flip_z=bool(rng.random() < 0.5),
            ri_contrast=float(rng.uniform(0.5, 1.3)),
            focus_offset_um=float(rng.uniform(lowest_um, 1)),
            pinhole_um=float(rng.choice([0.25, 0.5], p=[0.75, 0.25])),
            fringe=float(rng.uniform(0, 0.02) * (rng.random() < 0.3)),
            dirt=float(rng.uniform(0, 0.02) * (rng.random() < 0.5)),
            tl_counts=float(rng.uniform(4000, 30000)),
            tl_offset_counts=float(rng.uniform(0, 2000)),
            nucleus_in_view=bool(rng.random() > 0.08),
            neighbour=bool(rng.random() < 0.15),
        )
        return _with_detector(optics, rng, photons=np.exp(rng.uniform(np.log(80), np.log(2500))))

    def to_json(self) -> str:
        """All settings as one line of JSON, for the metadata of a written file."""
        settings = dataclasses.asdict(self)
        for field in dataclasses.fields(self):
            if field.name in _NEWER_SETTINGS and settings[field.name] == field.default:
                del settings[field.name]
        return json.dumps(settings, sort_keys=True)


def _with_detector(conditions: Conditions, rng: np.random.Generator, photons: float) -> Conditions:
    """Add the light level, noise and shading of one recording to the optics of `conditions`."""
    # The order of the draws is part of the simulator's version.
    read_noise = float(rng.uniform(0, 0.01))
    stripe = float(rng.uniform(0, 0.005))
    shading = rng.normal(0, 0.06, 5).tolist()
    tmrm_peak, dna_peak = (float(value) for value in rng.uniform(25, 120, 2))
    tmrm_noise, dna_noise = (float(value) for value in rng.uniform(0.3, 1.5, 2))
    return dataclasses.replace(
        conditions,
        photons=float(photons),
        tl_read_noise=read_noise,
        stripe=stripe,
        shading=(shading[0], shading[1], shading[2], shading[3], shading[4]),
        peak_photons=(tmrm_peak, dna_peak),
        fluorescence_read_noise=(tmrm_noise, dna_noise),
    )


def _exposed(conditions: Conditions, fluorescence_share: float) -> Conditions:
    """Conditions of the native pixel size, with the light that pixels of another size get.

    `fluorescence_share` is the part of the fluorescence photons that counts.
    """
    area = conditions.voxel_size_um[1] * conditions.voxel_size_um[2] / (NATIVE_VOXEL_UM[1] * NATIVE_VOXEL_UM[2])
    light = area * fluorescence_share
    electronics = area**0.5  # a pixel is a sum of samples, whose noises add as squares
    tmrm_peak, dna_peak = conditions.peak_photons
    tmrm_noise, dna_noise = conditions.fluorescence_read_noise
    return dataclasses.replace(
        conditions,
        photons=conditions.photons * area,
        tl_read_noise=conditions.tl_read_noise / area**0.5,  # a fraction of the bright field, hence of the photons
        peak_photons=(tmrm_peak * light, dna_peak * light),
        fluorescence_read_noise=(tmrm_noise * electronics, dna_noise * electronics),
        counts_per_photon=conditions.counts_per_photon / max(1.0, area),
    )
