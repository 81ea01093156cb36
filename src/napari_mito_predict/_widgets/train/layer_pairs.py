"""Pairs of layers that are open in napari, written to files so that a trainer outside napari can read them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QLabel, QPushButton, QWidget
from superqt.utils import signals_blocked

from napari_mito_predict._widgets.common import image_layers
from napari_mito_predict._widgets.common.controls import Combo, LayerCombo, words
from napari_mito_predict._widgets.common.facts import input_facts
from napari_mito_predict._widgets.common.layouts import form
from napari_mito_predict._widgets.common.placement import moved, sampled_otherwise, turned
from napari_mito_predict._widgets.common.recognition import Recogniser
from napari_mito_predict._widgets.common.worker import Failure, Job, JobState
from napari_mito_predict._widgets.train.command import numbered
from napari_mito_predict.errors import TrainingDataError
from napari_mito_predict.image import ChannelRole
from napari_mito_predict.image.names import file_stem

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_mito_predict._widgets.common.worker import Work
    from napari_mito_predict.image import ImageSource

TRANSMITTED = "transmitted light"
_HINT = "Choose the two layers of one field, add them, then the next field."


class LayersForm(QWidget):
    """Choose transmitted light and fluorescence, add them as a field; `written` tells of one more file."""

    written = Signal()
    failed = Signal(object)

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self.files: list[Path] = []
        self._folder: Path | None = None
        self._truth_name = ""
        self.transmitted = LayerCombo(viewer, image_layers.is_input, "choose…")
        self.truth = LayerCombo(viewer, image_layers.is_input, "choose…")
        self.axes = Combo()
        self.add_button = QPushButton("Add this field")
        self.add_button.clicked.connect(self.add)
        self.note = words(_HINT, quiet=True)
        self._axes_label = QLabel("Planes are")
        self._build()
        self._job = Job(self)
        self._job.yielded.connect(self._written)
        self._job.failed.connect(self._not_written)
        self._job.state_changed.connect(lambda _: self._show_problem())
        for layers in (self.transmitted, self.truth):
            layers.picked.connect(self._picked)
        self.axes.currentIndexChanged.connect(lambda _: self._show_problem())
        self.recogniser = Recogniser(viewer, self)
        for layers in (self.transmitted, self.truth):
            self.recogniser.recognised.connect(layers.refill)
        self._guess()

    def _build(self) -> None:
        rows = form()
        self.setLayout(rows)
        for label, combo in (
            (QLabel("Transmitted light"), self.transmitted),
            (QLabel("Fluorescence"), self.truth),
            (self._axes_label, self.axes),
        ):
            combo.setAccessibleName(f"{label.text()} layer")
            rows.addRow(label, combo)
        rows.addRow("", self.add_button)
        rows.addRow(self.note)

    def _guess(self) -> None:
        for combo, roles in (
            (self.transmitted, (ChannelRole.TRANSMITTED,)),
            (self.truth, (ChannelRole.MITOCHONDRIA, ChannelRole.DNA)),
        ):
            offered = [combo.itemData(i) for i in range(1, combo.count())]
            combo.choose(next((layer for layer in offered if image_layers.role_of(layer)[0] in roles), None))
        self._picked()

    def _picked(self) -> None:
        layer = self.transmitted.layer
        unknown = layer is not None and image_layers.axes_of(layer) is None
        with signals_blocked(self.axes):
            self.axes.clear()
            if unknown and layer is not None:
                for axes, text in image_layers.possible_axes(layer).items():
                    self.axes.addItem(text, axes)
        self.axes.setVisible(unknown)
        self._axes_label.setVisible(unknown)
        self._show_problem()

    def _show_problem(self) -> None:
        problem = self._problem()
        self.add_button.setEnabled(not problem and not self._job.state.busy)
        if self._job.state.busy:
            self.note.setText("writing…")
        else:
            self.note.setText(problem or _HINT)

    def _problem(self) -> str:
        light, truth = self.transmitted.layer, self.truth.layer
        if light is None or truth is None:
            return _HINT
        if light == truth:
            return "Transmitted light and fluorescence have to be two layers."
        if light.data.shape != truth.data.shape:
            sizes = [" × ".join(map(str, layer.data.shape)) for layer in (light, truth)]
            return f"The layers differ in size ({sizes[0]} and {sizes[1]}): choose two of the same field."
        axes = image_layers.axes_of(light) or self.axes.currentData()
        if not axes or ("C" in axes and light.data.shape[axes.index("C")] > 1):
            return "It is not clear what the planes of this layer are."
        if isinstance(light, Image) and isinstance(truth, Image):
            return _misplaced(light, truth, axes)
        return ""

    def add(self) -> None:
        """Write the two layers into one file."""
        light, truth = self.transmitted.layer, self.truth.layer
        if self._problem() or self._job.state.busy or not isinstance(light, Image) or not isinstance(truth, Image):
            return
        axes = image_layers.axes_of(light) or self.axes.currentData()
        self._truth_name = self._truth_name or _bare(truth.name)
        sources = image_layers.source_of(light, axes), image_layers.source_of(truth, axes)
        facts = (input_facts(layer) for layer in (light, truth))
        files = [Path(known.path) for known in facts if known is not None]
        self._job.start(writing(sources, self._truth_name, self._make_folder(), files))

    def _make_folder(self) -> Path:
        from napari_mito_predict.training.runs import runs_folder

        if self._folder is None:
            parent = runs_folder() / "fields"
            folders = (parent / f"layers-{i}" for i in count(1))
            self._folder = next(folder for folder in folders if not folder.exists())
        return self._folder

    def _written(self, path: Path) -> None:
        self.files.append(path)
        self.written.emit()

    def _not_written(self, failure: Failure) -> None:
        if self._job.state is not JobState.IDLE:
            self.failed.emit(failure)


def _misplaced(light: Image, truth: Image, axes: str) -> str:
    """Why two layers of one size do not show the same place; empty where they do."""
    found = turned(light, truth, axes)
    if not found:
        sizes = sampled_otherwise(light, truth, axes)
        if sizes:
            return (
                f"'{light.name}' and '{truth.name}' have different voxel sizes ({sizes}): choose two of the same "
                "field, or correct the scale of one."
            )
        found = moved(light, truth, axes)
    if found:
        return f"'{truth.name}' does not lie where '{light.name}' lies: {found}. Give both the same place."
    return ""


def writing(
    sources: tuple[ImageSource, ImageSource], truth_name: str, folder: Path, files: Sequence[Path] = ()
) -> Work:
    """Work that writes transmitted light and fluorescence of one field, and yields the file.

    What comes from simulated `files` is refused: a copy would not say so any more, nor would a model trained on it.
    """

    def work(should_stop: Callable[[], bool]) -> Iterator[object]:
        from napari_mito_predict.image import open_image, write_ome_tiff

        if simulated := next((file for file in files if open_image(file).simulated), None):
            raise TrainingDataError(
                f"{simulated.name} is simulated. Choose the file itself, so that the model's card can say so."
            )
        light, truth = sources
        folder.mkdir(parents=True, exist_ok=True)
        stem = file_stem(light.name)
        path = next(path for path in numbered(folder, stem, ".ome.tif") if not path.exists())
        times = range(light.sizes["T"])
        data = np.stack([np.stack([source.read(t, 0) for source in (light, truth)]) for t in times])
        yield write_ome_tiff(
            path,
            data,
            axes="TCZYX",
            channel_names=[TRANSMITTED, truth_name],
            voxel_size_um=light.voxel_size_um,
            time_step_s=light.time_step_s,
        )

    return work


def _bare(name: str) -> str:
    """A layer's name without the number napari puts behind a repeated one."""
    return re.sub(r" \[\d+\]$", "", name) or "fluorescence"
