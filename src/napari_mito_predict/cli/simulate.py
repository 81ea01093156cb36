"""``mito-predict simulate``: CZI files of simulated cells."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_mito_predict.cli._console import echo, prepare_folder

if TYPE_CHECKING:
    from napari_mito_predict.simulation import Dynamics, Job

_SIZE = 256
_PLANES = 32
_STEP_S = 5.0


def simulate(
    output: Annotated[Path, typer.Argument(help="Folder for the CZI files; created when missing.")],
    recipe: Annotated[
        str | None,
        typer.Option(
            metavar="A1...H2",
            help="Imaged as in this row of the paper's Table 1; gives detector, pixel size, step, size and planes.",
        ),
    ] = None,
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="How many files.")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first file; each seed is one cell.")] = 0,
    randomise: Annotated[
        bool, typer.Option("--randomise", help="Spread optics, sampling and noise widely, for training.")
    ] = False,
    series: Annotated[bool, typer.Option("--series", help="Time series of one plane instead of z-stacks.")] = False,
    size: Annotated[
        int | None, typer.Option(min=32, help="Rows and columns. Default: 256, or those of the recipe.")
    ] = None,
    planes: Annotated[
        int | None,
        typer.Option(min=8, help="Planes of a z-stack, time points of a series. Default: 32, or those of the recipe."),
    ] = None,
    step: Annotated[
        float | None, typer.Option(min=0.001, help="Seconds between the time points of a series. Default: 5.")
    ] = None,
    fissions: Annotated[
        float | None, typer.Option(min=0, help="Fissions per mitochondrion and minute in a series, about 0.05 in life.")
    ] = None,
    fusions: Annotated[
        float | None, typer.Option(min=0, help="Fusions per mitochondrion and minute in a series, about 0.05 in life.")
    ] = None,
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

    Both targets of a letter of Table 1 are channels of the same files: H1 and H2 give the same. A size smaller than the
    recipe's is a piece of its field at the same pixel size; whole fields take minutes each.

    With --fissions or --fusions, mitochondria that would touch are left out, and what happened when and where is
    written beside each file, as cell_0000.events.csv.

    Example: mito-predict simulate cells -n 8 --processes 2

    Example: mito-predict simulate cells/H --recipe H1 -n 8 --size 256
    """
    if recipe and (randomise or series or step):
        raise typer.BadParameter("--recipe settles --randomise, --series and --step; leave them out")
    dynamic = fissions is not None or fusions is not None
    if dynamic and not series:
        raise typer.BadParameter("--fissions and --fusions take place in a time series: add --series")
    from rich.console import Console
    from rich.progress import track

    from napari_mito_predict.simulation import Dynamics, simulate_files

    files = [(output / f"cell_{index:04d}.czi", seed + index) for index in range(count)]
    if recipe:
        jobs = _of_recipe(recipe, files, size, planes, flip_z, photons)
    else:
        shape = (planes or _PLANES, size or _SIZE, size or _SIZE)
        step_s = None
        if series:
            step_s = step or _STEP_S
        dynamics = None
        if dynamic:
            dynamics = Dynamics(fissions_per_min=fissions or 0.0, fusions_per_min=fusions or 0.0)
        jobs = _of_own_settings(files, shape, step_s, randomise, flip_z, photons, dynamics)
    prepare_folder(output)
    console = Console(stderr=True)
    for _ in track(
        simulate_files(jobs, processes),
        total=len(jobs),
        description="Simulating",
        console=console,
        disable=not console.is_terminal,
    ):
        pass
    echo(f"{len(jobs)} files in {output}")


def _of_recipe(
    name: str,
    files: list[tuple[Path, int]],
    size: int | None,
    planes: int | None,
    flip_z: bool,
    photons: float | None,
) -> list[Job]:
    from napari_mito_predict.study.fields import simulation_jobs
    from napari_mito_predict.study.recipes import find_recipe

    return simulation_jobs(find_recipe(name), files, size=size, slices=planes, flip_z=flip_z, photons=photons)


def _of_own_settings(
    files: list[tuple[Path, int]],
    shape: tuple[int, int, int],
    step_s: float | None,
    randomise: bool,
    flip_z: bool,
    photons: float | None,
    dynamics: Dynamics | None,
) -> list[Job]:
    from napari_mito_predict.simulation import Job, conditions_for

    return [
        Job(
            path=path,
            seed=seed,
            conditions=conditions_for(seed, randomise=randomise, flip_z=flip_z, photons=photons),
            shape=shape,
            step_s=step_s,
            dynamics=dynamics,
        )
        for path, seed in files
    ]
