"""A cell as volumes: refractive index, TMRM density, DNA density."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_mito_predict.simulation.conditions import N_MEDIUM
from napari_mito_predict.simulation.shapes import Array, Grid, stamp

if TYPE_CHECKING:
    from napari_mito_predict.simulation.cell import Cell

_NUCLEOLUS_STEP = 0.028
_CHROMATIN_STEP = 0.003
_FIBRE_STEP = 0.01
_FIBRE_RADIUS_UM = 0.1
_HAZE = np.float32(0.004)
_FINE_UM = (0.2, 0.15, 0.15)
_COARSE_UM = (0.6, 0.7, 0.7)
_CHROMATIN_UM = (0.35, 0.3, 0.3)

Sigma = tuple[float, float, float]
TEXTURES_UM: tuple[Sigma, ...] = (_FINE_UM, _COARSE_UM, _CHROMATIN_UM)
CHURN_UM: Sigma = _FINE_UM
"""Correlation lengths of the textures that a scaffold needs, and of the one that `churn` turns the finest towards."""


@dataclass(frozen=True, slots=True)
class Scaffold:
    """The parts of one cell that do not move: soft masks from 0 to 1 and textures of unit variance, all (Z, Y, X)."""

    grid: Grid
    body: Array
    nucleus: Array
    nucleoli: Array
    fine: Array
    coarse: Array
    chromatin: Array


@dataclass(frozen=True, slots=True)
class Phantom:
    """What the microscope looks at, (Z, Y, X) float32 each; densities in arbitrary units."""

    refractive_index: Array
    tmrm: Array
    nuclear_dna: Array
    nucleoids: Array
    body: Array
    nucleus: Array

    @classmethod
    def empty(cls, grid: Grid) -> Phantom:
        """Medium without cells."""

        def uniform(value: float | np.float32) -> Array:
            return np.full(grid.shape, value, np.float32)

        return cls(
            refractive_index=uniform(N_MEDIUM),
            tmrm=uniform(_HAZE),
            nuclear_dna=uniform(_HAZE),
            nucleoids=uniform(0),
            body=uniform(0),
            nucleus=uniform(0),
        )

    def beside(self, other: Phantom) -> Phantom:
        """This phantom with `other` where the other cell is the more solid of the two."""
        theirs = other.body > self.body
        volumes = {name: np.where(theirs, getattr(other, name), getattr(self, name)) for name in _VOLUMES}
        return Phantom(**volumes)

    def add(self, other: Phantom, where: tuple[slice, slice, slice]) -> None:
        """Put `other` into the part `where` of this phantom, in place; the more solid cell stays."""
        theirs = (other.body > self.body[where]) | (self.body[where] < 1e-6)
        for name in _VOLUMES:
            np.copyto(getattr(self, name)[where], getattr(other, name), where=theirs)


_VOLUMES = tuple(field.name for field in fields(Phantom))


def build_scaffold(cell: Cell, grid: Grid, make_texture: Callable[[Sigma], Array]) -> Scaffold:
    """Masks and textures of `cell` on `grid`.

    Parameters
    ----------
    cell : Cell
    grid : Grid
    make_texture : callable
        Gives for a correlation length in um, (z, y, x), a texture of unit variance, (Z, Y, X) float32.
    """
    axes = grid.axes()
    z = axes[0]
    outline = cell.outline
    nucleus = outline.nucleus(*axes).astype(np.float32)
    height = outline.height(*axes[1:]).astype(np.float32)
    # Soft over 0.08 um at the top of the cell, and at the coverslip under it.
    surface = 1 / (1 + np.exp(np.clip((z - height) / 0.08, -30, 30)))
    surface = surface / (1 + np.exp(np.clip(-z / 0.08, -30, 30)))
    fading_rim = np.clip((height - 0.1) / 0.5, 0, 1)  # the cell thins out: no sharp rim
    body = np.maximum(surface * fading_rim, nucleus)
    return Scaffold(
        grid=grid,
        body=body,
        nucleus=nucleus,
        nucleoli=stamp(grid, cell.nucleoli.points, cell.nucleoli.radius, cell.nucleoli.value, 0.1) * nucleus,
        fine=make_texture(_FINE_UM),
        coarse=make_texture(_COARSE_UM),
        chromatin=make_texture(_CHROMATIN_UM),
    )


def churn(scaffold: Scaffold, other: Array, phase: float) -> Scaffold:
    """The scaffold with its fine texture turned towards `other` by `phase` (rad): cytoplasm never stands still."""
    turned = np.float32(np.cos(phase)) * scaffold.fine + np.float32(np.sin(phase)) * other
    return replace(scaffold, fine=turned)


def build_phantom(cell: Cell, scaffold: Scaffold, ri_contrast: float = 1.0) -> Phantom:
    """Fill the scaffold with the organelles of `cell`.

    Parameters
    ----------
    cell : Cell
    scaffold : Scaffold
        From the same cell, or from the same cell before it moved.
    ri_contrast : float
        Factor on every difference to the refractive index of the medium.
    """
    grid = scaffold.grid
    body = scaffold.body
    nucleus = scaffold.nucleus
    mitochondria = cell.mitochondria
    # TMRM is in the matrix, a little inside of the outer membrane that light is refracted by.
    tubes = stamp(grid, mitochondria.points, 0.9 * mitochondria.radius, mitochondria.potential[mitochondria.owner])
    step = _cytoplasm_and_nucleus(cell, scaffold) + _organelle_steps(cell, grid)
    chromatin = np.clip(1 + 0.35 * scaffold.chromatin, 0, None)
    nuclear_dna = nucleus * (1 - 0.7 * scaffold.nucleoli) * chromatin * np.float32(cell.nuclear_dna)
    return Phantom(
        refractive_index=(N_MEDIUM + ri_contrast * step).astype(np.float32),
        tmrm=tubes + np.float32(cell.tmrm_background) * body * (1 - 0.6 * nucleus) + _HAZE,
        nuclear_dna=nuclear_dna + np.float32(0.02) * body + _HAZE,
        nucleoids=stamp(grid, cell.nucleoids.points, cell.nucleoids.radius, cell.nucleoids.value),
        body=body,
        nucleus=nucleus,
    )


def _cytoplasm_and_nucleus(cell: Cell, scaffold: Scaffold) -> Array:
    """Refractive index without organelles, as a difference to the medium."""
    nucleus = scaffold.nucleus
    grain = 0.7 * cell.grain * (1 - 0.8 * nucleus) * (scaffold.fine + scaffold.coarse)
    step = scaffold.body * (cell.n_cytoplasm - N_MEDIUM + grain)
    step += nucleus * (cell.nucleus_step + _CHROMATIN_STEP * scaffold.chromatin) + _NUCLEOLUS_STEP * scaffold.nucleoli
    step += 4 * cell.envelope_step * nucleus * (1 - nucleus)  # largest on the surface of the nucleus
    return step.astype(np.float32)


def _organelle_steps(cell: Cell, grid: Grid) -> Array:
    """Refractive index of the organelles, as a difference to the cytoplasm."""
    mitochondria = cell.mitochondria
    drops = cell.droplets
    vesicles = cell.vesicles
    step = stamp(grid, mitochondria.points, mitochondria.radius, mitochondria.index_step[mitochondria.owner])
    for sign in (1, -1):  # `stamp` keeps the larger of two values, so drops that refract less are drawn by themselves
        chosen = sign * drops.value > 0
        step += sign * stamp(grid, drops.points[chosen], drops.radius[chosen], sign * drops.value[chosen])
    step += stamp(grid, vesicles.points, vesicles.radius, vesicles.value)
    step += stamp(grid, cell.fibres, _FIBRE_RADIUS_UM, _FIBRE_STEP)
    return step
