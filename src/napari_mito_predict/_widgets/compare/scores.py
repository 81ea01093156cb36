"""Numbers for the compare step; runs in the worker thread, knows arrays only."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mito_predict._widgets.common.origins import fingerprint
from napari_mito_predict.evaluation import BASELINES, StreamingFinePcc, check_shift, pcc, pcc_and_ssim
from napari_mito_predict.evaluation.correlation import as_float
from napari_mito_predict.evaluation.fine import fine_structure
from napari_mito_predict.image.crops import centre_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_mito_predict._widgets.common.worker import Work
    from napari_mito_predict._widgets.compare.region import Region

VoxelSize = Sequence[float | None] | None
"""z, y, x in micrometres."""
_FITTED_ON = 8
"""Planes that a baseline is fitted to."""
_SEARCHED = (32, 384, 384)
"""At most this much of the stack, from its centre, is searched for a shift."""


@dataclass(frozen=True)
class Agreement:
    """PCC, SSIM (global) and fine PCC of a plane, a stack, or what lies in a region.

    Attributes
    ----------
    pcc, ssim : float
        NaN where they have no meaning.
    voxels : int
        How many were compared: those that are finite in both.
    problem : str
        Why there are no numbers; empty where there are.
    fine : float
        Fine PCC; NaN as long as it is not known, and where it has no meaning.
    """

    pcc: float
    ssim: float
    voxels: int = 0
    problem: str = ""
    fine: float = math.nan

    @classmethod
    def of(cls, prediction: NDArray[Any], truth: NDArray[Any]) -> Agreement:
        """Compare all voxels of two arrays of one shape."""
        found = pcc_and_ssim(prediction, truth)
        problem = ""
        if np.isnan(found[0]):
            problem = _why_none(prediction, truth)
        return cls(*found, problem)


@dataclass(frozen=True)
class PlaneAgreement:
    """Of the plane on screen, and of its part in the region."""

    whole: Agreement
    region: Agreement | None


@dataclass(frozen=True)
class StackAgreement(Agreement):
    """PCC and SSIM of a stack, and the PCC of each of its planes."""

    profile: tuple[float, ...] = ()


@dataclass(frozen=True)
class SeriesProfile:
    """PCC of the stack at each time point; NaN for those not yet compared."""

    values: tuple[float, ...]


@dataclass(frozen=True)
class BaselineAgreement:
    """What the transmitted light alone tells of the truth, in the stack on screen.

    Attributes
    ----------
    pcc, fine : dict of str to float
        PCC and fine PCC of each baseline.
    """

    pcc: dict[str, float]
    fine: dict[str, float]


@dataclass(frozen=True)
class Fingerprints:
    """What tells the pixels of prediction and truth: when they were compared, or `checked` later."""

    texts: tuple[str, str]
    checked: bool = False


def fingerprinting(prediction: Any, truth: Any, *, checked: bool = False) -> Work:
    """Work that yields `Fingerprints`."""

    def work(should_stop: Callable[[], bool]) -> Iterator[object]:
        yield Fingerprints((fingerprint(prediction), fingerprint(truth)), checked)

    return work


def comparing_planes(
    prediction: Any,
    truth: Any,
    index: tuple[Any, ...],
    region: Region | None = None,
    voxel_size_um: VoxelSize = None,
) -> Work:
    """Work that compares the plane at `index` (integers and slices, one per axis).

    Yields `PlaneAgreement` twice: at once, and with the fine PCC, which takes several times as long. A plane that is
    not one of y and x has none.
    """

    def work(should_stop: Callable[[], bool]) -> Iterator[object]:
        a, b = np.asarray(prediction[index]), np.asarray(truth[index])
        within = None
        if region is not None:
            within = Agreement.of(region.part(a, index), region.part(b, index))
        whole = Agreement.of(a, b)
        yield PlaneAgreement(whole, within)
        if whole.problem or not all(isinstance(i, slice) for i in index[-2:]):
            return
        fine = []
        for image in (a, b):
            if should_stop():
                return
            fine.append(fine_structure(as_float(image), voxel_size_um))
        if region is not None and within is not None and not within.problem:
            within = replace(within, fine=pcc(*(region.part(image, index) for image in fine)))
        yield PlaneAgreement(replace(whole, fine=pcc(*fine)), within)

    return work


def comparing_stacks(
    prediction: Any, truth: Any, index: tuple[Any, ...], *, along_z: bool = True, voxel_size_um: VoxelSize = None
) -> Work:
    """Work that compares the stack at `index`: the planes one after the other, all together, and whether it is shifted.

    Yields `Fingerprints` of what is compared, `StackAgreement`, the same with its fine PCC, then `ShiftCheck` where the
    two can be compared; along the planes a shift is looked for only if they are Z steps.
    """

    def work(should_stop: Callable[[], bool]) -> Iterator[object]:
        yield from fingerprinting(prediction, truth)(should_stop)
        a, b = _stack(prediction, index), _stack(truth, index)
        profile = []
        for plane_a, plane_b in zip(a, b, strict=True):
            if should_stop():
                return
            profile.append(pcc(plane_a, plane_b))
        whole = Agreement.of(a, b)
        agreement = StackAgreement(whole.pcc, whole.ssim, whole.voxels, whole.problem, profile=tuple(profile))
        yield agreement
        if whole.problem:
            return
        fine = StreamingFinePcc(voxel_size_um)
        for plane_a, plane_b in zip(a, b, strict=True):
            if should_stop():
                return
            fine.add(plane_a, plane_b)
        yield replace(agreement, fine=fine.value)
        centre = centre_of(a.shape, _SEARCHED)
        a, b = a[centre], b[centre]
        if along_z:
            yield check_shift(a[None], b[None])
        else:  # the planes are time points
            yield check_shift(a[:, None], b[:, None])

    return work


def comparing_regions(
    prediction: Any, truth: Any, index: tuple[Any, ...], region: Region, voxel_size_um: VoxelSize = None
) -> Work:
    """Work that compares what lies in the region, in all planes of the stack at `index`.

    Yields `Agreement`, and the same with its fine PCC where the region is one of y and x.
    """

    def work(should_stop: Callable[[], bool]) -> Iterator[object]:
        images = [np.asarray(data[index]) for data in (prediction, truth)]
        found = Agreement.of(*(region.part(image, index) for image in images))
        yield found
        last_two = (len(index) - 2, len(index) - 1)
        if found.problem or region.axes != last_two:
            return
        fine = StreamingFinePcc(voxel_size_um)
        for plane_a, plane_b in zip(*(image.reshape(-1, *image.shape[-2:]) for image in images), strict=True):
            if should_stop():
                return
            fine.add(plane_a, plane_b, region.mask)
        yield replace(found, fine=fine.value)

    return work


def comparing_series(prediction: Any, truth: Any) -> Work:
    """Work that compares the stacks of a time series one after the other; yields a `SeriesProfile` after each."""

    def work(should_stop: Callable[[], bool]) -> Iterator[object]:
        values = np.full(prediction.shape[0], np.nan)
        for t in range(len(values)):
            if should_stop():
                return
            values[t] = pcc(np.asarray(prediction[t]), np.asarray(truth[t]))
            yield SeriesProfile(tuple(float(value) for value in values))

    return work


def comparing_baselines(light: Any, truth: Any, index: tuple[Any, ...], voxel_size_um: VoxelSize = None) -> Work:
    """Work that compares what needs no network with the truth of the stack at `index`; yields `BaselineAgreement`.

    Baselines are fitted, in their favour, to a few planes of this very stack, and compared in all of it.
    """

    def work(should_stop: Callable[[], bool]) -> Iterator[object]:
        def go_on() -> None:
            if should_stop():
                raise _Stopped

        given, real = _stack(light, index), _stack(truth, index)
        chosen = np.unique(np.linspace(0, len(given) - 1, _FITTED_ON).round().astype(int))
        scores = {name: StreamingFinePcc(voxel_size_um) for name in BASELINES}
        try:
            for name, kind in BASELINES.items():
                baseline = kind.fit([(given[chosen], real[chosen])], on_step=go_on)
                for plane, expected in zip(given, real, strict=True):
                    go_on()
                    scores[name].add(baseline(plane), expected)
        except _Stopped:
            return
        yield BaselineAgreement(
            {name: score.whole.value for name, score in scores.items()},
            {name: score.value for name, score in scores.items()},
        )

    return work


class _Stopped(Exception):
    """Nobody waits for the result any more."""


def _why_none(prediction: NDArray[Any], truth: NDArray[Any]) -> str:
    """Why two arrays have no correlation."""
    finite = np.isfinite(prediction) & np.isfinite(truth)
    prediction, truth = prediction[finite], truth[finite]
    if prediction.size < 2:
        return "no two pixels here are finite in both images"
    constant = [name for name, image in (("prediction", prediction), ("truth", truth)) if image.min() == image.max()]
    match constant:
        case []:
            return "no correlation"
        case [name]:
            return f"the {name} has the same value everywhere"
        case _:
            return f"the {' and the '.join(constant)} have the same value everywhere"


def _stack(data: Any, index: tuple[Any, ...]) -> NDArray[Any]:
    stack = np.asarray(data[index])
    return stack.reshape(-1, *stack.shape[-2:])
