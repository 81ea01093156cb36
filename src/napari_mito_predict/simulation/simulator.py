"""From a seed to an image: cell, optics and detectors put together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from napari_mito_predict.simulation.acquisition import Counts, expose_fluorescence, expose_transmitted, illumination
from napari_mito_predict.simulation.cell import draw_cell
from napari_mito_predict.simulation.conditions import N_MEDIUM, Conditions
from napari_mito_predict.simulation.motion import Flow, moved
from napari_mito_predict.simulation.optics import fluorescence, transmitted_light
from napari_mito_predict.simulation.phantom import Phantom, build_phantom, build_scaffold, churn
from napari_mito_predict.simulation.shapes import Array, Grid, texture

CHANNEL_NAMES = ("ESID-T1", "TMRM-T1", "SYBR Gold-T2")

_EMISSION_UM = (0.58, 0.54)
_MARGIN_UM, _MARGIN_YX = 1.2, 16
_SERIES_PLANES = 24
_CHURN_PER_S = 0.04


@dataclass(frozen=True, slots=True)
class GroundTruth:
    """What no microscope could record: for evaluation, never written into the image file.

    Attributes
    ----------
    nucleus, cell : (Z, Y, X) float32 arrays
        Soft masks from 0 to 1; of a series, in its first frame.
    mitochondria, dna, nucleoids : (T, Z, Y, X) float32 arrays
        Noise-free images in expected photons; `nucleoids` is the part of `dna` that comes from mitochondrial DNA.
    """

    nucleus: Array
    cell: Array
    mitochondria: Array
    dna: Array
    nucleoids: Array


@dataclass(frozen=True, slots=True)
class SimulatedImage:
    """A simulated recording.

    Attributes
    ----------
    data : (C, T, Z, Y, X) uint16 array
        Transmitted light, TMRM, SYBR Gold.
    channel_names : tuple of str
    voxel_size_um : tuple of float
        (z, y, x).
    time_step_s : float or None
        None for a single stack.
    seed : int
    conditions : Conditions
    truth : GroundTruth
    """

    data: Counts
    channel_names: tuple[str, str, str]
    voxel_size_um: tuple[float, float, float]
    time_step_s: float | None
    seed: int
    conditions: Conditions
    truth: GroundTruth


def simulate_stack(
    seed: int, conditions: Conditions | None = None, shape: tuple[int, int, int] = (32, 256, 256)
) -> SimulatedImage:
    """Simulate one z-stack of transmitted light, TMRM and SYBR Gold.

    Parameters
    ----------
    seed : int
        Chooses the cell. The same seed shows the same cell whatever the optics and the detectors; with another
        field or sampling only the fine textures differ.
    conditions : Conditions, optional
        Default: `Conditions.matched()`.
    shape : tuple of int
        Planes, rows and columns.

    Returns
    -------
    SimulatedImage
        `data` has the shape (3, 1, *shape).

    Raises
    ------
    MissingExtraError
        waveorder is not installed.
    """
    scene = _Scene(seed, conditions or Conditions.matched(), shape)
    return scene.image([scene.record(time_s=0.0)], None)


def simulate_series(
    seed: int,
    conditions: Conditions | None = None,
    frames: int = 32,
    step_s: float = 5.0,
    shape_yx: tuple[int, int] = (256, 256),
    on_frame: Callable[[int], None] | None = None,
) -> SimulatedImage:
    """Simulate a time series of one plane through a living cell.

    Parameters
    ----------
    seed, conditions
        As for `simulate_stack`; detector settings stay the same throughout, so that the series does not flicker.
    frames : int
        Number of time points.
    step_s : float
        Time between them in seconds.
    shape_yx : tuple of int
        Rows and columns.
    on_frame : callable, optional
        Called with the number of finished frames.

    Returns
    -------
    SimulatedImage
        `data` has the shape (3, frames, 1, *shape_yx).

    Raises
    ------
    MissingExtraError
        waveorder is not installed.
    """
    scene = _Scene(seed, conditions or Conditions.matched(), (_SERIES_PLANES, *shape_yx))
    recorded = []
    for frame in range(frames):
        recorded.append(scene.record(frame * step_s, plane=scene.mid_plane))
        if on_frame:
            on_frame(frame + 1)
    return scene.image(recorded, step_s)


@dataclass(frozen=True, slots=True)
class _Frame:
    data: Counts
    mitochondria: Array
    dna: Array
    nucleoids: Array


class _Scene:
    """One field with its cells under one microscope; `record` takes a stack of it at some time.

    Every kind of randomness has its own generator, so that changing one (say, the noise) leaves the others alone.
    """

    def __init__(self, seed: int, conditions: Conditions, shape: tuple[int, int, int]) -> None:
        streams = np.random.default_rng(seed).spawn(6)
        cells, textures, motion, neighbours, self._field_rng, self._noise = streams
        self.seed, self.conditions, self.shape = seed, conditions, shape
        below = cells.uniform(0.3, 1.0) - conditions.focus_offset_um  # how far under the coverslip the stack starts
        self._grid, self._crop = _padded_grid(shape, conditions.voxel_size_um, -below)
        voxel, margin = np.array(conditions.voxel_size_um[1:]), _MARGIN_YX * conditions.voxel_size_um[1]
        high = np.array(shape[1:]) * voxel + margin
        bounds = ((-margin, -margin), (float(high[0]), float(high[1])))
        self._cells = [draw_cell(cells, bounds, conditions.nucleus_in_view)]
        if conditions.neighbour:
            self._cells.append(draw_cell(neighbours, bounds, nucleus_in_view=False))
        self._scaffolds = [build_scaffold(cell, self._grid, textures) for cell in self._cells]
        self._flow, self._motion = Flow.draw(motion), motion
        self._other_texture: Array | None = None
        self._photons_per_density: dict[int, float] = {}
        self._field = illumination(conditions, shape[1:], self._field_rng)
        self.mid_plane = int(np.clip(round((below + 1.0) / conditions.voxel_size_um[0]), 1, shape[0] - 2))

    def record(self, time_s: float, plane: int | None = None) -> _Frame:
        """Take a stack `time_s` seconds after the start, or only its `plane`."""
        phantom = self._phantom(time_s)
        keep = (
            self._crop
            if plane is None
            else (slice(self._crop[0].start + plane, self._crop[0].start + plane + 1), *self._crop[1:])
        )
        light = transmitted_light(_faded(phantom.refractive_index, self._grid), self.conditions)[keep]
        mitochondria = self._photons(0, fluorescence(phantom.tmrm, _EMISSION_UM[0], self.conditions)[keep])
        nuclear = fluorescence(phantom.nuclear_dna, _EMISSION_UM[1], self.conditions)[keep]
        nucleoids = fluorescence(phantom.nucleoids, _EMISSION_UM[1], self.conditions)[keep]
        dna = self._photons(1, nuclear + nucleoids)
        noise = self.conditions.fluorescence_read_noise
        data = np.stack(
            [
                expose_transmitted(light, self._field, self.conditions, self._noise),
                expose_fluorescence(mitochondria, noise[0], self._noise),
                expose_fluorescence(dna, noise[1], self._noise),
            ]
        )
        return _Frame(data, mitochondria, dna, self._photons(1, nucleoids))

    def image(self, frames: list[_Frame], time_step_s: float | None) -> SimulatedImage:
        """Put recorded frames together."""
        cell = np.maximum.reduce([scaffold.body for scaffold in self._scaffolds])[self._crop]
        nucleus = np.maximum.reduce([scaffold.nucleus for scaffold in self._scaffolds])[self._crop]
        if frames[0].dna.shape[0] == 1 != cell.shape[0]:
            one = slice(self.mid_plane, self.mid_plane + 1)
            cell, nucleus = cell[one], nucleus[one]
        return SimulatedImage(
            data=np.stack([frame.data for frame in frames], axis=1),
            channel_names=CHANNEL_NAMES,
            voxel_size_um=self.conditions.voxel_size_um,
            time_step_s=time_step_s,
            seed=self.seed,
            conditions=self.conditions,
            truth=GroundTruth(
                nucleus=nucleus.copy(),
                cell=cell.copy(),
                mitochondria=np.stack([frame.mitochondria for frame in frames]),
                dna=np.stack([frame.dna for frame in frames]),
                nucleoids=np.stack([frame.nucleoids for frame in frames]),
            ),
        )

    def _phantom(self, time_s: float) -> Phantom:
        cells, scaffolds = self._cells, self._scaffolds
        if time_s:
            if self._other_texture is None:
                self._other_texture = texture(self._motion, self._grid, (0.2, 0.15, 0.15))
            cells = [moved(cell, self._flow, time_s) for cell in cells]
            scaffolds = [churn(scaffold, self._other_texture, _CHURN_PER_S * time_s) for scaffold in scaffolds]
        phantoms = [
            build_phantom(cell, scaffold, self.conditions.ri_contrast)
            for cell, scaffold in zip(cells, scaffolds, strict=True)
        ]
        return phantoms[0] if len(phantoms) == 1 else phantoms[0].beside(phantoms[1])

    def _photons(self, channel: int, image: Array) -> Array:
        """Scale to photons, by the first frame: a series must not flicker."""
        if channel not in self._photons_per_density:
            bright = max(float(np.percentile(image, 99.8)), 1e-6)
            self._photons_per_density[channel] = self.conditions.peak_photons[channel] / bright
        return image * np.float32(self._photons_per_density[channel])


def _padded_grid(
    shape: tuple[int, int, int], voxel_um: tuple[float, float, float], first_plane_um: float
) -> tuple[Grid, tuple[slice, slice, slice]]:
    """Grid with a margin on all sides, and the slices that cut the margin off again: Fourier transforms wrap round."""
    margins = (int(np.ceil(_MARGIN_UM / voxel_um[0])), _MARGIN_YX, _MARGIN_YX)
    sizes = [size + 2 * margin for size, margin in zip(shape, margins, strict=True)]
    origin = [-margin * step for margin, step in zip(margins, voxel_um, strict=True)]
    grid = Grid((sizes[0], sizes[1], sizes[2]), voxel_um, (origin[0] + first_plane_um, origin[1], origin[2]))
    crop = [slice(margin, margin + size) for margin, size in zip(margins, shape, strict=True)]
    return grid, (crop[0], crop[1], crop[2])


def _faded(refractive_index: Array, grid: Grid) -> Array:
    """Let the cell fade into the medium within the margin, so that no edge appears where the transform wraps round."""
    step = refractive_index - np.float32(N_MEDIUM)
    for axis, (size, voxel) in enumerate(zip(grid.shape, grid.voxel_size_um, strict=True)):
        ramp = max(2, int(0.7 / voxel)) if axis == 0 else _MARGIN_YX // 2
        edge = np.minimum(np.arange(size), np.arange(size)[::-1]) / ramp
        window = np.sin(np.pi / 2 * np.clip(edge, 0, 1)) ** 2
        step = step * window.astype(np.float32).reshape([-1 if i == axis else 1 for i in range(3)])
    return step + np.float32(N_MEDIUM)
