"""TIFF files of all kinds that tifffile puts together to series, read plane by plane.

tifffile reads nearly everything, and is lenient: a file cut short comes back as a shorter stack, a missing part as
zeros. A viewer may want that; a prediction must not be made from it. So we look at what tifffile logs, count planes
and check that the bytes of every plane are there before we call a file readable. Only what concerns pixels is damage:
a description that is not understood leaves them as they are.
"""

from __future__ import annotations

import logging
import re
import struct
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np
import tifffile

from napari_mito_predict.errors import (
    MetadataError,
    MissingReaderError,
    MitoPredictError,
    UnreadableImageError,
    UnsupportedImageError,
)
from napari_mito_predict.image.micromanager import has_lost_index, position_names
from napari_mito_predict.image.missing import describe_missing
from napari_mito_predict.image.ome_xml import OmeDocument, OmeImage, read_ome_xml
from napari_mito_predict.image.source import AXES, RGB, SceneInfo
from napari_mito_predict.image.tiff_metadata import TiffFacts, series_facts
from napari_mito_predict.image.tiff_pages import PageReader, described_page
from napari_mito_predict.image.tiff_series import (
    Plane,
    Series,
    check_axes,
    first_pages,
    missing_planes,
    read_series,
    scene_words,
)
from napari_mito_predict.image.tiff_sets import described_file

if TYPE_CHECKING:
    from numpy.typing import NDArray

# What tifffile logs (and then ignores) where pages or their pixels are damaged.
_DAMAGE = (
    "invalid page offset",
    "invalid offset to",
    "corrupted tag list",
    "circular",
    "incorrect Strip",
    "incorrect Tile",
    "does not match page shape",
    "missing required tags",
)
_DAMAGED_TAG = re.compile(r"TiffTag (\d+)\b.*(?:invalid value offset (\d+)|corrupted|invalid data type)")
# Those that say how pixels are stored: size, type, compression, place. What others say is a description.
_PIXEL_TAGS = frozenset(
    (256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 317, 322, 323, 324, 325, 338, 339, 347, 529, 530)
)
# What says how many planes there are: description, UIC2 of STK, CZ_LSMINFO. They lie behind the pixels in many files:
# where one points beyond the end, the file was cut. An offset of 0 was never filled in.
_COUNTING_TAGS = (270, 33629, 34412)
_IMAGEJ_INCOMPLETE = "ImageJ series metadata invalid"
# What tifffile and its codecs raise on damaged data.
_DECODE_ERRORS = (
    tifffile.TiffFileError,
    struct.error,
    ValueError,
    RuntimeError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    NotImplementedError,
)
# Switches that keep tifffile from following a description. Older versions know fewer, and find some out themselves.
_DESCRIBED = ("ome", "imagej", "shaped", "lsm", "stk", "mmstack", "ndtiff")
_PLAIN = {
    f"is_{kind}": False
    for kind in _DESCRIBED
    if kind in tifffile.TIFF.FILE_FLAGS and not isinstance(getattr(tifffile.TiffFile, f"is_{kind}", None), property)
}
_COMPLEX = "its pixels are complex numbers, and predictions need a greyscale transmitted-light channel."
_ALPHA = "some pixels may be transparent, which is ignored: they are taken as they are stored."


@dataclass(frozen=True)
class _Scene:
    """A scene: of a series, the part at some position along its scene axes; or why there is none."""

    name: str
    series: Series | None = None
    at: dict[str, int] = field(default_factory=dict)
    info: SceneInfo | None = None
    problem: MitoPredictError | None = None


class TiffBackend:
    """A TIFF file; every series of it is a scene, and every position along an axis that is none of ours.

    Nothing stays open: each read opens the file again, by way of pages that tifffile found once. Reads are thread-safe;
    a copy in another process looks for the pages again.

    Parameters
    ----------
    path : Path
        The file, or the companion of an OME-TIFF set.
    axes : str, optional
        The user's word on the axes, one letter of ``TCZYXSR`` per axis, for the series whose number of axes fits.

    Raises
    ------
    UnreadableImageError
        Damaged or incomplete: fewer planes or bytes than declared, or a part of a multi-file set is missing.
    UnsupportedImageError
        Sound, but of a kind that is not read.
    UnknownAxesError
        `axes` that fit no series.
    """

    def __init__(self, path: Path, axes: str | None = None) -> None:
        self.path = path
        self._axes = axes
        self._scenes: list[_Scene] | None = None
        self._reader = PageReader()
        self._lock = threading.Lock()
        self.scenes = tuple(scene.name for scene in self._found())

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "scenes": self.scenes, "_axes": self._axes}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._scenes = None
        self._reader = PageReader()
        self._lock = threading.Lock()

    def info(self, scene: int) -> SceneInfo:
        found = self._found()[scene]
        if found.info is None:
            raise found.problem or _damaged(self.path, ValueError("no pixels"))
        return found.info

    def read(self, scene: int, t: int, c: int, z: int | None) -> NDArray[Any]:
        found = self._found()[scene]
        series = found.series
        if series is None:
            raise found.problem or _damaged(self.path, ValueError("no pixels"))
        steps: Sequence[int] = range(series.sizes.get("Z", 1)) if z is None else [z]
        channel, sample = divmod(c, series.samples)
        index = found.at | {"T": t, "C": channel, "S": sample}
        if series.block is not None:
            return self._read_block(series, index, steps)
        first = series.pages[series.page_index(index | {"Z": steps[0]})]
        with _logged() as messages:
            try:
                with self._reader.opened(first):
                    planes: list[NDArray[Any]] = [series.plane(self._reader, index | {"Z": step}) for step in steps]
                    stack = np.stack(planes)
            except _DECODE_ERRORS as error:
                _refuse_damage(self.path, messages)
                raise self._unreadable(error) from error
        _refuse_damage(self.path, messages)
        return stack

    def _read_block(self, series: Series, index: dict[str, int], steps: Sequence[int]) -> NDArray[Any]:
        """Read pixels that lie there as they are: nothing to decode, and no page to look at."""
        try:
            return np.stack([series.plane(self._reader, index | {"Z": step}) for step in steps])
        except ValueError as error:  # fewer than there were
            raise _damaged(self.path, error) from error

    def _unreadable(self, error: Exception) -> MitoPredictError:
        said = str(error)
        if "imagecodecs" in said:
            return MissingReaderError("this TIFF is compressed; pip install imagecodecs.", file=self.path)
        if "not supported" in said:
            return UnsupportedImageError(
                f"its pixels are stored in a way that is not read here ({said[:160]}). Save it uncompressed, for "
                "example in ImageJ.",
                file=self.path,
            )
        return _damaged(self.path, error)

    def _found(self) -> list[_Scene]:
        with self._lock:
            if self._scenes is None:
                self._scenes = _read_scenes(self.path, self._axes)
            return self._scenes


# ---------------------------------------------------------------- opening
def _read_scenes(path: Path, axes: str | None) -> list[_Scene]:
    with _logged() as messages:
        try:
            file, xml = described_file(path)
            options: dict[str, Any] = {"omexml": xml} if xml else {}
            try:
                return _scenes_of(path, file, axes, messages, options, ())
            except (*_DECODE_ERRORS, MemoryError) as error:
                _refuse_damage(path, messages)
                problem = error
            # The description may be at fault, and not the pixels: a file of plain pages needs none.
            note = f"What the file says about itself is not understood ({_one_line(problem)}), and left aside."
            scenes = _scenes_of(path, file, axes, messages, _PLAIN, (note,))
            return [_with_reason(scene, note, path) for scene in scenes]
        except (*_DECODE_ERRORS, MemoryError) as error:
            _refuse_damage(path, messages)
            raise _damaged(path, error) from error


def _with_reason(scene: _Scene, note: str, path: Path) -> _Scene:
    """Say why nothing is known of a scene that has to be explained by the user."""
    if scene.problem is None:
        return scene
    problem = type(scene.problem)(f"{note} So {scene.problem.reason_about(path)}", file=path)
    return replace(scene, problem=problem)


def _scenes_of(
    path: Path, file: Path, axes: str | None, messages: list[str], options: dict[str, Any], notes: tuple[str, ...]
) -> list[_Scene]:
    """Read all scenes of a file."""
    scenes: list[_Scene] = []
    with tifffile.TiffFile(file, **options) as tiff:
        found = [one for one in tiff.series if not one.keyframe.is_reduced] or list(tiff.series)
        _refuse_damage(path, messages)
        _refuse_incomplete_imagej(path, tiff, messages)
        if has_lost_index(tiff):
            raise _damaged(path, ValueError("Micro-Manager's index of planes is not whole"))
        document = _ome_document(tiff)
        notes += (*document.warnings, *_unread_tags(messages))
        if axes is not None and found and not any(len(one.shape) == len(axes) for one in found):
            check_axes(path, found[0].axes, found[0].shape, axes)
        images = _images_of(file, found, document)
        for number, (one, image) in enumerate(zip(found, images, strict=True)):
            facts, more = _facts(tiff, one.kind, image, number)
            name = facts.name or f"Image:{number}"
            try:
                series = read_series(path, tiff, one, axes, planes=image.planes if image is not None else None)
            except MetadataError as problem:
                scenes.append(_Scene(name, problem=problem))
                continue
            said = (*notes, *more, *series.notes)
            prefix = name if len(found) > 1 else ""
            described = [image.name for image in document.images]
            scenes += _scenes_along(series, one.kind, facts, prefix, said, described) or [
                _Scene(name, series, info=_info(series, {}, facts, said))
            ]
    if not scenes:
        raise UnreadableImageError("this TIFF holds no image.", file=path)
    return scenes


def _ome_document(tiff: Any) -> OmeDocument:
    """What the OME-XML says, as far as it is understood."""
    xml = tiff.ome_metadata
    if not xml:
        return OmeDocument(())
    try:
        return read_ome_xml(xml)
    except (*_DECODE_ERRORS, ElementTree.ParseError) as error:
        return OmeDocument((), (f"The OME-XML of the file is not understood ({_one_line(error)}), and left aside.",))


def _images_of(file: Path, found: Sequence[Any], document: OmeDocument) -> list[OmeImage | None]:
    """The Image element of each series: the one whose first page belongs to it."""
    images = document.images
    if not images:
        return [None] * len(found)
    if len(images) == 1 or (len(found) == 1 and found[0].kind == "mmstack"):
        return [images[0], *[None] * (len(found) - 1)]
    by_page = {(image.first_page[0] or file.name, image.first_page[1]): image for image in images}
    paired = []
    for one in found:
        keys = ((Path(page.parent.filehandle.path).name, page.index) for page in one.pages if page is not None)
        paired.append(next((by_page[key] for key in keys if key in by_page), None))
    return paired


def _facts(tiff: Any, kind: str, image: OmeImage | None, number: int) -> tuple[TiffFacts, tuple[str, ...]]:
    """What is said of one series, and what of that is not understood."""
    if number and image is None:
        return TiffFacts(), ()  # descriptions of other kinds are of the first series
    try:
        return series_facts(tiff, kind, image), ()
    except _DECODE_ERRORS as error:
        return TiffFacts(), (f"The description of the file is not understood ({_one_line(error)}), and left aside.",)


# ---------------------------------------------------------------- scenes
def _scenes_along(
    series: Series, kind: str, facts: TiffFacts, prefix: str, notes: tuple[str, ...], described: Sequence[str]
) -> list[_Scene]:
    """A scene for each position along the axes that are none of ours; empty for a series without such axes."""
    words = scene_words(series, kind)
    if not words:
        return []
    sizes = series.scene_axes
    counted = " and ".join(f"{size} {words[axis]}s" for axis, size in sizes.items())
    names = position_names(first_pages(series, "R"), described) if kind == "mmstack" and "R" in words else ()
    scenes, never = [], []
    for position in product(*map(range, sizes.values())):
        at = dict(zip(sizes, position, strict=True))
        parts = [
            names[number] if axis == "R" and names else f"{words[axis]} {number + 1}" for axis, number in at.items()
        ]
        label = ", ".join(parts)
        note = (
            f'The file has {counted}, and each of them is a scene of its own. This is "{label}": choose another one by '
            "its scene."
        )
        info = _info(series, at, facts, (*notes, note))
        if len(info.missing) == info.sizes["T"] * info.sizes["C"] * info.sizes["Z"]:
            never.append(label)
            continue
        scenes.append(_Scene(f"{prefix}, {label}" if prefix else label, series, at, info))
    if never:
        note = f"The recording was stopped before {', '.join(never)}."
        scenes = [replace(scene, info=_with_note(scene.info, note)) for scene in scenes]
    return scenes


def _with_note(info: SceneInfo | None, note: str) -> SceneInfo | None:
    return replace(info, warnings=(*info.warnings, note)) if info is not None else None


def _info(series: Series, at: dict[str, int], facts: TiffFacts, notes: tuple[str, ...]) -> SceneInfo:
    sizes = {axis: series.sizes.get(axis, 1) for axis in AXES}
    sizes["C"] *= series.samples
    names = facts.channel_names[: sizes["C"]] if series.alpha else facts.channel_names
    names = names if len(names) == sizes["C"] else (None,) * sizes["C"]
    missing = missing_planes(series, at)
    unsupported = RGB if series.is_colour else ""
    if series.dtype.kind == "c":
        unsupported = _COMPLEX
    if series.alpha:
        notes += (_ALPHA,)
    if missing:
        planned = sizes["T"]
        sizes["T"] = _recorded_times(missing, sizes)
        notes += _words_on(missing, planned, sizes["T"], names)
        missing = frozenset(plane for plane in missing if plane[0] < sizes["T"])
    return SceneInfo(
        sizes=sizes,
        dtype=series.dtype,
        channel_names=names,
        hints=facts.hints if len(facts.hints) == sizes["C"] else (),
        voxel_size_um=facts.voxel_size_um,
        time_step_s=facts.time_step_s,
        is_rgb=series.is_colour,
        unsupported=unsupported,
        missing=missing,
        warnings=notes,
        text=facts.text,
    )


def _recorded_times(missing: frozenset[Plane], sizes: dict[str, int]) -> int:
    """Number of time points up to the last one of which anything was recorded."""
    lacking = Counter(t for t, _, _ in missing)
    recorded = sizes["T"]
    while recorded > 1 and lacking[recorded - 1] == sizes["C"] * sizes["Z"]:
        recorded -= 1
    return recorded


def _words_on(missing: frozenset[Plane], planned: int, recorded: int, names: Sequence[str | None]) -> tuple[str, ...]:
    """Say which time points and planes were never recorded."""
    notes = []
    if recorded < planned:
        notes.append(f"The recording was stopped: of {planned} time points {recorded} were recorded.")
    lacking = {plane for plane in missing if plane[0] < recorded}
    if lacking:
        notes.append(describe_missing(lacking, names))
    return tuple(notes)


# ---------------------------------------------------------------- what tifffile says
def _refuse_incomplete_imagej(path: Path, tiff: Any, messages: list[str]) -> None:
    """Tell a stack of ImageJ's that was cut short from a description that only counts differently."""
    if not any(_IMAGEJ_INCOMPLETE in message for message in messages):
        return
    declared = (tiff.imagej_metadata or {}).get("images", 1)
    stored = 0
    for page in tiff.pages:
        with described_page(page) as described:
            stored += 0 if described.is_reduced else described.samplesperpixel
    if isinstance(declared, int) and stored < declared:
        raise UnreadableImageError(
            f"the file is incomplete: its description declares {declared} planes, and it has room for {stored}. Copy "
            "it again from where it came from.",
            file=path,
        )


def _refuse_damage(path: Path, messages: list[str]) -> None:
    for message in messages:
        tag = _DAMAGED_TAG.search(message)
        code, offset = (int(number or 0) for number in tag.groups()) if tag is not None else (0, 0)
        is_cut = code in _COUNTING_TAGS and offset > 0
        if any(word in message for word in _DAMAGE) or code in _PIXEL_TAGS or is_cut:
            raise _damaged(path, ValueError(message))


def _unread_tags(messages: Sequence[str]) -> tuple[str, ...]:
    """Say which tags, none of them about pixels, could not be read."""
    found = (_DAMAGED_TAG.search(message) for message in messages)
    tags = sorted({int(tag[1]) for tag in found if tag is not None} - _PIXEL_TAGS)
    if not tags:
        return ()
    listed = ", ".join(map(str, tags))
    return (f"Of the description of the file, tag {listed} cannot be read. Pixels are not affected.",)


def _damaged(path: Path, error: Exception) -> UnreadableImageError:
    return UnreadableImageError(
        f"this TIFF is damaged or incomplete ({_one_line(error)}). Copy it again from where it came from.", file=path
    )


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__


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
