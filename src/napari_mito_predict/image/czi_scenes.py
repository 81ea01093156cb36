"""What the sub-block directory of a CZI says: which scenes there are, which planes, and where their pixels are.

The directory is the truth about what exists; the XML says how it was taken. Its dimensions beside X and Y are Z, C and
T, the axes of our images; S, the scene; M, the tile of a mosaic; H, the element of a detector or the phase of a
grating; and V, I, R and B, the view, illumination, rotation and block, which our images have no axis for.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, product
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_mito_predict.errors import UnreadableImageError
from napari_mito_predict.image.backend import RGB

if TYPE_CHECKING:
    from numpy.typing import NDArray

Plane = tuple[int, int, int]
"""t, c, z, counted from 0."""

AIRYSCAN = (
    "this is raw, unprocessed Airyscan data (one image per detector element). "
    "Run Airyscan Processing in ZEN and open the processed file."
)
_NO_PIXELS = (
    "this CZI file holds no pixel data (metadata only). If ZEN split the recording into several files, open one of the "
    "others."
)
# By the number of the pixel type, after the published CZI specification.
_GREY = {0: "u1", 1: "u2", 2: "f4", 12: "i4", 13: "f8"}
_COLOUR = (3, 4, 8, 9, 11)
_COMPLEX = 10
_COMPRESSIONS = {
    0: "none",
    1: "JPEG",
    2: "LZW",
    3: "lossless JPEG",
    4: "JPEG XR",
    5: "Zstandard",
    6: "Zstandard",
    7: "chunked",
}
_CAMERA_SPECIFIC, _SYSTEM_SPECIFIC = 100, 1000
_WORDS = {
    "V": ("view", "views"),
    "I": ("illumination", "illuminations"),
    "R": ("rotation", "rotations"),
    "B": ("block", "blocks"),
}
_AXES = frozenset("XYZCT")
_WITHIN_A_PLANE = frozenset("MH")
# A stopped recording lacks planes, but no more than this many times those it has; a damaged index is far off.
_MOST_MISSING = 50
_MISSING_WITHOUT_DOUBT = 1000


LARGEST_SIDE = 1 << 24
"""Pixels of a tile along X or Y. One that claims more is damaged, and no smaller copy of others."""


class Tile(NamedTuple):
    """One sub-block: a stored piece of a plane.

    Attributes
    ----------
    at : dict of str to int
        Its index per dimension letter; X and Y in pixels.
    width, height : int
        In pixels.
    planes : int
        How many planes it holds: one, but in kinds of recordings that are not read here.
    reduced : bool
        Its pixels are stored larger or smaller than they are, as those of an image pyramid are.
    pixel_type, compression : int
        By their numbers in the CZI specification.
    position : int
        Where in the file it begins.
    """

    at: dict[str, int]
    width: int
    height: int
    planes: int
    reduced: bool
    pixel_type: int
    compression: int
    position: int

    def along(self, letter: str) -> int:
        """Its index along a dimension; 0 where it has none."""
        return self.at.get(letter, 0)

    def within(self, plane: NDArray[Any], corner: tuple[int, int] | None) -> NDArray[Any]:
        """Give the part of a plane that it covers; the plane begins at x, y of a mosaic, or is this tile."""
        if corner is None:
            return plane
        left, top = self.along("X") - corner[0], self.along("Y") - corner[1]
        return plane[top : top + self.height, left : left + self.width]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of its pixels; of one that is not read here, any."""
        return np.dtype(_GREY.get(self.pixel_type, "u1"))


@dataclass(frozen=True)
class CziScene:
    """One scene as the sub-block directory has it.

    Attributes
    ----------
    at : dict of str to int
        What makes it this one: its index of S and of each further dimension that the file has.
    siblings : dict of str to int
        How many indices the further dimensions have, of those that have several.
    first_channel : int
        How many channels of the file come before the first one of this scene.
    sizes : dict of str to int
        Of T, C, Z, Y, X, a mosaic stitched.
    dtype : numpy.dtype
        The common one of all channels that can be read.
    box : tuple of int, or None
        x and y of a stitched mosaic; None where each plane is one tile.
    tiles : dict
        The tiles of each (t, c, z), in the order in which they are laid down.
    missing : tuple of (int, int, int)
        (t, c, z) of planes that were never acquired.
    partial : tuple of (int, int, int)
        (t, c, z) of mosaic planes with fewer tiles than the others.
    unsupported : dict of int to str
        Why channels cannot be read.
    """

    at: dict[str, int]
    siblings: dict[str, int]
    first_channel: int
    sizes: dict[str, int]
    dtype: np.dtype[Any]
    box: tuple[int, int] | None
    tiles: dict[Plane, list[Tile]]
    missing: tuple[Plane, ...]
    partial: tuple[Plane, ...]
    unsupported: dict[int, str]

    def name(self, described: Mapping[int, str], stem: str) -> str:
        """Name it as ZEN does, or by the stem of the file, and say which index of each further dimension it is."""
        index = self.at.get("S", 0)
        name = described.get(index, f"{stem}-{index}") if described else f"Image:{index}"
        return ", ".join([name, *(f"{self._which(letter)} ({letter})" for letter in self.siblings)])

    def warnings(self) -> list[str]:
        """Say what of the file this scene leaves out."""
        return [
            f"The file has {count} {_words(letter)[1]} (dimension {letter}), and each of them is a scene of its own. "
            f"This is {self._which(letter)}: choose another one by its scene."
            for letter, count in self.siblings.items()
        ]

    def _which(self, letter: str) -> str:
        return f"{_words(letter)[0]} {self.at[letter]}"

    def tiles_of(self, planes: Sequence[Plane]) -> list[Tile]:
        """List the tiles of some planes, none of them missing."""
        return list(chain.from_iterable(self.tiles[plane] for plane in planes))


def find_scenes(tiles: Sequence[Tile], compressions: Collection[int], path: Path) -> list[CziScene]:
    """Sort the tiles of a file into scenes: one for each scene of ZEN and each index of each further dimension.

    Parameters
    ----------
    tiles : sequence of Tile
        The whole directory.
    compressions : collection of int
        Those that can be decompressed.
    path : Path
        The file, for messages.

    Raises
    ------
    UnreadableImageError
        The file holds no pixels, or indices that cannot be.
    """
    letters = sorted(set(chain.from_iterable(tile.at for tile in tiles)) - _AXES - _WITHIN_A_PLANE)
    _check_letters(letters, tiles, path)
    by_scene: dict[tuple[int, ...], list[Tile]] = defaultdict(list)
    for tile in _without_pyramids(tiles, letters):
        by_scene[_place(tile, letters)].append(tile)
    if not by_scene:
        raise UnreadableImageError(_NO_PIXELS, file=path)
    counts = {letter: len(set(indices)) for letter, indices in zip(letters, zip(*by_scene, strict=True), strict=True)}
    siblings = {letter: count for letter, count in counts.items() if letter != "S" and count > 1}
    first_channel = min(tile.along("C") for tile in chain.from_iterable(by_scene.values()))
    scenes = []
    for place in sorted(by_scene):
        layout = _Layout(by_scene[place], compressions, path)
        at = dict(zip(letters, place, strict=True))
        scenes.append(layout.scene(at, siblings, first_channel))
    return scenes


def damaged_czi(path: Path, said: object) -> UnreadableImageError:
    """Say in one line that a CZI is damaged, and where or how."""
    text = " ".join(str(said).split()).rstrip(".")
    return UnreadableImageError(
        f"this CZI file is damaged or incomplete ({text}). Copy it again from the microscope.", file=path
    )


def _check_letters(letters: Sequence[str], tiles: Sequence[Tile], path: Path) -> None:
    for letter in letters:
        if not (len(letter) == 1 and letter.isascii() and letter.isupper()):
            raise damaged_czi(path, f"there is no dimension {letter!r}")
        span = len(_range([tile.along(letter) for tile in tiles]))
        if span > _MOST_MISSING * len(tiles) + _MISSING_WITHOUT_DOUBT:
            raise damaged_czi(path, f"{span} indices of dimension {letter}, but {len(tiles)} sub-blocks")


def _without_pyramids(tiles: Sequence[Tile], letters: Sequence[str]) -> list[Tile]:
    """Leave out what repeats other tiles on a smaller scale.

    What is stored on another scale only, as fast Airyscan is, stays: it has to be said why it is not read.
    """
    full = [tile for tile in tiles if not tile.reduced]
    covered = {(_place(tile, letters), tile.along("C")) for tile in full}

    def is_alone(tile: Tile) -> bool:
        # Pyramids of several scenes have no index of a scene.
        has_place = all(letter in tile.at for letter in letters)
        return tile.reduced and has_place and (_place(tile, letters), tile.along("C")) not in covered

    return full + [tile for tile in tiles if is_alone(tile)]


def _place(tile: Tile, letters: Sequence[str]) -> tuple[int, ...]:
    return tuple(tile.along(letter) for letter in letters)


class _Layout:
    """The tiles of one scene, sorted into planes."""

    def __init__(self, tiles: Sequence[Tile], compressions: Collection[int], path: Path) -> None:
        ranges = {axis: _range([tile.along(axis) for tile in tiles]) for axis in "TCZ"}
        self.begin = {axis: indices.start for axis, indices in ranges.items()}
        self.sizes = {axis: len(indices) for axis, indices in ranges.items()}
        spanned = math.prod(self.sizes.values())
        if spanned > _MOST_MISSING * len(tiles) + _MISSING_WITHOUT_DOUBT:
            raise damaged_czi(path, f"its indices span {spanned} planes, but it holds {len(tiles)} sub-blocks")
        self.planes: dict[Plane, list[Tile]] = defaultdict(list)
        # What lies over what is said by the index of the tile, and where there is none by the order in the directory.
        for tile in sorted(tiles, key=lambda tile: tile.at.get("M", -1)):
            self.planes[self._plane_of(tile)].append(tile)
        self.unsupported = _unsupported(tiles, self.begin["C"], compressions)

    def scene(self, at: dict[str, int], siblings: dict[str, int], first_channel: int) -> CziScene:
        readable = {plane: found for plane, found in self.planes.items() if plane[1] not in self.unsupported}
        shown = list(chain.from_iterable((readable or self.planes).values()))
        most = max(map(len, readable.values()), default=1)
        # Some writers number the only tile of each plane.
        is_mosaic = most > 1 or len({tile.along("M") for tile in shown}) > 1
        box, frame = _frame(shown, is_mosaic=is_mosaic)
        return CziScene(
            at=at,
            siblings=siblings,
            first_channel=self.begin["C"] - first_channel,
            sizes=self.sizes | frame,
            dtype=np.result_type(*{tile.dtype for tile in shown}),
            box=box,
            tiles=dict(self.planes),
            missing=tuple(plane for plane in self._all_planes() if plane not in self.planes),
            partial=tuple(sorted(plane for plane, found in readable.items() if len(found) < most)),
            unsupported=self.unsupported,
        )

    def _plane_of(self, tile: Tile) -> Plane:
        begin = self.begin
        return (tile.along("T") - begin["T"], tile.along("C") - begin["C"], tile.along("Z") - begin["Z"])

    def _all_planes(self) -> Iterator[Plane]:
        return product(range(self.sizes["T"]), range(self.sizes["C"]), range(self.sizes["Z"]))


def _range(indices: Sequence[int]) -> range:
    return range(min(indices), max(indices) + 1)


def _frame(tiles: Sequence[Tile], *, is_mosaic: bool) -> tuple[tuple[int, int] | None, dict[str, int]]:
    """Find the corner of a stitched mosaic, None where there is none, and the size of each plane."""
    shapes = {(tile.height, tile.width) for tile in tiles}
    if not is_mosaic and len(shapes) == 1:
        return None, {"Y": tiles[0].height, "X": tiles[0].width}
    left = min(tile.along("X") for tile in tiles)
    top = min(tile.along("Y") for tile in tiles)
    right = max(tile.along("X") + tile.width for tile in tiles)
    bottom = max(tile.along("Y") + tile.height for tile in tiles)
    return (left, top), {"Y": bottom - top, "X": right - left}


def _unsupported(tiles: Sequence[Tile], first_channel: int, compressions: Collection[int]) -> dict[int, str]:
    by_channel: dict[int, list[Tile]] = defaultdict(list)
    for tile in tiles:
        by_channel[tile.along("C") - first_channel].append(tile)
    reasons = {channel: _why_unsupported(found, compressions) for channel, found in sorted(by_channel.items())}
    return {channel: reason for channel, reason in reasons.items() if reason}


def _why_unsupported(tiles: Sequence[Tile], compressions: Collection[int]) -> str:
    """Why a channel cannot be read; empty when it can."""
    for pixel_type in {tile.pixel_type for tile in tiles} - set(_GREY):
        if pixel_type in _COLOUR:
            return RGB
        if pixel_type == _COMPLEX:
            return "its pixels are complex numbers, and predictions need real ones."
        return f"its pixels are of a type that is not known here (number {pixel_type})."
    if len({tile.along("H") for tile in tiles}) > 1:
        return AIRYSCAN
    if any(tile.reduced for tile in tiles):
        return (
            "its pixels are stored on another scale than the image has (fast Airyscan and PALM do so). Process it in "
            "ZEN and open the processed file."
        )
    if any(tile.planes > 1 for tile in tiles):
        return "several planes or lines share one sub-block (a line scan, for example), which is not read here."
    for compression in sorted({tile.compression for tile in tiles} - set(compressions)):
        return (
            f"unsupported compression: {_compression_name(compression)} (number {compression}). Save it in ZEN without "
            "compression, or compressed by Zstandard."
        )
    return ""


def _compression_name(number: int) -> str:
    if number >= _SYSTEM_SPECIFIC:
        return "raw data specific to the system"
    if number >= _CAMERA_SPECIFIC:
        return "raw data specific to the camera"
    return _COMPRESSIONS.get(number, "unknown")


def _words(letter: str) -> tuple[str, str]:
    """What one index of a dimension is called, and several of them."""
    return _WORDS.get(letter, ("index", "indices"))
