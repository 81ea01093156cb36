"""How far the predictions of several models of one target scatter, volume by volume, on the grid of the image."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from napari_mito_predict.errors import PredictionError
from napari_mito_predict.image import Finding, Level
from napari_mito_predict.models.record import Quantity
from napari_mito_predict.prediction.result import Block, deviation_target
from napari_mito_predict.prediction.volumes import Layout

if TYPE_CHECKING:
    from napari_mito_predict.prediction.job import Job
    from napari_mito_predict.prediction.result import Output
    from napari_mito_predict.prediction.volumes import Subject, Volume

_BYTES = 4


@dataclass(frozen=True)
class Disagreement:
    """One target that several models predict.

    Attributes
    ----------
    output : Output
        The standard deviation over their predictions, voxel by voxel.
    members : tuple of str
        Keys of these predictions.
    series : bool
        Whether the models take the series of all time points at each Z step, and not the stack at each time point.
    """

    output: Output
    members: tuple[str, ...]
    series: bool

    def shape(self, subject: Subject) -> tuple[int, ...]:
        """Shape of one volume, with the axes of the result."""
        shape = list(subject.result_shape())
        if subject.four_axes:
            shape[self.series] = 1
        return tuple(shape)

    def bytes_held(self, subject: Subject) -> int:
        """Memory for one volume of all members, and for their deviations."""
        return 2 * _BYTES * len(self.members) * prod(self.shape(subject))


def find_disagreements(
    jobs: Iterable[Job], outputs: Mapping[str, Output]
) -> tuple[tuple[Disagreement, ...], list[Finding]]:
    """Give the targets that several models predict; and which of these cannot be compared while they are predicted.

    A model of series is given one Z step after the other, a model of stacks one time point: no volume of the one is
    complete before all of the other are.
    """
    by_target: dict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        for target in job.model.targets:
            by_target[target].append(job)
    found: list[Disagreement] = []
    refused: list[Finding] = []
    for target, models in by_target.items():
        ways = {job.layout is Layout.SERIES for job in models}
        if len(models) > 1 and len(ways) > 1:
            refused.append(_not_comparable(target, models))
        elif len(models) > 1:
            if Quantity.DISAGREEMENT in {job.model.name for job in models}:
                raise PredictionError("A model is called 'disagreement', as an output here is: give it another name.")
            members = tuple(f"{target}/{job.model.name}" for job in models)
            found.append(Disagreement(_output(target, [outputs[key] for key in members]), members, ways.pop()))
    return tuple(found), refused


def _output(target: str, predictions: Sequence[Output]) -> Output:
    """What the disagreement of these predictions is called, and how it is shown."""
    shown = deviation_target(predictions[0].target)
    if len({each.target.stain for each in predictions}) > 1:
        shown = shown.model_copy(update={"stain": target.capitalize()})
    return replace(
        predictions[0],
        key=f"{target}/{Quantity.DISAGREEMENT}",
        target=shown,
        model_name="+".join(each.model_name for each in predictions),
        disclaimer=" ".join(dict.fromkeys(each.disclaimer for each in predictions if each.disclaimer)),
        quantity=Quantity.DISAGREEMENT,
    )


def _not_comparable(target: str, models: Iterable[Job]) -> Finding:
    names = " and ".join(job.model.name for job in models)
    return Finding(
        Level.INFO,
        "no-disagreement",
        f"How far {names} disagree about {target} is not computed: some take stacks, others time series.",
        "Predict with models of one kind.",
    )


class Comparison:
    """The predictions of several models of a target, kept until all of them are there for a volume.

    Parameters
    ----------
    disagreements : sequence of Disagreement
        What is wanted; nothing is kept for other outputs.
    subject : Subject
        The image.
    """

    def __init__(self, disagreements: Sequence[Disagreement], subject: Subject) -> None:
        self._subject = subject
        self._wanted = disagreements
        self._kept: dict[str, np.ndarray] = {}
        self._finished: set[str] = set()
        for each in disagreements:
            predictions = np.zeros((len(each.members), *each.shape(subject)), np.float32)
            self._kept |= dict(zip(each.members, predictions, strict=True))

    def take(self, block: Block) -> None:
        """Keep a block where it is wanted; what was looked at first comes once more, and is the same."""
        kept = self._kept.get(block.target)
        if kept is not None:
            sizes = zip(block.slices, kept.shape, strict=True)
            kept[tuple(slice(None) if size == 1 else part for part, size in sizes)] = block.data

    def completed(self, job: Job, volume: Volume, done: int, total: int) -> Iterator[Block]:
        """Blocks of the targets whose last model is `job`, which has predicted all of `volume`; each is one volume."""
        self._finished.update(job.keys)
        for each in self._wanted:
            if self._finished.issuperset(each.members):
                self._finished.difference_update(each.members)
                data = np.std([self._kept[key] for key in each.members], axis=0)
                slices = [slice(0, size) for size in data.shape]
                t = 0
                if self._subject.four_axes:
                    slices[volume.series] = slice(volume.index, volume.index + 1)
                    t = slices[0].start
                yield Block(each.output.key, t, tuple(slices), data, done, total)
