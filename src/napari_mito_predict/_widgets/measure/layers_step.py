"""Step 1: which layers show mitochondria, nuclei and nucleoids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from napari.layers import Image
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QLabel, QWidget
from superqt.utils import signals_blocked

from napari_mito_predict._widgets.common.controls import LayerCombo
from napari_mito_predict._widgets.common.facts import prediction_facts
from napari_mito_predict._widgets.common.following import PLACE, LayerFollower, follow
from napari_mito_predict._widgets.common.image_layers import axes_of, is_input, is_prediction, role_of
from napari_mito_predict._widgets.common.layer_choices import AxesCombo
from napari_mito_predict._widgets.common.layouts import form
from napari_mito_predict._widgets.common.recognition import Recogniser
from napari_mito_predict._widgets.common.steps import Step
from napari_mito_predict._widgets.common.viewport import letters_of
from napari_mito_predict._widgets.common.wrapped import Wrapped
from napari_mito_predict._widgets.measure.field import Field, problem_of
from napari_mito_predict.image import ChannelRole
from napari_mito_predict.measurement.measures import Structure

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

_ROLES: Final = {
    Structure.MITOCHONDRIA: ChannelRole.MITOCHONDRIA,
    Structure.NUCLEI: ChannelRole.DNA,
}
"""What is chosen by itself. Nucleoids are not: whether a stain of DNA shows them, only the user knows."""
_TIPS: Final = {
    Structure.MITOCHONDRIA: "A prediction of mitochondria, or a recorded stain of them",
    Structure.NUCLEI: "A prediction of DNA, or a recorded stain of it: distances are measured from nuclei",
    Structure.NUCLEOIDS: "A stain of DNA that shows nucleoids: they are looked for outside of nuclei",
}
_UNKNOWN_SIZE: Final = (
    "The size of a voxel is not known: everything is measured in pixels. To measure in µm, give the layer a scale and "
    "units (Layers > Metadata)."
)


class LayersStep(Step):
    """Three lists of layers; what is not chosen is guessed from predictions, and from names of channels."""

    changed = Signal()

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__("1  Layers", parent)
        self._viewer = viewer
        self.combos = {structure: LayerCombo(viewer, _may_show, "none") for structure in Structure}
        self.axes = AxesCombo()
        self.sampling = Wrapped(quiet=True)
        self._guessed: set[tuple[Structure, Layer]] = set()
        self._told: object = None
        self._follower = LayerFollower(self, ("data", *PLACE))
        self._follower.changed.connect(self._tell)
        self._build()
        self.recogniser = Recogniser(viewer, self)
        self.recogniser.recognised.connect(self._recognised)
        follow(self, viewer.layers.events.inserted, self.guess)
        self.guess()
        self._tell()

    def _build(self) -> None:
        rows = form()
        for structure, combo in self.combos.items():
            label = QLabel(structure.capitalize())
            label.setToolTip(_TIPS[structure])
            combo.setToolTip(_TIPS[structure])
            combo.setAccessibleName(structure.capitalize())
            combo.picked.connect(self._tell)
            rows.addRow(label, combo)
        self._axes_label = QLabel("Planes are")
        self.axes.setAccessibleName("Planes are")
        self.axes.currentIndexChanged.connect(lambda _: self._tell())
        rows.addRow(self._axes_label, self.axes)
        self.body.addLayout(rows)
        self.body.addWidget(self.sampling)

    @property
    def layers(self) -> dict[Structure, Image]:
        """What is chosen."""
        chosen = ((structure, combo.layer) for structure, combo in self.combos.items())
        return {structure: layer for structure, layer in chosen if isinstance(layer, Image)}

    @property
    def field(self) -> Field | None:
        """What is measured; None where something is missing, which the header says."""
        layers = self.layers
        if not layers:
            return None
        axes = self._axes_of(next(iter(layers.values())))
        if axes is None or problem_of(layers, axes):
            return None
        return Field(layers, axes)

    @property
    def missing(self) -> str:
        """What is missing, in words; empty where nothing is."""
        layers = self.layers
        if not layers:
            return "choose a layer"
        axes = self._axes_of(next(iter(layers.values())))
        if axes is None:
            return "say what the planes are"
        return problem_of(layers, axes)

    def _axes_of(self, layer: Image) -> str | None:
        if is_prediction(layer):
            return letters_of(layer)
        return self.axes.axes_of(layer)

    # ------------------------------------------------------------------ guessing

    def guess(self, event: object = None) -> None:
        """Choose what nothing is chosen for, once: a layer that the user took out stays out."""
        for structure, role in _ROLES.items():
            combo = self.combos[structure]
            if combo.layer is None:
                found = self._best(role)
                if found is not None and (structure, found) not in self._guessed:
                    self._guessed.add((structure, found))
                    with signals_blocked(combo):
                        combo.choose(found)
        if (self.layers, self.missing) != self._told:
            self._tell()

    def _best(self, role: ChannelRole) -> Layer | None:
        """The newest prediction of a structure, else the first recording of it."""
        layers = [layer for layer in self._viewer.layers if _may_show(layer)]
        predictions = [layer for layer in layers if _predicted(layer) == role]
        if predictions:
            return predictions[-1]
        recordings = (layer for layer in layers if not is_prediction(layer) and role_of(layer)[0] is role)
        return next(recordings, None)

    def _recognised(self) -> None:
        """A layer that was taken for a recording is a prediction."""
        for combo in self.combos.values():
            combo.refill()
        self.guess()

    # ------------------------------------------------------------------ saying

    def _tell(self) -> None:
        layers = self.layers
        self._told = (layers, self.missing)
        first = next(iter(layers.values()), None)
        self._follower.follow(first)
        asked = first is not None and not is_prediction(first) and axes_of(first) is None and self.axes.offer(first)
        for widget in (self._axes_label, self.axes):
            widget.setVisible(asked)
        field = self.field
        missing = self.missing
        self.sampling.say("" if field is None else _size_words(field))
        if missing:
            self.set_summary(missing, "warning" if layers else "idle")
        else:
            self.set_summary(", ".join(layers), "ok")
        self.changed.emit()


def _may_show(layer: Layer) -> bool:
    return is_input(layer) or is_prediction(layer)


def _predicted(layer: Layer) -> ChannelRole | None:
    facts = prediction_facts(layer)
    if facts is None or not is_prediction(layer):
        return None
    try:
        return ChannelRole(facts.target)
    except ValueError:
        return None


def _size_words(field: Field) -> str:
    """How large the field is, and what that means for measures."""
    sizes = field.sizes
    shape = [size for axis, size in sizes.items() if axis in "YX" or (axis == "Z" and size > 1)]
    words = [f"{' × '.join(map(str, shape))} voxels" if len(shape) == 3 else f"{' × '.join(map(str, shape))} pixels"]
    voxels = field.voxels
    if voxels.unit == "um":
        words.append(f"{' × '.join(f'{step:.3g}' for step in voxels.spacing)} µm")
    words.append("measured in 3-D" if field.dimensions == 3 else "measured in 2-D")
    if sizes["T"] > 1:
        words.append(f"{sizes['T']} time points, one by one")
    text = " · ".join(words)
    if voxels.unit == "px":
        return f"{text}. {_UNKNOWN_SIZE}"
    return text
