"""What runs in worker threads of the fine-tune dock: looking into files, checking fields, timing. Knows no Qt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_mito_predict.errors import ImageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_mito_predict._widgets.common.worker import Work
    from napari_mito_predict.image import Channel, Finding, ImageSource
    from napari_mito_predict.training.checks import Reference
    from napari_mito_predict.training.config import TrainingConfig
    from napari_mito_predict.training.fields import Field
    from napari_mito_predict.training.overlap import Overlap


@dataclass(frozen=True)
class Peek:
    """What the first field says about all of them.

    Attributes
    ----------
    channels : tuple of Channel
        Of the file with the transmitted light.
    truth : tuple of Channel
        Of the file with the fluorescence; often the same.
    third_axis : str or None
        ``z``, ``t``, or none for single planes.
    matches : tuple of (str, str)
        Names of the files that belong together, where they are two.
    """

    channels: tuple[Channel, ...]
    truth: tuple[Channel, ...]
    third_axis: str | None
    matches: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Listed:
    """All fields there are, in the order in which the split draws them."""

    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Checked:
    """All fields were read: dimensions of their volumes, what is to be said of all, and which share pixels."""

    ndim: int
    findings: tuple[Finding, ...] = ()
    overlaps: tuple[Overlap, ...] = ()


def peeking(data: Mapping[str, Any]) -> Work:
    """Work that yields a `Peek` into the first field of `data`, as a training configuration gives it."""

    def work(should_stop: Callable[[], bool]) -> Iterator[object]:
        from napari_mito_predict.training.config_parts import Data
        from napari_mito_predict.training.fields import find_fields

        if "files" in data:
            source = _first_that_opens([Path(file) for file in data["files"]])
            yield Peek(source.channels, source.channels, source.third_axis)
            return
        fields = find_fields(Data(**data), {"truth": None})
        source = _first_that_opens([field.input.path for field in fields])
        truth = _first_that_opens([field.truths[0].path for field in fields])
        matches = tuple((field.input.path.name, field.truths[0].path.name) for field in fields)
        yield Peek(source.channels, truth.channels, source.third_axis, matches)

    return work


def checking(config: TrainingConfig) -> Work:
    """Work that yields `Listed`, then a report per field as soon as it is read, then `Checked`."""

    def work(should_stop: Callable[[], bool]) -> Iterator[object]:
        from napari_mito_predict.training.checks import overlaps_of
        from napari_mito_predict.training.data import FieldReader
        from napari_mito_predict.training.fields import find_fields

        yield Listed(find_fields(config.data, config.targets))
        reader = FieldReader(config, _late_reference(config))
        reports = []
        for field in reader.all_fields:
            if should_stop():
                return
            reports.append(reader.read(field)[1])
            yield reports[-1]
        overlaps = overlaps_of(reports, should_stop=should_stop)
        yield Checked(reader.sampling.ndim, reader.findings, overlaps)

    return work


def timing(config: TrainingConfig, ndim: int) -> Work:
    """Work that yields how many seconds one iteration takes on this computer."""

    def work(should_stop: Callable[[], bool]) -> Iterator[object]:
        from napari_mito_predict.training.estimate import seconds_per_iteration
        from napari_mito_predict.training.patch_size import patch_of

        yield seconds_per_iteration(config, patch_of(config, ndim), should_stop)

    return work


def _late_reference(config: TrainingConfig) -> Reference:
    """The start model as a reference, loaded only when the first field was read: the table fills meanwhile."""
    loaded: list[Reference | None] = []  # empty until the first field; None in it where there is no start model

    def expect(given: NDArray[np.float32]) -> Any:
        if not loaded:
            from napari_mito_predict.training.lifecycle import reference_of

            loaded.append(reference_of(config))
        reference = loaded[0]
        if reference is None:
            return [None] * len(config.targets)
        return reference(given)

    return expect


def _first_that_opens(paths: list[Path]) -> ImageSource:
    """The first image that can be opened; where none can, the error of the last.

    One damaged file is for the check to tell; only if all are, there is nothing to look into.
    """
    from napari_mito_predict.image import open_image

    for path in paths[:-1]:
        try:
            return open_image(path)
        except ImageError:
            continue
    return open_image(paths[-1])
