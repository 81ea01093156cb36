"""Predictions as files: channels of an image, and the record of how they were made beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from napari_mito_predict.errors import OutputError
from napari_mito_predict.image import check_output, write_ome_tiff, write_ome_zarr
from napari_mito_predict.image.names import file_stem, record_path
from napari_mito_predict.image.output import check_name
from napari_mito_predict.models.record import is_left_over, read_record, read_record_beside

if TYPE_CHECKING:
    import numpy as np

    from napari_mito_predict.image import ImageSource
    from napari_mito_predict.image.output import ImageSettings
    from napari_mito_predict.models.record import PredictionRecord
    from napari_mito_predict.prediction.result import Output, Prediction


def write_predictions(
    path: str | Path, predictions: Sequence[Prediction], record: PredictionRecord, *, overwrite: bool = False
) -> Path:
    """Write predictions of one grid as the channels of one image, and `record` beside it; see `Prediction.save`."""
    path, outputs = Path(path), [prediction.output for prediction in predictions]
    check_record(path, overwrite=overwrite)
    data = _Channels([prediction.data for prediction in predictions], channel_axis(outputs[0]))
    write = write_ome_zarr if path.suffix.lower() == ".zarr" else write_ome_tiff
    record = record.of_new_image()
    with recorded(path, record):
        return write(path, data, record=record.within_image(), overwrite=overwrite, **image_metadata(outputs))


def check_record(image: Path, *, overwrite: bool) -> None:
    """Find out whether the record of an image can be written; one without an image is in nobody's way.

    Raises
    ------
    OutputExistsError, UnwritableOutputError
        See `check_output`.
    """
    record = record_path(image)
    check_name(record)
    check_output(record, overwrite=overwrite or is_left_over(image))


@contextmanager
def recorded(image: Path, record: PredictionRecord) -> Iterator[None]:
    """Write the record of an image that the block writes, and that holds the same record.

    The record comes first, so that whoever is killed leaves no image without one. Only where an image is replaced it
    comes last; whoever is killed in between leaves the old one, which is known not to be of the new image, and which
    `complete_record` replaces.
    """
    is_new = not image.exists()
    if is_new:
        record.write(image)
    try:
        yield
    except BaseException:
        if is_new and not image.exists():
            record_path(image).unlink(missing_ok=True)
        raise
    if not is_new:
        record.write(image)


def complete_record(image: Path) -> None:
    """Write the record beside an image anew from that within, where there is none or it is of another image.

    Raises
    ------
    UnwritableOutputError
        It cannot be written.
    EvaluationError
        That beside is damaged.
    """
    record = read_record(image)
    if record is not None and record != read_record_beside(image):
        record.write(image)


def output_paths(
    folder: Path, image: ImageSource, keys: Iterable[str], suffix: str, *, composite: bool
) -> dict[str, Path]:
    """Files for the outputs of one image, such as ``cells_mitochondria.ome.tif``, or ``cells_scene2_dna.ome.tif``.

    Parameters
    ----------
    folder : Path
        Where they go.
    image : ImageSource
        What is predicted from: its name as far as file systems take it, see `file_stem`. Scenes are counted from 0, as
        on the command line.
    keys : iterable of str
        Of the outputs.
    suffix : str
        ``.ome.tif`` or ``.ome.zarr``.
    composite : bool
        One file for all of them, as its channels; its key names them all.
    """
    stem = file_stem(image.name)
    if image.scene:
        stem += f"_scene{image.scene}"
    if composite:
        return {" + ".join(keys): folder / f"{stem}_predicted{suffix}"}
    return {key: folder / f"{stem}_{file_stem(key)}{suffix}" for key in keys}


def taken(paths: Iterable[Path]) -> list[Path]:
    """Those of `paths` where there is a file already, or the record of one."""
    return [path for path in paths if path.exists() or (record_path(path).exists() and not is_left_over(path))]


def numbered(paths: Mapping[str, Path], suffix: str) -> dict[str, Path]:
    """Where the same results go beside earlier ones: ``cells_dna_2.ome.tif``, with one free number for all of them."""
    for number in count(2):
        ending = f"_{number}{suffix}"
        others = {key: path.with_name(path.name.removesuffix(suffix) + ending) for key, path in paths.items()}
        if not taken(others.values()):
            break
    return others


def image_metadata(outputs: Sequence[Output]) -> ImageSettings:
    """What writers of images are told about `outputs`, each of which is a channel."""
    first, channel = outputs[0], channel_axis(outputs[0])
    return {
        "axes": f"{first.axes[:channel]}C{first.axes[channel:]}",
        "channel_names": [output.title for output in outputs],
        "channel_colours": [output.colour for output in outputs],
        "voxel_size_um": first.voxel_size_um,
        "time_step_s": first.time_step_s,
        "description": " ".join([*_disclaimers(outputs), *_processing(outputs)]),
        "predicted_by": [output.model_name for output in outputs],
    }


def channel_axis(output: Output) -> int:
    """Where the axis of the channels goes: before z, y and x."""
    return output.axes.index("Z" if "Z" in output.axes else "Y")


def check_one_grid(path: str | Path, outputs: Sequence[Output]) -> None:
    """Find out whether `outputs` can be channels of one image.

    Raises
    ------
    OutputError
        There are none, or they are not of the same size and axes.
    """
    if not outputs:
        raise OutputError("there are no predictions to put together.", file=path)
    grids = {f"{output.axes} {' x '.join(map(str, output.shape))}" for output in outputs}
    if len(grids) > 1:
        raise OutputError(f"predictions of one grid go together, these have {' and '.join(sorted(grids))}.", file=path)


def _disclaimers(outputs: Sequence[Output]) -> list[str]:
    return list(dict.fromkeys(output.disclaimer for output in outputs if output.disclaimer))


def _processing(outputs: Sequence[Output]) -> list[str]:
    return [output.processing for output in outputs if output.processing]


class _Channels:
    """Arrays along a new axis, without the copy of all that a stack would be: writers take one plane at a time."""

    def __init__(self, arrays: Sequence[np.ndarray], axis: int) -> None:
        self._arrays = arrays
        self._axis = axis
        shape = arrays[0].shape
        self.shape = (*shape[:axis], len(arrays), *shape[axis:])
        self.dtype = arrays[0].dtype

    def __getitem__(self, index: tuple[int, ...]) -> np.ndarray:
        channel = index[self._axis]
        within = index[: self._axis] + index[self._axis + 1 :]
        plane: np.ndarray = self._arrays[channel][within]
        return plane
