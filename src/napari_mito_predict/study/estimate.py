"""About how long a plan takes here, from a few timed iterations."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from napari_mito_predict.study.tasks import training_task
from napari_mito_predict.training.runs import threads_each

if TYPE_CHECKING:
    from napari_mito_predict.simulation import Job
    from napari_mito_predict.study.plan import Plan

# Seconds per simulated voxel, measured on one core of a server (2026).
_STACK_S = 1.2e-6
_SERIES_S = 1.7e-5
_OVERHEAD_S = 20.0
"""Of each training: reading, validating, testing."""
_CHANNELS = 3
_BYTES_PER_VALUE = 2


@dataclass(frozen=True)
class Estimate:
    """A table of runs, and what they come to.

    Attributes
    ----------
    rows : list of list of str
        Run, studies, iterations, hours.
    lines : list of str
    """

    rows: list[list[str]]
    lines: list[str]


def estimate(plan: Plan, processes: int) -> Estimate:
    """Estimate what is left of a plan.

    Iterations are timed here on a single patch of each kind of network, and taken to grow with batch and patch.

    Parameters
    ----------
    plan : Plan
    processes : int
        Trainings at a time.
    """
    threads = threads_each(processes)
    left = [spec for spec in plan.runs if not training_task(plan, spec, threads).finished]
    per_voxel = {network: _seconds_per_voxel(plan, network, threads) for network in {spec.network for spec in left}}
    rows = []
    seconds = 0.0
    for spec in plan.runs:
        studies = ", ".join(study for study, specs in plan.studies.items() if spec in specs)
        hours = "finished"
        if spec in left:
            seconds_each = per_voxel[spec.network] * prod(spec.patch) * plan.scale.settings["batch_size"]
            run_seconds = seconds_each * spec.iterations + _OVERHEAD_S
            seconds += run_seconds
            hours = f"{run_seconds / 3600:.2f}"
        rows.append([spec.name, studies, str(spec.iterations), hours])
    simulation, about_pairs = _pairs(plan)
    lines = [
        about_pairs,
        f"{len(left)} of {len(plan.runs)} trainings to do, {processes} at a time with {threads} threads each.",
        f"About {(simulation + seconds) / 3600 / processes:.1f} hours in all, on this computer as busy as it is now.",
    ]
    return Estimate(rows, lines)


def _seconds_per_voxel(plan: Plan, network: str, threads: int) -> float:
    from napari_mito_predict.training import TrainingConfig
    from napari_mito_predict.training.estimate import seconds_per_iteration

    spec = next(spec for spec in plan.runs if spec.network == network)
    request = training_task(plan, spec, threads).request | {"batch_size": 1}
    return seconds_per_iteration(TrainingConfig.parse(request), plan.scale.patch) / prod(plan.scale.patch)


def _pairs(plan: Plan) -> tuple[float, str]:
    """Seconds on one core to simulate what is not there yet, and a line about it."""
    if plan.own:
        sets = ", ".join(f"{letter} {len(d.training)}+{len(d.test)}" for letter, d in plan.datasets.items())
        return 0.0, f"Pairs in {plan.own} (training + test): {sets}."
    missing = [job for job in plan.jobs if not job.path.exists()]
    seconds = sum(map(_simulation_seconds, missing))
    disk = sum(prod(job.shape) // job.binning**2 * _BYTES_PER_VALUE * _CHANNELS for job in missing)
    return seconds, (
        f"To simulate: {len(missing)} of {len(plan.jobs)} files, about {seconds / 3600:.1f} hours of one core, "
        f"{disk / 2**30:.1f} GiB on disk."
    )


def _simulation_seconds(job: Job) -> float:
    """Of one core."""
    if job.step_s is None:
        return prod(job.shape) * _STACK_S
    return prod(job.shape) * _SERIES_S
