"""Table 1 of the paper as data: how each of its sixteen models was imaged and trained."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Literal

from napari_mito_predict.errors import StudyError

Detector = Literal["confocal", "airyscan"]
ThirdAxis = Literal["z", "t"]

PIXEL_UM = {512: 0.198, 917: 0.111, 1834: 0.055}
"""XY pixels -> pixel size in micrometres. The paper does not give one: this is *our reading*, one field of about 101 um
(LSM 800, 63x lens, zoom 1)."""

PLANE_UM = 0.150
"""Optical sectioning assumed for time series, which record a single plane."""

TARGETS = {"1": "mitochondria", "2": "dna"}
"""Index of a recipe -> what its model predicts."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """One row of Table 1 for one target.

    Attributes
    ----------
    name : str
        Letter and index, such as ``H1``.
    detector : {"confocal", "airyscan"}
    third_axis : {"z", "t"}
    step : float
        Micrometres between planes, or seconds between frames.
    training_sets, test_sets : int
        How many volumes the paper trained and tested on.
    size : int
        Rows and columns.
    slices : int
        Planes or frames of each volume.
    downscaled_from : str
        Letter of the recipe whose images, with 2 x 2 pixels averaged, are those of this one; else empty.
    """

    name: str
    detector: Detector
    third_axis: ThirdAxis
    step: float
    training_sets: int
    test_sets: int
    size: int
    slices: int
    downscaled_from: str = ""

    @property
    def letter(self) -> str:
        """The data set: both targets of a letter are channels of the same files."""
        return self.name[0]

    @property
    def target(self) -> str:
        """What the model predicts."""
        return TARGETS[self.name[1]]

    @property
    def sets(self) -> int:
        """Training and test sets together."""
        return self.training_sets + self.test_sets

    @property
    def binning(self) -> int:
        """Recorded pixels, along each side, that make one pixel of the files."""
        if self.downscaled_from:
            return 2
        return 1

    @property
    def recorded_pixel_um(self) -> float:
        """Pixel size of the recording (our reading)."""
        return PIXEL_UM[self.size * self.binning]

    @property
    def pixel_um(self) -> float:
        """Pixel size of the files (our reading)."""
        return self.recorded_pixel_um * self.binning

    @property
    def step_words(self) -> str:
        """The step as people write it: ``0.15 µm``, ``30 s``, ``15 min``."""
        if self.third_axis == "z":
            return f"{self.step:.2f} µm"
        if self.step < 60:
            return f"{self.step:g} s"
        return f"{self.step / 60:g} min"

    @property
    def images(self) -> str:
        """What is recorded: ``z-stacks`` or ``time series``."""
        return {"z": "z-stacks", "t": "time series"}[self.third_axis]

    @property
    def axis_word(self) -> str:
        """The third axis in a table: ``z`` or ``time``."""
        return {"z": "z", "t": "time"}[self.third_axis]

    @property
    def words(self) -> str:
        """The recipe in a few words."""
        detector = {"airyscan": "Airyscan", "confocal": "confocal"}[self.detector]
        return f"{detector} {self.images}, {self.step_words}, {self.size} x {self.size} x {self.slices}"


# Letter, detector, third axis, step (um or s), training sets, test sets, XY pixels, slices, downscaled from.
_TABLE_1 = (
    ("A", "airyscan", "t", 900.0, 90, 30, 512, 64, ""),
    ("B", "confocal", "t", 5.0, 150, 50, 512, 64, ""),
    ("C", "airyscan", "t", 60.0, 47, 20, 1834, 32, ""),
    ("D", "confocal", "t", 30.0, 60, 15, 917, 32, ""),
    ("E", "confocal", "z", 0.100, 36, 14, 512, 64, ""),
    ("F", "airyscan", "z", 0.150, 47, 18, 1834, 32, ""),
    ("G", "airyscan", "z", 0.150, 47, 18, 917, 32, "F"),
    ("H", "confocal", "z", 0.150, 46, 17, 917, 32, ""),
)

RECIPES: dict[str, Recipe] = {
    f"{row[0]}{index}": Recipe(f"{row[0]}{index}", *row[1:])  # type: ignore[arg-type]
    for row, index in product(_TABLE_1, TARGETS)
}
"""All sixteen, by name."""

LETTERS = tuple(row[0] for row in _TABLE_1)


def find_recipe(name: str) -> Recipe:
    """A recipe by its name, in either case.

    Raises
    ------
    StudyError
        There is none of that name.
    """
    try:
        return RECIPES[name.strip().upper()]
    except KeyError:
        raise StudyError(
            f"No recipe '{name}'. Table 1 of the paper has {', '.join(RECIPES)} (1: mitochondria, 2: DNA)."
        ) from None
