"""``mito-predict simulate``: CZI files of simulated cells."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def simulate(
    output: Annotated[Path, typer.Argument(help="Folder for the CZI files; created when missing.")],
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="How many files.")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first file; each seed is one cell.")] = 0,
    randomise: Annotated[
        bool, typer.Option("--randomise", help="Spread optics, sampling and noise widely, for training.")
    ] = False,
    series: Annotated[bool, typer.Option("--series", help="Time series of one plane instead of z-stacks.")] = False,
    size: Annotated[int, typer.Option(min=32, help="Rows and columns.")] = 256,
    planes: Annotated[int, typer.Option(min=8, help="Planes of a z-stack, time points of a series.")] = 32,
    step: Annotated[float, typer.Option(min=0.001, help="Seconds between the time points of a series.")] = 5.0,
    flip_z: Annotated[
        bool, typer.Option("--flip-z", help="Let the light run the other way through the stack.")
    ] = False,
    photons: Annotated[
        float | None, typer.Option(min=1, help="Transmitted-light photons per voxel; few make a noisy image.")
    ] = None,
    processes: Annotated[int, typer.Option(min=1, help="Processes that work at the same time.")] = 1,
) -> None:
    """Simulate cells as CZI files with transmitted light, TMRM and SYBR Gold channels.

    Files that are there already are kept, so that an interrupted command can simply be repeated.
    Needs the packages of the extra "simulate".

    Example: mito-predict simulate cells -n 8 --processes 2
    """
    from rich.console import Console
    from rich.progress import track

    from napari_mito_predict.simulation import Job, conditions_for, simulate_files

    jobs = [
        Job(
            path=output / f"cell_{index:04d}.czi",
            seed=seed + index,
            conditions=conditions_for(seed + index, randomise=randomise, flip_z=flip_z, photons=photons),
            shape=(planes, size, size),
            step_s=step if series else None,
        )
        for index in range(count)
    ]
    console = Console(stderr=True)
    for _ in track(
        simulate_files(jobs, processes),
        total=len(jobs),
        description="Simulating",
        console=console,
        disable=not console.is_terminal,
    ):
        pass
    typer.echo(f"{len(jobs)} files in {output}")
