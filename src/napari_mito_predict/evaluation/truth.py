"""The truth of one field, and what is known of it before any prediction is looked at."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_mito_predict.errors import ChannelNotFoundError, EvaluationError, PredictedTruthError
from napari_mito_predict.evaluation.baselines import BASELINES, Baseline, noise_ceiling
from napari_mito_predict.evaluation.cases import Case, check_grid, differing_voxel_sizes, read_all
from napari_mito_predict.evaluation.correlation import pcc
from napari_mito_predict.evaluation.metrics import Scores, evaluate
from napari_mito_predict.evaluation.regions import foreground
from napari_mito_predict.image import ImageSource, open_image

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Truth:
    """The truth of one field, and what is known without any prediction.

    Attributes
    ----------
    values, light, mask : ndarray, (T, Z, Y, X)
        The truth, the transmitted light or None, and the given mask or None.
    foreground : ndarray of bool
        Above `threshold`.
    threshold : float
        Otsu's, in the truth's units.
    baselines : dict of str to Scores
        What has to be beaten, by its name in `BASELINES`.
    baseline_planes : dict of str to tuple of float
        PCC of each baseline in each plane.
    fitted : dict of str to Baseline
        Those of the transmitted light, as they fit this field best.
    ceiling : float
        Noise ceiling of the PCC; NaN without a repeat.
    recordings : int
        Of the truth, this one included, that the ceiling is from.
    """

    values: NDArray[Any]
    light: NDArray[Any] | None
    mask: NDArray[Any] | None
    foreground: NDArray[np.bool_]
    threshold: float
    baselines: dict[str, Scores]
    baseline_planes: dict[str, tuple[float, ...]]
    fitted: dict[str, Baseline]
    ceiling: float
    recordings: int

    @classmethod
    def read(
        cls,
        case: Case,
        mask: ImageSource | None,
        repeats: Sequence[Path] = (),
        *,
        baselines: bool,
        on_step: Callable[[], object] = lambda: None,
    ) -> Truth:
        """Read it; baselines cost many seconds in large stacks."""
        values = read_all(case.truth, case.channel.index)
        if mask is not None:
            check_grid(case.truth, mask, str(case.truth.path or case.truth.name))
        try:
            chosen, threshold = foreground(values)
        except EvaluationError as error:
            raise EvaluationError(
                f"{case.names}: channel '{case.channel.label}' of the truth is constant or not finite, so nothing can "
                "be compared with it. Choose another channel with --truth-channel, or check the file."
            ) from error
        on_step()
        again = [_repeated(path, case) for path in repeats]
        light = None
        fitted: dict[str, Baseline] = {}
        scores: dict[str, Scores] = {}
        planes: dict[str, tuple[float, ...]] = {}
        if baselines and case.light is not None:
            light = read_all(case.light, case.light_channel)
            size = case.truth.voxel_size_um
            for name, kind in BASELINES.items():
                fitted[name] = kind.fit([(light, values)], on_step=on_step)
                scores[name], planes[name] = _score(fitted[name](light), values, size, on_step)
        return cls(
            values,
            light,
            None if mask is None else read_all(mask, 0) != 0,
            chosen,
            threshold,
            baselines=scores,
            baseline_planes=planes,
            fitted=fitted,
            ceiling=noise_ceiling([values, *again]) if again else math.nan,
            recordings=1 + len(again),
        )


def _score(
    predicted: NDArray[Any], truth: NDArray[Any], voxel_size_um: Sequence[float | None], on_step: Callable[[], object]
) -> tuple[Scores, tuple[float, ...]]:
    """Scores of a baseline, and its PCC in each plane."""
    on_step()
    scores = evaluate(predicted, truth, voxel_size_um=voxel_size_um)
    on_step()
    pairs = zip(predicted.reshape(-1, *truth.shape[-2:]), truth.reshape(-1, *truth.shape[-2:]), strict=True)
    return scores, tuple(pcc(a, b) for a, b in pairs)


def _repeated(path: Path, case: Case) -> NDArray[Any]:
    """Another recording of the truth: the same scene, and the channel of the same name."""
    repeat, real = open_image(path), case.truth
    scene = real.scenes[real.scene]
    if len(repeat.scenes) > 1 and scene in repeat.scenes:
        repeat = repeat.with_scene(scene)
    name = f"The repeat {path}"
    if any(repeat.sizes[axis] != real.sizes[axis] for axis in "TZYX") or differing_voxel_sizes(repeat, real):
        raise EvaluationError(
            f"{name} has other sizes than {real.path or real.name}: the noise ceiling needs the same field, recorded "
            "twice with the same settings."
        )
    channel = repeat.channels[0]
    if len(repeat.channels) > 1:
        try:
            channel = repeat.channel(case.channel.name or case.channel.index)
        except ChannelNotFoundError as error:
            raise EvaluationError(f"{name} has no channel '{case.channel.label}', as its truth has.") from error
    if channel.prediction is not None and case.channel.prediction is None:
        raise PredictedTruthError(
            f"{name} is {channel.prediction.words}: the noise ceiling needs a second recording of the truth."
        )
    return read_all(repeat, channel.index)
