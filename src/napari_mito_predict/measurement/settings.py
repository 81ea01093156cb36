"""How mitochondria, nuclei and nucleoids are found; lengths in micrometres, or in pixels where no size is known."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Literal, Self

from napari_mito_predict.errors import MeasurementError

if TYPE_CHECKING:
    from napari_mito_predict.measurement.measures import Structure
    from napari_mito_predict.measurement.voxels import Unit, Voxels

_PIXEL_UM = 0.1
"""What the defaults in pixels were made for."""
_NO_LENGTHS = frozenset({"threshold", "local_level", "share"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Settings:
    unit: Unit = "um"
    """Of all lengths."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, int | float) and not isinstance(value, bool) and not value > 0:
                raise MeasurementError(f"'{field.name}' is {value}; it must be larger than 0.")

    @classmethod
    def in_pixels(cls) -> Self:
        """The defaults for images of unknown size: what they are at 0.1 micrometres per pixel."""
        lengths = {name: round(value / _PIXEL_UM, 3) for name, value in cls()._lengths().items()}
        return cls(unit="px", **lengths)

    @classmethod
    def fitting(cls, settings: Self | None, voxels: Voxels) -> Self:
        """`settings`, or the defaults, in the unit of `voxels`; where all lengths are defaults, they fit any unit.

        Raises
        ------
        MeasurementError
            Lengths in micrometres for an image of unknown size, or in pixels for one of known size.
        """
        defaults = cls() if voxels.unit == "um" else cls.in_pixels()
        if settings is None:
            return defaults
        if settings.unit == voxels.unit:
            return settings
        if settings._lengths() in (cls()._lengths(), cls.in_pixels()._lengths()):
            return replace(settings, unit=voxels.unit, **defaults._lengths())
        names = {"um": "micrometres", "px": "pixels"}
        raise MeasurementError(
            f"the settings are in {names[settings.unit]}, and the image is in {names[voxels.unit]}. State the voxel "
            "size of the image, or give settings in the unit it has."
        )

    def _lengths(self) -> dict[str, float]:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if isinstance(value, float) and name not in _NO_LENGTHS}


@dataclass(frozen=True, slots=True, kw_only=True)
class MitochondriaSettings(_Settings):
    """How mitochondria are told from what is around them.

    Attributes
    ----------
    method : {"local", "ridge"}
        A local threshold of a band-pass (difference of two Gaussians); or of a ridge filter (Sato et al. 1998), which
        prefers tubes to blobs.
    smoothing : float
        Standard deviation of the smaller Gaussian: finer detail is noise.
    background : float
        Standard deviation of the larger Gaussian: coarser brightness is background. For the ridge filter the
        largest radius of a tube is half of it.
    neighbourhood : float
        Side of the square or cube whose brightest voxel decides on its middle.
    local_level : float
        Part of that brightest voxel that belongs to a mitochondrion: at half of it a tube is as wide as it is.
    threshold : float
        The lowest threshold anywhere, as a part of Otsu's threshold of the whole image; more finds less.
    least_diameter : float
        Objects of a smaller area or volume than a circle or ball of this diameter are left out.
    """

    method: Literal["local", "ridge"] = "local"
    smoothing: float = 0.1
    background: float = 0.5
    neighbourhood: float = 0.5
    local_level: float = 0.5
    threshold: float = 0.9
    least_diameter: float = 0.35


@dataclass(frozen=True, slots=True, kw_only=True)
class NucleiSettings(_Settings):
    """How nuclei are told from what is around them, and from each other.

    Attributes
    ----------
    local : bool
        A local threshold (mean of `neighbourhood`) instead of Otsu's of the whole image: for uneven illumination.
    smoothing : float
        Standard deviation of a Gaussian: finer detail belongs to the nucleus.
    neighbourhood : float
        Side of the square or cube of the local threshold.
    threshold : float
        Part of Otsu's threshold; more finds less.
    split : float
        Nuclei that touch are separated (watershed of the distance to the border) if their middles are at least so
        far apart.
    least_diameter : float
        Smaller ones are no nuclei.
    """

    local: bool = False
    smoothing: float = 0.5
    neighbourhood: float = 30.0
    threshold: float = 1.0
    split: float = 6.0
    least_diameter: float = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PunctaSettings(_Settings):
    """How puncta, such as nucleoids, are found.

    Attributes
    ----------
    diameter : float
        Of a punctum as it is seen, blurred by the microscope. The Laplacian of a Gaussian answers best to it.
    threshold : float
        How many standard deviations of the noise of that answer a punctum has to exceed; more finds less.
    least_distance : float
        Two puncta that are closer are one.
    """

    diameter: float = 0.3
    threshold: float = 8.0
    least_distance: float = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicsSettings(_Settings):
    """What counts as a fission or a fusion, and how movement is found.

    Attributes
    ----------
    share : float
        Least part of the voxels of an object that it has in common with one of the frame before or after.
    least_diameter : float
        Objects of a smaller area or volume than a circle or ball of this diameter are not counted and take part in no
        event.
    lasting : int
        A fission or fusion that is undone less than so many frames later is flicker and no event; 1 keeps them all.
    near : float
        How near the two are then.
    smoothing : float
        Standard deviation of a Gaussian before movement is looked for.
    """

    share: float = 0.2
    least_diameter: float = 0.4
    lasting: int = 3
    near: float = 1.0
    smoothing: float = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureSettings:
    """How each structure is segmented, and mitochondria are followed over time.

    None takes the defaults in the unit that the image has.
    """

    mitochondria: MitochondriaSettings | None = None
    nuclei: NucleiSettings | None = None
    nucleoids: PunctaSettings | None = None
    dynamics: DynamicsSettings | None = None

    def is_default(self, structure: Structure) -> bool:
        """Whether a structure is segmented as its verdicts were found."""
        return are_default(getattr(self, structure))

    @property
    def follows_as_tested(self) -> bool:
        """Whether mitochondria are segmented and followed as the verdicts on dynamics were found."""
        return are_default(self.mitochondria) and are_default(self.dynamics)


def are_default(settings: MitochondriaSettings | NucleiSettings | PunctaSettings | DynamicsSettings | None) -> bool:
    """Whether something is done as its verdicts were found."""
    return settings is None or settings in (type(settings)(), type(settings).in_pixels())
