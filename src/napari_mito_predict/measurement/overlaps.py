"""Which objects of one frame are which objects of the next, by the voxels they share: fissions and fusions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.ndimage import find_objects
from scipy.spatial import KDTree

from napari_mito_predict.measurement.motility import carried_back

if TYPE_CHECKING:
    from napari_mito_predict.measurement.settings import DynamicsSettings
    from napari_mito_predict.measurement.voxels import Voxels

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class ObjectEvent:
    """An object that becomes two, or two that become one.

    Attributes
    ----------
    kind : {"fission", "fusion"}
    frame : int
        The later one of the two frames compared.
    place : tuple of float
        Half way between the two parts where they are nearest, from the centre of the first voxel, in the unit of the
        voxels; (y, x) or (z, y, x).
    whole : int
        Label of the one object: of a fission in the frame before, of a fusion in `frame`.
    parts : tuple of two int
        Labels of the two, in the other frame. An object that falls into three gives two events.
    """

    kind: Literal["fission", "fusion"]
    frame: int
    place: tuple[float, ...]
    whole: int
    parts: tuple[int, int]


def events_between(
    before: Array, after: Array, flows: tuple[Array, Array], voxels: Voxels, frame: int, settings: DynamicsSettings
) -> list[ObjectEvent]:
    """Fissions and fusions from one frame to the next.

    Each frame is laid over the other where the optical flow says that its structures have gone. A part belongs to the
    object of the other frame that holds more than half of what it shares with any object, if that is at least `share`
    of the part. An object with two parts or more has divided, unless one of them is what became of another object
    nearby to which no part belongs. Seen backwards in time, it has been joined: the same rule finds both, and a series
    that runs backwards has them interchanged.

    Parameters
    ----------
    before, after : int arrays
        Labels, of the same shape.
    flows : tuple of two (2, Y, X) arrays
        From before to after, and from after to before.
    voxels : Voxels
    frame : int
        Number of `after`.
    settings : DynamicsSettings

    Returns
    -------
    list of ObjectEvent
        Fissions first, in the order of the labels.
    """
    found = []
    for whole, first, second, place in _splits(before, after, flows[1], voxels, settings):
        found.append(ObjectEvent("fission", frame, place, whole, (first, second)))
    for whole, first, second, place in _splits(after, before, flows[0], voxels, settings):
        found.append(ObjectEvent("fusion", frame, place, whole, (first, second)))
    return found


def _splits(
    wholes: Array, parts: Array, flow: Array, voxels: Voxels, settings: DynamicsSettings
) -> list[tuple[int, int, int, tuple[float, ...]]]:
    """Objects with several parts: label of the whole, of two of its parts, and where these are nearest."""
    least_voxels = voxels.content_of(settings.least_diameter)
    belongs = _belonging(carried_back(wholes, flow), parts, settings.share, least_voxels)
    members: dict[int, list[int]] = defaultdict(list)
    for part in sorted(belongs):
        members[belongs[part]].append(part)
    divided = {whole: group for whole, group in sorted(members.items()) if len(group) > 1}
    if not divided:
        return []
    left_over = large_objects(wholes, least_voxels) - set(members)
    others = list(_places(wholes, left_over, voxels).values())
    places = _places(parts, chain.from_iterable(divided.values()), voxels)
    found = []
    for whole, group in divided.items():
        sure = {}
        for part in group:
            if not any(_may_be(other, places[part], settings.near) for other in others):
                sure[part] = places[part]
        found += [(whole, *split) for split in _nearest_first(sure)]
    return found


def _may_be(other: Array, part: Array, near: float) -> bool:
    """Whether a part may be what became of another object: it is of similar size and not far away."""
    return 0.5 <= len(other) / len(part) <= 2 and _gap(other, part)[0] <= near


def large_objects(labels: Array, least_voxels: float) -> set[int]:
    """Labels of the objects with at least so many voxels."""
    numbers, sizes = np.unique(labels, return_counts=True)
    return set(numbers[(sizes >= least_voxels) & (numbers > 0)].tolist())


def _places(labels: Array, chosen: Iterable[int], voxels: Voxels) -> dict[int, Array]:
    """Places of the voxels of some objects, (N, 2) or (N, 3), in the unit of the voxels."""
    boxes = find_objects(labels)
    found = {}
    for label in chosen:
        box = boxes[label - 1]
        corner = [side.start for side in box]
        found[label] = (np.argwhere(labels[box] == label) + corner) * np.array(voxels.spacing)
    return found


def _belonging(wholes: Array, parts: Array, share: float, least_voxels: float) -> dict[int, int]:
    """For each large part the whole that it belongs to."""
    whole_labels = np.unique(wholes)
    part_labels, sizes = np.unique(parts, return_counts=True)
    both = (wholes > 0) & (parts > 0)
    part_index = np.searchsorted(part_labels, parts[both])
    whole_index = np.searchsorted(whole_labels, wholes[both])
    pairs, shared = np.unique(part_index * len(whole_labels) + whole_index, return_counts=True)
    of_part = pairs // len(whole_labels)
    in_any = np.bincount(of_part, weights=shared, minlength=len(part_labels))[of_part]
    size = sizes[of_part]
    sure = (2 * shared > in_any) & (shared >= share * size) & (size >= least_voxels)
    chosen_parts = part_labels[of_part[sure]].tolist()
    chosen_wholes = whole_labels[pairs[sure] % len(whole_labels)].tolist()
    return dict(zip(chosen_parts, chosen_wholes, strict=True))


def _nearest_first(members: dict[int, Array]) -> list[tuple[int, int, tuple[float, ...]]]:
    """Connect all parts of one object, each to the nearest of those before it, the largest first."""
    if not members:
        return []
    left = sorted(members, key=lambda part: (-len(members[part]), tuple(members[part][0])))
    reached = [left.pop(0)]
    found = []
    while left:
        gaps = []
        for part in left:
            gaps += [(*_gap(members[other], members[part]), other, part) for other in reached]
        nearest = min(gaps, key=lambda gap: gap[0])
        found.append((nearest[2], nearest[3], nearest[1]))
        reached.append(nearest[3])
        left.remove(nearest[3])
    return found


def _gap(first: Array, second: Array) -> tuple[float, tuple[float, ...]]:
    """Distance between two sets of points, and half way between them where they are nearest."""
    if len(first) < len(second):
        first, second = second, first
    distances, indices = KDTree(first).query(second)
    shortest = distances.min()
    near = np.flatnonzero(distances <= shortest + 1e-9)
    middle = (first[indices[near]] + second[near]).mean(axis=0) / 2
    return float(shortest), tuple(middle.tolist())


def lasting(events: Sequence[ObjectEvent], frames: int, near: float) -> list[ObjectEvent]:
    """Leave out what is undone at once: a fission and a fusion at about the same place and time cancel each other.

    Thresholds flicker: an object falls apart in one frame and is whole in the next. The nearest in time go first. What
    is left keeps the balance of fissions and fusions.

    Parameters
    ----------
    events : sequence of ObjectEvent
    frames : int
        What is undone less than so many frames later is left out; 1 keeps everything.
    near : float
        How far away, in the unit of the places.
    """
    candidates = []
    for later, event in enumerate(events):
        for earlier in range(later):
            other = events[earlier]
            apart = abs(event.frame - other.frame)
            if other.kind == event.kind or not 0 < apart < frames:
                continue
            distance = float(np.linalg.norm(np.subtract(event.place, other.place)))
            if distance <= near:
                candidates.append((apart, distance, earlier, later))
    gone: set[int] = set()
    for _, _, earlier, later in sorted(candidates):
        if earlier not in gone and later not in gone:
            gone |= {earlier, later}
    return [event for index, event in enumerate(events) if index not in gone]
