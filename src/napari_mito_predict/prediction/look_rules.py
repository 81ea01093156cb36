"""From what an image looks like to a model, and what its training images looked like, to findings.

The rules have their reasons here; how often they are right is measured in `benchmarks/trust`.

Intensities are compared by the shape of their distribution: percentiles less the median, in units of the range from the
5th to the 95th, so that the rules are the same for each normalisation. A mirrored image has the mirrored shape.
*Inverted* is an image whose shape lies outside of those of all training volumes, and mirrored comes at least twice as
near. Nothing is said where the training volumes are as near to their own mirror image as to each other, since then
there is no telling. It is a warning: where objects have bright and dark rims, much of what a network goes by stays.
*Unusual* is a percentile, as the network gets it, farther outside of those of all training volumes than these lie
apart: a network was never asked to go on so far beyond what it saw.

*Contrast*: half of the least that was trained on leaves the noise twice as strong, with which a prediction gets worse;
a fifth of it is what empty medium has.

*Nothing but noise*: the noise of neighbouring pixels is independent, and nothing that a lens imaged is. Where there is
noise alone the correlation of neighbours is 0, and of 32 x 32 pixels it is measured to about 0.03; 0.1 is no chance. An
image of which fewer than one place in fifty holds anything else shows no cell.

*Planes out of order*: a plane is in focus over some wavelength / NA^2, at least 0.5 um, so that planes that are closer
resemble their neighbours. What changes from plane to plane (less the mean over planes, in bins of 4 x 4 pixels) has a
correlation from one plane to the next near 1 then, and near 0 in any other order; nothing is said of noise alone.

*Unfamiliar*: the distance of a tile's features to those of the training tiles, in units of the 95th percentile of tiles
of fields that were not trained on. The median over tiles counts, so that dirt in one of them decides nothing. It is
above 1 where half of the tiles are farther than 95 of 100 are; by Markov's inequality, and however alike the tiles of a
field are, fewer than one in ten fields like those trained on has that. Above 2, it is another kind of image. Where the
median is not above 1, but more than a quarter of the tiles, and more than one, is beyond the 99th percentile, a part of
the image is unfamiliar.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_mito_predict.image import Finding, Level
from napari_mito_predict.models.training_images import PERCENTS, TrainingImages

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MIRRORED_NEARER: Final = 2.0
_UNUSUAL: Final = 1.0
"""Beyond the range of the training volumes, in units of that range."""
_SMALLEST_RANGE: Final = 0.1
"""Of a percentile over training volumes, in units of the range from the 5th to the 95th: they may be few, and alike."""
_LITTLE_CONTRAST: Final = 0.5
_NO_CONTRAST: Final = 0.2
_BLOCK: Final = 32
_SMALLEST_BLOCK: Final = 16
_CORRELATED: Final = 0.1
_EMPTY: Final = 0.02
_BIN: Final = 4
_FEWEST_IN_ORDER: Final = 8
_IN_FOCUS_UM: Final = 0.5
_IN_ORDER: Final = 0.3
_USUAL_PERCENT: Final = 95
_RARE_PERCENT: Final = 99
_UNFAMILIAR: Final = 1.0
_VERY_UNFAMILIAR: Final = 2.0
_PART: Final = 0.25

_TINY: Final = 1e-30

_COMPARE = "Compare with real fluorescence of your cells before you use it."


@dataclass(frozen=True)
class Appearance:
    """What an image looks like to one model.

    Attributes
    ----------
    intensities : ndarray, (percentiles,)
        `PERCENTS` of its intensities, as the network gets them.
    contrast : float
        Standard deviation relative to the mean, as recorded.
    distances : ndarray, (tiles,)
        Of the features of its tiles to those of the training images; none where there is nothing to compare.
    """

    intensities: NDArray[np.floating]
    contrast: float
    distances: NDArray[np.floating]


def appearance_findings(model: str, seen: Appearance, known: TrainingImages | None) -> Iterator[Finding]:
    """Compare what an image looks like with what is known of the images that the model `model` was trained on."""
    if known is None:
        yield Finding(
            Level.WARNING,
            "not-compared",
            f"{model} does not know what the images that it was trained on look like: nobody checked whether this one "
            "is like them, and a wrong prediction would go unnoticed.",
            _COMPARE,
        )
        return
    yield from _intensities(model, seen, known)
    yield from _contrast(model, seen.contrast, known)
    yield from _features(model, seen.distances, known)


def familiarity(distances: NDArray[np.floating], known: TrainingImages) -> NDArray[np.floating]:
    """Distances of tiles in units of what 95 of 100 tiles of fields that were not trained on stay within."""
    if len(distances) == 0 or len(known.distances) == 0:
        return np.zeros(0)
    usual = float(np.percentile(known.distances, _USUAL_PERCENT))
    return distances / max(usual, _TINY)


def noise_findings(planes: Iterable[NDArray[Any]]) -> Iterator[Finding]:
    """Say that there is nothing but noise in these parts of planes (Y, X); nothing where they are too small to tell."""
    places = itertools.chain.from_iterable(map(_places, planes))
    found = [correlation for correlation in map(_neighbours, places) if correlation is not None]
    if not found:
        return
    structure = float(np.mean(np.array(found) > _CORRELATED))
    if structure >= _EMPTY:
        return
    yield Finding(
        Level.SEVERE,
        "nothing-but-noise",
        f"Of the places that were looked at, {100 * structure:.1f} % hold anything but noise: no cells are to be seen, "
        "and what is predicted is made up of noise.",
        "Check the channel, the focus and the light, and whether there are cells in the field.",
        values={"share": structure},
    )


def order_findings(stacks: Iterable[NDArray[Any]], step_um: float | None) -> Iterator[Finding]:
    """Say that the planes of these parts of a stack (D, Y, X), `step_um` apart, are not in the order of their depth."""
    if step_um is None or step_um > _IN_FOCUS_UM:
        return
    found = [correlation for correlation in map(_next_planes, stacks) if correlation is not None]
    if not found or np.median(found) >= _IN_ORDER:
        return
    yield Finding(
        Level.SEVERE,
        "planes-out-of-order",
        f"Planes are {step_um:g} um apart, and do not resemble their neighbours (correlation {np.median(found):.2f}): "
        "they seem not to be in the order of their depth, from which a model reads the structures.",
        "Check the order of the planes, and what the axes of the file are.",
        values={"correlation": float(np.median(found))},
    )


def _next_planes(stack: NDArray[Any]) -> float | None:
    """Correlation of each plane with the next; None where there are too few, or nothing but noise changes."""
    depth = len(stack)
    height, width = stack.shape[1:]
    if depth < _FEWEST_IN_ORDER or min(height, width) < _BIN * _SMALLEST_BLOCK // 2:
        return None
    whole = stack[:, : height // _BIN * _BIN, : width // _BIN * _BIN].astype(np.float64)
    binned = whole.reshape(depth, height // _BIN, _BIN, width // _BIN, _BIN).mean(axis=(2, 4))
    changes = binned - binned.mean(axis=(1, 2), keepdims=True)
    changes -= changes.mean(axis=0)
    structure = [correlation for correlation in map(_neighbours, changes) if correlation is not None]
    if not structure or np.mean(structure) <= _CORRELATED:
        return None
    power = np.square(changes).sum() / depth
    return float((changes[1:] * changes[:-1]).sum() / (depth - 1) / power)


def _places(window: NDArray[Any]) -> Iterator[NDArray[Any]]:
    height, width = window.shape
    for top in range(0, height - _SMALLEST_BLOCK + 1, _BLOCK):
        for left in range(0, width - _SMALLEST_BLOCK + 1, _BLOCK):
            place = window[top : top + _BLOCK, left : left + _BLOCK]
            if min(place.shape) >= _SMALLEST_BLOCK:
                yield place


def _neighbours(place: NDArray[Any]) -> float | None:
    """Correlation of neighbours along y and x, less whole rows and columns: shading, stripes. None of equal pixels."""
    values = place.astype(np.float64)
    values = values - values.mean(axis=0) - values.mean(axis=1, keepdims=True) + values.mean()
    variance = float(np.square(values).mean())
    if not variance > 0:
        return None
    along_y = float((values[1:] * values[:-1]).mean())
    along_x = float((values[:, 1:] * values[:, :-1]).mean())
    return (along_y + along_x) / 2 / variance


def _intensities(model: str, seen: Appearance, known: TrainingImages) -> Iterator[Finding]:
    upright = _far_from(_shape(seen.intensities), known)
    mirrored = _far_from(-_shape(seen.intensities)[::-1], known)
    skewed = _far_from(-_shape(known.intensities).mean(axis=0)[::-1], known) > _farthest(known)
    if skewed and upright > max(_farthest(known), _MIRRORED_NEARER * mirrored):
        yield Finding(
            Level.WARNING,
            "contrast-inverted",
            f"What is bright in the images that {model} was trained on seems to be dark here, and the reverse: with "
            f"dark and bright exchanged, the intensities are {upright / max(mirrored, 1e-3):.1f} times nearer to those "
            "of its training. Structures look like their opposite to it.",
            "Check the channel and the kind of light; if the image was inverted by a program, take the original.",
            values={"upright": upright, "mirrored": mirrored},
        )
        return
    low, high = known.intensities.min(axis=0), known.intensities.max(axis=0)
    unit = np.maximum(high - low, _SMALLEST_RANGE * _spread(known.intensities).max())
    beyond = np.maximum(seen.intensities - high, low - seen.intensities) / unit
    worst = int(np.argmax(beyond))
    if beyond[worst] > _UNUSUAL:
        yield Finding(
            Level.WARNING,
            "intensities-unusual",
            f"After normalisation, {PERCENTS[worst]:g} % of the pixels are below {seen.intensities[worst]:.2f}; in the "
            f"images that {model} was trained on that is {low[worst]:.2f} to {high[worst]:.2f}. Something here is far "
            "brighter or darker than cells are (dirt, a bubble, a border, uneven light), and leaves cells another "
            "contrast than it learned.",
            "Crop it away, or even the light out.",
            values={"beyond": float(beyond[worst])},
        )


def _shape(intensities: NDArray[np.floating]) -> NDArray[np.floating]:
    """Percentiles less the median, in units of the range from the 5th to the 95th; of one volume, or of each."""
    median = intensities[..., PERCENTS.index(50.0), None]
    shape: NDArray[np.floating] = (intensities - median) / np.maximum(_spread(intensities)[..., None], _TINY)
    return shape


def _spread(intensities: NDArray[np.floating]) -> NDArray[np.floating]:
    spread: NDArray[np.floating] = intensities[..., PERCENTS.index(95.0)] - intensities[..., PERCENTS.index(5.0)]
    return spread


def _far_from(shape: NDArray[np.floating], known: TrainingImages) -> float:
    """How far a shape is from the mean of those of the training volumes: root mean square over percentiles."""
    return float(np.sqrt(np.square(shape - _shape(known.intensities).mean(axis=0)).mean()))


def _farthest(known: TrainingImages) -> float:
    """The same of the training volume that is farthest from their mean."""
    shapes = _shape(known.intensities)
    return float(np.sqrt(np.square(shapes - shapes.mean(axis=0)).mean(axis=1)).max())


def _contrast(model: str, contrast: float, known: TrainingImages) -> Iterator[Finding]:
    least = float(known.contrast.min())
    if not contrast < _LITTLE_CONTRAST * least:
        return
    yield Finding(
        Level.SEVERE if contrast < _NO_CONTRAST * least else Level.WARNING,
        "little-contrast",
        f"The standard deviation of the intensities is {contrast:.2g} of their mean, and at least {least:.2g} in the "
        f"images that {model} was trained on: it sees less of the cells and more of the noise, or there are none.",
        "Check the focus, the light and the channel, and whether there are cells in the field.",
        values={"contrast": contrast, "least": least},
    )


def _features(model: str, distances: NDArray[np.floating], known: TrainingImages) -> Iterator[Finding]:
    ratios = familiarity(distances, known)
    if len(ratios) == 0:
        yield Finding(
            Level.WARNING,
            "not-compared",
            f"Only the intensities were compared with those that {model} was trained on, not what cells look like.",
            _COMPARE,
        )
        return
    rare = float(np.percentile(known.distances, _RARE_PERCENT))
    median, odd = float(np.median(ratios)), float(np.mean(distances > rare))
    numbers = {"ratio": median, "share": odd}
    if median > _UNFAMILIAR:
        yield _unfamiliar(model, median, numbers)
    elif odd > _PART and odd * len(distances) > 1:
        yield Finding(
            Level.WARNING,
            "part-unfamiliar",
            f"{100 * odd:.0f} % of the tiles that were looked at are farther from the training images of {model} than "
            f"{_RARE_PERCENT} of 100 tiles of fields like those are: there the prediction may be wrong.",
            "Look at what is there (dirt, dead cells, a border), and leave it out of what you measure.",
            values=numbers,
        )


def _unfamiliar(model: str, median: float, numbers: dict[str, float]) -> Finding:
    level = Level.WARNING
    means = "It is unusual to it, and what it predicts may be wrong where nobody notices."
    if median > _VERY_UNFAMILIAR:
        level = Level.SEVERE
        means = "It is another kind of image to it, and what it predicts is not to be believed."
    return Finding(
        level,
        "unfamiliar",
        f"What {model} sees in this image is {median:.1f} times as far from its training images as {_USUAL_PERCENT} of "
        f"100 tiles of fields like those are at most. {means}",
        f"{_COMPARE} Record as its training images were, or fine-tune the model on your own pairs.",
        values=numbers,
    )
