"""Everything that is measured, declared once: name, unit, meaning, where its formula comes from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from napari_mito_predict.measurement.voxels import Unit


class Structure(StrEnum):
    """What is measured; mitochondria in the channel of that role, the other two in that of DNA."""

    MITOCHONDRIA = "mitochondria"
    NUCLEI = "nuclei"
    NUCLEOIDS = "nucleoids"


Level = Literal["object", "field"]


@dataclass(frozen=True, slots=True)
class Measure:
    """One column of a table.

    Attributes
    ----------
    structure : Structure
    level : {"object", "field"}
        A value for each object, or one for all of them in an image at a time point.
    name : str
    power : int or None
        Of a length that it is measured in: 1 is a length, 2 an area, 3 a volume, 0 a number without unit; None for
        intensities in the units of the image.
    meaning : str
    source : str
        Where the formula comes from.
    dimensions : tuple of int
        Whether it is measured in planes (2), stacks (3) or both.
    relative : bool
        It depends on brightness, which in a prediction is relative: it is never taken from one.
    beside : Structure or None
        Another structure that it needs.
    """

    structure: Structure
    level: Level
    name: str
    power: int | None
    meaning: str
    source: str = "counting"
    dimensions: tuple[int, ...] = (2, 3)
    relative: bool = False
    beside: Structure | None = None

    def unit(self, unit: Unit) -> str:
        """Unit for people: ``µm²``, ``px``, or empty for a number."""
        if not self.power:
            return ""
        return {"um": "µm", "px": "px"}[unit] + {1: "", 2: "²", 3: "³"}[self.power]


_MITO = Structure.MITOCHONDRIA
_NUCLEI = Structure.NUCLEI
_NUCLEOIDS = Structure.NUCLEOIDS
_SKAN = "skan (Nunez-Iglesias et al. 2018)"
_CUBES = "marching cubes (Lewiner et al. 2003)"
_PLANE = (2,)
_STACK = (3,)

OBJECT_MEASURES: Final = (
    Measure(_MITO, "object", "area", 2, "area", dimensions=_PLANE),
    Measure(_MITO, "object", "volume", 3, "volume", dimensions=_STACK),
    Measure(_MITO, "object", "perimeter", 1, "length of the outline", "Crofton's formula, 4 directions", _PLANE),
    Measure(_MITO, "object", "surface", 2, "area of the surface", _CUBES, _STACK),
    Measure(_MITO, "object", "form_factor", 0, "P² / 4πA: 1 for a circle", "Koopman et al. 2005", _PLANE),
    Measure(_MITO, "object", "sphericity", 0, "π^⅓ (6V)^⅔ / S: 1 for a ball", "Wadell 1935", _STACK),
    Measure(_MITO, "object", "aspect_ratio", 0, "longest by shortest axis of an ellipse of its moments", "moments"),
    Measure(_MITO, "object", "length", 1, "length of all branches of the skeleton", _SKAN),
    Measure(_MITO, "object", "branches", 0, "branches of the skeleton", _SKAN),
    Measure(_MITO, "object", "mean_branch_length", 1, "length by branches", _SKAN),
    Measure(_MITO, "object", "branch_points", 0, "junctions of the skeleton", _SKAN),
    Measure(_MITO, "object", "end_points", 0, "ends of the skeleton", _SKAN),
    Measure(
        _MITO,
        "object",
        "distance_to_nucleus",
        1,
        "mean distance to the nearest nucleus",
        "distance transform",
        beside=_NUCLEI,
    ),
    Measure(_MITO, "object", "mean_intensity", None, "mean brightness", "mean", relative=True),
    Measure(_NUCLEI, "object", "area", 2, "area", dimensions=_PLANE),
    Measure(_NUCLEI, "object", "volume", 3, "volume", dimensions=_STACK),
    Measure(_NUCLEI, "object", "perimeter", 1, "length of the outline", "Crofton's formula, 4 directions", _PLANE),
    Measure(_NUCLEI, "object", "surface", 2, "area of the surface", _CUBES, _STACK),
    Measure(_NUCLEI, "object", "form_factor", 0, "P² / 4πA: 1 for a circle", "Koopman et al. 2005", _PLANE),
    Measure(_NUCLEI, "object", "sphericity", 0, "π^⅓ (6V)^⅔ / S: 1 for a ball", "Wadell 1935", _STACK),
    Measure(_NUCLEI, "object", "aspect_ratio", 0, "longest by shortest axis of an ellipse of its moments", "moments"),
    Measure(_NUCLEI, "object", "touches_border", 0, "1 if the border of the field cuts it"),
    Measure(_NUCLEI, "object", "mean_intensity", None, "mean brightness", "mean", relative=True),
    Measure(_NUCLEOIDS, "object", "area", 2, "area", dimensions=_PLANE),
    Measure(_NUCLEOIDS, "object", "volume", 3, "volume", dimensions=_STACK),
    Measure(_NUCLEOIDS, "object", "nearest_neighbour", 1, "distance to the nearest other centre"),
    Measure(_NUCLEOIDS, "object", "inside_mitochondria", 0, "1 if its centre lies in a mitochondrion", beside=_MITO),
    Measure(_NUCLEOIDS, "object", "mean_intensity", None, "mean brightness", "mean", relative=True),
)

FIELD_MEASURES: Final = (
    Measure(_MITO, "field", "count", 0, "number of mitochondria"),
    Measure(_MITO, "field", "total_area", 2, "area of all", "sum", _PLANE),
    Measure(_MITO, "field", "total_volume", 3, "volume of all", "sum", _STACK),
    Measure(_MITO, "field", "mean_area", 2, "mean area", "mean", _PLANE),
    Measure(_MITO, "field", "mean_volume", 3, "mean volume", "mean", _STACK),
    Measure(_MITO, "field", "total_surface", 2, "surface of all", _CUBES, _STACK),
    Measure(_MITO, "field", "total_length", 1, "length of all branches", _SKAN),
    Measure(_MITO, "field", "mean_length", 1, "mean length of a mitochondrion", _SKAN),
    Measure(_MITO, "field", "mean_branch_length", 1, "length of all branches by their number", _SKAN),
    Measure(_MITO, "field", "branches", 0, "branches of all", _SKAN),
    Measure(_MITO, "field", "branch_points", 0, "junctions of all", _SKAN),
    Measure(_MITO, "field", "mean_form_factor", 0, "mean form factor", "Koopman et al. 2005", _PLANE),
    Measure(_MITO, "field", "mean_sphericity", 0, "mean sphericity", "Wadell 1935", _STACK),
    Measure(_MITO, "field", "mean_aspect_ratio", 0, "mean aspect ratio", "moments"),
    Measure(_MITO, "field", "networks", 0, "mitochondria with a branch point", "MiNA (Valente et al. 2017)"),
    Measure(_MITO, "field", "largest_part", 0, "part of area or volume that the largest has", "MitoGraph"),
    Measure(
        _MITO, "field", "distance_to_nucleus", 1, "mean distance of their voxels to the nearest nucleus", beside=_NUCLEI
    ),
    Measure(_NUCLEI, "field", "count", 0, "number of nuclei"),
    Measure(_NUCLEI, "field", "mean_area", 2, "mean area of those not cut by the border", "mean", _PLANE),
    Measure(_NUCLEI, "field", "mean_volume", 3, "mean volume of those not cut by the border", "mean", _STACK),
    Measure(_NUCLEI, "field", "total_area", 2, "area of all", "sum", _PLANE),
    Measure(_NUCLEI, "field", "total_volume", 3, "volume of all", "sum", _STACK),
    Measure(_NUCLEOIDS, "field", "count", 0, "number of nucleoids"),
    Measure(_NUCLEOIDS, "field", "mean_area", 2, "mean area", "mean", _PLANE),
    Measure(_NUCLEOIDS, "field", "mean_volume", 3, "mean volume", "mean", _STACK),
    Measure(_NUCLEOIDS, "field", "nearest_neighbour", 1, "mean distance to the nearest other centre"),
    Measure(_NUCLEOIDS, "field", "inside_mitochondria", 0, "part whose centre lies in a mitochondrion", beside=_MITO),
    Measure(_NUCLEOIDS, "field", "mean_intensity", None, "mean brightness", "mean", relative=True),
)


@dataclass(frozen=True, slots=True)
class DynamicsMeasure:
    """A number of a series of mitochondria.

    Attributes
    ----------
    name : str
    unit : str
        For people; ``{}`` stands for the unit of lengths.
    meaning : str
    source : str
        Where its formula comes from.
    course : str or None
        Of a number of the whole series: the measure of its time points that it is made of.
    """

    name: str
    unit: str
    meaning: str
    source: str
    course: str | None = None


_OVERLAP = "labels that overlap along the optical flow"
_FLOW = "TV-L1 optical flow (Zach et al. 2007)"

DYNAMICS_MEASURES: Final = (
    DynamicsMeasure("fissions", "", "objects that are two in the next frame", _OVERLAP, "fissions"),
    DynamicsMeasure("fusions", "", "two objects that are one in the next frame", _OVERLAP, "fusions"),
    DynamicsMeasure("balance", "", "fissions less fusions", _OVERLAP, "balance"),
    DynamicsMeasure("fissions_per_min", "1/min", "fissions for each object and minute", _OVERLAP, "fissions"),
    DynamicsMeasure("fusions_per_min", "1/min", "fusions for each object and minute", _OVERLAP, "fusions"),
    DynamicsMeasure("displacement", "{}", "mean way since the frame before", _FLOW),
    DynamicsMeasure("speed", "{}/s", "the same per second", _FLOW, "speed"),
    DynamicsMeasure("pcc_previous", "", "correlation with the frame before", "Pearson"),
    DynamicsMeasure("pcc_first", "", "correlation with the first frame", "Pearson"),
    DynamicsMeasure(
        "pcc_half_time", "s", "when the one with the first frame is below one half", "Pearson", "pcc_first"
    ),
)


def measures_of(structure: Structure, level: Level, dimensions: int) -> tuple[Measure, ...]:
    """What is declared for a structure at a level, in planes (2) or stacks (3)."""
    declared = OBJECT_MEASURES if level == "object" else FIELD_MEASURES
    return tuple(each for each in declared if each.structure == structure and dimensions in each.dimensions)
