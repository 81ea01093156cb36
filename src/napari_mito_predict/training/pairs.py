"""Pairs of transmitted light and fluorescence of the same field, split by field."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_mito_predict.errors import ImageError, TrainingDataError
from napari_mito_predict.image import ImageSource, open_image
from napari_mito_predict.models import Normalisation
from napari_mito_predict.prediction.normalize import measure, normalise
from napari_mito_predict.prediction.resample import Resampling

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_mito_predict.models.card import ThirdAxis
    from napari_mito_predict.training.config import Data, Split, TrainingConfig

INPUT_NORMALISATION = Normalisation()
_TRUTH_NORMALISATION = Normalisation(clip_percentiles=None)


@dataclass(frozen=True)
class Pair:
    """One volume of one field, normalised, at the sampling trained at.

    Attributes
    ----------
    field : str
        The field (file) it belongs to; splits never part a field.
    input : ndarray, float16, (D, Y, X) or (Y, X)
        Transmitted light, z-scored over the volume.
    truth : ndarray, float16, (targets, D, Y, X) or (targets, Y, X)
        Fluorescence, each target z-scored over the volume. Half precision halves the memory, and its rounding
        (0.05 %) is far below photon noise.
    """

    field: str
    input: NDArray[np.float16]
    truth: NDArray[np.float16]


@dataclass(frozen=True)
class Fields:
    """The files of one part of the split."""

    training: tuple[Path, ...]
    validation: tuple[Path, ...]
    test: tuple[Path, ...]


def find_files(data: Data) -> tuple[Path, ...]:
    """Expand the patterns of `data.files`, sorted within each pattern, without repeats.

    Raises
    ------
    TrainingDataError
        A pattern matches nothing; lists all of those.
    """
    found: dict[Path, None] = {}
    missing = []
    for pattern in data.files:
        matches = sorted(glob.glob(pattern, recursive=True)) if glob.has_magic(pattern) else [pattern]
        matches = [match for match in matches if Path(match).exists()]
        if not matches:
            missing.append(pattern)
        found.update((Path(match), None) for match in matches)
    if missing:
        raise TrainingDataError(f"No such training files: {', '.join(missing)}.")
    return tuple(found)


def split_fields(files: Sequence[Path], split: Split) -> Fields:
    """Split whole fields into training, validation and test.

    Fractions are rounded; at least one test field unless ``test: 0``, and at least one validation field with three
    fields or more. Fields can also be named (file stems).

    Raises
    ------
    TrainingDataError
        A named field does not exist or is named twice, or nothing is left to train on.
    """
    shuffled = [files[i] for i in np.random.default_rng(split.seed).permutation(len(files))]
    test = _take(shuffled, split.test, minimum=1 if len(files) > 1 else 0)
    rest = [file for file in shuffled if file not in test]
    validation = _take(rest, split.validation, minimum=1 if len(files) >= 3 else 0)
    training = [file for file in rest if file not in validation]
    if not training:
        raise TrainingDataError(
            f"{len(files)} fields leave none to train on after {len(test)} for testing and {len(validation)} for "
            "validation. Add fields, or lower `split.test`."
        )
    return Fields(*(tuple(sorted(part)) for part in (training, validation, test)))


def _take(files: Sequence[Path], wanted: float | tuple[str, ...], minimum: int) -> list[Path]:
    if isinstance(wanted, tuple):
        by_name = {file.stem: file for file in files}
        unknown = [name for name in wanted if name not in by_name]
        if unknown:
            raise TrainingDataError(
                f"No field named {', '.join(unknown)} (or it is used twice); fields: {', '.join(by_name)}."
            )
        return [by_name[name] for name in wanted]
    count = max(round(wanted * len(files)), minimum) if wanted else 0
    return list(files[:count])


def third_axis(image: ImageSource) -> ThirdAxis | None:
    """The axis a volume of `image` extends along: z where there are several planes, else time, else none."""
    if image.sizes["Z"] > 1:
        return "z"
    return "t" if image.sizes["T"] > 1 else None


def load_pairs(
    path: Path, config: TrainingConfig, voxel_size_um: tuple[float | None, float, float] | None
) -> list[Pair]:
    """Read all volumes of one field.

    Parameters
    ----------
    path : Path
        A file with transmitted light and truth channels.
    config : TrainingConfig
        Says which channels.
    voxel_size_um : tuple or None
        Sampling ``(z, y, x)`` to bring the field to; ``None`` leaves it as it is.

    Raises
    ------
    TrainingDataError
        The file cannot be read or lacks a channel; names the file.
    """
    try:
        image = open_image(path)
        source = image.channel(config.data.transmitted)
        truths = [image.channel(channel) for channel in config.targets.values()]
        volumes = [
            [_volume(image, channel.index, t) for channel in (source, *truths)]
            for t in (range(image.sizes["T"]) if third_axis(image) == "z" else (None,))
        ]
        pairs = []
        for transmitted, *fluorescence in volumes:
            given = _normalised(_resampled(transmitted, image, voxel_size_um), INPUT_NORMALISATION)
            truth = [_normalised(_resampled(f, image, voxel_size_um), _TRUTH_NORMALISATION) for f in fluorescence]
            pairs.append(Pair(path.stem, given.astype(np.float16), np.stack(truth).astype(np.float16)))
    except ImageError as error:
        message = str(error)
        raise TrainingDataError(message if path.name in message else f"{path}: {message}") from error
    return pairs


def _volume(image: ImageSource, channel: int, t: int | None) -> NDArray[np.float32]:
    """``(Z, Y, X)`` at time `t`, or without `t` the series ``(T, Y, X)`` of a single plane, or ``(Y, X)``."""
    if t is not None:
        return image.read(t, channel).astype(np.float32)
    series = np.stack([image.read(i, channel)[0] for i in range(image.sizes["T"])]).astype(np.float32)
    return series if len(series) > 1 else series[0]


def _resampled(
    volume: NDArray[np.float32], image: ImageSource, wanted: tuple[float | None, float, float] | None
) -> NDArray[np.float32]:
    if wanted is None:
        return volume
    along_z = third_axis(image) == "z"
    factors = [1.0] * volume.ndim
    for axis, (have, want) in enumerate(zip(image.voxel_size_um, wanted, strict=True), start=volume.ndim - 3):
        if axis >= 0 and have and want and (axis == volume.ndim - 3) <= along_z:
            factors[axis] = have / want
    shape = tuple(max(1, round(n * f)) for n, f in zip(volume.shape, factors, strict=True))
    flat = volume.reshape((1,) * (3 - volume.ndim) + volume.shape)
    target = (1,) * (3 - volume.ndim) + shape
    return Resampling.between(flat.shape, target).whole(flat).reshape(shape)


def _normalised(volume: NDArray[np.float32], normalisation: Normalisation) -> NDArray[np.float32]:
    return normalise(volume, measure(volume, normalisation))
