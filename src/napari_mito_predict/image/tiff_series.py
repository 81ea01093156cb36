"""The series of a TIFF file as grids of planes: which axes they have, and which planes were never recorded.

tifffile puts pages together to series, and is lenient: what is missing comes back as zeros. Here is decided what that
means. A plane that the file itself says it holds and that is not there is damage (`tiff_stored`). A plane that nobody
ever wrote, since the recording was stopped, is missing: the rest of the image can be used.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from napari_mito_predict.errors import UnknownAxesError, UnsupportedImageError
from napari_mito_predict.image.micromanager import is_recorded_in_part, planned_sizes, whole_recording
from napari_mito_predict.image.tiff_pages import PageReader, described_page, stored_form
from napari_mito_predict.image.tiff_stored import refuse_incomplete, refuse_so_many

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_mito_predict.image.missing import Plane

KNOWN_AXES = "TCZYXS"
_REST = "R"
"""The user's word for an axis that is none of the others."""
# Axes that are none of ours, but of which the file says what they are: each position along them is a scene.
_SCENE_AXES = {
    "R": "position",
    "P": "phase",
    "M": "mosaic tile",
    "A": "angle",
    "H": "lifetime",
    "E": "wavelength",
    "L": "exposure",
    "V": "view",
    "J": "column",
    "K": "row",
}
_ADVICE = (
    'Say what each axis is, for example axes="ZYX" for a z-stack or axes="TYX" for a time series (--axes ZYX on the '
    "command line); R is for an axis of which each position is an image of its own."
)


@dataclass(frozen=True)
class Series:
    """One series: a grid of planes, and where they are stored.

    Attributes
    ----------
    axes : str
        One letter per axis; leading ones that are none of ``TCZYXS`` tell scenes apart.
    shape : tuple of int
        Sizes of the axes.
    dtype : numpy.dtype
        Of the pixels, in the byte order of this machine; one that holds all pages where they differ.
    pages : tuple
        tifffile's pages; None for those that were never recorded.
    block : tuple of Path, int and numpy.dtype, or None
        File, offset and stored type of pixels that lie there one after the other, in the order of the axes.
    is_colour : bool
        The samples are red, green and blue.
    alpha : bool
        The last sample is how opaque a pixel is.
    notes : tuple of str
        What should be known of it.
    """

    axes: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    pages: tuple[Any, ...]
    block: tuple[Path, int, np.dtype[Any]] | None
    is_colour: bool = False
    alpha: bool = False
    notes: tuple[str, ...] = ()

    @property
    def sizes(self) -> dict[str, int]:
        """Size of each axis."""
        return dict(zip(self.axes, self.shape, strict=True))

    @property
    def samples(self) -> int:
        """Samples of a pixel that are channels of their own; 1 for colour, which is not read."""
        samples = self.sizes.get("S", 1)
        return 1 if self.is_colour else samples - self.alpha

    @property
    def scene_axes(self) -> dict[str, int]:
        """Axes along which each position is a scene."""
        return {axis: size for axis, size in self.sizes.items() if axis not in KNOWN_AXES}

    def page_index(self, index: dict[str, int]) -> int:
        """Number of the page that holds a plane."""
        leading = self.axes[: self.along_pages]
        if not leading:
            return 0
        return int(np.ravel_multi_index([index.get(axis, 0) for axis in leading], self.shape[: self.along_pages]))

    def plane(self, reader: PageReader, index: dict[str, int]) -> NDArray[Any]:
        """Read one plane ``(Y, X)``; `index` has the position along each other axis, and 0 where it has none."""
        if self.block is not None:
            return self._plane_of_block(self.block, index)
        first = self.along_pages if {"Y", "X"} <= set(self.axes[self.along_pages :]) else 0
        if first or len(self.pages) == 1:
            pixels = reader.read(self.pages[self.page_index(index)])
        else:  # rows or columns along the pages: rare
            pixels = np.stack([reader.read(page) for page in self.pages])
        pixels = pixels.reshape(self.shape[first:])
        axes = self.axes[first:]
        plane = pixels[tuple(slice(None) if axis in "YX" else index.get(axis, 0) for axis in axes)]
        if axes.index("X") < axes.index("Y"):
            plane = plane.T
        return plane.astype(self.dtype, casting="safe", copy=False)

    def _plane_of_block(self, block: tuple[Path, int, np.dtype[Any]], index: dict[str, int]) -> NDArray[Any]:
        file, offset = block[:2]
        stored = block[2]
        height, width = self.shape[-2:]
        leading = self.axes[:-2]
        number = 0
        if leading:
            number = int(np.ravel_multi_index([index.get(axis, 0) for axis in leading], self.shape[:-2]))
        count = height * width
        plane = np.fromfile(file, stored, count, offset=offset + number * count * stored.itemsize)
        return plane.reshape(height, width).astype(self.dtype, copy=False)

    @property
    def along_pages(self) -> int:
        """How many leading axes run along the pages; the others lie within each page."""
        pages, position = 1, 0
        while pages < len(self.pages) and position < len(self.shape):
            pages *= self.shape[position]
            position += 1
        return position


def read_series(path: Path, tiff: Any, one: Any, axes: str | None, *, planes: int | None) -> Series:
    """Take one of tifffile's series, complete as far as it was ever recorded.

    Parameters
    ----------
    path : Path
        The file, for messages.
    tiff : tifffile.TiffFile
        Open.
    one : tifffile.TiffPageSeries
        The series.
    axes : str, optional
        The user's word on the axes, where it fits.
    planes : int or None
        How many planes the description says are stored; None where it says "all".

    Raises
    ------
    UnreadableImageError
        Damaged or incomplete.
    UnsupportedImageError
        Pages of different sizes, or numbers of a kind that numpy does not know.
    UnknownAxesError
        An axis that is neither declared nor given.
    """
    refuse_so_many(path, len(one.pages))
    pages = list(one.pages)
    shape = tuple(int(size) for size in one.shape)
    letters = str(one.axes)
    refuse_incomplete(path, one, pages, recorded_in_part=is_recorded_in_part(tiff, one.kind), planes=planes)
    notes: tuple[str, ...] = ()
    if one.kind == "lsm":
        shape, letters = _with_channels_in_pages(one.keyframe, shape, letters)
    if one.kind == "mmstack":
        refuse_so_many(path, math.prod(planned_sizes(tiff, shape, letters).values()))
        recording = whole_recording(tiff, pages, shape, letters)
        pages, notes = recording.pages, recording.notes
        shape, letters = _without_single(recording.shape, recording.axes)
    given = axes if axes is not None and len(axes) == len(shape) else None
    block = _block(one, pages, given or letters)
    if block is None:
        pages = _with_own_types(path, one.kind, pages)
    dtype = _common_type(path, one, pages)
    declared = check_axes(path, letters, shape, given)
    shape, declared = _without_single(shape, declared)
    series = Series(declared, shape, dtype, tuple(pages), block, notes=notes)
    if block is None and math.prod(shape[: series.along_pages]) != len(pages):
        raise UnsupportedImageError(
            f"its {len(pages)} pages are not laid out as its description says (axes {declared}, shape {shape}). Save "
            "it as OME-TIFF, for example in ImageJ.",
            file=path,
        )
    if series.sizes.get("S", 1) == 1:
        return series
    is_colour = _is_colour(one.keyframe, one.kind)
    alpha = not is_colour and series.sizes["S"] == 2 and _has_alpha(one.keyframe)
    return replace(series, is_colour=is_colour, alpha=alpha)


# ---------------------------------------------------------------- axes
def check_axes(path: Path, letters: str, shape: tuple[int, ...], axes: str | None) -> str:
    """Give the letters of all axes: the user's, where they fit the number of axes, else the file's.

    Raises
    ------
    UnknownAxesError
        Neither says what an axis is.
    """
    if axes is not None:
        given = axes.upper()
        if len(given) == len(shape) and _is_possible(given):
            return given
        raise UnknownAxesError(
            f'axes "{axes}" do not fit an image of shape {shape}. Give one letter per axis out of T (time), '
            "C (channel), Z, Y, X, each once, with Y and X among them, and R for any other.",
            file=path,
        )
    known = set(KNOWN_AXES) | set(_SCENE_AXES)
    long = [letter for letter, size in zip(letters, shape, strict=True) if size > 1]
    if not {"Y", "X"} <= set(letters):
        raise UnknownAxesError(
            f"no image with rows and columns: the axes are {', '.join(letters)} (shape {shape}), as of a line scan. "
            f"{_ADVICE}",
            file=path,
        )
    if not set(long) <= known or len(set(long)) < len(long):
        raise UnknownAxesError(
            f"the file does not say which of its axes is z, time or channel (shape {shape}). {_ADVICE}", file=path
        )
    return letters


def _is_possible(given: str) -> bool:
    return len(set(given)) == len(given) and {"Y", "X"} <= set(given) <= set(KNOWN_AXES + _REST)


def _without_single(shape: tuple[int, ...], axes: str) -> tuple[tuple[int, ...], str]:
    """Drop axes of length 1 but for Y and X: they change no position of any plane."""
    keep = [position for position, letter in enumerate(axes) if shape[position] > 1 or letter in "YX"]
    return tuple(shape[position] for position in keep), "".join(axes[position] for position in keep)


def scene_words(series: Series, kind: str) -> dict[str, str]:
    """What each scene axis is called in messages."""
    words = _SCENE_AXES | ({"P": "position"} if kind == "lsm" else {})
    return {axis: words[axis] for axis in series.scene_axes}


# ---------------------------------------------------------------- samples
def _is_colour(page: Any, kind: str) -> bool:
    """Whether samples are red, green and blue.

    Bio-Formats calls colours grey and forgets to say what the samples beyond the first are: where three or four lie
    beside each other for each pixel, without a word on them, they are colours.
    """
    grey = page.photometric in (tifffile.PHOTOMETRIC.MINISBLACK, tifffile.PHOTOMETRIC.MINISWHITE)
    if not grey:
        return True
    is_interleaved = page.planarconfig == tifffile.PLANARCONFIG.CONTIG
    return kind != "lsm" and is_interleaved and page.samplesperpixel in (3, 4) and not page.extrasamples


def _has_alpha(page: Any) -> bool:
    return any(int(sample) in (1, 2) for sample in page.extrasamples or ())


# ---------------------------------------------------------------- pages
def _block(one: Any, pages: Sequence[Any], axes: str) -> tuple[Path, int, np.dtype[Any]] | None:
    """Where pixels lie one after the other; None where they do not, or in several files."""
    if one.dataoffset is None or one.is_multifile or None in pages or not axes.upper().endswith("YX"):
        return None
    parent = pages[0].parent
    return Path(parent.filehandle.path), int(one.dataoffset), np.dtype(one.dtype).newbyteorder(parent.byteorder)


def _with_own_types(path: Path, kind: str, pages: list[Any]) -> list[Any]:
    """Let each page be read by its own description, where it differs from that of the first.

    tifffile takes the first for all, which is right but for files that were put together from several.
    """
    if kind not in ("ome", "imagej", "uniform", "shaped"):  # of the others tifffile corrects what the pages say
        return pages
    own = list(pages)
    forms: dict[int, bytes] = {}
    for position, page in enumerate(pages):
        if isinstance(page, tifffile.TiffFrame) and page.offset > 0:
            first = page.keyframe
            if id(first) not in forms:
                forms[id(first)] = stored_form(first)
            if stored_form(page) == forms.get(id(first)):
                continue
            with described_page(page) as described:
                if described.hash != page.hash:
                    own[position] = described
    shapes = {page.shape for page in own if page is not None}
    if len(shapes) > 1:
        sizes = " and ".join(str(shape) for shape in sorted(shapes)[:2])
        raise UnsupportedImageError(
            f"the planes of this image have different sizes ({sizes}). Save each kind as a file of its own, for "
            "example in ImageJ.",
            file=path,
        )
    return own


def _common_type(path: Path, one: Any, pages: Iterable[Any]) -> np.dtype[Any]:
    types = {page.dtype for page in pages if page is not None}
    if None in types or one.dtype is None:
        raise UnsupportedImageError(
            f"its numbers of {one.keyframe.bitspersample} bits are of a kind that is not read here. Save it with 8, 16 "
            "or 32 bits, for example in ImageJ.",
            file=path,
        )
    return np.dtype(np.result_type(*types)).newbyteorder("=")


# ---------------------------------------------------------------- LSM
def _with_channels_in_pages(page: Any, shape: tuple[int, ...], axes: str) -> tuple[tuple[int, ...], str]:
    """Put the channels where they are, within each page; older versions of tifffile put them first."""
    if page.planarconfig != tifffile.PLANARCONFIG.SEPARATE or "C" not in axes or not axes.endswith("YX"):
        return shape, axes
    sizes = dict(zip(axes, shape, strict=True))
    axes = axes.replace("C", "").removesuffix("YX") + "CYX"
    return tuple(sizes[axis] for axis in axes), axes


# ---------------------------------------------------------------- what was never recorded
def missing_planes(series: Series, at: dict[str, int]) -> frozenset[Plane]:
    """(t, c, z) of the planes of a scene that were never recorded."""
    if None not in series.pages:
        return frozenset()
    return frozenset(
        (t, c, z)
        for t, c, z in _all_planes(series)
        if series.pages[series.page_index(at | {"T": t, "C": c // series.samples, "Z": z})] is None
    )


def _all_planes(series: Series) -> Iterator[Plane]:
    sizes = series.sizes
    channels = sizes.get("C", 1) * series.samples
    return product(range(sizes.get("T", 1)), range(channels), range(sizes.get("Z", 1)))


def first_pages(series: Series, axis: str) -> list[Any]:
    """For each position along an axis, the first page that was recorded; None without any."""
    return [
        next((page for page in _pages_at(series, {axis: position}) if page is not None), None)
        for position in range(series.sizes[axis])
    ]


def _pages_at(series: Series, at: dict[str, int]) -> Iterator[Any]:
    for t, c, z in _all_planes(series):
        yield series.pages[series.page_index(at | {"T": t, "C": c // series.samples, "Z": z})]
