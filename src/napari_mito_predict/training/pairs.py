"""Reading a field: its transmitted light and fluorescence as normalised volumes on one grid."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_mito_predict.errors import AmbiguousChannelError, ImageError, TrainingDataError
from napari_mito_predict.image import Channel, Finding, ImageSource, Level, check_volume, light_of, open_image
from napari_mito_predict.image.blank import recorded
from napari_mito_predict.image.pixel_digest import pixel_digest
from napari_mito_predict.models import Normalisation
from napari_mito_predict.prediction.intensities import relative_contrast
from napari_mito_predict.prediction.normalize import measure, normalise
from napari_mito_predict.prediction.resample import Resampling
from napari_mito_predict.training.plausibility import check_channels, check_content, check_prediction

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_mito_predict.models.card import ThirdAxis
    from napari_mito_predict.training.fields import Field, Place

_TRUTH_NORMALISATION = Normalisation(clip_percentiles=None)
_SAME_FIELD = 0.02
"""Two images of one field may differ in extent by this fraction: the rounding of ZEN's crops."""

VoxelSize = tuple[float | None, float | None, float | None]


@dataclass(frozen=True)
class Pair:
    """One volume of one field, normalised, at the sampling trained at.

    Attributes
    ----------
    field : str
        The field it belongs to; splits never part a field.
    input : ndarray, float16, (D, Y, X) or (Y, X)
        Transmitted light, z-scored over the volume.
    truth : ndarray, float16, (targets, D, Y, X) or (targets, Y, X)
        Fluorescence, each target z-scored over the volume. Half precision halves the memory, and its rounding
        (0.05 %) is far below photon noise.
    contrast : float
        Standard deviation of the input relative to its mean, before it was normalised; 0 where another process read it.
    """

    field: str
    input: NDArray[np.float16]
    truth: NDArray[np.float16]
    contrast: float = 0.0


@dataclass(frozen=True)
class OpenField:
    """A field whose files are open and fit together; no pixels are read yet.

    Attributes
    ----------
    field : Field
    image : ImageSource
        Of the transmitted light.
    input : Channel
        Its channel.
    truths : tuple of (ImageSource, Channel)
        One per target.
    findings : tuple of Finding
        What the user should know, such as a resampled grid.
    """

    field: Field
    image: ImageSource
    input: Channel
    truths: tuple[tuple[ImageSource, Channel], ...]
    findings: tuple[Finding, ...] = ()

    @property
    def third_axis(self) -> ThirdAxis | None:
        """The axis its volumes extend along: z where there are several planes, else time, else none."""
        return self.image.third_axis

    @property
    def volumes(self) -> int:
        """How many volumes it holds: one per time point of z-stacks, else one."""
        return self.image.sizes["T"] if self.third_axis == "z" else 1

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a volume as recorded, (D, Y, X) or (Y, X)."""
        sizes = self.image.sizes
        depth = {"z": (sizes["Z"],), "t": (sizes["T"],), None: ()}[self.third_axis]
        return (*depth, sizes["Y"], sizes["X"])

    def shape_at(self, voxel_size_um: VoxelSize | None) -> tuple[int, ...]:
        """Of a volume resampled to `voxel_size_um`; axes of unknown size, and time, stay."""
        if voxel_size_um is None:
            return self.shape
        recorded_um = self.image.voxel_size_um[-len(self.shape) :]
        wanted_um = voxel_size_um[-len(self.shape) :]
        shape = list(self.shape)
        for axis, (own_um, aim_um) in enumerate(zip(recorded_um, wanted_um, strict=True)):
            is_time = self.third_axis == "t" and axis == 0
            if own_um and aim_um and not is_time:
                shape[axis] = max(1, round(shape[axis] * (own_um / aim_um)))
        return tuple(shape)


def open_field(field: Field, axes: str | None = None, *, allow_prediction_as_truth: bool = False) -> OpenField:
    """Open the files of a field and see whether they show the same thing, and can be light and truth.

    Parameters
    ----------
    field : Field
    axes : str, optional
        For TIFFs that do not say what their axes are.
    allow_prediction_as_truth : bool
        Whether a truth may be a prediction itself: a warning, where it is an error else.

    Raises
    ------
    TrainingDataError
        A file cannot be opened, lacks a channel, or the transmitted light is a prediction; names the file.
    """
    try:
        image, channel = _open(field.input, axes, is_light=True)
        truths = tuple(_open(place, axes) for place in field.truths)
    except ImageError as error:
        raise TrainingDataError(f"{field.name}: {error}") from error
    opened = OpenField(field, image, channel, truths)
    found = list(chain.from_iterable(_compare(opened, other) for other, _ in truths))
    for _, truth in truths:
        found += check_prediction(truth, allowed=allow_prediction_as_truth)
    found += check_channels(opened)
    return OpenField(field, image, channel, truths, tuple(dict.fromkeys(found)))


@dataclass(frozen=True)
class RawVolume:
    """A volume as recorded: ``input`` (D, Y, X) or (Y, X), and one truth per target, each on its own grid."""

    input: NDArray[Any]
    truths: tuple[NDArray[Any], ...]

    def digest(self) -> str:
        """A fingerprint of the pixels, the same wherever the file lies and whatever it is called."""
        digest = hashlib.blake2b(digest_size=16)
        for array in (self.input, *self.truths):
            digest.update(repr((array.shape, str(array.dtype))).encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def first_stacks(self, opened: OpenField) -> tuple[str, ...]:
        """Digest of each channel at the first time point, see `pixel_digest`; of a series the first plane."""
        arrays = [self.input, *self.truths]
        if opened.third_axis == "t":
            arrays = [array[0] for array in arrays]
        return tuple(map(pixel_digest, arrays))

    def findings(self, stains: Sequence[str]) -> list[Finding]:
        """What is wrong with these pixels; the names of the truth channels are put before what concerns them."""
        found = []
        for where, array in zip(("transmitted light", *stains), (self.input, *self.truths), strict=True):
            volume = array if array.ndim == 3 else array[None]
            found += [f for f in check_volume(volume, where=where) if f.code != "too-thin"]
        return found + check_content(self, stains)


def read_volumes(opened: OpenField) -> Iterator[RawVolume]:
    """Read all volumes of a field, one at a time.

    Raises
    ------
    TrainingDataError
        A file cannot be read any more, or is damaged; names it and the field.
    """
    times: Sequence[int | None] = (None,)  # a series of planes is one volume, read as a whole
    if opened.third_axis == "z":
        times = range(opened.volumes)
    try:
        for t in times:
            yield RawVolume(
                _volume(opened.image, opened.input, t),
                tuple(_volume(image, channel, t) for image, channel in opened.truths),
            )
    except ImageError as error:
        raise TrainingDataError(f"{opened.field.name}: {error}") from error


def prepare(raw: RawVolume, opened: OpenField, voxel_size_um: VoxelSize | None, normalisation: Normalisation) -> Pair:
    """Bring a volume to the sampling trained at, its input to the range of the network, its truths to z-scores.

    Raises
    ------
    TrainingDataError
        No contrast; names the field.
    """
    shape = opened.shape_at(voxel_size_um)
    try:
        light = _resampled(raw.input, shape)
        given = _normalised(light, normalisation)
        truth = [
            _normalised(_resampled(array, shape), _TRUTH_NORMALISATION, only_recorded=False) for array in raw.truths
        ]
    except ImageError as error:
        raise TrainingDataError(f"{opened.field.name}: {error}") from error
    contrast = relative_contrast(recorded(light))
    return Pair(opened.field.name, given.astype(np.float16), np.stack(truth).astype(np.float16), contrast)


def _open(place: Place, axes: str | None, *, is_light: bool = False) -> tuple[ImageSource, Channel]:
    image = open_image(place.path, scene=place.scene, axes=axes)
    if is_light and (place.channel is not None or image.sizes["C"] == 1):
        return image, light_of(image, 0 if place.channel is None else place.channel)
    if place.channel is not None:
        return image, image.channel(place.channel)
    if image.sizes["C"] > 1:
        names = ", ".join(f'{c.index} "{c.name}"' for c in image.channels)
        raise AmbiguousChannelError(
            f"several channels ({names}); say which one by its name or number.", file=place.path
        )
    return image, image.channels[0]


def _compare(opened: OpenField, truth: ImageSource) -> list[Finding]:
    """Whether `truth` shows the same field as the transmitted light, perhaps on another grid."""
    light = opened.image
    where = "truth"
    if truth.path and truth.path != light.path:
        where = truth.path.name
    found = [_compare_time(light, truth, where)]
    for axis, light_um, truth_um in zip("ZYX", light.voxel_size_um, truth.voxel_size_um, strict=True):
        light_side = _Side(light.sizes[axis], light_um)
        found.append(_compare_axis(axis, light_side, _Side(truth.sizes[axis], truth_um), where))
    return [finding for finding in found if finding is not None]


class _Side(NamedTuple):
    """How many voxels an image has along an axis, and how large they are in micrometres."""

    voxels: int
    size_um: float | None


def _compare_time(light: ImageSource, truth: ImageSource, where: str) -> Finding | None:
    if light.sizes["T"] == truth.sizes["T"]:
        return None
    fix = "Choose files of the same field."
    return _other_size("T", light.sizes["T"], truth.sizes["T"], where, fix)


def _compare_axis(axis: str, light: _Side, truth: _Side, where: str) -> Finding | None:
    """Whether both cover the same extent; the number of voxels may differ where their sizes are known."""
    if light.size_um is None or truth.size_um is None:
        if light.voxels == truth.voxels:
            return None
        fix = "Choose files of the same field, or files that know their voxel size."
        return _other_size(axis, light.voxels, truth.voxels, where, fix)
    if light.voxels == truth.voxels and abs(light.size_um / truth.size_um - 1) < _SAME_FIELD:
        return None
    light_um = light.voxels * light.size_um
    truth_um = truth.voxels * truth.size_um
    if abs(light_um / truth_um - 1) > _SAME_FIELD:
        message = f"{where}: {truth_um:.4g} µm along {axis}, but the transmitted light has {light_um:.4g} µm."
        return Finding(Level.ERROR, "other-extent", message, "Crop both to the same field of view.", where=where)
    message = (
        f"{where}: {truth.voxels} voxels of {truth.size_um:.4g} µm along {axis}, resampled to {light.voxels} of "
        f"{light.size_um:.4g} µm."
    )
    return Finding(Level.INFO, "resampled", message, where=where)


def _other_size(axis: str, light: int, truth: int, where: str, fix: str) -> Finding:
    message = f"{where}: {truth} {_WORDS[axis]}, but the transmitted light has {light}."
    return Finding(Level.ERROR, "other-size", message, fix, where=where)


_WORDS = {"T": "time points", "Z": "Z steps", "Y": "rows", "X": "columns"}


def _volume(image: ImageSource, channel: Channel, t: int | None) -> NDArray[Any]:
    """``(Z, Y, X)`` at time `t`, or without `t` the series ``(T, Y, X)`` of a single plane, or ``(Y, X)``."""
    if t is not None:
        return image.read(t, channel.index)
    series = np.stack([image.read(i, channel.index)[0] for i in range(image.sizes["T"])])
    return series if len(series) > 1 else series[0]


def _resampled(volume: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.float32]:
    flat = volume.astype(np.float32).reshape((1,) * (3 - volume.ndim) + volume.shape)
    target = (1,) * (3 - len(shape)) + shape
    if flat.shape == target:
        return flat.reshape(shape)
    return Resampling.between(flat.shape, target).whole(flat).reshape(shape)


def _normalised(
    volume: NDArray[np.float32], normalisation: Normalisation, *, only_recorded: bool = True
) -> NDArray[np.float32]:
    return normalise(volume, measure(volume, normalisation, only_recorded=only_recorded))
