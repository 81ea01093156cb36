"""Predictions larger than memory: every block goes to disk as it is computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_mito_predict.errors import OutputError
from napari_mito_predict.image import check_output, create_ome_zarr
from napari_mito_predict.image.zarr_writer import OmeZarrDraft
from napari_mito_predict.prediction.execute import run
from napari_mito_predict.prediction.files import (
    channel_axis,
    check_one_grid,
    check_record,
    image_metadata,
    recorded,
)
from napari_mito_predict.prediction.record import composite_record
from napari_mito_predict.prediction.run_state import RunContext

if TYPE_CHECKING:
    from napari_mito_predict.image.zarr_chunks import ChunkWriter
    from napari_mito_predict.image.zarr_metadata import NgffVersion
    from napari_mito_predict.models.record import PredictionRecord
    from napari_mito_predict.prediction.execute import Execution
    from napari_mito_predict.prediction.plan import PredictionPlan
    from napari_mito_predict.prediction.result import Block, Output
    from napari_mito_predict.prediction.run_state import Cancel, OnProgress


def predict_to_zarr(
    plan: PredictionPlan,
    paths: Mapping[str, str | Path] | str | Path,
    *,
    overwrite: bool = False,
    on_progress: OnProgress | None = None,
    cancel: Cancel | None = None,
) -> list[Path]:
    """Predict into OME-Zarr, block by block: what `predict` gives and saves, without ever holding the whole.

    Images appear under their names when everything is done, each with its ``<name>.prediction.json``; after an error,
    a cancel or Ctrl-C nothing is left behind, and what was there before is untouched.

    Parameters
    ----------
    plan : PredictionPlan
        From `plan_prediction`.
    paths : mapping of str to path, or path
        One file for each of ``plan.outputs``; or one file for all of them, as its channels.
    overwrite : bool
        Replace existing files.
    on_progress, cancel : callable, optional
        See `predict`.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    OutputExistsError, UnwritableOutputError
        Before anything is computed, if that is when it can be known.
    OutputError
        Paths and outputs do not match, or outputs of several grids shall be channels of one file.
    MissingReaderError
        The extra ``zarr`` is not installed.
    MitoPredictError
        As `predict`.
    """
    return run_to_zarr(run(plan, RunContext(on_progress, cancel)), paths, overwrite=overwrite)


def run_to_zarr(
    execution: Execution,
    paths: Mapping[str, str | Path] | str | Path,
    *,
    overwrite: bool = False,
    version: NgffVersion = "0.5",
    beside: bool = True,
) -> list[Path]:
    """Predict into OME-Zarr as `predict_to_zarr` does, by a run that nothing was asked of; it tells what it found.

    Parameters
    ----------
    execution : Execution
        From `run`.
    paths, overwrite
        See `predict_to_zarr`.
    version : {"0.5", "0.4"}
        See `create_ome_zarr`.
    beside : bool
        Whether the record of an image, which is within it, goes beside it as well.
    """
    plan = execution.plan
    files = zarr_files(plan, paths)
    for file in files:
        check_output(file.path, overwrite=overwrite, needed_bytes=plan.result_bytes)
        check_record(file.path, overwrite=overwrite)
    records: dict[Path, PredictionRecord] = {}
    # Images get their names when the second stack ends, with their records about them.
    with ExitStack() as around, ExitStack() as images:
        writers = [images.enter_context(file.create(version, records, overwrite=overwrite)) for file in files]
        write_blocks(execution, files, writers)
        for file in files:
            records[file.path] = file.record(execution.record)
            if beside:
                around.enter_context(recorded(file.path, records[file.path]))
    return [file.path for file in files]


def write_blocks(execution: Execution, files: Sequence[ZarrFile], writers: Sequence[ChunkWriter]) -> None:
    """Predict, and give every block to the writer of the file that has its output as a channel."""
    write: dict[str, Callable[[Block], None]] = {}
    for file, writer in zip(files, writers, strict=True):
        write |= {output.key: file.channel(writer, i) for i, output in enumerate(file.outputs)}
    with closing(execution.blocks()) as blocks:
        for block in blocks:
            write[block.target](block)


@dataclass(frozen=True)
class ZarrFile:
    """One image to be written, and the outputs that are its channels.

    Attributes
    ----------
    path : Path
        Where it goes.
    outputs : list of Output
        Of one grid.
    composite : bool
        Whether its record is one of several outputs.
    """

    path: Path
    outputs: list[Output]
    composite: bool

    def create(
        self, version: NgffVersion, records: Mapping[Path, PredictionRecord], *, overwrite: bool
    ) -> AbstractContextManager[ChunkWriter]:
        """Write it in this process, see `create_ome_zarr`; its record is looked up when all blocks are written."""
        return create_ome_zarr(
            self.path,
            self._shape,
            np.float32,
            record=lambda: records[self.path].within_image(),
            version=version,
            overwrite=overwrite,
            **image_metadata(self.outputs),
        )

    def draft(self, folder: Path) -> OmeZarrDraft:
        """Give what several processes write, until it is complete, at `folder`."""
        return OmeZarrDraft(self.path, folder, self._shape, np.dtype(np.float32), image_metadata(self.outputs))

    def channel(self, writer: ChunkWriter, index: int) -> Callable[[Block], None]:
        """Give what takes the blocks of one output."""
        axis, place = channel_axis(self.outputs[0]), slice(index, index + 1)

        def write(block: Block) -> None:
            region = (*block.slices[:axis], place, *block.slices[axis:])
            writer.write(region, np.expand_dims(block.data, axis))

        return write

    def record(self, record_of: Callable[[str], PredictionRecord]) -> PredictionRecord:
        """How it was made, from how each of its outputs was."""
        records = [record_of(output.key) for output in self.outputs]
        record = composite_record(self.outputs, records) if self.composite else records[0]
        return record.of_new_image()

    @property
    def _shape(self) -> tuple[int, ...]:
        shape, axis = self.outputs[0].shape, channel_axis(self.outputs[0])
        return (*shape[:axis], len(self.outputs), *shape[axis:])


def zarr_files(plan: PredictionPlan, paths: Mapping[str, str | Path] | str | Path) -> list[ZarrFile]:
    """Give the images that the outputs of a plan become; see `predict_to_zarr` for `paths` and what is raised."""
    if isinstance(paths, str | Path):
        outputs = list(plan.outputs.values())
        check_one_grid(paths, outputs)
        return [ZarrFile(Path(paths), outputs, composite=True)]
    if paths.keys() != plan.outputs.keys():
        raise OutputError(f"Paths were given for {', '.join(paths)}; the plan predicts {', '.join(plan.outputs)}.")
    files = [ZarrFile(Path(paths[key]), [output], composite=False) for key, output in plan.outputs.items()]
    if len({file.path for file in files}) < len(files):
        raise OutputError("Two outputs were given the same path. One file for all is a single path, not a mapping.")
    return files
