"""Fissions and fusions as points in the viewer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from napari.layers import Points

from napari_mito_predict._widgets.common.image_layers import placement_of
from napari_mito_predict.measurement.measures import Structure

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from napari_mito_predict._widgets.measure.field import Field
    from napari_mito_predict._widgets.measure.work import Found

_FEATURES: Final = ("kind", "t", "time_s", "whole", "part_1", "part_2", "verdict")
_COLOURS: Final = {"fission": "#ff6a5e", "fusion": "#45c8ff"}
_SYMBOLS: Final = {"fission": "disc", "fusion": "square"}
_SIZE: Final = 9.0
"""In pixels."""
_PLANES: Final = 3
"""So many above and below its own show an event as well: nobody finds it in one plane of many."""


def events_of(found: Found) -> pd.DataFrame | None:
    """The table of fissions and fusions; None where there is none."""
    dynamics = found.measurements.dynamics
    return None if dynamics is None or dynamics.events.empty else dynamics.events


def event_layer(field: Field, events: pd.DataFrame, picked: Callable[[int], object]) -> Points:
    """Rings for fissions and squares for fusions, on the grid of the mitochondria.

    `picked` is called with the row of an event that is clicked.
    """
    like = field.layers[Structure.MITOCHONDRIA]
    places, rows = _in_planes(places_of(field, events), field)
    shown = events.iloc[rows]
    kinds = shown["kind"].tolist()
    layer = Points(
        places,
        name=f"fissions and fusions: {like.name}",
        features=shown[list(_FEATURES)].reset_index(drop=True),
        symbol=[_SYMBOLS[kind] for kind in kinds],
        border_color=[_COLOURS[kind] for kind in kinds],
        face_color="transparent",
        border_width=0.15,
        size=_SIZE,
        **placement_of(like, field.axes),
    )
    layer.editable = False

    def pick(layer: Points, event: Any) -> None:
        point = layer.get_value(
            event.position, view_direction=event.view_direction, dims_displayed=event.dims_displayed, world=True
        )
        if point is not None:
            picked(int(rows[point]))

    layer.mouse_drag_callbacks.append(pick)
    return layer


def places_of(field: Field, events: pd.DataFrame) -> NDArray[np.float64]:
    """Where they are in the data of the layer: time points, and voxels along each other axis."""
    voxels = field.voxels
    axes = field.axes.replace("C", "")
    places = np.zeros((len(events), len(axes)))
    places[:, axes.index("T")] = events["t"]
    for axis, size in zip("zyx"[-voxels.ndim :], voxels.spacing, strict=True):
        places[:, axes.index(axis.upper())] = events[f"{axis}_{voxels.unit}"] / size
    return places


def _in_planes(places: NDArray[np.float64], field: Field) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Each event once for each plane that shows it, and which event that is."""
    rows = np.arange(len(places))
    if field.sizes["Z"] == 1:
        return places, rows
    axis = field.axes.replace("C", "").index("Z")
    offsets = np.arange(-_PLANES, _PLANES + 1)
    rows = np.repeat(rows, len(offsets))
    shown = places[rows]
    shown[:, axis] = shown[:, axis].round() + np.tile(offsets, len(places))
    inside = (shown[:, axis] >= 0) & (shown[:, axis] <= field.sizes["Z"] - 1)
    return shown[inside], rows[inside]


def plane_of(event: pd.Series, field: Field) -> float | None:
    """The plane that an event is in, in voxels; None in a single plane."""
    voxels = field.voxels
    if voxels.ndim == 2:
        return None
    return float(event[f"z_{voxels.unit}"] / voxels.spacing[0])


def words_of(event: pd.Series) -> str:
    """Say what an event is, in the labels of its time point and the one before: ``42 s: 4 divides into 8 and 5``."""
    when = f"time point {event['t']}" if np.isnan(event["time_s"]) else f"{event['time_s']:g} s"
    parts = f"{event['part_1']} and {event['part_2']}"
    if event["kind"] == "fission":
        return f"{when}: {event['whole']} divides into {parts}"
    return f"{when}: {parts} join to {event['whole']}"


def objects_of(event: pd.Series, added: list[int]) -> tuple[int, ...]:
    """The labels, in the layer of mitochondria, of all objects that take part."""
    t = int(event["t"])
    here = ["part_1", "part_2"] if event["kind"] == "fission" else ["whole"]
    before = [name for name in ("whole", "part_1", "part_2") if name not in here]
    labels = [int(event[name]) + added[t] for name in here]
    return (*labels, *(int(event[name]) + added[t - 1] for name in before))
