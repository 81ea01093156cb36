"""The scenes of a TIFF file: every series is one, and every position along an axis that is none of ours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import tifffile

from napari_mito_predict.errors import MetadataError, MitoPredictError, UnreadableImageError, one_line
from napari_mito_predict.image.backend import AXES, RGB, SceneInfo
from napari_mito_predict.image.micromanager import has_lost_index, position_names
from napari_mito_predict.image.missing import Plane, describe_missing
from napari_mito_predict.image.ome_xml import OmeDocument, OmeImage, read_ome_xml
from napari_mito_predict.image.tiff_log import (
    DECODE_ERRORS,
    damaged,
    logged,
    refuse_damage,
    refuse_incomplete_imagej,
    unread_tags,
)
from napari_mito_predict.image.tiff_metadata import TiffFacts, series_facts
from napari_mito_predict.image.tiff_series import (
    Series,
    check_axes,
    first_pages,
    missing_planes,
    read_series,
    scene_words,
)
from napari_mito_predict.image.tiff_sets import described_file

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
class Scene:
    """A scene: of a series, the part at some position along its scene axes; or why there is none."""

    name: str
    series: Series | None = None
    at: dict[str, int] = field(default_factory=dict)
    info: SceneInfo | None = None
    problem: MitoPredictError | None = None


def read_scenes(path: Path, axes: str | None) -> list[Scene]:
    """Read all scenes of a file, but for their pixels; takes and raises what `TiffBackend` does."""
    with logged() as messages:
        try:
            file, xml = described_file(path)
            options: dict[str, Any] = {"omexml": xml} if xml else {}
            try:
                return _scenes_of(path, file, axes, messages, options, ())
            except (*DECODE_ERRORS, MemoryError) as error:
                refuse_damage(path, messages)
                problem = error
            # The description may be at fault, and not the pixels: a file of plain pages needs none.
            note = f"What the file says about itself is not understood ({one_line(problem)}), and left aside."
            scenes = _scenes_of(path, file, axes, messages, _PLAIN, (note,))
            return [_with_reason(scene, note, path) for scene in scenes]
        except (*DECODE_ERRORS, MemoryError) as error:
            refuse_damage(path, messages)
            raise damaged(path, error) from error


def _with_reason(scene: Scene, note: str, path: Path) -> Scene:
    """Say why nothing is known of a scene that has to be explained by the user."""
    if scene.problem is None:
        return scene
    problem = type(scene.problem)(f"{note} So {scene.problem.reason_about(path)}", file=path)
    return replace(scene, problem=problem)


def _scenes_of(
    path: Path, file: Path, axes: str | None, messages: list[str], options: dict[str, Any], notes: tuple[str, ...]
) -> list[Scene]:
    """Read all scenes of a file."""
    scenes: list[Scene] = []
    with tifffile.TiffFile(file, **options) as tiff:
        found = [one for one in tiff.series if not one.keyframe.is_reduced] or list(tiff.series)
        refuse_damage(path, messages)
        refuse_incomplete_imagej(path, tiff, messages)
        if has_lost_index(tiff):
            raise damaged(path, ValueError("Micro-Manager's index of planes is not whole"))
        document = _ome_document(tiff)
        notes += (*document.warnings, *unread_tags(messages))
        if axes is not None and found and not any(len(one.shape) == len(axes) for one in found):
            check_axes(path, found[0].axes, found[0].shape, axes)
        images = _images_of(file, found, document)
        for number, (one, image) in enumerate(zip(found, images, strict=True)):
            facts, more = _facts(tiff, one.kind, image, number)
            name = facts.name or f"Image:{number}"
            try:
                series = read_series(path, tiff, one, axes, planes=image.planes if image is not None else None)
            except MetadataError as problem:
                scenes.append(Scene(name, problem=problem))
                continue
            said = (*notes, *more, *series.notes)
            prefix = name if len(found) > 1 else ""
            described = [image.name for image in document.images]
            scenes += _scenes_along(series, one.kind, facts, prefix, said, described) or [
                Scene(name, series, info=_info(series, {}, facts, said))
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
    except (*DECODE_ERRORS, ElementTree.ParseError) as error:
        return OmeDocument((), (f"The OME-XML of the file is not understood ({one_line(error)}), and left aside.",))


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
    except DECODE_ERRORS as error:
        return TiffFacts(), (f"The description of the file is not understood ({one_line(error)}), and left aside.",)


# ---------------------------------------------------------------- scenes
def _scenes_along(
    series: Series, kind: str, facts: TiffFacts, prefix: str, notes: tuple[str, ...], described: Sequence[str]
) -> list[Scene]:
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
        scenes.append(Scene(f"{prefix}, {label}" if prefix else label, series, at, info))
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
