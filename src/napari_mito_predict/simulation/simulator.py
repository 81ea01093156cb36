"""From a seed to an image: cell, optics and detectors put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from napari_mito_predict.simulation.acquisition import Counts, expose_fluorescence, expose_transmitted, illumination
from napari_mito_predict.simulation.cell import draw_cell
from napari_mito_predict.simulation.conditions import Conditions
from napari_mito_predict.simulation.motion import Flow, moved
from napari_mito_predict.simulation.optics import fluorescence, transmitted_light
from napari_mito_predict.simulation.phantom import CHURN_UM, Phantom, build_phantom, build_scaffold, churn
from napari_mito_predict.simulation.recording import CHANNEL_NAMES, EMISSION_UM, GroundTruth, SimulatedImage
from napari_mito_predict.simulation.shapes import Array, texture
from napari_mito_predict.simulation.stage import CHURN_PER_S, MARGIN_YX, edge_windows, faded, mid_plane, padded_grid
from napari_mito_predict.simulation.true_dynamics import TrueDynamics, living
from napari_mito_predict.simulation.wide import WideScene, is_wide

if TYPE_CHECKING:
    from napari_mito_predict.simulation.dynamics import Dynamics
    from napari_mito_predict.simulation.history import History

_SERIES_PLANES = 24


def simulate_stack(
    seed: int, conditions: Conditions | None = None, shape: tuple[int, int, int] = (32, 256, 256)
) -> SimulatedImage:
    """Simulate one z-stack of transmitted light, TMRM and SYBR Gold.

    Parameters
    ----------
    seed : int
        Chooses the cell. The same seed shows the same cell whatever the optics and the detectors; with another
        field or sampling only the fine textures differ. A field wider than 60 um shows several cells.
    conditions : Conditions, optional
        Default: `Conditions.matched()`.
    shape : tuple of int
        Planes, rows and columns. More than 512 rows or columns are simulated in blocks, so that memory is needed
        for little more than the result: 32 x 1834 x 1834 voxels take up to 4.5 GiB.

    Returns
    -------
    SimulatedImage
        `data` has the shape (3, 1, *shape).

    Raises
    ------
    MissingExtraError
        waveorder is not installed.
    """
    conditions = conditions or Conditions.matched()
    if is_wide(shape, conditions):
        return WideScene(seed, conditions, shape).record()
    scene = _Scene(seed, conditions, shape)
    return scene.image([scene.record(time_s=0.0)], None)


def simulate_series(
    seed: int,
    conditions: Conditions | None = None,
    frames: int = 32,
    step_s: float = 5.0,
    shape_yx: tuple[int, int] = (256, 256),
    on_frame: Callable[[int], None] | None = None,
    *,
    planes: int | None = None,
    dynamics: Dynamics | None = None,
) -> SimulatedImage:
    """Simulate a time series of one plane through a living cell, or of stacks.

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
        Called with the number of finished frames; those of a large field are all finished near the end, because
        blocks come before frames.
    planes : int, optional
        Record stacks of so many planes. Default: one plane, about 1 um above the coverslip.
    dynamics : Dynamics, optional
        How often mitochondria divide and join. Default: never; every fourth thins out and recovers.

    Returns
    -------
    SimulatedImage
        `data` has the shape (3, frames, planes, *shape_yx), with one plane by default; with `dynamics`, its
        `dynamics` tells what happened.

    Raises
    ------
    MissingExtraError
        waveorder is not installed.
    """
    conditions = conditions or Conditions.matched()
    shape = (planes or _SERIES_PLANES, *shape_yx)
    times_s = [frame * step_s for frame in range(frames)]
    if is_wide(shape, conditions):
        wide = WideScene(seed, conditions, shape, dynamics, times_s)
        return wide.record(step_s, on_frame, one_plane=planes is None)
    scene = _Scene(seed, conditions, shape, dynamics, times_s)
    plane = None
    if planes is None:
        plane = scene.mid_plane
    recorded = []
    for frame, time_s in enumerate(times_s):
        recorded.append(scene.record(time_s, plane))
        if on_frame:
            on_frame(frame + 1)
    return scene.image(recorded, step_s)


@dataclass(frozen=True, slots=True)
class _Frame:
    """One time point: `data` (3, Z, Y, X) as recorded, and the noise-free stains in expected photons, (Z, Y, X)."""

    data: Counts
    mitochondria: Array
    dna: Array
    nucleoids: Array


class _Scene:
    """One field with its cells under one microscope; `record` takes a stack of it at some time.

    Every kind of randomness has its own generator, so that changing one (say, the noise) leaves the others alone.
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
        below = cells.uniform(0.3, 1.0) - conditions.focus_offset_um  # how far under the coverslip the stack starts
        self._grid, self._crop = padded_grid(shape, conditions.voxel_size_um, -below)
        margin = MARGIN_YX * conditions.voxel_size_um[1]
        high = np.array(shape[1:]) * np.array(conditions.voxel_size_um[1:]) + margin
        bounds = ((-margin, -margin), (float(high[0]), float(high[1])))
        self._cells = [draw_cell(cells, bounds, conditions.nucleus_in_view)]
        if conditions.neighbour:
            self._cells.append(draw_cell(neighbours, bounds, nucleus_in_view=False))
        self._flow = Flow.draw(motion)
        self._histories: Sequence[History | None] = [None] * len(self._cells)
        self._dynamics: TrueDynamics | None = None
        if dynamics is not None:
            image_grid = self._grid.cropped(self._crop)
            self._cells, self._dynamics = living(seed, self._cells, dynamics, times_s, self._flow, image_grid)
            self._histories = self._dynamics.histories
        self._scaffolds = [
            build_scaffold(cell, self._grid, partial(texture, textures, self._grid)) for cell in self._cells
        ]
        self._motion = motion
        self._other_texture: Array | None = None
        self._photons_per_density: dict[int, float] = {}
        self._field = illumination(conditions, shape[1:], self._field_rng)
        self.mid_plane = mid_plane(below, conditions.voxel_size_um[0], shape[0])

    def record(self, time_s: float, plane: int | None = None) -> _Frame:
        """Take a stack `time_s` seconds after the start, or only its `plane`."""
        phantom = self._phantom(time_s)
        keep = self._crop
        if plane is not None:
            first = self._crop[0].start + plane
            keep = (slice(first, first + 1), *self._crop[1:])
        index = faded(phantom.refractive_index, edge_windows(self._grid))
        light = transmitted_light(index, self.conditions)[keep]
        mitochondria = self._photons(0, fluorescence(phantom.tmrm, EMISSION_UM[0], self.conditions)[keep])
        nuclear = fluorescence(phantom.nuclear_dna, EMISSION_UM[1], self.conditions)[keep]
        nucleoids = fluorescence(phantom.nucleoids, EMISSION_UM[1], self.conditions)[keep]
        dna = self._photons(1, nuclear + nucleoids)
        noise = self.conditions.fluorescence_read_noise
        gain = self.conditions.counts_per_photon
        data = np.stack(
            [
                expose_transmitted(light, self._field, self.conditions, self._noise),
                expose_fluorescence(mitochondria, noise[0], gain, self._noise),
                expose_fluorescence(dna, noise[1], gain, self._noise),
            ]
        )
        return _Frame(data, mitochondria, dna, self._photons(1, nucleoids))

    def image(self, frames: list[_Frame], time_step_s: float | None) -> SimulatedImage:
        """Put recorded frames together."""
        cell = np.maximum.reduce([scaffold.body for scaffold in self._scaffolds])[self._crop]
        nucleus = np.maximum.reduce([scaffold.nucleus for scaffold in self._scaffolds])[self._crop]
        dynamics = self._dynamics
        if frames[0].dna.shape[0] == 1 != cell.shape[0]:  # a series: one plane of the field was recorded
            one = slice(self.mid_plane, self.mid_plane + 1)
            cell = cell[one]
            nucleus = nucleus[one]
            dynamics = dynamics and dynamics.of_planes(one)
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
            dynamics=dynamics,
        )

    def _phantom(self, time_s: float) -> Phantom:
        """What the microscope looks at after `time_s` seconds."""
        cells = self._cells
        scaffolds = self._scaffolds
        if time_s or self._dynamics is not None:
            cells = [
                moved(cell, self._flow, time_s, history) for cell, history in zip(cells, self._histories, strict=True)
            ]
        if time_s:
            # Drawn when first needed: a stack has no later time, and is spared the work.
            if self._other_texture is None:
                self._other_texture = texture(self._motion, self._grid, CHURN_UM)
            scaffolds = [churn(scaffold, self._other_texture, CHURN_PER_S * time_s) for scaffold in scaffolds]
        phantoms = [
            build_phantom(cell, scaffold, self.conditions.ri_contrast)
            for cell, scaffold in zip(cells, scaffolds, strict=True)
        ]
        if len(phantoms) == 1:
            return phantoms[0]
        return phantoms[0].beside(phantoms[1])

    def _photons(self, channel: int, image: Array) -> Array:
        """Scale to photons, by the first frame: a series must not flicker."""
        if channel not in self._photons_per_density:
            bright = max(float(np.percentile(image, 99.8)), 1e-6)
            self._photons_per_density[channel] = self.conditions.peak_photons[channel] / bright
        return image * np.float32(self._photons_per_density[channel])
