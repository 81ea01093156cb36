"""From a recipe to files: which cells are simulated for it, and how they are imaged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_mito_predict.study.recipes import PLANE_UM, Recipe

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_mito_predict.simulation import Job


def simulation_jobs(
    recipe: Recipe,
    files: Sequence[tuple[Path, int]],
    *,
    size: int | None = None,
    slices: int | None = None,
    flip_z: bool = False,
    photons: float | None = None,
) -> list[Job]:
    """What to simulate for a recipe. The same seed is the same cell in every recipe.

    Parameters
    ----------
    recipe : Recipe
        Both targets of a letter are channels of the same files.
    files : sequence of (Path, int)
        Each file with its seed.
    size : int, optional
        Rows and columns of the files: a piece of the field at the same pixel size. Default: the whole field.
    slices : int, optional
        Planes or frames. Default: the recipe's.
    flip_z, photons
        As for `napari_mito_predict.simulation.conditions_for`.
    """
    from napari_mito_predict.simulation import Job, conditions_for

    pixel = recipe.recorded_pixel_um
    recorded = (size or recipe.size) * recipe.binning
    # `step` is micrometres between planes or seconds between frames.
    if recipe.third_axis == "z":
        plane_um = recipe.step
        step_s = None
    else:
        plane_um = PLANE_UM
        step_s = recipe.step
    return [
        Job(
            path=path,
            seed=seed,
            conditions=conditions_for(
                seed,
                flip_z=flip_z,
                photons=photons,
                detector=recipe.detector,
                voxel_size_um=(plane_um, pixel, pixel),
            ),
            shape=(slices or recipe.slices, recorded, recorded),
            step_s=step_s,
            binning=recipe.binning,
        )
        for path, seed in files
    ]
