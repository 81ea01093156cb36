"""Fields too wide to be simulated in one piece: a culture of cells, drawn and imaged block by block.

Only the finished images are held whole; of everything else there is one block at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_mito_predict.simulation import blocks
from napari_mito_predict.simulation.acquisition import expose_fluorescence, expose_transmitted, illumination
from napari_mito_predict.simulation.cell import Cell, draw_cell, within
from napari_mito_predict.simulation.culture import draw_culture
from napari_mito_predict.simulation.motion import Flow, moved
from napari_mito_predict.simulation.optics import fluorescence_kernel, scattering_potential, transmitted_kernel
from napari_mito_predict.simulation.phantom import (
    CHURN_UM,
    TEXTURES_UM,
    Phantom,
    build_phantom,
    build_scaffold,
    churn,
)
from napari_mito_predict.simulation.recording import CHANNEL_NAMES, EMISSION_UM, GroundTruth, SimulatedImage
from napari_mito_predict.simulation.stage import CHURN_PER_S, MARGIN_YX, edge_windows, faded, mid_plane, padded_grid
from napari_mito_predict.simulation.weave import Weave

if TYPE_CHECKING:
    from napari_mito_predict.simulation.acquisition import Counts
    from napari_mito_predict.simulation.conditions import Conditions
    from napari_mito_predict.simulation.shapes import Array, Grid

_CULTURE_FROM_UM = 60.0
_MARGIN_UM = 2.5
_ORGANELLE_UM = 3.0  # no organelle is larger
_RASTER_UM, _RIM_UM = 0.5, 2.0  # organelles stick out of, or drift over, the rim of their cell by less than this


def is_wide(shape: tuple[int, int, int], conditions: Conditions) -> bool:
    """Whether a field of `shape` is simulated here: it has room for several cells, or is larger than one block."""
    return _has_room(shape, conditions) or max(shape[1:]) > blocks.LARGEST


def _has_room(shape: tuple[int, int, int], conditions: Conditions) -> bool:
    return bool(max(np.multiply(shape[1:], conditions.voxel_size_um[1:])) > _CULTURE_FROM_UM)


@dataclass(frozen=True, slots=True)
class _Ideal:
    """Images before the detectors, (T, Z, Y, X), and the masks of the first frame, (Z, Y, X)."""

    contrast: Array
    tmrm: Array
    dna: Array
    nucleoids: Array
    cell: Array
    nucleus: Array

    @classmethod
    def dark(cls, shape: tuple[int, int, int, int]) -> _Ideal:
        """Nothing to be seen yet."""
        return cls(*(np.zeros(size, np.float32) for size in [shape] * 4 + [shape[1:]] * 2))


class WideScene:
    """One large field under one microscope.

    Parameters
    ----------
    seed : int
    conditions : Conditions
    shape : tuple of int
        (Z, Y, X).
    """

    def __init__(self, seed: int, conditions: Conditions, shape: tuple[int, int, int]) -> None:
        # The order is part of the simulator's version: each stream of random numbers belongs to one thing.
        streams = np.random.default_rng(seed).spawn(6)
        cells, textures = streams[:2]
        motion, neighbours = streams[2:4]
        self._field_rng, self._noise = streams[4:]
        self.seed = seed
        self.conditions = conditions
        self.shape = shape
        voxel = conditions.voxel_size_um
        below = cells.uniform(0.3, 1.0) - conditions.focus_offset_um
        self._margin = int(np.ceil(_MARGIN_UM / voxel[1]))
        self._grid, self._crop = padded_grid(shape, voxel, -below, self._margin)
        self._plane = mid_plane(below, voxel[0], shape[0])
        if _has_room(shape, conditions):
            self._cells = draw_culture(cells, _bounds(shape, voxel, _MARGIN_UM))
        else:
            bounds = _bounds(shape, voxel, MARGIN_YX * voxel[1])
            self._cells = [draw_cell(cells, bounds, conditions.nucleus_in_view)]
            if conditions.neighbour:
                self._cells.append(draw_cell(neighbours, bounds, nucleus_in_view=False))
        self._cells = [_single_precision(cell) for cell in self._cells]
        planes = self._grid.shape[0]
        self._weaves = {sigma: Weave(textures, sigma, voxel, planes) for sigma in TEXTURES_UM}
        self._flow = Flow.draw(motion)
        self._other = Weave(motion, CHURN_UM, voxel, planes)

    def record(
        self, times_s: Sequence[float], step_s: float | None, on_frame: Callable[[int], None] | None = None
    ) -> SimulatedImage:
        """Take a stack (`step_s` is None), or the middle plane at all `times_s`; `on_frame` counts finished frames."""
        ideal = self._ideal(times_s, None if step_s is None else self._plane)
        tmrm_peak, dna_peak = self.conditions.peak_photons
        _scale((ideal.tmrm,), tmrm_peak)
        _scale((ideal.dna, ideal.nucleoids), dna_peak)
        field = illumination(self.conditions, self.shape[1:], self._field_rng)
        data = np.empty((3, *ideal.tmrm.shape), np.uint16)
        for frame, z in np.ndindex(data.shape[1:3]):
            data[:, frame, z] = self._exposed(ideal, field, frame, z)
            if on_frame and z == data.shape[2] - 1:
                on_frame(frame + 1)
        return SimulatedImage(
            data=data,
            channel_names=CHANNEL_NAMES,
            voxel_size_um=self.conditions.voxel_size_um,
            time_step_s=step_s,
            seed=self.seed,
            conditions=self.conditions,
            truth=GroundTruth(ideal.nucleus, ideal.cell, ideal.tmrm, ideal.dna, ideal.nucleoids),
        )

    def _exposed(self, ideal: _Ideal, field: Array, frame: int, z: int) -> Counts:
        """One plane of one frame through all three detectors, (3, Y, X) uint16."""
        conditions, one = self.conditions, slice(z, z + 1)
        noise, gain = conditions.fluorescence_read_noise, conditions.counts_per_photon
        return np.concatenate(
            [
                expose_transmitted(np.exp(ideal.contrast[frame, one]), field, conditions, self._noise),
                expose_fluorescence(ideal.tmrm[frame, one], noise[0], gain, self._noise),
                expose_fluorescence(ideal.dna[frame, one], noise[1], gain, self._noise),
            ]
        )

    def _ideal(self, times_s: Sequence[float], plane: int | None) -> _Ideal:
        """Images of all blocks put together; blocks before frames, so that what stands still is built once a block."""
        conditions, (planes, *shape_yx) = self.conditions, self._grid.shape
        depth = self._crop[0] if plane is None else slice(self._crop[0].start + plane, self._crop[0].start + plane + 1)
        only, size = (None if plane is None else depth.start), (shape_yx[0], shape_yx[1])
        light = blocks.BlockImager(transmitted_kernel(planes, conditions), size, only)
        stains = [
            blocks.BlockImager(fluorescence_kernel(planes, wavelength, conditions), size, only)
            for wavelength in EMISSION_UM
        ]
        ideal = _Ideal.dark((len(times_s), depth.stop - depth.start, *self.shape[1:]))
        windows = edge_windows(self._grid, self._margin)
        for block in blocks.blocks(size):
            corner = block[0].start - self._margin, block[1].start - self._margin
            window = windows[0], windows[1][:, block[0]], windows[2][:, :, block[1]]
            for frame, phantom in enumerate(self._phantoms(block, times_s)):
                seen = scattering_potential(faded(phantom.refractive_index, window), conditions)
                for total, imager, source in (
                    (ideal.contrast, light, seen),
                    (ideal.tmrm, stains[0], phantom.tmrm),
                    (ideal.dna, stains[1], phantom.nuclear_dna),
                    (ideal.nucleoids, stains[1], phantom.nucleoids),
                ):
                    image = imager.image(source)
                    image = image if only is not None else image[depth]
                    blocks.add_block(total[frame], image, (corner[0] - imager.margin, corner[1] - imager.margin))
                if frame == 0:
                    blocks.add_block(ideal.cell, phantom.body[depth], corner)
                    blocks.add_block(ideal.nucleus, phantom.nucleus[depth], corner)
        for image in (ideal.tmrm, ideal.dna, ideal.nucleoids):
            np.maximum(image, 0, out=image)  # rounding leaves tiny negative values
        np.add(ideal.dna, ideal.nucleoids, out=ideal.dna)
        return ideal

    def _phantoms(self, block: tuple[slice, slice], times_s: Sequence[float]) -> Iterator[Phantom]:
        """What is in one block, at one time after the other."""
        grid = self._grid.part_of(block)
        seen = [(cell, part) for cell in self._cells if (part := _where(cell, grid)) is not None]
        if not seen:
            yield from (Phantom.empty(grid) for _ in times_s)
            return
        place = (block[0].start, block[1].start), grid.shape[1:]
        textures = {sigma: weave.region(*place) for sigma, weave in self._weaves.items()}
        other = self._other.region(*place) if any(times_s) else None
        scaffolds = [
            build_scaffold(cell, grid.part_of(part), lambda sigma, part=part: textures[sigma][:, *part])  # type: ignore[misc]
            for cell, part in seen
        ]
        for time_s in times_s:
            phantom = Phantom.empty(grid)
            for (cell, part), scaffold in zip(seen, scaffolds, strict=True):
                if other is not None:
                    cell = moved(cell, self._flow, time_s)
                    scaffold = churn(scaffold, other[:, *part], CHURN_PER_S * time_s)
                here = within(cell, *scaffold.grid.box(_ORGANELLE_UM))
                phantom.add(build_phantom(here, scaffold, self.conditions.ri_contrast), (slice(None), *part))
            yield phantom


def _where(cell: Cell, grid: Grid) -> tuple[slice, slice] | None:
    """Rows and columns of `grid` that `cell` may cover, found on a coarse raster; None if there are none."""
    low, high = grid.box(_RIM_UM)
    nearest = np.clip(cell.outline.centre[1:], low, high)
    if np.hypot(*(nearest - cell.outline.centre[1:])) > cell.outline.reach_um:
        return None
    lines = [np.arange(a, b + _RASTER_UM, _RASTER_UM) for a, b in zip(low, high, strict=True)]
    thick = cell.outline.height(lines[0][:, None], lines[1][None]) > 0.05
    if not thick.any():
        return None
    parts = []
    for axis, line in enumerate(lines):
        found = line[thick.any(axis=1 - axis)]
        ends = np.array([found[0] - _RIM_UM, found[-1] + _RIM_UM]) - grid.origin_um[axis + 1]
        first, last = np.clip(np.round(ends / grid.voxel_size_um[axis + 1]), 0, grid.shape[axis + 1]).astype(int)
        parts.append(slice(int(first), int(last)))
    return (parts[0], parts[1]) if all(part.stop > part.start for part in parts) else None


def _scale(images: Sequence[Array], peak_photons: float) -> None:
    """Turn (T, Z, Y, X) images into photons, in place, by the first frame of the first: a series must not flicker."""
    factor = np.float32(peak_photons / max(float(np.percentile(images[0][0], 99.8)), 1e-6))
    for image in images:
        image *= factor


def _single_precision(cell: Cell) -> Cell:
    """The cell with an outline whose masks are computed in float32: half the memory."""
    outline = cell.outline
    centre, radii = (values.astype(np.float32) for values in (outline.centre, outline.radii))
    return replace(cell, outline=replace(outline, centre=centre, radii=radii))


def _bounds(
    shape: tuple[int, int, int], voxel_um: tuple[float, float, float], margin_um: float
) -> tuple[tuple[float, float], tuple[float, float]]:
    rows_um, columns_um = (size * voxel for size, voxel in zip(shape[1:], voxel_um[1:], strict=True))
    return (-margin_um, -margin_um), (rows_um + margin_um, columns_um + margin_um)
