"""Crops of one recording that share pixels: found by the noise around marked points, whatever their contrast.

A point that is the brightest or darkest of its neighbourhood is so in every crop that holds it. Around each such point
the differences of neighbouring pixels are mostly noise, which no second recording repeats; normalised, they are the
same after any change of brightness and contrast. Two crops overlap where such points match at one and the same offset,
and where most points of the common area do: dirt on the camera, which every field shows, is too few of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import gaussian_filter, maximum_filter, minimum_filter

from napari_mito_predict.image import Finding, Level
from napari_mito_predict.image.crops import middle_plane

if TYPE_CHECKING:
    from numpy.typing import NDArray

_AROUND = 3
"""Pixels on each side of a point that describe it."""
_DIFFERENCES = (2 * _AROUND + 1) * 2 * _AROUND
_FEWEST_PIXELS = 9
_POINTS_ALONG = 16
"""The neighbourhood of a point is this part of an image's side, so that large images have no more points."""
_SMOOTHED = 1.0
_BESIDE = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], bool)
"""Neighbours of a point: where nothing was recorded, all are equal, and none is a point."""
_SAME = 0.97
"""Correlation of two descriptions. Rounding to 8 bits after a change of contrast leaves 0.99 and more."""
_FEWEST_POINTS = 3
_MOST_OF_THEM = 0.5
"""Of the points in the common area, those that match. Pairs that overlap had 0.8 and more, all others at most 0.1."""

Offset = tuple[int, int]


@dataclass(frozen=True)
class Texture:
    """The marked points of a plane.

    Attributes
    ----------
    shape : tuple of int
        Rows and columns of the plane.
    reach : int
        Half the side of the neighbourhood in which a point stands out.
    points : ndarray, int32, (n, 2)
        Row and column of each.
    descriptions : ndarray, float32, (n, m)
        Differences of neighbours around each point, of zero mean and unit length.
    """

    shape: tuple[int, int]
    reach: int
    points: NDArray[np.int32]
    descriptions: NDArray[np.float32]

    @classmethod
    def of(cls, light: NDArray[Any]) -> Texture:
        """Of the middle plane of a volume, (D, Y, X) or (Y, X), of any real dtype."""
        plane = np.nan_to_num(middle_plane(light).astype(np.float32), posinf=0, neginf=0)
        rows, columns = plane.shape
        side = max(_FEWEST_PIXELS, round((rows * columns) ** 0.5 / _POINTS_ALONG) | 1)
        smooth = gaussian_filter(plane, _SMOOTHED)
        brightest = (smooth == maximum_filter(smooth, side)) & (smooth > maximum_filter(smooth, footprint=_BESIDE))
        darkest = (smooth == minimum_filter(smooth, side)) & (smooth < minimum_filter(smooth, footprint=_BESIDE))
        stands_out = brightest | darkest
        inside = np.zeros_like(stands_out)
        inside[_AROUND : rows - _AROUND, _AROUND : columns - _AROUND] = True
        points = np.argwhere(stands_out & inside).astype(np.int32)
        around = np.arange(-_AROUND, _AROUND + 1)
        of_rows = points[:, :1, None] + around[:, None]
        of_columns = points[:, 1:, None] + around
        differences = np.diff(plane[of_rows, of_columns], axis=2).reshape(len(points), _DIFFERENCES)
        differences -= differences.mean(axis=1, keepdims=True)
        length = np.linalg.norm(differences, axis=1)
        known = length > 0
        return cls((rows, columns), side // 2, points[known], differences[known] / length[known, None])


@dataclass(frozen=True)
class Overlap:
    """Two fields that share pixels.

    Attributes
    ----------
    first, second : str
        Names of the fields.
    share : float
        Of the smaller one's area, 0 to 1.
    """

    first: str
    second: str
    share: float


def find_overlaps(
    textures: Mapping[str, Texture],
    *,
    parts: Mapping[str, str] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> tuple[Overlap, ...]:
    """Find the fields that share pixels, at any offset. Copies at the same place in full are not looked for.

    Parameters
    ----------
    textures : mapping of str to Texture
        By name of the field.
    parts : mapping of str to str, optional
        The part of each field; fields of one part are not compared then.
    should_stop : callable
        Asked now and then; what was found until then is returned.
    """
    if not textures:
        return ()
    names = list(textures)
    everything = _Points.of_all([textures[name] for name in names])
    found = []
    for number, first in enumerate(names):
        if should_stop():
            break
        for other, offset, votes in everything.matching(number, textures[first]):
            second = names[other]
            if parts is not None and parts[first] == parts[second]:
                continue
            share = _shared(textures[first], textures[second], offset, votes)
            if share:
                found.append(Overlap(first, second, share))
    return tuple(found)


def check_overlaps(overlaps: Sequence[Overlap], parts: Mapping[str, str]) -> list[Finding]:
    """One warning for all fields that share pixels with one of another part.

    Parameters
    ----------
    overlaps : sequence of Overlap
    parts : mapping of str to str
        ``training``, ``validation`` or ``test`` for each field that takes part.
    """
    taking_part = [pair for pair in overlaps if pair.first in parts and pair.second in parts]
    apart = [pair for pair in taking_part if parts[pair.first] != parts[pair.second]]
    if not apart:
        return []
    worst = max(apart, key=lambda pair: pair.share)
    pairs = "1 pair of fields shares"
    if len(apart) > 1:
        pairs = f"{len(apart)} pairs of fields share"
    message = (
        f"{pairs} pixels across the parts, such as {worst.first} ({parts[worst.first]}) and {worst.second} "
        f"({parts[worst.second]}), {100 * worst.share:.0f} % of the area: scores would be too good."
    )
    fix = "Keep crops of one image together, in one part."
    values = {"pairs": float(len(apart)), "share": worst.share}
    return [Finding(Level.WARNING, "shared-pixels", message, fix, values=values)]


@dataclass(frozen=True)
class _Points:
    """The points of all planes in a row: one large product of matrices is far quicker than many small ones."""

    owners: NDArray[np.int64]
    points: NDArray[np.int32]
    descriptions: NDArray[np.float32]

    @classmethod
    def of_all(cls, textures: Sequence[Texture]) -> _Points:
        return cls(
            np.repeat(np.arange(len(textures)), [len(texture.points) for texture in textures]),
            np.concatenate([texture.points for texture in textures]),
            np.concatenate([texture.descriptions for texture in textures]),
        )

    def matching(self, number: int, texture: Texture) -> Iterator[tuple[int, Offset, int]]:
        """Later planes with points like those of plane `number`: which, at which offset, and how many points say so."""
        later = slice(int(np.searchsorted(self.owners, number, side="right")), None)
        alike = np.flatnonzero(self.descriptions[later] @ texture.descriptions.T > _SAME)
        theirs, ours = np.divmod(alike, max(len(texture.points), 1))
        owners = self.owners[later][theirs]
        offsets = self.points[later][theirs] - texture.points[ours]
        for owner in np.unique(owners):
            votes = Counter(map(tuple, offsets[owners == owner].tolist()))
            ((down, right), most), *_ = votes.most_common(1)
            yield int(owner), (down, right), most


def _shared(first: Texture, second: Texture, offset: Offset, votes: int) -> float:
    """Which part of the smaller plane is in the other too; 0 where none is, or all of it at the same place."""
    if votes < _FEWEST_POINTS or (first.shape == second.shape and offset == (0, 0)):
        return 0.0
    down, right = offset
    there = max(_inside(first, second, offset), _FEWEST_POINTS)
    back = max(_inside(second, first, (-down, -right)), _FEWEST_POINTS)
    if votes < _MOST_OF_THEM * min(there, back):
        return 0.0
    area = _common(first.shape[0], second.shape[0], down) * _common(first.shape[1], second.shape[1], right)
    return area / min(first.shape[0] * first.shape[1], second.shape[0] * second.shape[1])


def _inside(texture: Texture, other: Texture, offset: Offset) -> int:
    """How many points lie so far inside the other plane that they have to be points there too."""
    margin = other.reach + _AROUND
    moved = texture.points + np.array(offset)
    return int(((moved >= margin) & (moved < np.array(other.shape) - margin)).all(axis=1).sum())


def _common(size: int, other: int, offset: int) -> int:
    """Length that two intervals share; `offset` of the second is where the first begins."""
    return min(size + offset, other) - max(offset, 0)
