"""`measure`: from an image to tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari_mito_predict.image import ImageSource, open_image
from napari_mito_predict.measurement.field_run import FieldRun, Labels
from napari_mito_predict.measurement.measures import Structure
from napari_mito_predict.measurement.progress import SILENT, Progress
from napari_mito_predict.measurement.settings import MeasureSettings
from napari_mito_predict.measurement.sources import Channels, find_sources

if TYPE_CHECKING:
    from napari_mito_predict.measurement.measured import Measurements
    from napari_mito_predict.measurement.segmentation import VoxelSize


def measure(
    images: ImageSource | str | Path | Sequence[ImageSource | str | Path],
    structures: Sequence[Structure | str] | None = None,
    *,
    channels: Channels | None = None,
    settings: MeasureSettings | None = None,
    voxel_size_um: VoxelSize = None,
    dynamics: bool = False,
    time_step_s: float | None = None,
    progress: Progress = SILENT,
    on_labels: Callable[[int, Labels], None] | None = None,
) -> Measurements:
    """Measure mitochondria, nuclei and nucleoids of an image, recorded or predicted.

    Stacks are measured in 3-D, single planes in 2-D, time series frame by frame. Where a voxel size is not known,
    everything is measured in pixels, which a finding says. Beside each number from a prediction stands the verdict that
    the card of its model has for that measure.

    Parameters
    ----------
    images : ImageSource, str or Path, or a sequence of them
        An image; or several of one field, such as the predictions of mitochondria and of DNA.
    structures : sequence of Structure or str, optional
        Of ``mitochondria``, ``nuclei`` and ``nucleoids``; by default all that a channel is known to show.
    channels : mapping, optional
        Structure -> index or name of its channel, where the file does not tell.
    settings : MeasureSettings, optional
    voxel_size_um : sequence of float or None, optional
        (z, y, x), where the file does not know it or is wrong.
    dynamics : bool
        Measure of a series also how often mitochondria divide and join, and how fast they move.
    time_step_s : float, optional
        Seconds between time points, where the file does not know it or is wrong.
    progress : Progress
    on_labels : callable, optional
        Given ``(t, labels)`` of each time point: what was found, as labels by structure.

    Returns
    -------
    Measurements

    Raises
    ------
    MeasurementError
        No channel shows what is asked for, or images of different sizes, or a time step that is not positive.
    NoSeriesError
        Dynamics of one time point, or without mitochondria.
    ImageError
        An image cannot be read, or several channels could be meant.
    MeasurementCancelled

    Examples
    --------
    >>> import napari_mito_predict as nmp
    >>> found = nmp.measure("cells.czi")                                     # doctest: +SKIP
    >>> found.fields.query("measure == 'total_length'")                      # doctest: +SKIP
    """
    opened = _opened(images)
    wanted = None if structures is None else tuple(map(Structure, structures))
    sources = find_sources(opened, wanted, channels or {})
    size = voxel_size_um or opened[0].voxel_size_um
    run = FieldRun(sources, settings or MeasureSettings(), size, progress, dynamics=dynamics, step_s=time_step_s)
    for t in range(opened[0].sizes["T"]):
        frame = run.frame(t)
        if on_labels is not None:
            on_labels(t, frame.labels)
    return run.result()


def _opened(images: ImageSource | str | Path | Sequence[ImageSource | str | Path]) -> list[ImageSource]:
    listed = [images] if isinstance(images, ImageSource | str | Path) else images
    return [image if isinstance(image, ImageSource) else open_image(image) for image in listed]
