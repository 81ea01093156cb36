"""Layers of what was found: labels with a table of features, skeletons, and which objects are selected."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from napari.layers import Labels, Points
from napari.utils.colormaps import CyclicLabelColormap, DirectLabelColormap
from qtpy.QtCore import QObject, QTimer, Signal

from napari_mito_predict._widgets.common.image_layers import like_layer, placement_of
from napari_mito_predict._widgets.common.removal import take_away
from napari_mito_predict._widgets.measure.event_layer import event_layer, events_of
from napari_mito_predict.measurement.measures import Structure

if TYPE_CHECKING:
    import pandas as pd
    from napari.viewer import Viewer
    from numpy.typing import NDArray

    from napari_mito_predict._widgets.measure.field import Field
    from napari_mito_predict._widgets.measure.work import Found

_ORDER: Final = (Structure.NUCLEI, Structure.MITOCHONDRIA, Structure.NUCLEOIDS)
"""From the bottom to the top."""
_OPACITY: Final = 0.6
_SKELETON: Final = (1.0, 1.0, 1.0, 1.0)
_NOTHING: Final = (0.0, 0.0, 0.0, 0.0)
_SELECTED: Final = (1.0, 0.85, 0.0, 1.0)
_OTHERS: Final = (0.6, 0.6, 0.6, 0.6)
_NO_FEATURES: Final = ("image", "scene", "predicted_by", "verdict")
"""Columns of a table of objects that are alike in all of its rows."""


class ResultLayers(QObject):
    """The layers of the newest measurement; those of earlier ones are taken away with the next.

    Skeletons are a layer of labels, too: 10,000 branches are added in a fifth of the time that paths of a Shapes layer
    take, and a plane of them is shown in less than half of it (benchmarks/measure_stall.py).
    """

    picked = Signal(object, int)
    """A structure and the label of one of its objects, by a click in the canvas or the number in napari's controls."""
    event_picked = Signal(object)
    """The row of a fission or fusion, by a click in the canvas."""

    def __init__(self, viewer: Viewer, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.labels: dict[Structure, Labels] = {}
        self.skeletons: Labels | None = None
        self.events: Points | None = None
        self._colours: dict[Structure, CyclicLabelColormap] = {}
        self._colouring = False
        self._waiting: list[Callable[[], None]] = []
        self._next = QTimer(self)
        self._next.setSingleShot(True)
        self._next.timeout.connect(self._show_next)

    @property
    def is_complete(self) -> bool:
        """Whether all layers are there."""
        return not self._waiting

    def show(self, field: Field, found: Found) -> None:
        """Show what was found, instead of what was before; one layer after the other, because adding one takes long."""
        self.take_away()
        self._waiting = [partial(self._add_labels, field, found, each) for each in _ORDER if each in found.labels]
        if found.skeletons is not None:
            self._waiting.append(partial(self._add_skeletons, field, found.skeletons))
        events = events_of(found)
        if events is not None:
            self._waiting.append(partial(self._add_events, field, events))
        self._next.start()

    def _show_next(self) -> None:
        if self._waiting:
            self._waiting.pop(0)()
        if self._waiting:
            self._next.start()
            return
        front = self.labels.get(Structure.MITOCHONDRIA) or next(iter(self.labels.values()))
        self._viewer.layers.selection.active = front

    def _add_labels(self, field: Field, found: Found, structure: Structure) -> None:
        layer = self._add(found.labels[structure], field, structure, str(structure), opacity=_OPACITY)
        layer.features = features_of(found, structure)
        self.labels[structure] = layer
        self._colours[structure] = layer.colormap
        layer.mouse_drag_callbacks.append(_pick)
        layer.events.selected_label.connect(lambda event: self._picked(structure, layer))

    def _add_skeletons(self, field: Field, skeletons: NDArray[np.int32]) -> None:
        self.skeletons = self._add(skeletons, field, Structure.MITOCHONDRIA, "skeletons", opacity=1)
        self.skeletons.colormap = CyclicLabelColormap(colors=[_NOTHING, _SKELETON])

    def _add_events(self, field: Field, events: pd.DataFrame) -> None:
        self.events = event_layer(field, events, lambda row: self.event_picked.emit(events.iloc[row]))
        self._viewer.layers.append(self.events)

    def take_away(self) -> None:
        """Remove these layers, and no others."""
        others = (self.skeletons, self.events)
        gone = [*self.labels.values(), *(layer for layer in others if layer is not None)]
        self.labels = {}
        self.skeletons = None
        self.events = None
        self._waiting = []
        take_away(self._viewer, gone)

    def select(self, structure: Structure, chosen: Iterable[int]) -> None:
        """Show these objects in one colour and the others in grey; with none, all in colours of their own."""
        layer = self.labels.get(structure)
        if layer is None or layer not in self._viewer.layers:
            return
        colours = {int(label): _SELECTED for label in chosen}
        self._colouring = True  # napari tells of the selected label again, for its colour is another one
        if colours:
            layer.colormap = DirectLabelColormap(color_dict={None: _OTHERS, 0: _NOTHING} | colours)
        elif isinstance(layer.colormap, DirectLabelColormap):
            layer.colormap = self._colours[structure]
        self._colouring = False

    def _add(self, stack: NDArray[np.int32], field: Field, structure: Structure, what: str, **display: Any) -> Labels:
        like = field.layers[structure]
        axes = field.axes.replace("C", "")
        sizes = tuple(field.sizes[axis] for axis in axes)
        layer = Labels(
            like_layer(stack, axes, sizes), name=f"{what}: {like.name}", **display, **placement_of(like, field.axes)
        )
        layer.editable = False
        self._viewer.layers.append(layer)
        return layer

    def _picked(self, structure: Structure, layer: Labels) -> None:
        if not self._colouring:
            self.picked.emit(structure, int(layer.selected_label))


def features_of(found: Found, structure: Structure) -> pd.DataFrame:
    """A row for each label, for napari: ``index`` is the label in the layer, ``label`` the one at its time point."""
    table = found.measurements.objects[structure]
    table = table.drop(columns=[name for name in _NO_FEATURES if name in table])
    added = np.asarray(found.added[structure])[table["t"].to_numpy()]
    table.insert(0, "index", table["label"].to_numpy() + added)
    return table


def _pick(layer: Labels, event: Any) -> None:
    """A click on an object selects it; one beside all objects none."""
    value = layer.get_value(
        event.position, view_direction=event.view_direction, dims_displayed=event.dims_displayed, world=True
    )
    layer.selected_label = int(value or 0)
