"""Everything a run reads before its first iteration."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_mito_predict.errors import ImageError, TrainingDataError
from napari_mito_predict.image import ChannelRole, ImageSource, open_image
from napari_mito_predict.training.pairs import Fields, Pair, find_files, load_pairs, split_fields, third_axis

if TYPE_CHECKING:
    from napari_mito_predict.models.card import ThirdAxis
    from napari_mito_predict.training.config import TrainingConfig

_PATCH = {2: (256, 256), 3: (32, 64, 64)}


@dataclass(frozen=True)
class TrainingData:
    """Pairs in memory, and what they have in common.

    Attributes
    ----------
    fields : Fields
        Which file went where.
    training, validation : tuple of Pair
        Volumes; without validation fields (two fields or fewer) the training volumes stand in, and the card says so.
    voxel_size_um : tuple
        Sampling ``(z, y, x)`` of all pairs.
    third_axis : {"z", "t"} or None
        The axis volumes extend along.
    third_axis_step : float or None
        Its step, micrometres or seconds.
    stains, roles : tuple of str
        Truth channel name and role, one per target.
    simulated : bool
        At least one field was written by the simulator.
    patch : tuple of int
        Patch size.
    """

    fields: Fields
    training: tuple[Pair, ...]
    validation: tuple[Pair, ...]
    voxel_size_um: tuple[float | None, float, float]
    third_axis: ThirdAxis | None
    third_axis_step: float | None
    stains: tuple[str, ...]
    roles: tuple[ChannelRole, ...]
    simulated: bool
    patch: tuple[int, ...]

    @property
    def ndim(self) -> int:
        """Spatial dimensions of a volume."""
        return 3 if self.third_axis else 2

    @property
    def targets(self) -> int:
        """Number of predicted structures."""
        return len(self.stains)


def load_data(config: TrainingConfig) -> TrainingData:
    """Find, split and read the fields of a run.

    Raises
    ------
    TrainingDataError
        No files, an unreadable one, unknown sampling, or fields that do not go together.
    """
    files = find_files(config.data)
    fields = split_fields(files, config.split)
    first = _open(files[0])
    voxel_size = config.voxel_size_um or _known_size(first)
    axis = third_axis(first)
    training = tuple(pair for path in fields.training for pair in load_pairs(path, config, voxel_size))
    validation = tuple(pair for path in fields.validation for pair in load_pairs(path, config, voxel_size))
    truths = [first.channel(channel) for channel in config.targets.values()]
    return TrainingData(
        fields=fields,
        training=training,
        validation=validation or training,
        voxel_size_um=voxel_size if axis == "z" else (None, *voxel_size[1:]),
        third_axis=axis,
        third_axis_step={"z": voxel_size[0], "t": first.time_step_s, None: None}[axis],
        stains=tuple(_stain(channel.name or name) for channel, name in zip(truths, config.targets, strict=True)),
        roles=tuple(channel.role for channel in truths),
        simulated=any(_open(path).simulated for path in files),
        patch=config.patch or _PATCH[3 if axis else 2],
    )


def _open(path: Path) -> ImageSource:
    try:
        return open_image(path)
    except ImageError as error:
        raise TrainingDataError(str(error)) from error


def _known_size(image: ImageSource) -> tuple[float | None, float, float]:
    z, y, x = image.voxel_size_um
    if y is None or x is None:
        raise TrainingDataError(
            f"{image.name}: the voxel size is unknown. Give `voxel_size_um: [z, y, x]` in the configuration."
        )
    return z, y, x


def _stain(name: str) -> str:
    """Channel name without ZEN's track suffix: ``SYBR Gold-T2`` -> ``SYBR Gold``."""
    stem, dash, track = name.rpartition("-T")
    return stem if dash and track.isdigit() else name
