"""What is wrong with the fields, said before the first iteration and all at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from napari_mito_predict.evaluation import Shift, edges, find_shift, move
from napari_mito_predict.image import Finding, Level
from napari_mito_predict.image.crops import centre_of, middle_plane
from napari_mito_predict.training.overlap import Overlap, Texture, check_overlaps, find_overlaps
from napari_mito_predict.training.plausibility import check_direction

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_mito_predict.training.pairs import Pair

Reference = Callable[["NDArray[np.float32]"], "Sequence[NDArray[np.float32] | None]"]
"""From an input volume to what each truth should look like there; ``None`` where that is not known."""

_FEW_FIELDS = 4
_LOOKED_AT = (32, 384, 384)
_SAME_LIGHT = 0.95
"""Correlation of the differences of neighbours; a second recording of the very field has other noise."""
_WORTH_SAYING = 0.5
"""Voxels: a shift of less along an axis is not mentioned."""


@dataclass(frozen=True)
class FieldReport:
    """What is known of one field before training.

    Attributes
    ----------
    name : str
    part : str
        ``training``, ``validation`` or ``test``.
    group : str
        What it belongs to, see `split.by`; where nothing was said of that, its own name.
    digest : str
        Fingerprint of its pixels; empty where it could not be read.
    channels : tuple of str
        Digest of each of its channels at the first time point; see `image.pixel_digest`.
    shape : tuple of int
        Of its volumes at the sampling trained at.
    volumes : int
    findings : tuple of Finding
        Errors stop the training, the rest is said.
    picture : ndarray or None
        ``(Y, X, 3)`` uint8: truth (green) over its reference (magenta), as recorded and with the shift undone.
    light : ndarray or None
        `fingerprint` of its transmitted light: the same for copies in another format.
    texture : Texture or None
        Of its transmitted light: tells which other fields share pixels with it.
    """

    name: str
    part: str
    digest: str = ""
    shape: tuple[int, ...] = ()
    volumes: int = 0
    findings: tuple[Finding, ...] = ()
    picture: NDArray[np.uint8] | None = None
    light: NDArray[np.float32] | None = None
    texture: Texture | None = None
    group: str = ""
    channels: tuple[str, ...] = ()

    @property
    def usable(self) -> bool:
        """No error was found."""
        return all(finding.level is not Level.ERROR for finding in self.findings)


def check_shift(
    pair: Pair, reference: Reference | None, names: Sequence[str], *, along_third: bool
) -> tuple[list[Finding], NDArray[np.uint8] | None]:
    """Look for a shift of each truth against its reference, in the middle of the field; or for light and truth swapped.

    Parameters
    ----------
    pair : Pair
        One volume.
    reference : callable or None
        The start model; without one the edges of truth and transmitted light are compared.
    names : sequence of str
        Of the targets.
    along_third : bool
        Whether the third axis is z; nobody looks for a shift in time.

    Returns
    -------
    list of Finding, ndarray or None
        One warning per truth that is shifted or swapped, never an error; and a picture of the last that is shifted.
    """
    middle = centre_of(pair.input.shape, _LOOKED_AT[-pair.input.ndim :])
    given = pair.input[middle].astype(np.float32)
    expected: Sequence[NDArray[np.float32] | None] = [None] * len(names)
    if reference is not None:
        expected = reference(given)
    found: list[Finding] = []
    picture = None
    for target, (name, like, truth) in enumerate(zip(names, expected, pair.truth, strict=True)):
        fluorescence = truth[middle].astype(np.float32)
        if like is not None:
            compared_with = "the start model's prediction"
            shift = find_shift(like, fluorescence, along_third=along_third)
            sure = True
        else:
            # Edges of cells are no edges of organelles, and in transmitted light sharpest out of focus: along z they
            # say nothing, and across it only a match that is far better elsewhere counts.
            compared_with = "its edges"
            like = edges(given)
            fluorescence = edges(fluorescence)
            shift = find_shift(like, fluorescence, along_third=False)
            sure = shift.correlation - shift.unshifted > shift.control
        if shift.shifted and sure:
            found.append(_shift_finding(name, shift, compared_with))
            picture = _picture(like, fluorescence, shift)
        elif reference is not None and expected[target] is not None:
            found += check_direction(given, fluorescence, target, shift.unshifted, reference)
    return found, picture


def check_together(reports: Sequence[FieldReport], overlaps: Sequence[Overlap] | None = None) -> list[Finding]:
    """What only shows when all fields are seen: the same pixels twice, and too few fields.

    Parameters
    ----------
    reports : sequence of FieldReport
    overlaps : sequence of Overlap, optional
        See `overlaps_of`, where they are known already: to find them takes seconds.
    """
    parts = {report.name: report.part for report in reports}
    if overlaps is None:
        overlaps = overlaps_of(reports, parts=parts)
    found = _same_pixels(reports) + _same_light(reports) + check_overlaps(overlaps, parts)
    usable = [report for report in reports if report.usable]
    independent = len({report.group or report.name for report in usable})
    if independent < _FEW_FIELDS:
        what = "group" if independent < len(usable) else "field"
        if independent != 1:
            what += "s"
        message = f"Only {independent} usable {what}: scores will depend on which are held back."
        found.append(Finding(Level.WARNING, "few-fields", message, "A dozen is a start; some thirty are better."))
    return found


def overlaps_of(
    reports: Sequence[FieldReport],
    *,
    parts: Mapping[str, str] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> tuple[Overlap, ...]:
    """Which fields share pixels, see `find_overlaps`."""
    textures = {report.name: report.texture for report in reports if report.texture is not None}
    return find_overlaps(textures, parts=parts, should_stop=should_stop)


def _same_pixels(reports: Sequence[FieldReport]) -> list[Finding]:
    """Fields that are copies of each other, voxel by voxel."""
    by_digest: dict[str, list[FieldReport]] = defaultdict(list)
    for report in reports:
        if report.digest:
            by_digest[report.digest].append(report)
    found = []
    for same in by_digest.values():
        if len(same) < 2:
            continue
        names = ", ".join(report.name for report in same)
        parts = sorted({report.part for report in same})
        if len(parts) > 1:
            message = f"{names} hold the same pixels, but are used for {' and '.join(parts)}: scores would be a lie."
            found.append(Finding(Level.ERROR, "same-field-in-two-parts", message, "Exclude all but one of them."))
        else:
            message = f"{names} hold the same pixels."
            found.append(Finding(Level.WARNING, "duplicate-field", message, "Exclude all but one of them."))
    return found


def _same_light(reports: Sequence[FieldReport]) -> list[Finding]:
    """Pairs of fields that look copied from one recording, in another format or with another truth."""
    found = []
    for first, second in combinations([report for report in reports if report.light is not None], 2):
        same_digest = bool(first.digest) and first.digest == second.digest
        if first.light is None or second.light is None or same_digest or first.light.shape != second.light.shape:
            continue
        correlation = float(first.light @ second.light)
        if not correlation > _SAME_LIGHT:
            continue
        message = f"{first.name} and {second.name} seem to show the same transmitted light."
        if first.part != second.part:
            message = f"{message[:-1]}, but are used for {first.part} and {second.part}: scores would be too good."
        values = {"correlation": correlation}
        found.append(Finding(Level.WARNING, "same-light", message, "Exclude one of them.", values=values))
    return found


def check_batch(pairs: Sequence[Pair], patch: tuple[int, ...], batch_size: int) -> list[Finding]:
    """Whether a batch has more patches than the training fields have places that do not overlap."""
    places = sum(prod(max(1, n // p) for n, p in zip(pair.input.shape, patch, strict=True)) for pair in pairs)
    if batch_size <= places:
        return []
    message = f"A batch has {batch_size} patches, but the training fields have room for only {places} side by side."
    return [Finding(Level.WARNING, "batch-larger-than-data", message, "Lower the batch size, or add fields.")]


def explain(name: str, findings: Sequence[Finding]) -> list[str]:
    """One line per finding, with the field's name in front where the finding does not name it itself."""
    lines = []
    for finding in findings:
        line = finding.advice
        if name and finding.where != name:
            line = f"{name}: {line}"
        lines.append(line)
    return lines


def _shift_finding(name: str, shift: Shift, reference: str) -> Finding:
    voxels = dict(zip("ZYX"[-len(shift.voxels) :], shift.voxels, strict=True))
    worth_saying = {axis: moved for axis, moved in voxels.items() if abs(moved) >= _WORTH_SAYING}
    moved = ", ".join(f"{by:+.1f} voxels in {axis}" for axis, by in worth_saying.items())
    message = (
        f"The truth of {name} seems shifted by {moved} against {reference} (correlation {shift.correlation:.2f} there, "
        f"{shift.unshifted:.2f} as recorded, {shift.control:.2f} by chance)."
    )
    fix = "Look at the picture; align the channels if it is right."
    return Finding(Level.WARNING, "shifted", message, fix, where=name, values=voxels)


def _picture(reference: NDArray[np.float32], truth: NDArray[np.float32], shift: Shift) -> NDArray[np.uint8]:
    halves = []
    for fluorescence in (truth, move(truth, shift.voxels)):
        a, b = _grey(middle_plane(reference)), _grey(middle_plane(fluorescence))
        halves.append(np.stack([a, b, a], axis=-1))
    gap = np.full((halves[0].shape[0], 4, 3), 255, np.uint8)
    return np.concatenate([halves[0], gap, halves[1]], axis=1)


def _grey(plane: NDArray[np.floating]) -> NDArray[np.uint8]:
    low, high = np.percentile(plane, (1, 99.5))
    scaled: NDArray[np.uint8] = (255 * np.clip((plane - low) / max(high - low, 1e-6), 0, 1)).astype(np.uint8)
    return scaled
