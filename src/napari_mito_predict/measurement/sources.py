"""Which channel of which image shows a structure, and where its pixels come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_mito_predict.errors import AmbiguousChannelError, ImageError, MeasurementError
from napari_mito_predict.image import ChannelRole, ImageSource, open_image
from napari_mito_predict.image.names import image_stem
from napari_mito_predict.measurement.measures import Structure
from napari_mito_predict.measurement.verdicts import Origin
from napari_mito_predict.models.record import PredictionRecord, Quantity, read_record

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_mito_predict.image import Channel

ROLES: Mapping[Structure, ChannelRole] = {
    Structure.MITOCHONDRIA: ChannelRole.MITOCHONDRIA,
    Structure.NUCLEI: ChannelRole.DNA,
    Structure.NUCLEOIDS: ChannelRole.DNA,
}
Channels = Mapping[str, int | str]
"""Structure -> index or name of the channel that shows it, where the file does not tell."""


@dataclass(frozen=True, slots=True)
class Source:
    """A channel that shows a structure."""

    image: ImageSource
    channel: Channel

    def read(self, t: int) -> npt.NDArray[Any]:
        """Pixels of a time point: (Z, Y, X), or (Y, X) where there is a single plane."""
        stack = self.image.read(t, self.channel.index)
        return stack[0] if len(stack) == 1 else stack

    @property
    def field(self) -> str:
        """Name of the image that was recorded: of predictions, the one that they were made from."""
        return image_stem(_record(self.image, self.channel).input.name or self.image.name)

    def origin(self, *, default_settings: bool) -> Origin:
        """Whether it was recorded, or by which model it was predicted."""
        mark = self.channel.prediction
        if mark is None:
            return Origin(default_settings=default_settings)
        record = _record(self.image, self.channel)
        return Origin(
            model=mark.model or "unknown",
            weights_sha256=record.model.weights_sha256,
            simulated=self.image.simulated or _is_simulated(record),
            default_settings=default_settings,
        )


def find_sources(
    images: Sequence[ImageSource], structures: Sequence[Structure] | None, channels: Channels
) -> dict[Structure, Source]:
    """Find the channel of each structure; without `structures`, of all that can be found.

    Raises
    ------
    MeasurementError
        No channel shows what is asked for; images of different sizes; an uncertainty instead of a prediction.
    AmbiguousChannelError
        Several channels could be meant.
    ChannelNotFoundError
        A channel that is named is not there.
    """
    _check_one_field(images)
    found = {}
    for structure in structures or tuple(Structure):
        source = _source(images, structure, channels)
        if source is not None:
            found[structure] = source
        elif structures:
            raise MeasurementError(
                f"no channel is known to show {ROLES[structure]}. Say which one does.", file=_names(images)
            )
    if not found:
        raise MeasurementError(
            "no channel is known to show mitochondria or DNA. Say which structure a channel shows.",
            file=_names(images),
        )
    for source in found.values():
        _check_quantity(source)
    return found


def _source(images: Sequence[ImageSource], structure: Structure, channels: Channels) -> Source | None:
    if structure in channels:
        which = channels[structure]
        holders = [image for image in images if _has(image, which)]
        chosen = holders[0] if holders else images[0]
        return Source(chosen, chosen.channel(which))
    found = []
    for image in images:
        found += [Source(image, channel) for channel in image.channels if channel.role == ROLES[structure]]
    if len(found) > 1:
        listed = ", ".join(f'"{source.channel.label}"' for source in found)
        raise AmbiguousChannelError(f"several channels show {ROLES[structure]}: {listed}. Say which one to measure.")
    return found[0] if found else None


def _has(image: ImageSource, which: int | str) -> bool:
    try:
        image.channel(which)
    except ImageError:
        return False
    return True


def _check_one_field(images: Sequence[ImageSource]) -> None:
    shapes = {tuple(image.sizes[axis] for axis in "TZYX") for image in images}
    if len(shapes) > 1:
        listed = "; ".join(f"{image.name}: {image.sizes}" for image in images)
        raise MeasurementError(f"images of one field have one size, these differ: {listed}. Measure them one by one.")


def _check_quantity(source: Source) -> None:
    record = _record(source.image, source.channel)
    if record.quantity is not Quantity.PREDICTION:
        raise MeasurementError(
            f"this is no image of a structure but how far predictions scatter ({record.quantity}). Measure the "
            "prediction itself.",
            file=source.image.path or source.image.name,
        )


def _record(image: ImageSource, channel: Channel) -> PredictionRecord:
    """How a channel was predicted; a record without content where that is not known."""
    if image.path is None or channel.prediction is None:
        return PredictionRecord()
    record = read_record(image.path)
    if record is None:
        return PredictionRecord()
    return record.channels[channel.index] if channel.index < len(record.channels) else record


def _is_simulated(record: PredictionRecord) -> bool:
    """Whether what was predicted from is a simulated image, as far as it is still there."""
    path = Path(record.input.path or "")
    if not record.input.path or not path.exists():
        return False
    try:
        return open_image(path).simulated
    except ImageError:
        return False


def _names(images: Sequence[ImageSource]) -> str:
    return ", ".join(str(image.path or image.name) for image in images)
