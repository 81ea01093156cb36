"""Many simulated files, on several processor cores, resumable."""

from __future__ import annotations

import dataclasses
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_mito_predict.errors import OutputExistsError, SimulationError
from napari_mito_predict.simulation.binning import binned
from napari_mito_predict.simulation.conditions import SAME_PIXELS_SINCE, SIMULATOR_VERSION, Conditions, Detector
from napari_mito_predict.simulation.czi import SIMULATED_BY, read_provenance, write_czi
from napari_mito_predict.simulation.events_file import events_path, write_events
from napari_mito_predict.simulation.simulator import simulate_series, simulate_stack

if TYPE_CHECKING:
    from napari_mito_predict.simulation.dynamics import Dynamics


@dataclass(frozen=True, slots=True)
class Job:
    """One file to be simulated.

    Attributes
    ----------
    path : Path
    seed : int
    conditions : Conditions
    shape : tuple of int
        (Z, Y, X) of a stack, (T, Y, X) of a series.
    step_s : float or None
        Time step in seconds; None for a stack.
    binning : int
        Rows and columns averaged to one after the recording, see `binned`. `shape` and the voxel size in `conditions`
        are those of the recording: the file has `shape[1] // binning` rows.
    dynamics : Dynamics or None
        How often the mitochondria of a series divide and join. What did is written beside the file, see
        `write_events`.
    """

    path: Path
    seed: int
    conditions: Conditions
    shape: tuple[int, int, int]
    step_s: float | None = None
    binning: int = 1
    dynamics: Dynamics | None = None


def conditions_for(
    seed: int,
    *,
    randomise: bool = False,
    flip_z: bool = False,
    photons: float | None = None,
    detector: Detector = "confocal",
    voxel_size_um: tuple[float, float, float] | None = None,
) -> Conditions:
    """Conditions of the file with this seed: drawn from the seed, then with what was asked for explicitly.

    `detector` and `voxel_size_um` are those of `Conditions.matched`; with `randomise` they are drawn as well.
    """
    # Another stream than the cell's, which is drawn from `seed` alone: the same cell can be seen under any conditions.
    rng = np.random.default_rng((seed, 1))
    if randomise:
        drawn = Conditions.randomised(rng)
    else:
        drawn = Conditions.matched(rng, detector, voxel_size_um)
    if photons is not None:
        drawn = dataclasses.replace(drawn, photons=photons)
    return dataclasses.replace(drawn, flip_z=drawn.flip_z != flip_z)


def simulate_files(jobs: Sequence[Job], processes: int = 1) -> Iterator[Path]:
    """Simulate and write every file that is not there yet.

    Parameters
    ----------
    jobs : sequence of Job
        Their folders are created.
    processes : int
        Number of processes; each needs about 1.5 GiB for stacks of 32 x 256 x 256 voxels, 4.5 GiB for
        32 x 1834 x 1834.

    Yields
    ------
    Path
        Each file as it is done; files that were there already come first.

    Raises
    ------
    OutputExistsError
        A file of that name exists but was not simulated from the same seed under the same conditions.
    SimulationError
        A process was ended by the system.
    """
    missing = []
    for job in jobs:
        job.path.parent.mkdir(parents=True, exist_ok=True)
        if job.path.exists():
            _require_same(job)
            yield job.path
        else:
            missing.append(job)
    if processes == 1 or len(missing) < 2:
        for job in missing:
            yield _simulate(job)
        return
    # "spawn": torch's threads do not survive a fork. One thread each: the cores are shared by the processes.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        try:
            for done in as_completed([pool.submit(_simulate, job) for job in missing]):
                yield done.result()
        except BrokenProcessPool as error:
            raise SimulationError(
                f"One of {processes} simulation processes was ended by the system, most likely because memory ran "
                "out. Use fewer processes or a smaller size; finished files are kept."
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)  # after an error or Ctrl-C do not work through the rest


def _simulate(job: Job) -> Path:
    if job.step_s is None:
        simulated = simulate_stack(job.seed, job.conditions, job.shape)
    else:
        frames, *shape_yx = job.shape
        simulated = simulate_series(
            job.seed,
            job.conditions,
            frames,
            job.step_s,
            (shape_yx[0], shape_yx[1]),
            dynamics=job.dynamics,
        )
    simulated = binned(simulated, job.binning)
    if simulated.dynamics is not None:  # before the image, which is taken for finished once it is there
        write_events(events_path(job.path), simulated.dynamics)
    write_czi(job.path, simulated)
    return job.path


def _require_same(job: Job) -> None:
    """Refuse a file that is there already but is not the one that `job` would write."""
    kind = "stack" if job.step_s is None else "series"
    versions = range(SAME_PIXELS_SINCE[kind], SIMULATOR_VERSION + 1)
    found = read_provenance(job.path)
    found.setdefault("binning", 1)
    wanted = {
        "simulated_by": SIMULATED_BY,
        "seed": job.seed,
        "conditions": job.conditions.to_json(),
        "binning": job.binning,
        "dynamics": job.dynamics and job.dynamics.to_json(),
    }
    different = [key for key, value in wanted.items() if found.get(key) != value]
    if found.get("simulator_version") not in versions:
        different.append("simulator_version")
    if different:
        raise OutputExistsError(
            f"this file exists already but differs from what was asked for ({', '.join(different)}). "
            "Choose another folder, or remove the file.",
            file=job.path,
        )
