"""Step 1: which image, which channel is transmitted light, and what is known of its grid."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari.layers import Image
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QPushButton, QToolButton, QWidget
from superqt.utils import signals_blocked

from napari_mito_predict._widgets.common.controls import FailurePanel, FindingLine, LayerCombo
from napari_mito_predict._widgets.common.following import PLACE, LayerFollower
from napari_mito_predict._widgets.common.image_layers import (
    file_of,
    is_input,
    not_an_input,
    role_of,
    source_of,
    values_of,
)
from napari_mito_predict._widgets.common.layer_choices import AxesCombo, ChannelCombo, SceneCombo
from napari_mito_predict._widgets.common.layouts import clear, column, form
from napari_mito_predict._widgets.common.origins import LayerPixels, origin_of
from napari_mito_predict._widgets.common.recognition import Recogniser
from napari_mito_predict._widgets.common.removal import take_away
from napari_mito_predict._widgets.common.steps import Step
from napari_mito_predict._widgets.common.worker import Failure, Job, JobState
from napari_mito_predict._widgets.common.wrapped import Elided, Wrapped
from napari_mito_predict._widgets.predict.choosing import Input, NapariFiles, newest_transmitted, truth_beside
from napari_mito_predict._widgets.predict.opening import ALL, NotOpened, Opened, Part, opening
from napari_mito_predict._widgets.predict.output_layers import Grid
from napari_mito_predict._widgets.predict.part import RangeBoxes
from napari_mito_predict._widgets.predict.voxel_size import VoxelSizeBoxes, is_unknown, sizes_line
from napari_mito_predict.image import IMAGE_SUFFIXES, ChannelRole, ImageSource, unreadable_channels

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

_FILES = f"Images ({' '.join(f'*{suffix}' for suffix in IMAGE_SUFFIXES)});;All files (*)"
_DROP_HINT = "or drop files here"


class ImageStep(Step):
    """Open or choose an image; tells by `changed` whenever the choice is another one."""

    changed = Signal()

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__("1  Image", parent)
        self._viewer = viewer
        self._shown: tuple[tuple[object, ...], ImageSource] | None = None
        self._follower = LayerFollower(self, ("data", "name", *PLACE))
        self._asked = False
        """Whether a file was opened of which it is not clear what to predict from: no other is chosen then."""
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
        self.file_label = Elided(_DROP_HINT)
        self.file_label.setProperty("quiet", True)
        self.many = QToolButton()
        self.many.setText("Many images…")
        self.many.setToolTip("A folder, a plate, a list of files: predicted one after the other into files")
        row = QHBoxLayout()
        row.addWidget(self.open_button)
        row.addWidget(self.file_label, 1)
        row.addWidget(self.many)
        self.body.addLayout(row)

    def _build_choices(self) -> None:
        self._form = form()
        self.body.addLayout(self._form)
        self.scene = SceneCombo()
        self.times = RangeBoxes("time point")
        self.planes = RangeBoxes("Z step")
        self.transmitted = LayerCombo(self._viewer, is_input, "choose…")
        self.axes = AxesCombo()
        self.channel = ChannelCombo()
        self.truth = {
            ChannelRole.MITOCHONDRIA: LayerCombo(self._viewer, is_input, "none"),
            ChannelRole.DNA: LayerCombo(self._viewer, is_input, "none"),
        }
        self.voxel = VoxelSizeBoxes()
        self._add_row("Scene", self.scene, "The file holds several positions or regions.")
        self._add_row("Time points", self.times, "Only these time points are opened and predicted.")
        self._add_row("Z steps", self.planes, "Only these Z steps are opened and predicted.")
        self._add_row("Transmitted light", self.transmitted, "What the prediction is made from.")
        self._add_row("Planes are", self.axes, "The layer does not say what its planes are.")
        self._add_row("Channel", self.channel, "The layer holds several channels: the one with transmitted light.")
        self._add_row("Voxel size", self.voxel, "The image does not say how large a voxel is.")
        for role, text in ((ChannelRole.MITOCHONDRIA, "True mitochondria"), (ChannelRole.DNA, "True DNA")):
            self._add_row(text, self.truth[role], "Real fluorescence of the same field, to compare with. Optional.")

    def _build_notes(self) -> None:
        self.sizes = Wrapped(quiet=True)
        self.body.addWidget(self.sizes)
        self.not_offered = Wrapped(quiet=True)
        self.body.addWidget(self.not_offered)
        self._notes = column()
        self.body.addLayout(self._notes)
        self.failure = FailurePanel()
        self.body.addWidget(self.failure)

    def _follow_choices(self) -> None:
        self.scene.activated.connect(self._change_scene)
        self.times.changed.connect(self._change_part)
        self.planes.changed.connect(self._change_part)
        self.transmitted.picked.connect(self._light_picked)
        self.channel.currentIndexChanged.connect(lambda _: self._update())
        self.axes.currentIndexChanged.connect(lambda _: self._update())
        self.voxel.changed.connect(self._update)
        for combo in self.truth.values():
            combo.picked.connect(self.changed)
        self.recogniser = Recogniser(self._viewer, self)
        for layers in (self.transmitted, *self.truth.values()):
            self.recogniser.recognised.connect(layers.refill)
        self._files = NapariFiles(self._viewer, self)  # after the lists, which know a layer by then
        self._files.file_opened.connect(self._file_opened)
        self._files.layer_added.connect(self._layer_added)
        self._follower.changed.connect(self._update)

    def _add_row(self, text: str, field: QWidget, tooltip: str) -> None:
        label = QLabel(text)
        label.setToolTip(tooltip)
        field.setToolTip(tooltip)
        field.setAccessibleName(text)
        self._form.addRow(label, field)

    # ------------------------------------------------------------------ opening files

    def open_file(self, path: Path, part: Part = ALL) -> None:
        """Open a file and add its channels as layers; reading happens in another thread."""
        self.open_files([path], part)

    def open_files(self, paths: Sequence[Path], part: Part = ALL) -> None:
        """Open files one after the other; the last one that can be read is predicted from."""
        self.failure.show_failure(None)
        self.file_label.setText(paths[-1].name)
        self.file_label.setToolTip("\n".join(map(str, paths)))
        self._opening.start(opening(paths, part))

    def _opened(self, result: Opened | NotOpened) -> None:
        if isinstance(result, NotOpened):
            self._not_opened(result.failure)
            return
        self._forget_other_scenes(result.source)
        for combo in (self.transmitted, *self.truth.values()):
            combo.choose(None)
        layers = [Image(data, **keywords) for data, keywords, _ in result.layers]
        for layer in layers:
            self._viewer.add_layer(layer)
        self._viewer.reset_view()
        self._choose_among(layers)

    def _not_opened(self, failure: Failure) -> None:
        self.failure.show_failure(failure)
        if self.input is None:
            self.file_label.setText(_DROP_HINT)

    def _show_opening(self, state: JobState) -> None:
        self.open_button.setEnabled(not state.busy)
        if state.busy:
            self.set_summary("opening…", "info")
        else:
            self._update()

    def _forget_other_scenes(self, source: ImageSource) -> None:
        """Take away the layers that show other scenes of this file; what was made of them stays."""
        of_this_file = []
        for layer in self._viewer.layers:
            origin = isinstance(layer, Image) and origin_of(values_of(layer))
            if origin and origin.source.path == source.path:
                of_this_file.append(layer)
        take_away(self._viewer, of_this_file)

    def _change_scene(self, index: int) -> None:
        if self.input is not None and self.input.source.path is not None and index != self.input.source.scene:
            self.open_file(self.input.source.path, Part(index))

    def _change_part(self) -> None:
        if self.input is not None and self.input.source.path is not None:
            part = Part(self.input.source.scene, self.times.value(), self.planes.value())
            self.open_file(self.input.source.path, part)

    def _ask_for_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Open an image", "", _FILES)
        if path:
            self.open_file(Path(path))

    def dragEnterEvent(self, event) -> None:  # type: ignore[no-untyped-def]
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event) -> None:  # type: ignore[no-untyped-def]
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            event.acceptProposedAction()
            self.open_files(paths)

    # ------------------------------------------------------------------ choosing

    def _layer_added(self, layer: Layer) -> None:
        """Choose where nothing is chosen; after a file that left it open only what came since."""
        if self._opening.state.busy:
            return  # the file that is being opened chooses among its own layers
        if self._asked:
            self._choose_among([layer])
        else:
            self._guess()

    def _file_opened(self, layers: list[Layer]) -> None:
        """Napari opened a file: predict from it, unless it holds the fluorescence of the field that is chosen."""
        roles = {role_of(layer)[0] for layer in layers}
        if self.transmitted.layer is None or roles & {ChannelRole.TRANSMITTED, ChannelRole.OTHER}:
            self._choose_among(layers)
        else:
            self._guess()

    def _choose_among(self, layers: Sequence[Layer]) -> None:
        """Choose the transmitted light among the layers of one file; where it is not clear which, the user is asked."""
        found = newest_transmitted(layers)
        self._asked = found is None
        self._choose(found)

    def _guess(self) -> None:
        """Choose what is still open: the newest layer that looks like transmitted light, and the truth beside it."""
        self._choose(self.transmitted.layer or newest_transmitted(self._viewer.layers))

    def _choose(self, light: Layer | None) -> None:
        with signals_blocked(self.transmitted):
            self.transmitted.choose(light)
        self._guess_truth()
        self._update()

    def _guess_truth(self) -> None:
        """Choose real fluorescence of the same field, where none is chosen or one of another file is."""
        light = self.transmitted.layer
        if not isinstance(light, Image):
            return
        for role, combo in self.truth.items():
            if combo.layer is None or file_of(combo.layer) not in (None, file_of(light)):
                with signals_blocked(combo):
                    combo.choose(truth_beside(light, role, self._viewer.layers))

    def _light_picked(self) -> None:
        self._asked = False
        self._guess_truth()
        self._update()

    def refresh(self) -> None:
        """Look at the chosen layer again: its pixels, its place and its axes may have changed without a word."""
        self._update()

    def _update(self) -> None:
        """Find out anew what is chosen, say it, and tell."""
        layer = self.transmitted.layer
        self._follower.follow(layer)
        axes = None
        self._form.setRowVisible(self.axes, self.axes.offer(layer))
        if isinstance(layer, Image):
            axes = self.axes.axes_of(layer)
        self._form.setRowVisible(self.channel, self.channel.offer(layer, axes))
        self.input = None
        problem = "open a file"
        if isinstance(layer, Image):
            self.input, problem = self._input_of(layer, axes)
        elif self._has_layers:
            problem = "choose the transmitted-light layer"
        self._show(problem)
        self.changed.emit()

    @property
    def _has_layers(self) -> bool:
        """Whether there is a layer to choose: the first entry says that there is no choice yet."""
        return self.transmitted.count() > 1

    def _input_of(self, layer: Image, axes: str | None) -> tuple[Input | None, str]:
        """What is predicted from this layer; or None, and what is still to be done."""
        if not axes:
            return None, "say what the planes are"
        channel = None
        if "C" in axes:
            channel = self.channel.currentData()
            if channel is None:
                return None, "choose the channel with transmitted light"
        source = self._source_of(layer, axes, channel)
        origin = origin_of(values_of(layer))
        index = 0
        if origin is not None and isinstance(source.backend, LayerPixels):
            index = origin.channel
        return Input(source, index, layer, Grid(layer, axes), self.voxel.value(source)), ""

    def _source_of(self, layer: Image, axes: str, channel: int | None) -> ImageSource:
        """A layer as an image; one object as long as the layer says the same, so that nothing is planned twice."""
        source = source_of(layer, axes, channel)
        state = (source.name, axes, channel, id(values_of(layer)), source.voxel_size_um, source.time_step_s)
        if self._shown is None or self._shown[0] != state:
            self._shown = (state, source)
        return self._shown[1]

    # ------------------------------------------------------------------ saying

    def _show(self, problem: str) -> None:
        clear(self._notes)
        self.not_offered.say(self._why_not_offered())
        if self.input is None:
            self._show_nothing(problem)
        else:
            self._show_input(self.input)

    def _why_not_offered(self) -> str:
        """Why no layer is on the list, as long as none is; each with its name."""
        if self._has_layers:
            return ""
        reasons = (not_an_input(layer) for layer in self._viewer.layers)
        return "\n".join(filter(None, reasons))

    def _show_nothing(self, problem: str) -> None:
        self._show_scenes((), 0)
        self._show_part(None)
        self._form.setRowVisible(self.voxel, False)
        self._show_sizes("")
        self.set_summary(problem, "warning" if self._has_layers else "idle")

    def _show_input(self, chosen: Input) -> None:
        source = chosen.source
        self._show_scenes(source.scenes, source.scene)
        self._show_part(chosen.layer)
        self._form.setRowVisible(self.voxel, is_unknown(source))
        self._show_sizes(sizes_line(source, chosen.voxel_size_um))
        self.transmitted.setToolTip(role_of(chosen.layer)[1])
        name = "open layer"
        if source.path is not None:
            name = source.path.name
            self.file_label.setText(name)
            self.file_label.setToolTip(str(source.path))
        for warning in source.warnings:
            self._notes.addWidget(FindingLine("warning", warning))
        for finding in unreadable_channels(source):
            self._notes.addWidget(FindingLine(finding.level, finding.advice))
        self.set_summary(f"{name} · {source.channels[chosen.channel].label}", "ok")

    def _show_sizes(self, text: str) -> None:
        self.sizes.say(text)
        self.sizes.setToolTip(text)

    def _show_part(self, layer: Image | None) -> None:
        """Offer parts of a time series, and of stacks that were not recorded as a whole."""
        origin = None if layer is None else origin_of(values_of(layer))
        self._form.setRowVisible(self.times, False)
        self._form.setRowVisible(self.planes, False)
        if origin is None or origin.source.path is None:
            return
        shown, whole = origin.source.info, origin.source.whole
        self.times.show_range(shown.times, whole.sizes["T"])
        self.planes.show_range(shown.planes, whole.sizes["Z"])
        self._form.setRowVisible(self.times, whole.sizes["T"] > 1)
        self._form.setRowVisible(self.planes, whole.sizes["Z"] > 1 and bool(whole.missing))

    def _show_scenes(self, scenes: Sequence[str], current: int) -> None:
        self.scene.offer(scenes, current)
        self._form.setRowVisible(self.scene, len(scenes) > 1)
