"""Which files are one field: an image, or the predictions that were made from one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_mito_predict.errors import EvaluationError, ImageError, MeasurementError, MitoPredictError
from napari_mito_predict.image import ImageSource, is_plate, is_zarr, list_images, open_image, open_scenes
from napari_mito_predict.models.record import Quantity, read_record

if TYPE_CHECKING:
    from napari_mito_predict.measurement.measured import Measurements

ALL = "all"
"""Scenes of a file."""


@dataclass(frozen=True, slots=True)
class FieldFiles:
    """Files of one field; of several, all are predictions from one image."""

    paths: tuple[Path, ...]

    @property
    def name(self) -> str:
        """For messages."""
        return " + ".join(path.name for path in self.paths)


@dataclass(frozen=True, slots=True)
class Measured:
    """What became of a field.

    Attributes
    ----------
    files : FieldFiles
    found : Measurements or None
    error : MitoPredictError or None
        Why nothing was measured.
    """

    files: FieldFiles
    found: Measurements | None = None
    error: MitoPredictError | None = None


def find_fields(given: Sequence[Path]) -> list[FieldFiles]:
    """Put files together that show one field.

    Parameters
    ----------
    given : sequence of Path
        Images, or folders of them. Predictions of one image, by the records beside them, are one field.

    Raises
    ------
    MeasurementError
        A path leads to nothing, or there is no image.
    """
    fields: dict[object, list[Path]] = {}
    for path in _images(given):
        fields.setdefault(_field_of(path), []).append(path)
    if not fields:
        raise MeasurementError(f"there is no image in {', '.join(map(str, given))}.")
    return [FieldFiles(tuple(paths)) for paths in fields.values()]


def measure_fields(
    fields: Sequence[FieldFiles],
    measure_one: Callable[[Sequence[ImageSource]], Measurements],
    *,
    scene: str | None = None,
    axes: str | None = None,
) -> Iterator[Measured]:
    """Measure one field after the other; one that cannot be measured stops no other.

    Parameters
    ----------
    fields : sequence of FieldFiles
    measure_one : callable
        Given the images of a field, such as `measure` with its settings.
    scene : str, optional
        Name or number, or ``all``; default the first, of a plate all.
    axes : str, optional
        Of files that do not say them.
    """
    for files in fields:
        try:
            scenes = list(_scenes(files, scene, axes))
        except MitoPredictError as error:
            yield Measured(files, error=error)
            continue
        for images in scenes:
            try:
                if isinstance(images, ImageError):
                    raise images
                yield Measured(files, measure_one(images))
            except MitoPredictError as error:
                yield Measured(files, error=error)


def _images(given: Sequence[Path]) -> Iterator[Path]:
    for path in given:
        if not path.exists():
            raise MeasurementError("there is no such file or folder.", file=path)
        if path.is_dir() and not is_zarr(path):
            yield from (image for image in list_images(path) if not _scatters(image))
        else:
            yield path


def _field_of(path: Path) -> object:
    """What files of one field have in common."""
    try:
        record = read_record(path)
    except EvaluationError:  # said when the image is measured
        return path
    if record is None or not record.input.name:
        return path
    source = record.input
    part = (source.scene, source.time_points, source.z_steps)
    return (path.parent, source.name, source.sha256_ends, *part)


def _scatters(path: Path) -> bool:
    """Whether a file in a folder is an uncertainty: it lies beside the prediction that is measured."""
    try:
        record = read_record(path)
    except EvaluationError:
        return False
    return record is not None and record.quantity is not Quantity.PREDICTION


def _scenes(files: FieldFiles, scene: str | None, axes: str | None) -> Iterator[list[ImageSource] | ImageError]:
    first, *others = files.paths
    if not others and (scene == ALL or (scene is None and is_plate(first))):
        for _, opened in open_scenes(first, axes=axes):
            yield opened if isinstance(opened, ImageError) else [opened]
        return
    yield [open_image(path, axes=axes, scene=scene or 0) for path in files.paths]
