"""What the truth of a field is, how large, and what was found of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from napari_mito_predict.evaluation import Baseline, BlurredInput, LocalContrast
from napari_mito_predict.report.words import count

if TYPE_CHECKING:
    from napari_mito_predict.evaluation.cases import Case
    from napari_mito_predict.evaluation.results import Result
    from napari_mito_predict.image import ImageSource


def describe_truth(result: Result) -> str:
    """File, channel, size, threshold of the foreground, baselines as they fit it, and noise ceiling."""
    truth = result.case.truth
    axes = [axis for axis in "TZYX" if axis in "YX" or truth.sizes[axis] > 1]
    sizes = " × ".join(str(truth.sizes[axis]) for axis in axes)
    sentences = [
        f"Truth: {_channel(result.case)}{truth.path or truth.name}.",
        f"{sizes} voxels ({' × '.join(axes)}), {_sampling(truth)}.",
        f"Foreground above {result.threshold:.5g}.",
    ]
    if result.not_finite:
        sentences.append(f"Left out as not finite: {result.not_finite:,} voxels.")
    if result.fitted:
        fitted = [_fitted(baseline) for baseline in result.fitted.values()]
        sentences.append(f"Baselines, as they fit this field best: {'; '.join(fitted)}.")
    if math.isfinite(result.ceiling):
        recordings = count(result.recordings, "recording")
        sentences.append(f"Noise ceiling of the PCC: {result.ceiling:.3f}, from {recordings} of the truth.")
    return " ".join(sentences)


def _fitted(baseline: Baseline) -> str:
    """What was chosen of a baseline, such as ``blur of sigma 2 voxels, inverted``."""
    match baseline:
        case BlurredInput(sigma=sigma):
            words = f"blur of sigma {sigma:g} voxels"
        case LocalContrast(window=window):
            words = f"contrast in {window} × {window} voxels"
        case _:
            raise TypeError(baseline)
    return f"{words}, inverted" if baseline.sign < 0 else words


def _channel(case: Case) -> str:
    """Such as ``channel TMRM of ``; empty for the only, unnamed one."""
    if case.channel.name:
        return f"channel {case.channel.name} of "
    if len(case.truth.channels) > 1:
        return f"{case.channel.label} of "
    return ""


def _sampling(image: ImageSource) -> str:
    """Voxel size and time step."""
    voxel = "voxel size not stated in the file"
    if any(size is not None for size in image.voxel_size_um):
        sizes = ["?" if size is None else f"{size:.4g}" for size in image.voxel_size_um]
        voxel = f"{' × '.join(sizes)} µm (z, y, x)"
    if image.time_step_s:
        return f"{voxel}, {image.time_step_s:.4g} s between time points"
    return voxel
