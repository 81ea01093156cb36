"""`ImageSource`: an image as everything above this package sees it, whatever file or layer it comes from."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_mito_predict.errors import (
    ImageIndexError,
    IncompleteImageError,
    SceneNotFoundError,
    UnsupportedImageError,
)
from napari_mito_predict.image.backend import AXES, Backend
from napari_mito_predict.image.channels import Channel, ChannelRole, describe_channels, find_channel
from napari_mito_predict.image.cropped import CroppedBackend
from napari_mito_predict.image.missing import ranges
from napari_mito_predict.image.predicted import find_marks

if TYPE_CHECKING:
    import dask.array
    from numpy.typing import NDArray


class ImageSource:
    """One scene of an image, read lazily.

    Made by `open_image` and `from_array`. Reading is thread-safe, and an image can be pickled to another process.

    Parameters
    ----------
    backend : Backend
        The reader behind it.
    scene : int or str
        Scene index or name.
    name : str
        File stem or layer name, for messages and results.
    channels : tuple of Channel, optional
        Where they are known already; else they are found out, for which the record beside a file is read.
    missing_as_zeros : bool
        Read planes that were never recorded as zeros, instead of refusing them.

    Attributes
    ----------
    path : Path or None
        The file; None for arrays.
    scenes : tuple of str
        Names of all scenes.
    scene : int
        Index of this one.
    sizes : dict
        Sizes of T, C, Z, Y, X; always all five.
    channels : tuple of Channel
        With role and reason each, and whether it is a prediction.
    voxel_size_um : tuple of float or None
        z, y, x in micrometres; None where unknown, never 0 and never a guess.
    time_step_s : float or None
        Seconds between time points; None where unknown.
    dtype : numpy.dtype
        Of the pixels.
    is_rgb : bool
        True for colour images, which cannot be predicted from.
    simulated : bool
        True for files written by this package's own simulator.
    unsupported : str
        Why this image cannot be predicted from; empty when it can.
    missing : frozenset of (int, int, int)
        (t, c, z) of the planes that were never recorded.
    warnings : tuple of str
        What looked wrong when opening.
    backend : Backend
        The reader behind it.
    info : SceneInfo
        All that the reader said of this scene.
    """

    def __init__(
        self,
        backend: Backend,
        scene: int | str = 0,
        *,
        name: str,
        channels: tuple[Channel, ...] | None = None,
        missing_as_zeros: bool = False,
    ) -> None:
        self.backend = backend
        self._missing_as_zeros = missing_as_zeros
        self.path = backend.path
        self.name = name
        self.scenes = backend.scenes
        self.scene = _scene_index(backend.scenes, scene, str(self.path or name))
        self.info = info = backend.info(self.scene)
        self.sizes = dict(info.sizes)
        predictions = find_marks(self.path, info.channel_names, info.text)
        self.channels = describe_channels(info.channel_names, info.hints, predictions)
        self.voxel_size_um = info.voxel_size_um
        self.time_step_s = info.time_step_s
        self.dtype = info.dtype
        self.is_rgb = info.is_rgb
        self.simulated = info.simulated
        self.unsupported = info.unsupported
        self.missing = info.missing
        self.warnings = info.warnings

    def __repr__(self) -> str:
        sizes = " ".join(f"{axis}{self.sizes[axis]}" for axis in AXES)
        names = ", ".join(channel.label for channel in self.channels)
        return f"<ImageSource {self.name!r} scene {self.scene} of {len(self.scenes)}: {sizes} {self.dtype} ({names})>"

    def with_scene(self, scene: int | str) -> ImageSource:
        """Give the same file at another scene.

        Raises
        ------
        SceneNotFoundError
            There is no such scene; the message lists those there are.
        """
        return ImageSource(self.backend, scene, name=self.name, missing_as_zeros=self._missing_as_zeros)

    def crop(self, *, times: range | None = None, planes: range | None = None) -> ImageSource:
        """Give a part of the image: some of its time points, some of its Z steps; every method counts from its start.

        Parameters
        ----------
        times, planes : range, optional
            Which time points and Z steps, such as ``range(0, 2)`` for the first two; all of them where absent.

        Returns
        -------
        ImageSource
            Its other scenes are parts in the same way.

        Raises
        ------
        ImageIndexError
            The image has no such time points or Z steps.
        """
        part = CroppedBackend(self.backend, times, planes)
        return ImageSource(
            part, self.scene, name=self.name, channels=self.channels, missing_as_zeros=self._missing_as_zeros
        )

    @property
    def whole(self) -> ImageSource:
        """The image that this is a part of, see `crop`; itself where it is none."""
        backend = self.backend
        if not isinstance(backend, CroppedBackend):
            return self
        return ImageSource(backend.whole, self.scene, name=self.name, missing_as_zeros=self._missing_as_zeros).whole

    def with_roles(self, roles: Mapping[int, ChannelRole]) -> ImageSource:
        """Give the same image with the user's word on what some channels show; ``{index: role}``."""
        other = ImageSource(self.backend, self.scene, name=self.name, missing_as_zeros=self._missing_as_zeros)
        channels = list(self.channels)
        for index, role in roles.items():
            found = find_channel(channels, index, self._where)
            channels[found.index] = replace(found, role=ChannelRole(role), reason="The user says so.")
        other.channels = tuple(channels)
        return other

    @property
    def third_axis(self) -> Literal["z", "t"] | None:
        """What a volume extends along beside y and x: z where there are several Z steps, else time, else nothing."""
        if self.sizes["Z"] > 1:
            return "z"
        return "t" if self.sizes["T"] > 1 else None

    def channel(self, which: int | str | ChannelRole | None = None) -> Channel:
        """Find a channel by index, name or role; None asks for the transmitted light.

        Raises
        ------
        ChannelNotFoundError
            No channel fits.
        AmbiguousChannelError
            Several fit; the message lists them.
        """
        return find_channel(self.channels, which, self._where)

    def read(self, t: int = 0, channel: int | str | ChannelRole = 0, z: int | None = None) -> NDArray[Any]:
        """Read one stack.

        Parameters
        ----------
        t : int
            Time point, from 0.
        channel : int, str or ChannelRole
            Index, name or role.
        z : int, optional
            Read only this Z step.

        Returns
        -------
        numpy.ndarray
            ``(Z, Y, X)``, with `z` ``(1, Y, X)``, in the file's own dtype; a new array.

        Raises
        ------
        ImageIndexError
            Time point or Z step outside the image.
        ChannelNotFoundError, AmbiguousChannelError
            See `channel`.
        UnsupportedImageError
            Colour images, raw Airyscan data, and compressions that nobody here reads.
        IncompleteImageError
            Planes of this stack were never recorded.
        UnreadableImageError
            The file is damaged, or changed since it was opened.
        """
        found = self.channel(channel)
        self._check_index("T", t, "time point")
        if z is not None:
            self._check_index("Z", z, "Z step")
        reason = self.why_unsupported(found)
        if reason:
            raise UnsupportedImageError(reason, file=self._where)
        wanted = range(self.sizes["Z"]) if z is None else range(z, z + 1)
        absent = [step for step in wanted if (t, found.index, step) in self.missing]
        if not absent:
            return self.backend.read(self.scene, t, found.index, z)
        if self._missing_as_zeros:
            return self._read_around(t, found.index, wanted)
        raise IncompleteImageError(
            f"Z {ranges(absent)} of {found.label} at time point {t} was never recorded (the recording was probably "
            "stopped early). Use the time points, or the Z steps, that are complete.",
            file=self._where,
        )

    def complete_times(self, channels: Sequence[Channel] | None = None) -> range:
        """The longest run of time points of which all planes of `channels` (of all) were recorded; may be empty."""
        return self._longest_run("T", {t for t, c, _ in self.missing if _is_among(c, channels)})

    def complete_planes(self, channels: Sequence[Channel] | None = None) -> range:
        """The longest run of Z steps that were recorded of `channels` (of all) at all time points; may be empty."""
        return self._longest_run("Z", {z for _, c, z in self.missing if _is_among(c, channels)})

    def complete_part(self) -> ImageSource:
        """Give the time points that are complete, or else the Z steps; of a complete image all, which is itself.

        Channels that cannot be read, or of which no time point is complete, do not count.

        Raises
        ------
        IncompleteImageError
            Neither a time point nor a Z step is complete.
        """
        readable = [channel for channel in self.channels if not self.why_unsupported(channel)]
        if not any(_is_among(c, readable) for _, c, _ in self.missing):
            return self
        whole = [channel for channel in readable if self.complete_times([channel])]
        times = self.complete_times(whole)
        if whole and times:
            return self if len(times) == self.sizes["T"] else self.crop(times=times)
        planes = self.complete_planes(readable)
        if planes:
            return self.crop(planes=planes)
        raise IncompleteImageError(
            "of every time point and of every Z step something was never recorded. Open the file in the program that "
            "recorded it, and save the part that is complete.",
            file=self._where,
        )

    def _longest_run(self, axis: str, lacking: set[int]) -> range:
        borders = [-1, *sorted(lacking), self.sizes[axis]]
        return max((range(before + 1, after) for before, after in pairwise(borders)), key=len)

    def why_unsupported(self, channel: Channel) -> str:
        """Why a channel cannot be read; empty when it can."""
        return self.unsupported or self.info.unsupported_channels.get(channel.index, "")

    def _read_around(self, t: int, channel: int, steps: range) -> NDArray[Any]:
        """Read a stack with zeros in the place of what was never recorded."""
        stack = np.zeros((len(steps), self.sizes["Y"], self.sizes["X"]), self.dtype)
        for position, step in enumerate(steps):
            if (t, channel, step) not in self.missing:
                stack[position] = self.backend.read(self.scene, t, channel, step)[0]
        return stack

    def lazy(self, channel: int | str | ChannelRole | None = None) -> dask.array.Array:
        """Give one channel as a dask array ``(T, Z, Y, X)`` whose chunks are whole stacks, read when computed."""
        import dask.array

        found = self.channel(channel)
        sizes = self.sizes
        stacks: dask.array.Array = dask.array.map_blocks(  # type: ignore[no-untyped-call]
            _read_block,
            self,
            found.index,
            chunks=((1,) * sizes["T"], (sizes["Z"],), (sizes["Y"],), (sizes["X"],)),
            dtype=self.dtype,
            meta=np.empty((0, 0, 0, 0), self.dtype),
            token=uuid.uuid4().hex,  # else dask would hash the whole image to name the result
        )
        return stacks

    @property
    def _where(self) -> str:
        return str(self.path or self.name)

    def _check_index(self, axis: str, index: int, what: str) -> None:
        if not 0 <= index < self.sizes[axis]:
            raise ImageIndexError(
                f"there is no {what} {index}; valid are 0 to {self.sizes[axis] - 1} (counted from 0).", file=self._where
            )


def _read_block(image: ImageSource, channel: int, block_id: tuple[int, ...] = (0,)) -> NDArray[Any]:
    """Read the stack of one time point as the dask chunk ``(1, Z, Y, X)``; a channel of fewer bits is widened."""
    return image.read(block_id[0], channel)[None].astype(image.dtype, casting="safe", copy=False)


def _is_among(channel: int, channels: Sequence[Channel] | None) -> bool:
    return channels is None or any(channel == each.index for each in channels)


def _scene_index(scenes: tuple[str, ...], scene: int | str, where: str) -> int:
    """Position of a scene, by name before number."""
    if isinstance(scene, str):
        if scene in scenes:
            return scenes.index(scene)
        alike = [index for index, name in enumerate(scenes) if name.strip().casefold() == scene.strip().casefold()]
        if len(alike) == 1:
            return alike[0]
        if scene.isdecimal():
            scene = int(scene)
    if isinstance(scene, int) and 0 <= scene < len(scenes):
        return scene
    listed = ", ".join(f'{i} "{name}"' for i, name in enumerate(scenes))
    raise SceneNotFoundError(f'{where}: there is no scene "{scene}"; it has {listed}.')
