"""Where the fields come from: files, two folders, a table, or layers that are open."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QPushButton, QWidget
from superqt.utils import signals_blocked

from napari_mito_predict._widgets.common.controls import Combo
from napari_mito_predict._widgets.common.layouts import column, form
from napari_mito_predict._widgets.common.wrapped import Elided, ElidedButton
from napari_mito_predict._widgets.train.layer_pairs import LayersForm
from napari_mito_predict.image import Channel, ChannelRole, list_images

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_mito_predict._widgets.train.check import Peek

_KINDS = {
    "files": "Files with both channels",
    "folders": "Two folders, matched by name",
    "table": "A table (CSV) of files",
    "layers": "Layers that are open",
}
_FILTER = "Images (*.czi *.ome.tif *.ome.tiff *.tif *.tiff *.lsm *.stk *.companion.ome *.png);;All files (*)"
_NOTHING = "nothing chosen yet"


class SourceForm(QWidget):
    """Choose where fields come from; `changed` tells when `data` is another one."""

    changed = Signal()

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._files: list[Path] = []
        self._folders: dict[str, Path | None] = {"input_folder": None, "target_folder": None}
        self._table: Path | None = None
        box = column(6)
        self.setLayout(box)
        self.kind = Combo()
        for key, text in _KINDS.items():
            self.kind.addItem(text, key)
        self.kind.setAccessibleName("Fields come from")
        box.addWidget(self.kind)
        self._pages = _Pages()
        box.addWidget(self._pages)
        self._build_files()
        self._build_folders()
        self._build_table()
        self.layers = LayersForm(viewer)
        self.layers.written.connect(self.changed)
        self._pages.add(self.layers)
        self.kind.currentIndexChanged.connect(self._change_kind)

    # ------------------------------------------------------------------ building

    def _build_files(self) -> None:
        self.files_button, self.folder_button = QPushButton("F&iles…"), QPushButton("Folder of files…")
        self.files_button.setToolTip("Each file holds transmitted light and fluorescence of one field")
        self.folder_button.setToolTip("All CZI, TIFF, OME-Zarr or PNG files of a folder")
        self.files_button.clicked.connect(self._ask_for_files)
        self.folder_button.clicked.connect(self._ask_for_folder)
        self.files_label = _quiet(_NOTHING)
        self._pages.add(_page([self.files_button, self.folder_button], self.files_label))

    def _build_folders(self) -> None:
        page = QWidget()
        rows = form()
        page.setLayout(rows)
        self.folder_buttons: dict[str, QPushButton] = {}
        for key, text in (("input_folder", "Transmitted light"), ("target_folder", "Fluorescence")):
            button = ElidedButton("choose…")
            button.setAccessibleName(f"Folder with {text.lower()}")
            button.clicked.connect(lambda _=False, key=key: self._ask_for_one_of_two(key))
            self.folder_buttons[key] = button
            rows.addRow(QLabel(text), button)
        self.match_label = _quiet("")
        self.match_label.hide()
        rows.addRow(self.match_label)
        self._pages.add(page)

    def _build_table(self) -> None:
        self.table_button = QPushButton("Table…")
        self.table_button.setToolTip("Columns as pytorch_fnet: path_czi, channel_signal, channel_target")
        self.table_button.clicked.connect(self._ask_for_table)
        self.table_label = _quiet(_NOTHING)
        self._pages.add(_page([self.table_button], self.table_label))

    def _change_kind(self, index: int) -> None:
        self._pages.show_page(index)
        self.changed.emit()

    # ------------------------------------------------------------------ what was chosen

    @property
    def data(self) -> dict[str, Any] | None:
        """What was chosen, as the ``data`` of a training configuration, without channels; None where not all is."""
        kind = self.kind.currentData()
        if kind == "files" and self._files:
            return {"files": [str(path) for path in self._files]}
        if kind == "layers" and self.layers.files:
            return {"files": [str(path) for path in self.layers.files]}
        if kind == "table" and self._table:
            return {"csv": str(self._table)}
        if kind == "folders" and all(self._folders.values()):
            return {key: str(path) for key, path in self._folders.items()}
        return None

    def set_files(self, paths: Sequence[Path]) -> None:
        """Take these files; of a folder all images in it."""
        self._files = list(chain.from_iterable(_images(path) for path in paths))
        self.files_label.setText(_named(self._files))
        self.files_label.setToolTip("\n".join(map(str, self._files[:40])))
        self._choose_kind("files")

    def set_folders(self, transmitted: Path | None, fluorescence: Path | None) -> None:
        """Take these two folders."""
        self._folders = {"input_folder": transmitted, "target_folder": fluorescence}
        for key, path in self._folders.items():
            button = self.folder_buttons[key]
            text = "choose…"
            if path is not None:
                text = path.name or str(path)
            button.setText(text)
            button.setToolTip(str(path or ""))
        self._choose_kind("folders")

    def set_table(self, path: Path) -> None:
        """Take this table."""
        self._table = path
        self.table_label.setText(path.name)
        self.table_label.setToolTip(str(path))
        self._choose_kind("table")

    def show_matches(self, matches: Sequence[tuple[str, str]]) -> None:
        """Say which files of two folders belong together."""
        text = ""
        if matches:
            text = f"{len(matches)} pairs: {matches[0][0]} ↔ {matches[0][1]}"
        self.match_label.setText(text)
        self.match_label.setVisible(bool(matches))
        self.match_label.setToolTip("\n".join(f"{a} ↔ {b}" for a, b in matches[:60]))

    def _choose_kind(self, kind: str) -> None:
        index = self.kind.findData(kind)
        if index != self.kind.currentIndex():
            self.kind.setCurrentIndex(index)  # tells that it changed
        else:
            self.changed.emit()

    # ------------------------------------------------------------------ asking

    def _ask_for_files(self) -> None:
        paths, _ = QFileDialog.getOpenFileNames(self, "Files with transmitted light and fluorescence", "", _FILTER)
        if paths:
            self.set_files([Path(path) for path in paths])

    def _ask_for_folder(self) -> None:
        if folder := QFileDialog.getExistingDirectory(self, "Folder of files"):
            self.set_files([Path(folder)])

    def _ask_for_one_of_two(self, key: str) -> None:
        if folder := QFileDialog.getExistingDirectory(self, self.folder_buttons[key].accessibleName()):
            chosen = self._folders | {key: Path(folder)}
            self.set_folders(chosen["input_folder"], chosen["target_folder"])

    def _ask_for_table(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Table of files", "", "Tables (*.csv);;All files (*)")
        if path:
            self.set_table(Path(path))


class ChannelRows(QWidget):
    """Which channel of the files is transmitted light and which is the truth, guessed by what they are called."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._channels: tuple[Channel, ...] = ()
        rows = form()
        self.setLayout(rows)
        self.transmitted, self.truth = Combo(), Combo()
        for text, combo in (("Transmitted light", self.transmitted), ("Fluorescence", self.truth)):
            combo.setAccessibleName(f"{text} channel")
            combo.currentIndexChanged.connect(lambda _: self.changed.emit())
            rows.addRow(QLabel(text), combo)
        self.hide()

    @property
    def role(self) -> ChannelRole | None:
        """What the truth channel shows, as far as its name says."""
        index = self.truth.currentIndex()
        if not 0 <= index < len(self._channels):
            return None
        return self._channels[index].role

    def set_channels(self, channels: tuple[Channel, ...]) -> None:
        """Offer these channels; the same ones as before keep what was chosen."""
        if [channel.label for channel in channels] == [channel.label for channel in self._channels]:
            return
        self._channels = channels
        light = _first(channels, (ChannelRole.TRANSMITTED,))
        truth = _first(channels, (ChannelRole.MITOCHONDRIA, ChannelRole.DNA))
        if truth is None:
            truth = min((channel.index for channel in channels if channel.index != light), default=0)
        for combo, chosen in ((self.transmitted, light), (self.truth, truth)):
            with signals_blocked(combo):
                combo.clear()
                for channel in channels:
                    combo.addItem(channel.label, _reference_to(channel, channels))
                    combo.setItemData(channel.index, channel.reason, Qt.ItemDataRole.ToolTipRole)
                combo.setCurrentIndex(chosen or 0)


class _Pages(QWidget):
    """Pages of which one is shown; as high as that one, where a QStackedWidget is as high as the highest."""

    def __init__(self) -> None:
        super().__init__()
        self._pages: list[QWidget] = []
        self._box = column()
        self.setLayout(self._box)

    def add(self, page: QWidget) -> None:
        """One more page; the first one is shown."""
        page.setVisible(not self._pages)
        self._pages.append(page)
        self._box.addWidget(page)

    def show_page(self, index: int) -> None:
        """Show this one."""
        for i, page in enumerate(self._pages):
            page.setVisible(i == index)


def role_of_truth(peek: Peek, rows: ChannelRows) -> ChannelRole | None:
    """What the truth shows: the chosen channel of files with both, else the only channel of the truth files."""
    if not peek.matches:
        return rows.role
    index = _first(peek.truth, (ChannelRole.MITOCHONDRIA, ChannelRole.DNA))
    if index is None:
        return None
    return peek.truth[index].role


def _reference_to(channel: Channel, channels: Sequence[Channel]) -> str | int:
    """How a training configuration names a channel: by its name where that tells it from the others, else by index.

    Other files may hold their channels in another order.
    """
    names = [other.name for other in channels]
    if channel.name is None or names.count(channel.name) > 1:
        return channel.index
    return channel.name


def _first(channels: Sequence[Channel], roles: tuple[ChannelRole, ...]) -> int | None:
    """Index of the first channel of one of these roles, of the first role that there is."""
    for role in roles:
        for channel in channels:
            if channel.role is role:
                return channel.index
    return None


def _named(files: Sequence[Path]) -> str:
    """The only file by its name; of several how many, and where they are."""
    if not files:
        return "no images there"
    if len(files) == 1:
        return files[0].name
    folders = {path.parent.name for path in files}
    if len(folders) > 1:
        return f"{len(files)} files"
    return f"{len(files)} files in {folders.pop()}"


def _images(path: Path) -> list[Path]:
    path = path.absolute()
    if not path.is_dir() or path.suffix.lower() == ".zarr":
        return [path]
    return list_images(path)


def _page(buttons: Sequence[QPushButton], label: QLabel) -> QWidget:
    page = QWidget()
    box = column(2)
    page.setLayout(box)
    row = QHBoxLayout()
    for button in buttons:
        row.addWidget(button)
    box.addLayout(row)
    box.addWidget(label)
    return page


def _quiet(text: str) -> Elided:
    label = Elided(text)
    label.setProperty("quiet", True)
    return label
