"""Step 1: which image, which channel is transmitted light, and what is known of its grid."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari.layers import Image
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QPushButton, QWidget
from superqt import QElidingLabel
from superqt.utils import signals_blocked

from napari_mito_predict._widgets.common import image_layers
from napari_mito_predict._widgets.common.controls import Combo, FailurePanel, FindingLine, LayerCombo, follow
from napari_mito_predict._widgets.common.facts import input_facts
from napari_mito_predict._widgets.common.layouts import clear, column, form
from napari_mito_predict._widgets.common.removal import take_away
from napari_mito_predict._widgets.common.steps import Step
from napari_mito_predict._widgets.common.worker import Failure, Job, JobState
from napari_mito_predict._widgets.predict.output_layers import Grid
from napari_mito_predict._widgets.predict.voxel_size import VoxelSizeBoxes, is_unknown, sizes_line
from napari_mito_predict.image import ChannelRole, ImageSource, open_image

if TYPE_CHECKING:
    from napari.viewer import Viewer

_FILES = "Images (*.czi *.ome.tif *.ome.tiff *.tif *.tiff);;All files (*)"
_DROP_HINT = "or drop a file here"


@dataclass(frozen=True)
class Input:
    """What the user chose to predict from.

    Attributes
    ----------
    source : ImageSource
        The image.
    channel : int
        Index of the transmitted-light channel in it.
    layer : Image
        The layer that shows this channel.
    grid : Grid
        Where it lies in the viewer.
    voxel_size_um : tuple of float or None, optional
        Typed by the user; None where the image knows.
    """

    source: ImageSource
    channel: int
    layer: Image
    grid: Grid
    voxel_size_um: tuple[float | None, float | None, float | None] | None


class ImageStep(Step):
    """Open or choose an image; tells by `changed` whenever the choice is another one."""

    changed = Signal()

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__("1  Image", parent)
        self._viewer = viewer
        self._sources: dict[tuple[str, int], ImageSource] = {}
        self._foreign: tuple[tuple[object, ...], ImageSource] | None = None
        self.input: Input | None = None
        self._opening = Job(self)
        self._opening.yielded.connect(self._opened)
        self._opening.failed.connect(self._not_opened)
        self._opening.state_changed.connect(self._show_opening)
        self.setAcceptDrops(True)
        self._build_file_row()
        self._build_choices()
        self._build_notes()
        self._follow_choices()
        self._guess()

    # ------------------------------------------------------------------ building

    def _build_file_row(self) -> None:
        self.open_button = QPushButton("&Open…")
        self.open_button.setToolTip("Open a CZI, OME-TIFF or TIFF file (Alt+O)")
        self.open_button.clicked.connect(self._ask_for_file)
        self.file_label = QElidingLabel(_DROP_HINT)
        self.file_label.setProperty("quiet", True)
        row = QHBoxLayout()
        row.addWidget(self.open_button)
        row.addWidget(self.file_label, 1)
        self.body.addLayout(row)

    def _build_choices(self) -> None:
        self._form = form()
        self.body.addLayout(self._form)
        self.scene = Combo()
        self.transmitted = LayerCombo(self._viewer, image_layers.is_input, "choose…")
        self.axes = Combo()
        self.truth = {
            ChannelRole.MITOCHONDRIA: LayerCombo(self._viewer, image_layers.is_input, "none"),
            ChannelRole.DNA: LayerCombo(self._viewer, image_layers.is_input, "none"),
        }
        self.voxel = VoxelSizeBoxes()
        self._add_row("Scene", self.scene, "The file holds several positions or regions.")
        self._add_row("Transmitted light", self.transmitted, "What the prediction is made from.")
        self._add_row("Planes are", self.axes, "The layer does not say what its planes are.")
        self._add_row("Voxel size", self.voxel, "The image does not say how large a voxel is.")
        for role, text in ((ChannelRole.MITOCHONDRIA, "True mitochondria"), (ChannelRole.DNA, "True DNA")):
            self._add_row(text, self.truth[role], "Real fluorescence of the same field, to compare with. Optional.")

    def _build_notes(self) -> None:
        self.sizes = QElidingLabel("")
        self.sizes.setProperty("quiet", True)
        self.body.addWidget(self.sizes)
        self._notes = column()
        self.body.addLayout(self._notes)
        self.failure = FailurePanel()
        self.body.addWidget(self.failure)

    def _follow_choices(self) -> None:
        self.scene.activated.connect(self._change_scene)
        self.transmitted.picked.connect(self._update)
        self.axes.currentIndexChanged.connect(lambda _: self._update())
        self.voxel.changed.connect(self._update)
        for combo in self.truth.values():
            combo.picked.connect(self.changed)
        follow(self, self._viewer.layers.events.inserted, self._guess)

    def _add_row(self, text: str, field: QWidget, tooltip: str) -> None:
        label = QLabel(text)
        label.setToolTip(tooltip)
        field.setToolTip(tooltip)
        field.setAccessibleName(text)
        self._form.addRow(label, field)

    # ------------------------------------------------------------------ opening files

    def open_file(self, path: Path, scene: int | None = None) -> None:
        """Open a file and add its channels as layers; reading happens in another thread."""

        def work(should_stop: Callable[[], bool]) -> Iterator[object]:
            source = open_image(path, scene=scene)
            yield source, image_layers.file_layers(source, for_overlay=True)

        self.failure.show_failure(None)
        self.file_label.setText(path.name)
        self.file_label.setToolTip(str(path))
        self._opening.start(work)

    def _opened(self, result: tuple[ImageSource, list[image_layers.LayerData]]) -> None:
        source, layers = result
        self._forget_other_scenes(source)
        self._sources[str(source.path), source.scene] = source
        for combo in (self.transmitted, *self.truth.values()):
            combo.choose(None)
        for data, keywords, _ in layers:
            self._viewer.add_layer(Image(data, **keywords))
        self._viewer.reset_view()
        self._guess()

    def _not_opened(self, failure: Failure) -> None:
        self.failure.show_failure(failure)
        self.file_label.setText(_DROP_HINT)

    def _show_opening(self, state: JobState) -> None:
        self.open_button.setEnabled(not state.busy)
        if state.busy:
            self.set_summary("opening…", "info")
        else:
            self._update()

    def _forget_other_scenes(self, source: ImageSource) -> None:
        """Take away the layers that we made of other scenes of this file; predictions stay."""
        known = ((layer, input_facts(layer)) for layer in self._viewer.layers)
        of_this_file = [layer for layer, facts in known if facts is not None and facts.path == str(source.path)]
        take_away(self._viewer, of_this_file)

    def _change_scene(self, index: int) -> None:
        if self.input is not None and self.input.source.path is not None and index != self.input.source.scene:
            self.open_file(self.input.source.path, index)

    def _ask_for_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Open an image", "", _FILES)
        if path:
            self.open_file(Path(path))

    def dragEnterEvent(self, event) -> None:  # type: ignore[no-untyped-def]
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event) -> None:  # type: ignore[no-untyped-def]
        for url in event.mimeData().urls()[:1]:
            event.acceptProposedAction()
            self.open_file(Path(url.toLocalFile()))

    # ------------------------------------------------------------------ choosing

    def _guess(self, event: object = None) -> None:
        """Choose what is still open: the newest layer that looks like transmitted light, and the truth beside it."""
        layers = [layer for layer in reversed(self._viewer.layers) if image_layers.is_input(layer)]
        roles = [(layer, image_layers.role_of(layer)[0]) for layer in layers]
        if self.transmitted.layer is None:
            found = (layer for layer, role in roles if role is ChannelRole.TRANSMITTED)
            self.transmitted.choose(next(found, None))
        for role, combo in self.truth.items():
            if combo.layer is None and self.transmitted.layer is not None:
                shape = self.transmitted.layer.data.shape
                beside = (layer for layer, shown in roles if shown is role and layer.data.shape == shape)
                combo.choose(next(beside, None))
        self._update()

    def _update(self) -> None:
        """Find out anew what is chosen, say it, and tell."""
        layer = self.transmitted.layer
        self._offer_axes(layer)
        self.input = None
        problem = "open a file"
        if isinstance(layer, Image):
            self.input, problem = self._input_of(layer)
        elif self._has_layers:
            problem = "choose the transmitted-light layer"
        self._show(problem)
        self.changed.emit()

    @property
    def _has_layers(self) -> bool:
        """Whether there is a layer to choose: the first entry says that there is no choice yet."""
        return self.transmitted.count() > 1

    def _input_of(self, layer: Image) -> tuple[Input | None, str]:
        """What is predicted from this layer; or None, and what is still to be done."""
        facts = input_facts(layer)
        if facts is not None:
            source = self._source(facts.path, facts.scene)
            axes = "ZYX" if source.sizes["T"] == 1 else "TZYX"  # as `file_layers` makes them
            return Input(source, facts.channel, layer, Grid(layer, axes), self.voxel.value(source)), ""
        axes = image_layers.axes_of(layer) or self.axes.currentData()
        if not axes:
            return None, "say what the planes are"
        if "C" in axes:
            return None, "split the channels of this layer first"
        source = self._source_of(layer, axes)
        return Input(source, 0, layer, Grid(layer, axes), self.voxel.value(source)), ""

    def _source(self, path: str, scene: int) -> ImageSource:
        if (path, scene) not in self._sources:
            self._sources[path, scene] = open_image(path, scene=scene)
        return self._sources[path, scene]

    def _source_of(self, layer: Image, axes: str) -> ImageSource:
        """A layer as an image; one object as long as the layer says the same, so that nothing is planned twice."""
        state = (layer.name, axes, id(layer.data), tuple(layer.scale), layer.units)
        if self._foreign is None or self._foreign[0] != state:
            self._foreign = (state, image_layers.source_of(layer, axes))
        return self._foreign[1]

    def _offer_axes(self, layer: object) -> None:
        choices: dict[str, str] = {}
        unknown = isinstance(layer, Image) and image_layers.axes_of(layer) is None
        if unknown:
            choices = image_layers.possible_axes(layer)
        if [self.axes.itemData(i) for i in range(1, self.axes.count())] != list(choices):
            with signals_blocked(self.axes):
                self.axes.clear()
                self.axes.addItem("choose…", None)
                for axes, text in choices.items():
                    self.axes.addItem(text, axes)
        self._show_row(self.axes, unknown)

    def _show_row(self, field: QWidget, on: bool) -> None:
        field.setVisible(on)
        label = self._form.labelForField(field)
        if label is not None:
            label.setVisible(on)

    # ------------------------------------------------------------------ saying

    def _show(self, problem: str) -> None:
        clear(self._notes)
        if self.input is None:
            self._show_nothing(problem)
        else:
            self._show_input(self.input)

    def _show_nothing(self, problem: str) -> None:
        self._show_scenes((), 0)
        self._show_row(self.voxel, False)
        self._show_sizes("")
        self.set_summary(problem, "warning" if self._has_layers else "idle")

    def _show_input(self, chosen: Input) -> None:
        source = chosen.source
        self._show_scenes(source.scenes, source.scene)
        self._show_row(self.voxel, is_unknown(source))
        self._show_sizes(sizes_line(source, chosen.voxel_size_um))
        self.transmitted.setToolTip(image_layers.role_of(chosen.layer)[1])
        name = "open layer"
        if source.path is not None:
            name = source.path.name
            self.file_label.setText(name)
            self.file_label.setToolTip(str(source.path))
        for warning in source.warnings:
            self._notes.addWidget(FindingLine("warning", warning))
        self.set_summary(f"{name} · {source.channels[chosen.channel].label}", "ok")

    def _show_sizes(self, text: str) -> None:
        self.sizes.setText(text)
        self.sizes.setToolTip(text)

    def _show_scenes(self, scenes: Sequence[str], current: int) -> None:
        if [self.scene.itemText(i) for i in range(self.scene.count())] != list(scenes):
            self.scene.clear()
            self.scene.addItems(scenes)
        self.scene.setCurrentIndex(current)
        self._show_row(self.scene, len(scenes) > 1)
