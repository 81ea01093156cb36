"""TIFF files: OME-TIFF, ImageJ, tifffile's own and plain ones, read plane by plane.

tifffile reads nearly everything, and is lenient: a file cut short comes back as a shorter stack, a missing part as
zeros. A viewer may want that; a prediction must not be made from it. So we look at what tifffile logs, count planes
and check that the bytes of every plane are there before we call a file readable.
"""

from __future__ import annotations

import logging
import math
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np
import tifffile

from napari_mito_predict.errors import MissingReaderError, UnknownAxesError, UnreadableImageError, UnsupportedImageError
from napari_mito_predict.image.arrays import read_stack
from napari_mito_predict.image.source import AXES, RGB, SceneInfo
from napari_mito_predict.image.tiff_metadata import missing_parts, series_facts

if TYPE_CHECKING:
    from numpy.typing import NDArray

# What tifffile logs (and then ignores) when a file is cut or damaged.
_DAMAGE = (
    "invalid page offset",
    "invalid value offset",
    "corrupted",
    "circular",
    "incorrect Strip",
    "incorrect Tile",
    "does not match page shape",
)
_HEADER_BYTES = 8
# What tifffile and its codecs raise on damaged data.
_DECODE_ERRORS = (
    tifffile.TiffFileError,
    ElementTree.ParseError,
    struct.error,
    ValueError,
    RuntimeError,
    LookupError,
    TypeError,
)


@dataclass(frozen=True)
class _Plane:
    """Where one stored page is: its file and the offset of its directory (or of its pixels when `raw`)."""

    file: Path
    offset: int


@dataclass(frozen=True)
class _Layout:
    """One series: where its pages are and how its axes lie."""

    axes: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    pages: tuple[_Plane, ...]
    raw_offset: int | None


class TiffBackend:
    """A TIFF file; every series of it is a scene.

    Every read opens the file anew at the offset of the plane, so reads are thread-safe and nothing stays open.

    Parameters
    ----------
    path : Path
        The file.
    axes : str, optional
        The user's word on the axes, one letter of ``TCZYXS`` per axis.

    Raises
    ------
    UnreadableImageError
        Damaged or incomplete: fewer planes or bytes than declared, or a part of a multi-file set is missing.
    UnknownAxesError
        An axis that is neither declared nor given; or `axes` that do not fit.
    """

    def __init__(self, path: Path, axes: str | None = None) -> None:
        self.path = path
        with _logged() as messages:
            try:
                with tifffile.TiffFile(path) as tiff:
                    series = list(tiff.series)
                    _refuse_damage(path, messages)
                    _refuse_missing_parts(path, tiff)
                    for one in series:
                        _refuse_incomplete(path, one)
                    facts = [series_facts(tiff, index) for index in range(len(series))]
                    layouts = [_layout(path, one, axes) for one in series]
            except _DECODE_ERRORS as error:
                _refuse_damage(path, messages)
                raise _damaged(path, error) from error
        if not layouts:
            raise UnreadableImageError("this TIFF holds no image.", file=path)
        self._layouts = tuple(layouts)
        self._facts = tuple(facts)
        self.scenes = tuple(fact.name or f"Image:{index}" for index, fact in enumerate(facts))

    def info(self, scene: int) -> SceneInfo:
        layout, facts = self._layouts[scene], self._facts[scene]
        by_axis = dict(zip(layout.axes, layout.shape, strict=True))
        sizes = {axis: by_axis.get(axis, 1) for axis in AXES}
        is_rgb = by_axis.get("S", 1) > 1
        names = facts.channel_names if len(facts.channel_names) == sizes["C"] else (None,) * sizes["C"]
        hints = facts.hints if len(facts.hints) == sizes["C"] else ()
        return SceneInfo(
            sizes=sizes,
            dtype=layout.dtype.newbyteorder("="),
            channel_names=names,
            hints=hints,
            voxel_size_um=facts.voxel_size_um,
            time_step_s=facts.time_step_s,
            is_rgb=is_rgb,
            unsupported=RGB if is_rgb else "",
            text=facts.text,
        )

    def read(self, scene: int, t: int, c: int, z: int | None) -> NDArray[Any]:
        layout = self._layouts[scene]
        try:
            if layout.axes.endswith("YX"):
                depth = dict(zip(layout.axes, layout.shape, strict=True)).get("Z", 1)
                steps: Sequence[int] = range(depth) if z is None else [z]
                planes: list[NDArray[Any]] = [self._plane(layout, {"T": t, "C": c, "Z": step}) for step in steps]
                return np.stack(planes)
            return self._whole(scene, layout, t, c, z)
        except _DECODE_ERRORS as error:
            if "imagecodecs" in str(error):
                raise MissingReaderError("this TIFF is compressed; pip install imagecodecs.", file=self.path) from error
            raise _damaged(self.path, error) from error

    def _plane(self, layout: _Layout, index: dict[str, int]) -> NDArray[Any]:
        """Read one ``(Y, X)`` plane."""
        leading = layout.shape[:-2]
        number = int(np.ravel_multi_index([index[axis] for axis in layout.axes[:-2]], leading)) if leading else 0
        height, width = layout.shape[-2:]
        native = layout.dtype.newbyteorder("=")
        if layout.raw_offset is not None:
            count = height * width
            start = layout.raw_offset + number * count * layout.dtype.itemsize
            plane = np.fromfile(layout.pages[0].file, layout.dtype, count, offset=start)
            return plane.reshape(height, width).astype(native, copy=False)
        per_page = math.prod(leading) // len(layout.pages)
        page = layout.pages[number // per_page]
        with _logged() as messages, tifffile.TiffFile(page.file) as tiff:
            tiff.filehandle.seek(page.offset)
            pixels = tifffile.TiffPage(tiff, 0).asarray()
        _refuse_damage(page.file, messages)
        return np.asarray(pixels.reshape(per_page, height, width)[number % per_page].astype(native, copy=False))

    def _whole(self, scene: int, layout: _Layout, t: int, c: int, z: int | None) -> NDArray[Any]:
        """Read through the whole series, for the rare files whose planes are not stored as planes."""
        with tifffile.TiffFile(self.path) as tiff:
            pixels = tiff.series[scene].asarray().reshape(layout.shape)
        return read_stack(pixels, layout.axes, t, c, z).astype(layout.dtype.newbyteorder("="), copy=False)


def _layout(path: Path, series: Any, axes: str | None) -> _Layout:
    """Find axes and places of a complete series."""
    declared = _axes(path, series, axes)
    keep = [i for i, letter in enumerate(declared) if letter in "TCZYXS"]
    kept = "".join(declared[i] for i in keep)
    pages = list(series.pages)
    raw_offset = series.dataoffset if kept.endswith("YX") else None
    return _Layout(
        axes=kept,
        shape=tuple(int(series.shape[i]) for i in keep),
        dtype=np.dtype(series.dtype).newbyteorder(pages[0].parent.byteorder),
        pages=tuple(_Plane(Path(page.parent.filehandle.path), int(page.offset)) for page in pages),
        raw_offset=int(raw_offset) if raw_offset is not None else None,
    )


def _axes(path: Path, series: Any, axes: str | None) -> str:
    shape = tuple(series.shape)
    advice = (
        'Say what each axis is, for example axes="ZYX" for a z-stack or axes="TYX" for a time series '
        "(--axes ZYX on the command line)."
    )
    if axes is not None:
        given = axes.upper()
        if len(given) != len(shape) or len(set(given)) != len(given) or not {"Y", "X"} <= set(given) <= set("TCZYXS"):
            raise UnknownAxesError(
                f'{path}: axes "{axes}" do not fit an image of shape {shape}. Give one letter per axis out of '
                "T (time), C (channel), Z, Y, X, each once, with Y and X among them."
            )
        return given
    unclear = [letter for letter, size in zip(series.axes, shape, strict=True) if letter not in "TCZYXS" and size > 1]
    if unclear or not {"Y", "X"} <= set(series.axes):
        raise UnknownAxesError(
            f"the file does not say which of its axes is z, time or channel (shape {shape}). {advice}", file=path
        )
    return str(series.axes)


def _refuse_missing_parts(path: Path, tiff: Any) -> None:
    xml = tiff.ome_metadata
    if not xml:
        return
    if "<BinaryOnly" in xml.replace("OME:", ""):
        raise UnsupportedImageError(
            "this OME-TIFF is one part of a set and has no description of its own. "
            "Open the main file of the set, or save it as one OME-TIFF in ImageJ.",
            file=path,
        )
    missing = missing_parts(path, xml)
    if missing:
        raise UnreadableImageError(
            f"this OME-TIFF is spread over several files, and {len(missing)} of them are missing: "
            f"{', '.join(missing[:5])}{', ...' if len(missing) > 5 else ''}. Put them into the same folder.",
            file=path,
        )


def _refuse_incomplete(path: Path, series: Any) -> None:
    """Compare declared pixels with stored ones, and the bytes they need with the size of the file."""
    for number, page in enumerate(series.pages):
        if page is not None:
            _refuse_sparse(path, page, number)
    declared = math.prod(series.shape)
    if series.dataoffset is not None:  # one block of pixels, maybe with a single directory before it
        _refuse_short(path, series.dataoffset + declared * series.dtype.itemsize, path.stat().st_size)
        return
    pages = list(series.pages)
    stored = sum(math.prod(page.shape) for page in pages if page is not None)
    if any(page is None for page in pages) or stored < declared:
        there = sum(page is not None for page in pages)
        raise UnreadableImageError(
            f"the file is incomplete: it declares {declared} pixels, and its {there} stored planes hold "
            f"{stored}. Copy it again from where it came from.",
            file=path,
        )
    sizes: dict[str, int] = {}
    for page in pages:
        file = page.parent.filehandle
        size = sizes.setdefault(file.path, file.size)
        end = max((o + n for o, n in zip(page.dataoffsets, page.databytecounts, strict=False)), default=0)
        _refuse_short(path, end, size)


def _refuse_sparse(path: Path, page: Any, number: int) -> None:
    """Refuse a page of which a strip or tile is nowhere: tifffile reads zeros in its place, as for a sparse file."""
    kind = "tile" if page.keyframe.is_tiled else "strip"
    expected = math.prod(page.keyframe.chunked)
    places = list(zip(page.dataoffsets, page.databytecounts, strict=False))
    # No pixels lie in the header, which takes the first bytes of every TIFF.
    missing = [i for i, (offset, count) in enumerate(places) if offset < _HEADER_BYTES or count < 1]
    missing += range(len(places), expected)
    if missing:
        raise UnreadableImageError(
            f"plane {number} (counted from 0) is incomplete: {len(missing)} of its {expected} {kind}s are not "
            f"in the file, the first of them {kind} {missing[0]}. Copy it again from where it came from, or save it "
            "again in the program that wrote it.",
            file=path,
        )


def _refuse_short(path: Path, needed: int, size: int) -> None:
    if needed > size:
        raise UnreadableImageError(
            f"the file is cut short: {needed} bytes are needed for its planes, {size} are there. "
            "Copy it again from where it came from.",
            file=path,
        )


def _refuse_damage(path: Path, messages: list[str]) -> None:
    for message in messages:
        if any(word in message for word in _DAMAGE):
            raise _damaged(path, ValueError(message))


def _damaged(path: Path, error: Exception) -> UnreadableImageError:
    said = " ".join(str(error).split()) or type(error).__name__
    return UnreadableImageError(
        f"this TIFF is damaged or incomplete ({said[:160]}). Copy it again from where it came from.", file=path
    )


@contextmanager
def _logged() -> Iterator[list[str]]:
    """Collect what tifffile logs in this thread."""
    messages: list[str] = []
    thread = threading.get_ident()

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.thread == thread:
                messages.append(record.getMessage())

    collector = Collector(logging.WARNING)
    logger = logging.getLogger("tifffile")
    logger.addHandler(collector)
    try:
        yield messages
    finally:
        logger.removeHandler(collector)
