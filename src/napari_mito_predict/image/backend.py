"""What every reader of a file format offers, and what it says of a scene before any pixel is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_mito_predict.image.channels import ChannelHints

AXES = "TCZYX"
RGB = "this is an RGB colour image, and predictions need a greyscale transmitted-light channel."


@dataclass(frozen=True, slots=True)
class SceneInfo:
    """What a reader knows of one scene before it reads any pixel.

    Attributes
    ----------
    sizes : dict
        Sizes of T, C, Z, Y, X (all of them).
    dtype : numpy.dtype
        Of the pixels; the common type where channels differ.
    channel_names : tuple of str or None
        One per channel.
    hints : tuple of ChannelHints
        One per channel, or empty.
    voxel_size_um : tuple of float or None
        z, y, x in micrometres; None where the file does not say.
    time_step_s : float or None
        Seconds between time points.
    unsupported : str
        Why nothing can be read for prediction, in a sentence; empty for sound images.
    unsupported_channels : dict of int to str
        The same for single channels, where others can be read.
    missing : frozenset of (int, int, int)
        (t, c, z) of the planes that were never recorded; readers are not asked for them.
    times, planes : range or None
        Which time points and Z steps of the file these are, in a part of an image; None where it is not cropped there.
    text : str
        What the file says about itself in free text, such as its description.
    """

    sizes: dict[str, int]
    dtype: np.dtype[Any]
    channel_names: tuple[str | None, ...]
    hints: tuple[ChannelHints, ...] = ()
    voxel_size_um: tuple[float | None, float | None, float | None] = (None, None, None)
    time_step_s: float | None = None
    is_rgb: bool = False
    simulated: bool = False
    unsupported: str = ""
    unsupported_channels: Mapping[int, str] = field(default_factory=dict)
    missing: frozenset[tuple[int, int, int]] = frozenset()
    times: range | None = None
    planes: range | None = None
    warnings: tuple[str, ...] = field(default=())
    text: str = ""


class Backend(Protocol):
    """What a file format has to offer; implementations are thread-safe and picklable."""

    @property
    def path(self) -> Path | None:
        """The file; None for arrays."""

    @property
    def scenes(self) -> tuple[str, ...]:
        """Names of all scenes."""

    def info(self, scene: int) -> SceneInfo:
        """Describe a scene without reading pixels."""

    def read(self, scene: int, t: int, c: int, z: int | None) -> NDArray[Any]:
        """Read ``(Z, Y, X)``, or ``(1, Y, X)`` for one `z`, in the file's own dtype; indices are valid.

        Nobody asks for planes that `info` calls missing, nor for channels that it calls unsupported.
        """
