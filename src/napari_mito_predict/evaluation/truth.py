"""The truth of one field, and what is known of it before any prediction is looked at."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_mito_predict.errors import ChannelNotFoundError, EvaluationError, PredictedTruthError
from napari_mito_predict.evaluation.baselines import BlurredInput, noise_ceiling
from napari_mito_predict.evaluation.cases import Case, check_grid, differing_voxel_sizes, read_all
from napari_mito_predict.evaluation.metrics import Scores, evaluate
from napari_mito_predict.evaluation.regions import evaluate_planes, foreground
from napari_mito_predict.image import ImageSource, open_image

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

BLURRED = "blurred transmitted light"


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
        What has to be beaten.
    baseline_planes : tuple of float
        PCC of the blurred input in each plane.
    blur : BlurredInput or None
        Which blur and sign fit this field best.
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
    baseline_planes: tuple[float, ...]
    blur: BlurredInput | None
    ceiling: float
    recordings: int

    @classmethod
    def read(
        cls,
        case: Case,
        mask: ImageSource | None,
        repeats: Sequence[Path] = (),
        *,
        thorough: bool,
        on_step: Callable[[], object] = lambda: None,
    ) -> Truth:
        """Read it; the baseline costs several seconds in large stacks and comes with `thorough` only."""
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
        of_light: dict[str, Any] = {"baselines": {}, "baseline_planes": (), "blur": None}
        if thorough and case.light is not None:
            light = read_all(case.light, case.light_channel)
            of_light = _of_blurred(light, values, on_step)
        return cls(
            values,
            light,
            None if mask is None else read_all(mask, 0) != 0,
            chosen,
            threshold,
            ceiling=noise_ceiling([values, *again]) if again else math.nan,
            recordings=1 + len(again),
            **of_light,
        )


def _of_blurred(light: NDArray[Any], values: NDArray[Any], on_step: Callable[[], object]) -> dict[str, Any]:
    """What the transmitted light alone tells of this truth."""
    blur = BlurredInput.fit([(light, values)], on_step=on_step)
    blurred = blur(light)
    on_step()
    scores = evaluate(blurred, values)
    on_step()
    planes = evaluate_planes(blurred, values)
    return {
        "baselines": {BLURRED: scores},
        "baseline_planes": tuple(part.scores.pcc for part in planes),
        "blur": blur,
    }


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
