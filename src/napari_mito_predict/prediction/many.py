"""Many images with the same models: the whole of it as one call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from napari_mito_predict.errors import OutputError
from napari_mito_predict.prediction.batch.cluster import connected, local_cluster, predict_on_cluster
from napari_mito_predict.prediction.batch.inputs import Entry, Names, find_entries
from napari_mito_predict.prediction.batch.local import OnImage, predict_batch
from napari_mito_predict.prediction.batch.outcome import Outcome, name_taken
from napari_mito_predict.prediction.batch.settings import BatchSettings, FileFormat

if TYPE_CHECKING:
    from distributed import Client

    from napari_mito_predict.prediction.run_state import Cancel


def predict_many(
    inputs: str | Path | Iterable[str | Path],
    output: str | Path | None = None,
    models: str | Path | Iterable[str | Path] = (),
    *,
    scene: int | str | None = None,
    file_format: Literal["ome-tiff", "ome-zarr"] = "ome-tiff",
    composite: bool = False,
    into_plate: bool = False,
    overwrite: bool = False,
    strict: bool = False,
    axes: str | None = None,
    times: range | None = None,
    planes: range | None = None,
    jobs: int = 1,
    scheduler: str | None = None,
    on_outcome: Callable[[Outcome], object] = lambda _: None,
    cancel: Cancel | None = None,
    **options: Any,
) -> list[Outcome]:
    """Predict many images with the same models, and write the predictions.

    What is there already (the same image, model and parameters) is not predicted again, so that a batch that was
    interrupted goes on where it was. An image that cannot be predicted stops no other.

    Parameters
    ----------
    inputs : path, pattern, or several
        Files, folders, patterns such as ``"scans/*.czi"``, OME-Zarr plates; see `find_entries`.
    output : str or Path, optional
        Folder for the predictions; made if missing. Only what goes `into_plate` needs none.
    models : name or path, or several
        What to predict with; without any, those that fit each image best.
    scene : int or str, optional
        Of each file: its index or name, or ``"all"``. The first by default, of plates all.
    file_format : {"ome-tiff", "ome-zarr"}
        OME-Zarr is written while it is computed, for images larger than memory.
    composite : bool
        All targets as the channels of one file.
    into_plate : bool
        Inputs are OME-Zarr plates. The predictions of each field become one image beside it in its well; with `output`,
        in the same well of a new plate there.
    overwrite : bool
        Predict and replace what is there.
    strict : bool
        Refuse an image whose traffic light is not green for a model.
    axes : str, optional
        See `open_image`.
    times, planes : range, optional
        Only these time points and Z steps.
    jobs : int
        Processes on this machine that predict at the same time, sharing its processors; more than one need the extra
        ``distributed``.
    scheduler : str, optional
        Address of a dask scheduler, whose workers predict; they see all files under the same paths.
    on_outcome : callable, optional
        Takes each `Outcome` as soon as it is known.
    cancel : callable, optional
        True stops.
    **options
        Of `predict`: channel, voxel_size_um, device, precision, tile, tta, ...

    Returns
    -------
    list of Outcome
        What became of each image.

    Raises
    ------
    UnreadableImageError
        There are no images.
    ClusterError, MissingExtraError
        There is no cluster.
    PredictionCancelled
        `cancel` said so. What was written is complete.
    UnwritableOutputError
        The folder cannot be made.
    """
    folder = None
    if output is not None:
        folder = Path(output).absolute()
        folder.mkdir(parents=True, exist_ok=True)
    settings = BatchSettings(
        folder,
        tuple(str(model) for model in _listed(models)),
        FileFormat(file_format),
        composite,
        into_plate,
        overwrite,
        strict,
        axes,
        times,
        planes,
        options,
    )
    entries = find_entries(_listed(inputs), scene=scene, axes=axes)
    outcomes = []
    for outcome in run_batch(entries, settings, jobs=jobs, scheduler=scheduler, cancel=cancel):
        on_outcome(outcome)
        outcomes.append(outcome)
    return outcomes


def run_batch(
    entries: Iterable[Entry | None],
    settings: BatchSettings,
    *,
    jobs: int = 1,
    scheduler: str | None = None,
    on_image: OnImage = lambda _: None,
    cancel: Cancel | None = None,
) -> Iterator[Outcome]:
    """Predict images here, in processes of this machine, or on a cluster; see `predict_many`.

    Yields
    ------
    Outcome
        One for each entry, as they end.
    """
    is_local = scheduler is None and jobs == 1
    if settings.into_plate and not is_local:
        raise OutputError("Two processes may not write into a plate at the same time: predict with one, or into files.")
    if is_local:
        yield from predict_batch(_of_own_names(entries), settings, on_image=on_image, cancel=cancel)
        return
    with _cluster(scheduler, jobs) as client:
        yield from predict_on_cluster(_of_own_names(entries), settings, client, cancel=cancel)


def _of_own_names(entries: Iterable[Entry | None]) -> Iterator[Entry | Outcome | None]:
    """Give images; in place of one whose predictions would go where those of another one went, what that means."""
    names = Names()
    for entry in entries:
        other = None if entry is None else names.claim(entry)
        yield entry if entry is None or other is None else name_taken(entry, other)


def _cluster(scheduler: str | None, jobs: int) -> AbstractContextManager[Client]:
    if scheduler is not None:
        return connected(scheduler)
    return local_cluster(jobs)


def _listed(given: str | Path | Iterable[str | Path]) -> list[str | Path]:
    if isinstance(given, str | Path):
        return [given]
    return list(given)
