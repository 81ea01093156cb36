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
from napari_mito_predict.simulation.tiled_texture import TiledTexture
from napari_mito_predict.simulation.true_dynamics import TrueDynamics, living

if TYPE_CHECKING:
    from napari_mito_predict.simulation.acquisition import Counts
    from napari_mito_predict.simulation.cell import Bounds
    from napari_mito_predict.simulation.conditions import Conditions
    from napari_mito_predict.simulation.dynamics import Dynamics
    from napari_mito_predict.simulation.history import History
    from napari_mito_predict.simulation.shapes import Array, Grid

_CULTURE_FROM_UM = 60.0
_MARGIN_UM = 2.5
_ORGANELLE_UM = 3.0  # no organelle is larger
_RASTER_UM = 0.5
_RIM_UM = 2.0  # organelles stick out of, or drift over, the rim of their cell by less than this


def is_wide(shape: tuple[int, int, int], conditions: Conditions) -> bool:
    """Whether a field of `shape` is simulated here: it has room for several cells, or is larger than one block."""
    return _has_room(shape, conditions) or max(shape[1:]) > blocks.LARGEST


def _has_room(shape: tuple[int, int, int], conditions: Conditions) -> bool:
    return bool(max(np.multiply(shape[1:], conditions.voxel_size_um[1:])) > _CULTURE_FROM_UM)


@dataclass(frozen=True, slots=True)
class _IdealImages:
    """Images before the detectors, (T, Z, Y, X), and the masks of the first frame, (Z, Y, X); all float32."""

    contrast: Array
    tmrm: Array
    dna: Array
    nucleoids: Array
    cell: Array
    nucleus: Array

    @classmethod
    def dark(cls, shape: tuple[int, int, int, int]) -> _IdealImages:
        """Images of the shape (T, Z, Y, X) on which nothing is to be seen yet."""
        return cls(
            contrast=np.zeros(shape, np.float32),
            tmrm=np.zeros(shape, np.float32),
            dna=np.zeros(shape, np.float32),
            nucleoids=np.zeros(shape, np.float32),
            cell=np.zeros(shape[1:], np.float32),
            nucleus=np.zeros(shape[1:], np.float32),
        )


class _Microscope:
    """The optics of one field, block by block.

    Parameters
    ----------
    conditions : Conditions
    shape : tuple of int
        Of the padded grid, (Z, Y, X).
    planes : slice
        Which planes of it are imaged.
    only_plane : int, optional
        The only one that is imaged; this takes a small part of the time.
    """

    def __init__(
        self, conditions: Conditions, shape: tuple[int, int, int], planes: slice, only_plane: int | None = None
    ) -> None:
        self.planes = planes
        self._only_plane = only_plane
        if only_plane is not None:
            self.planes = slice(only_plane, only_plane + 1)
        shape_yx = (shape[1], shape[2])
        kernel = transmitted_kernel(shape[0], conditions)
        self.light = blocks.BlockImager(kernel, shape_yx, only_plane)
        stains = []
        for wavelength_um in EMISSION_UM:
            kernel = fluorescence_kernel(shape[0], wavelength_um, conditions)
            stains.append(blocks.BlockImager(kernel, shape_yx, only_plane))
        self.tmrm = stains[0]
        self.dna = stains[1]

    def add_image(self, total: Array, imager: blocks.BlockImager, source: Array, corner_yx: tuple[int, int]) -> None:
        """Add the image of the block `source` (Z, Y, X), whose first voxel is at `corner_yx` in `total`."""
        image = imager.image(source)
        if self._only_plane is None:
            image = image[self.planes]
        blocks.add_block(total, image, (corner_yx[0] - imager.margin, corner_yx[1] - imager.margin))


class WideScene:
    """One large field under one microscope.

    Parameters
    ----------
    seed : int
    conditions : Conditions
    shape : tuple of int
        (Z, Y, X).
    dynamics : Dynamics, optional
        How often mitochondria divide and join.
    times_s : sequence of float
        When it is recorded.
    """

    def __init__(
        self,
        seed: int,
        conditions: Conditions,
        shape: tuple[int, int, int],
        dynamics: Dynamics | None = None,
        times_s: Sequence[float] = (0.0,),
    ) -> None:
        # The order is part of the simulator's version: each stream of random numbers belongs to one thing.
        streams = np.random.default_rng(seed).spawn(6)
        cells = streams[0]
        textures = streams[1]
        motion = streams[2]
        neighbours = streams[3]
        self._field_rng = streams[4]
        self._noise = streams[5]
        self.seed = seed
        self.conditions = conditions
        self.shape = shape
        voxel = conditions.voxel_size_um
        below = cells.uniform(0.3, 1.0) - conditions.focus_offset_um  # how far under the coverslip the stack starts
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
        self._textures = {sigma: TiledTexture(textures, sigma, voxel, planes) for sigma in TEXTURES_UM}
        self._flow = Flow.draw(motion)
        self._times_s = times_s
        self._histories: Sequence[History | None] = [None] * len(self._cells)
        self._dynamics: TrueDynamics | None = None
        if dynamics is not None:
            image_grid = self._grid.cropped(self._crop)
            self._cells, self._dynamics = living(seed, self._cells, dynamics, times_s, self._flow, image_grid)
            self._histories = self._dynamics.histories
        self._other_texture = TiledTexture(motion, CHURN_UM, voxel, planes)

    def record(
        self, step_s: float | None = None, on_frame: Callable[[int], None] | None = None, *, one_plane: bool = False
    ) -> SimulatedImage:
        """Take stacks, or only the middle plane, at all times; `on_frame` counts finished frames."""
        only_plane = None
        dynamics = self._dynamics
        if one_plane:
            only_plane = self._crop[0].start + self._plane
            dynamics = dynamics and dynamics.of_planes(slice(self._plane, self._plane + 1))
        ideal = self._ideal_images(self._times_s, only_plane)
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
            dynamics=dynamics,
        )

    def _exposed(self, ideal: _IdealImages, field: Array, frame: int, z: int) -> Counts:
        """One plane of one frame through all three detectors, (3, Y, X) uint16."""
        conditions = self.conditions
        one = slice(z, z + 1)
        noise = conditions.fluorescence_read_noise
        gain = conditions.counts_per_photon
        return np.concatenate(
            [
                expose_transmitted(np.exp(ideal.contrast[frame, one]), field, conditions, self._noise),
                expose_fluorescence(ideal.tmrm[frame, one], noise[0], gain, self._noise),
                expose_fluorescence(ideal.dna[frame, one], noise[1], gain, self._noise),
            ]
        )

    def _ideal_images(self, times_s: Sequence[float], only_plane: int | None) -> _IdealImages:
        """Images of all blocks put together; of all planes of the field, or of the one plane of the padded grid.

        Blocks come before frames, so that what stands still is built once a block.
        """
        shape = self._grid.shape
        microscope = _Microscope(self.conditions, shape, self._crop[0], only_plane)
        planes = microscope.planes
        ideal = _IdealImages.dark((len(times_s), planes.stop - planes.start, *self.shape[1:]))
        windows = edge_windows(self._grid, self._margin)
        for block in blocks.blocks((shape[1], shape[2])):
            corner = (block[0].start - self._margin, block[1].start - self._margin)
            window = (windows[0], windows[1][:, block[0]], windows[2][:, :, block[1]])
            for frame, phantom in enumerate(self._phantoms(block, times_s)):
                potential = scattering_potential(faded(phantom.refractive_index, window), self.conditions)
                microscope.add_image(ideal.contrast[frame], microscope.light, potential, corner)
                microscope.add_image(ideal.tmrm[frame], microscope.tmrm, phantom.tmrm, corner)
                microscope.add_image(ideal.dna[frame], microscope.dna, phantom.nuclear_dna, corner)
                microscope.add_image(ideal.nucleoids[frame], microscope.dna, phantom.nucleoids, corner)
                if frame == 0:
                    blocks.add_block(ideal.cell, phantom.body[planes], corner)
                    blocks.add_block(ideal.nucleus, phantom.nucleus[planes], corner)
        for image in (ideal.tmrm, ideal.dna, ideal.nucleoids):
            np.maximum(image, 0, out=image)  # rounding leaves tiny negative values
        np.add(ideal.dna, ideal.nucleoids, out=ideal.dna)
        return ideal

    def _phantoms(self, block: tuple[slice, slice], times_s: Sequence[float]) -> Iterator[Phantom]:
        """What is in one block, at one time after the other."""
        grid = self._grid.part_of(block)
        placed = []
        for cell, history in zip(self._cells, self._histories, strict=True):
            part = _covered_part(cell, grid)
            if part is not None:
                placed.append((cell, history, part))
        if not placed:
            yield from (Phantom.empty(grid) for _ in times_s)
            return
        corner_yx = (block[0].start, block[1].start)
        shape_yx = grid.shape[1:]
        textures = {sigma: texture.region(corner_yx, shape_yx) for sigma, texture in self._textures.items()}
        other_texture = None
        if any(times_s):
            other_texture = self._other_texture.region(corner_yx, shape_yx)
        scaffolds = []
        for cell, _, part in placed:
            own_textures = {sigma: texture[:, *part] for sigma, texture in textures.items()}
            scaffolds.append(build_scaffold(cell, grid.part_of(part), own_textures.__getitem__))
        for time_s in times_s:
            phantom = Phantom.empty(grid)
            for (cell, history, part), scaffold in zip(placed, scaffolds, strict=True):
                if other_texture is not None or history is not None:
                    cell = moved(cell, self._flow, time_s, history)
                if other_texture is not None:
                    scaffold = churn(scaffold, other_texture[:, *part], CHURN_PER_S * time_s)
                here = within(cell, *scaffold.grid.box(_ORGANELLE_UM))
                phantom.add(build_phantom(here, scaffold, self.conditions.ri_contrast), (slice(None), *part))
            yield phantom


def _covered_part(cell: Cell, grid: Grid) -> tuple[slice, slice] | None:
    """Rows and columns of `grid` that `cell` may cover, found on a coarse raster; None if there are none."""
    low, high = grid.box(_RIM_UM)
    nearest = np.clip(cell.outline.centre[1:], low, high)
    if np.hypot(*(nearest - cell.outline.centre[1:])) > cell.outline.reach_um:
        return None
    lines = [np.arange(start, end + _RASTER_UM, _RASTER_UM) for start, end in zip(low, high, strict=True)]
    thick = cell.outline.height(lines[0][:, None], lines[1][None]) > 0.05
    if not thick.any():
        return None
    parts = []
    for axis, line in enumerate(lines):
        found = line[thick.any(axis=1 - axis)]
        ends_um = np.array([found[0] - _RIM_UM, found[-1] + _RIM_UM]) - grid.origin_um[axis + 1]
        ends = np.round(ends_um / grid.voxel_size_um[axis + 1])
        start, stop = np.clip(ends, 0, grid.shape[axis + 1]).astype(int)
        parts.append(slice(int(start), int(stop)))
    if any(part.stop <= part.start for part in parts):
        return None
    return parts[0], parts[1]


def _scale(images: Sequence[Array], peak_photons: float) -> None:
    """Turn (T, Z, Y, X) images into photons, in place, by the first frame of the first: a series must not flicker."""
    factor = np.float32(peak_photons / max(float(np.percentile(images[0][0], 99.8)), 1e-6))
    for image in images:
        image *= factor


def _single_precision(cell: Cell) -> Cell:
    """The cell with an outline whose masks are computed in float32: half the memory."""
    outline = cell.outline
    narrow = replace(outline, centre=outline.centre.astype(np.float32), radii=outline.radii.astype(np.float32))
    return replace(cell, outline=narrow)


def _bounds(shape: tuple[int, int, int], voxel_um: tuple[float, float, float], margin_um: float) -> Bounds:
    """Corners of a field that starts at (0, 0), and of a margin round it."""
    height_um = shape[1] * voxel_um[1]
    width_um = shape[2] * voxel_um[2]
    return (-margin_um, -margin_um), (height_um + margin_um, width_um + margin_um)
