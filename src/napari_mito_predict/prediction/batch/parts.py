"""A long series in parts: each some time points, written into one OME-Zarr that has no name before all are there.

Divided are series of which each time point is a volume by itself, with statistics of its own. No file of an OME-Zarr
holds more than one time point, of any resolution. So parts have nothing to do with each other, and give together what
one run gives, file by file.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

from napari_mito_predict._files import flush_folder, remove, rename, unfinished_path
from napari_mito_predict.image import Finding, Level, check_output, open_image
from napari_mito_predict.image.output import writing
from napari_mito_predict.prediction.batch.settings import BatchSettings, FileFormat
from napari_mito_predict.prediction.batch.stages import Begun, outcome_of_written
from napari_mito_predict.prediction.execute import run
from napari_mito_predict.prediction.files import check_record
from napari_mito_predict.prediction.flicker import FlickerWatch
from napari_mito_predict.prediction.result import Block
from napari_mito_predict.prediction.run_state import RunContext
from napari_mito_predict.prediction.to_zarr import write_blocks, zarr_files
from napari_mito_predict.prediction.volumes import Layout, Volume

if TYPE_CHECKING:
    from napari_mito_predict.image.zarr_writer import OmeZarrDraft
    from napari_mito_predict.models.record import PredictionRecord
    from napari_mito_predict.prediction.batch.inputs import Entry
    from napari_mito_predict.prediction.batch.outcome import Outcome
    from napari_mito_predict.prediction.device import Device
    from napari_mito_predict.prediction.plan import PredictionPlan
    from napari_mito_predict.prediction.to_zarr import ZarrFile

LONG: Final = 8
"""Time points from which on a series is divided."""
_PARTS_FOR_EACH = 4
"""Threads of the cluster: when the others have ended, the last part takes no longer than a quarter of its share."""


@dataclass(frozen=True)
class Sharing:
    """Who may share an image.

    Attributes
    ----------
    threads : int
        Of all workers.
    writer : str
        Of the process that gives the files their names, see `unfinished_path`.
    """

    threads: int
    writer: str


@dataclass(frozen=True)
class Division:
    """An image in parts, which any worker can predict.

    Attributes
    ----------
    entry : Entry
        Which image.
    parts : tuple of range
        Time points of each.
    said : tuple of Finding
        Of the choice of the models, and that it is divided.
    findings : tuple of Finding
        Of the plan, which was looked at.
    paths : mapping of str to Path
        Where each output goes; all outputs in one key where they share a file.
    unfinished : mapping of Path to Path
        Where the files are until they are complete, by where they go.
    seconds : float
        That it took to divide.
    """

    entry: Entry
    parts: tuple[range, ...]
    said: tuple[Finding, ...]
    findings: tuple[Finding, ...]
    paths: Mapping[str, Path]
    unfinished: Mapping[Path, Path]
    seconds: float

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where the files are until they are complete."""
        return tuple(self.unfinished.values())


@dataclass(frozen=True)
class Part:
    """What is known of a part that was written: of what, where it begins, what was found, what computed each model."""

    division: Division
    start: int
    findings: tuple[Finding, ...]
    devices: Mapping[str, Sequence[Device]]


@dataclass(frozen=True)
class Finished:
    """An image of which everything is written; its files wait for their names.

    Attributes
    ----------
    outcome : Outcome
        What has become of it when they have them; of its seconds those that it took to divide.
    records : mapping of Path to PredictionRecord
        By where each file goes.
    unfinished : mapping of Path to Path
        See `Division`.
    """

    outcome: Outcome
    records: Mapping[Path, PredictionRecord]
    unfinished: Mapping[Path, Path]


def divide(begun: Begun, settings: BatchSettings, sharing: Sharing) -> Division | None:
    """Divide an image among workers, and create its files; None where it is better left whole, or has to be."""
    plan = begun.plan
    times = plan.subject.image.sizes["T"]
    by_time = all(job.layout is not Layout.SERIES for job in plan.jobs)
    if settings.file_format is not FileFormat.OME_ZARR or sharing.threads < 2 or times < LONG or not by_time:
        return None
    parts = _ranges(times, _PARTS_FOR_EACH * sharing.threads, at_least=plan.smooth_time)
    files = zarr_files(plan, _where(begun.paths, settings))
    for file in files:
        check_output(file.path, overwrite=begun.overwrite, needed_bytes=plan.result_bytes)
        check_record(file.path, overwrite=begun.overwrite)
    unfinished = {file.path: unfinished_path(file.path, sharing.writer) for file in files}
    for draft in _drafts(files, unfinished):
        _create(draft)
    said = Finding(
        Level.INFO,
        "divided",
        f"Its {times} time points are predicted in {len(parts)} parts.",
        values={"parts": len(parts)},
    )
    seconds = time.monotonic() - begun.start
    return Division(begun.entry, parts, (*begun.said, said), plan.findings, begun.paths, unfinished, seconds)


def write_part(division: Division, planned: Begun, settings: BatchSettings, times: range) -> Part:
    """Predict some time points of an image into its files.

    Parameters
    ----------
    division : Division
        From `divide`.
    planned : Begun
        The image, opened and planned in this process.
    settings : BatchSettings
    times : range
        One of ``division.parts``.

    Raises
    ------
    PredictionCancelled
        The files are not there any more: nobody wants them.
    """
    plan = _looked_at(planned.plan, division)
    files = zarr_files(plan, _where(division.paths, settings))
    drafts = _drafts(files, division.unfinished)
    execution = run(plan, RunContext(cancel=lambda: not _are_there(drafts), times=times))
    try:
        with ExitStack() as stack:
            for draft in drafts:
                draft.clear(times)
            writers = [stack.enter_context(draft.writer()) for draft in drafts]
            write_blocks(execution, files, writers)
    finally:
        if not _are_there(drafts):  # what was written last has made the folders anew
            for draft in drafts:
                remove(draft.folder)
    devices = {job.model.name: tuple(execution.devices(job)) for job in plan.jobs}
    return Part(division, times.start, execution.findings[len(plan.findings) :], devices)


def finish(division: Division, planned: Begun, settings: BatchSettings, parts: Sequence[Part]) -> Finished:
    """Complete the files of an image when all of its parts are written.

    Parameters
    ----------
    division, planned, settings
        See `write_part`.
    parts : sequence of Part
        All of them, in any order.
    """
    plan = _looked_at(planned.plan, division)
    files = zarr_files(plan, _where(division.paths, settings))
    drafts = _drafts(files, division.unfinished)
    for draft in drafts:
        draft.describe()
    in_order = sorted(parts, key=lambda part: part.start)
    plan = replace(plan, findings=_findings(plan, in_order))
    plan = replace(plan, findings=(*plan.findings, *_flicker(plan, files, division)))
    devices: dict[str, list[Device]] = {}
    for part in in_order:
        for model, used in part.devices.items():
            known = devices.setdefault(model, [])
            known += [device for device in used if device not in known]
    records = {}
    for file in files:
        records[file.path] = file.record(
            lambda key: plan.record_with(key, lambda job: devices[job.model.name], plan.findings)
        )
    for draft in drafts:
        draft.keep(records[draft.path].within_image())
        with writing(draft.path):
            flush_folder(draft.folder)
    begun = replace(planned, plan=plan, said=division.said, paths=division.paths)
    outcome = outcome_of_written(begun, division.unfinished)
    return Finished(replace(outcome, seconds=division.seconds), records, division.unfinished)


def _create(draft: OmeZarrDraft) -> None:
    """Make what parts are written into; it stays as it is where it was made by a worker that has been lost since."""
    if draft.is_there:
        return
    new = replace(draft, folder=unfinished_path(draft.path))
    new.create()
    with writing(draft.path):
        rename(new.folder, draft.folder)


def _ranges(times: int, most: int, *, at_least: int) -> tuple[range, ...]:
    """Divide time points evenly, into at most so many ranges of at least so many."""
    number = max(1, min(most, times // at_least))
    edges = [times * i // number for i in range(number + 1)]
    return tuple(range(first, last) for first, last in pairwise(edges))


def _where(paths: Mapping[str, Path], settings: BatchSettings) -> Mapping[str, Path] | Path:
    """As `zarr_files` takes it."""
    if settings.composite:
        (path,) = paths.values()
        return path
    return paths


def _drafts(files: Sequence[ZarrFile], unfinished: Mapping[Path, Path]) -> list[OmeZarrDraft]:
    return [file.draft(unfinished[file.path]) for file in files]


def _are_there(drafts: Sequence[OmeZarrDraft]) -> bool:
    return all(draft.is_there for draft in drafts)


def _looked_at(plan: PredictionPlan, division: Division) -> PredictionPlan:
    """The plan with what another process saw when it looked at the image."""
    return replace(plan, findings=division.findings, looked=True)


def _findings(plan: PredictionPlan, parts: Sequence[Part]) -> tuple[Finding, ...]:
    """Those of the plan and of all parts: once for each kind and model, as one run notes them."""
    found = list(plan.findings)
    for part in parts:
        known = {(finding.code, finding.model) for finding in found}
        found += [finding for finding in part.findings if (finding.code, finding.model) not in known]
    return tuple(found)


def _flicker(plan: PredictionPlan, files: Sequence[ZarrFile], division: Division) -> Sequence[Finding]:
    """Whether the series flickers, which no part knows: from a few planes of what was written."""
    watch = FlickerWatch(plan.subject, plan.outputs)
    if not watch.planes:
        return []
    images = [open_image(division.unfinished[file.path]) for file in files]
    lateral = (slice(0, plan.subject.image.sizes["Y"]), slice(0, plan.subject.image.sizes["X"]))
    for t in range(plan.subject.image.sizes["T"]):
        for z in watch.planes:
            watch.see_plane_of_light(t, z, Volume(series=False, index=t).read_plane(plan.subject, z))
            place = (slice(t, t + 1), slice(z, z + 1), *lateral)
            for file, image in zip(files, images, strict=True):
                for channel, output in enumerate(file.outputs):
                    plane = image.read(t, channel, z=z)[None]
                    watch.see(Block(output.key, t, place, plane, 0, 0))
    return list(watch.findings())
