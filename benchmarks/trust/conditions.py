"""What the traffic light is asked about, and when it counts as right. Written before any light was computed.

A *pair* is a condition and a model. Its PCC is the mean over a few fields, its colour the middle one of theirs. The
*matched* PCC of a model is that of its pair under `MATCHED`, in the same half.

There are two halves with other cells: `development`, which whoever writes the light may look at, and `test`, which is
looked at once, when the light is finished.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

REAL = Path(os.environ.get("MITO_PREDICT_REAL_DATA", Path(__file__).parents[3] / "shared" / "real"))

# Criteria.
BELOW_HALF = 0.5
"""A prediction is bad where its PCC is below this part of the matched PCC."""
NEAR = 0.1
"""A prediction is good where its PCC is not lower than the matched PCC by more than this."""
RED_CATCHES = 0.9
"""At least this share of bad pairs is red."""
GREEN_IS_GOOD = 0.9
"""At least this share of green pairs is good."""

HALVES = ("development", "test")
CELLS = MappingProxyType({"development": 1, "test": 3})
"""Simulated fields of each condition."""
FIRST_SEED = MappingProxyType({"development": 410_000, "test": 420_000})
"""Trainings used seeds below 300000, the scores in cards 300000 and on, other benchmarks 400000 to 400105."""

STACK = (16, 192, 192)
SERIES = (12, 160, 160)
CULTURE = (16, 192, 560)
"""Wider than 60 um, so that the simulator shows several cells."""
STEP_S = 30.0
NATIVE_UM = (0.15, 0.11, 0.11)

HELD_OUT_MODEL = "mito-2d-h9c2-held-out"
"""Of `held_out_fields.py`."""
SHIPPED = "mito-2d-h9c2"
SHIPPED_PACKAGE = (
    Path(__file__).parents[2] / "real-models" / "src" / "napari_mito_predict_real_models" / "models" / SHIPPED
)
Z_MODELS = ("mito-z", "dna-z")
T_MODELS = ("mito-t", "dna-t")
TARGETS = MappingProxyType(
    {
        "mito-z": "mitochondria",
        "mito-t": "mitochondria",
        "dna-z": "dna",
        "dna-t": "dna",
        SHIPPED: "mitochondria",
        HELD_OUT_MODEL: "mitochondria",
    }
)


@dataclass(frozen=True)
class Condition:
    """One kind of image, and the models that predict from it.

    Attributes
    ----------
    name : str
    images : str
        `stack`, `series`, `culture` or `empty` (simulated), or a real data set.
    models : tuple of str
    optics : mapping
        What differs from the matched conditions of the simulator.
    change : str
        What is done to the recorded pixels, one of `changes.CHANGES`.
    told_um : tuple of float or None, optional
        Voxel size that the image says it has, where that is not the true one.
    given_as : str
        Axes that the image says it has, where they are not the true ones.
    truths : tuple of str
        Structures that were recorded; empty where there is no truth.
    """

    name: str
    images: str
    models: tuple[str, ...]
    optics: Mapping[str, Any] = field(default_factory=dict)
    change: str = ""
    told_um: tuple[float | None, float, float] | None = None
    given_as: str = ""
    truths: tuple[str, ...] = ("mitochondria", "dna")

    @property
    def simulated(self) -> bool:
        """Whether cells are those of the simulator."""
        return self.images in ("stack", "series", "culture", "empty")

    def same_structure(self, model: str) -> bool:
        """Whether the truth shows what the model predicts."""
        return TARGETS[model] in self.truths


def _stack(name: str, change: str = "", models: tuple[str, ...] = Z_MODELS, **others: Any) -> Condition:
    return Condition(name, "stack", models, change=change, **others)


def _series(name: str, change: str = "", models: tuple[str, ...] = T_MODELS, **others: Any) -> Condition:
    return Condition(name, "series", models, change=change, **others)


def _pixel(factor: float) -> dict[str, Any]:
    size = NATIVE_UM[1] * factor
    return {"voxel_size_um": (NATIVE_UM[0], size, size)}


_DIRTY = {"shading": (0.4, -0.3, 0.2, -0.3, 0.2), "fringe": 0.1, "dirt": 0.1}

SIMULATED = (
    _stack("matched stack", models=(*Z_MODELS, SHIPPED)),
    _stack("light from the other side", optics={"flip_z": True}),
    _stack("turned by 90 degrees", "turned"),
    _stack("crop of 96 pixels", "cropped"),
    _stack("other gain and offset, negative", "gain and offset"),
    _stack("8 bit", "8 bit"),
    _stack("z step 2 times, known", optics={"voxel_size_um": (0.30, 0.11, 0.11)}),
    _stack("pixels 0.8 times, known", optics=_pixel(0.8)),
    _stack("pixels 0.8 times, told wrong", optics=_pixel(0.8), told_um=NATIVE_UM),
    _stack("pixels 1.3 times, known", optics=_pixel(1.3)),
    _stack("pixels 1.3 times, told wrong", optics=_pixel(1.3), told_um=NATIVE_UM),
    _stack("pixels 2 times, known", optics=_pixel(2)),
    _stack("pixels 2 times, told wrong", optics=_pixel(2), told_um=NATIVE_UM),
    _stack("half contrast", optics={"ri_contrast": 0.5}),
    _stack("a tenth of the contrast", optics={"ri_contrast": 0.1}, models=(*Z_MODELS, SHIPPED)),
    _stack("100 photons", optics={"photons": 100.0}),
    _stack("10 photons", optics={"photons": 10.0}),
    _stack("2 um out of focus", optics={"focus_offset_um": 2.0}),
    _stack("5 um out of focus", optics={"focus_offset_um": 5.0}),
    _stack("strong shading, fringe and dirt", optics=_DIRTY),
    _stack("a second cell", optics={"neighbour": True}),
    Condition("dense culture", "culture", Z_MODELS),
    _stack("inverted stack", "inverted"),
    _stack("blurred stack", "blurred"),
    _stack("saturated", "saturated"),
    _stack("z shuffled", "shuffled"),
    _stack("fluorescence in place of light", "fluorescence"),
    Condition("empty stack", "empty", (*Z_MODELS, SHIPPED)),
    _stack("stack given as series", models=T_MODELS, given_as="TYX"),
    _series("matched series"),
    _series("10 photons, series", optics={"photons": 10.0}),
    _series("a tenth of the contrast, series", optics={"ri_contrast": 0.1}),
    _series("inverted series", "inverted"),
    _series("blurred series", "blurred"),
    _series("frames shuffled", "shuffled"),
    _series("8 bit, series", "8 bit"),
    _series("pixels of series told 1.5 times", told_um=(None, 0.165, 0.165)),
    _series("series given as stack", models=Z_MODELS, given_as="ZYX"),
)

_MITO = ("mitochondria",)
_DNA = ("dna",)
_PLANE_MODELS = ("mito-t", "dna-t", "mito-z")
"""Of models that need a third axis: `still` makes a plane a movie in which nothing moves; `mito-z` gets it as it is."""

REAL_CONDITIONS = (
    Condition("H9c2", "h9c2", (HELD_OUT_MODEL, "mito-z"), truths=_MITO),
    Condition("H9c2, turned", "h9c2", (HELD_OUT_MODEL,), change="turned", truths=_MITO),
    Condition("H9c2, inverted", "h9c2", (HELD_OUT_MODEL,), change="inverted", truths=_MITO),
    Condition("H9c2, blurred", "h9c2", (HELD_OUT_MODEL,), change="blurred", truths=_MITO),
    Condition("H9c2, pixels 2 times, told wrong", "h9c2", (HELD_OUT_MODEL,), change="half size", truths=_MITO),
    Condition("H9c2, pixels half, told wrong", "h9c2", (HELD_OUT_MODEL,), change="double size", truths=_MITO),
    Condition("H9c2, saturated", "h9c2", (HELD_OUT_MODEL,), change="saturated", truths=_MITO),
    Condition("H9c2, noise alone", "h9c2", (HELD_OUT_MODEL,), change="noise", truths=_MITO),
    Condition("H9c2, fluorescence in place of light", "h9c2", (HELD_OUT_MODEL,), change="fluorescence", truths=_MITO),
    Condition("H9c2 as still movie", "h9c2", ("mito-t",), change="still", truths=_MITO),
    Condition("MCF-7", "mcf7", (SHIPPED, "dna-z"), truths=_DNA),
    Condition("MCF-7 as still movie", "mcf7", T_MODELS, change="still", truths=_DNA),
    Condition("HeLa, phase contrast", "hela", (SHIPPED, "dna-z"), truths=_DNA),
    Condition("HeLa, phase contrast, as still movie", "hela", T_MODELS, change="still", truths=_DNA),
    Condition("motor neurons, phase contrast", "neurons", (*Z_MODELS, "dna-t", SHIPPED), truths=_DNA),
    Condition("cell painting", "painting", (SHIPPED, "mito-z"), truths=("mitochondria", "dna")),
    Condition("cell painting as still movie", "painting", T_MODELS, change="still", truths=("mitochondria", "dna")),
    Condition("dark T-PMT", "tpmt", ("mito-z", "dna-z", SHIPPED), truths=()),
)

CONDITIONS = (*SIMULATED, *REAL_CONDITIONS)

MATCHED = MappingProxyType(
    {
        "mito-z": "matched stack",
        "dna-z": "matched stack",
        "mito-t": "matched series",
        "dna-t": "matched series",
        HELD_OUT_MODEL: "H9c2",
    }
)
"""The shipped model of H9c2 has seen all of its images: its matched PCC is that of its cross-validation."""
CROSS_VALIDATED = MappingProxyType({SHIPPED: 0.603})

REAL_FIELDS: Mapping[str, Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "h9c2": {
            "development": ("009_t001_z005_10", "009_t050_z005_2", "009_t150_z005_4"),
            "test": ("012_t001_z007_7", "012_t200_z008_16", "012_t400_z009_21"),
        },
        "mcf7": {
            "development": ("110_snap_0_3_32", "401_snap_0_1_10", "feb_402_snap_0_1_11"),
            "test": ("610_snap_0_0_2", "december_400_snap_0_2_62", "october26_100_snap_1_0_45"),
        },
        "hela": {
            "development": (
                "training_data_HeLa_joint_set1",
                "training_data_HeLa_joint_set3",
                "validation_data_HeLa_plating_5000K",
            ),
            "test": (
                "testing_data_HeLa_set1",
                "training_data_HeLa_joint_set4",
                "validation_data_HeLa_plating_10000K",
            ),
        },
        "neurons": {"development": ("left 0", "left 1", "left 2"), "test": ("right 0", "right 1", "right 2")},
        "painting": {"development": ("left 0", "left 1", "left 2"), "test": ("right 0", "right 1", "right 2")},
        "tpmt": {"development": ("lsm880_tpmt_mosaic_z2",), "test": ("lsm880_tpmt_mosaic_t2_z2",)},
    }
)
"""By half: other fields, other experiments; where there is but one field, its left and right half in three parts."""


def fields_of(condition: Condition, half: str) -> tuple[str, ...]:
    """Names of the fields: seeds of simulated cells, files of real ones."""
    if condition.simulated:
        return tuple(str(FIRST_SEED[half] + number) for number in range(CELLS[half]))
    return REAL_FIELDS[condition.images][half]
