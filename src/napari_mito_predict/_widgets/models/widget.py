"""The dock widget "Models": all models with their cards, bringing them in and passing them on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import QLabel, QLineEdit, QPushButton, QWidget

from napari_mito_predict._widgets.common.controls import FailurePanel, FindingLine
from napari_mito_predict._widgets.common.docks import FINE_TUNE, MODELS, PREDICT, open_dock, tell_models_changed
from napari_mito_predict._widgets.common.following import follow
from napari_mito_predict._widgets.common.layouts import clear, column, row
from napari_mito_predict._widgets.common.scrolling import ScrollingColumn
from napari_mito_predict._widgets.common.settings import use_models_folder
from napari_mito_predict._widgets.common.style import style_sheet
from napari_mito_predict._widgets.common.worker import Job
from napari_mito_predict._widgets.common.wrapped import Wrapped
from napari_mito_predict._widgets.models.cards import Cards
from napari_mito_predict._widgets.models.dragging import DragOut
from napari_mito_predict._widgets.models.folders import FoldersStep
from napari_mito_predict._widgets.models.import_panel import ImportPanel
from napari_mito_predict._widgets.models.work import Listing, Removed, Renamed, listing

if TYPE_CHECKING:
    from napari.viewer import Viewer
    from qtpy.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent, QShowEvent

    from napari_mito_predict._widgets.models.card_view import CardView
    from napari_mito_predict.models.registry import ModelInfo

_NARROWEST = 300
_DROP = "Drop models here to import them"


class ModelsWidget(QWidget):
    """One dock: what models there are, what is known of each, and what can be done with it.

    Parameters
    ----------
    napari_viewer : Viewer
        The viewer it belongs to.
    """

    dock_name = MODELS

    def __init__(self, napari_viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        use_models_folder()
        self.viewer = napari_viewer
        self._awaited = ""
        self.job = Job(self)
        self.imports = ImportPanel()
        self.cards = Cards()
        self.folders = FoldersStep()
        self.dragging = DragOut(self)
        self._build()
        self._connect()
        follow(self, napari_viewer.events.theme, self._restyle)
        self._restyle()
        self.refresh_models()

    # ------------------------------------------------------------------ building

    def _build(self) -> None:
        self.filter = QLineEdit()
        self.filter.setPlaceholderText("Find: name, target, licence, …")
        self.filter.setClearButtonEnabled(True)
        self.filter.setAccessibleName("Find models")
        self.filter.setAcceptDrops(False)  # what is dropped there is a model, too
        self.refresh = QPushButton("Refresh")
        self.refresh.setToolTip("Look for models again")
        self.count = Wrapped(quiet=True)
        top = column(4)
        top.setContentsMargins(4, 4, 4, 2)
        search = row()
        search.addWidget(self.filter, 1)
        search.addWidget(self.refresh)
        top.addLayout(search)
        below = row()
        below.addWidget(self.count, 1)
        below.addWidget(self.imports.button)
        top.addLayout(below)
        outer = column(0)
        self.setLayout(outer)
        outer.addLayout(top)
        self.area = ScrollingColumn(self._make_inside())
        outer.addWidget(self.area, 1)
        self.drop_hint = QLabel(_DROP)
        self.drop_hint.setProperty("drop_hint", True)
        self.drop_hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.drop_hint.hide()
        outer.addWidget(self.drop_hint)
        self.setMinimumWidth(_NARROWEST)
        self.setAcceptDrops(True)

    def _make_inside(self) -> QWidget:
        inside = QWidget()
        lines = column(6)
        lines.setContentsMargins(4, 2, 4, 4)
        inside.setLayout(lines)
        self.failure = FailurePanel()
        self._notes = column()
        lines.addWidget(self.imports)
        lines.addLayout(self._notes)
        lines.addWidget(self.failure)
        lines.addWidget(self.cards)
        lines.addWidget(self.folders)
        lines.addStretch(1)
        return inside

    def _connect(self) -> None:
        self.filter.textChanged.connect(self._filter_changed)
        self.refresh.clicked.connect(self._refresh_all)
        self.job.yielded.connect(self._listed)
        self.job.failed.connect(self.failure.show_failure)
        self.imports.imported.connect(self._imported)
        self.cards.used.connect(self.use)
        self.cards.trained.connect(self.train)
        self.cards.changed.connect(self._changed)
        self.cards.dragged.connect(self.dragging.begin)
        self.dragging.failed.connect(self.failure.show_failure)
        self.folders.changed.connect(self._refresh_all)

    # ------------------------------------------------------------------ the list

    def refresh_models(self) -> None:
        """Read the list of models anew."""
        self.job.start(listing())

    def _refresh_all(self) -> None:
        """Look again here, and let the other docks do so."""
        self.refresh_models()
        tell_models_changed(self.viewer, but=self)

    def _listed(self, found: Listing) -> None:
        self.failure.show_failure(None)
        self.cards.show_models(found.models)
        self.folders.show_folders(found)
        self._show_count()
        view = self.cards.card_of(self._awaited)
        self._awaited = ""
        if view is not None:
            self._bring_into_sight(view)

    def _filter_changed(self, text: str) -> None:
        self.cards.set_filter(text)
        self._show_count()

    def _show_count(self) -> None:
        models = len(self.cards.views)
        text = "1 model" if models == 1 else f"{models} models"
        shown = len(self.cards.shown)
        if shown != models:
            text = f"{shown} of {text}"
        unusable = sum(view.info.card is None for view in self.cards.shown)
        if unusable:
            text += f", {unusable} cannot be used"
        self.count.setText(text)

    def _bring_into_sight(self, view: CardView) -> None:
        if view.isHidden():
            self.filter.clear()
        view.unfold()
        self.area.ensureWidgetVisible(view.head)

    # ------------------------------------------------------------------ what is done with models

    def use(self, info: ModelInfo) -> None:
        """Open the dock Mito Predict with this model checked."""
        open_dock(self.viewer, PREDICT).choose_model(info.name)

    def train(self, info: ModelInfo) -> None:
        """Open the dock Fine-tune with this model as the one to start from."""
        open_dock(self.viewer, FINE_TUNE).start_from(info.name)

    def _imported(self, info: ModelInfo) -> None:
        self._awaited = info.name
        self._refresh_all()

    def _changed(self, what: Renamed | Removed) -> None:
        clear(self._notes)
        if isinstance(what, Renamed):
            self._awaited = what.info.name
            text = f"{what.before} is called {what.info.name} now."
        else:
            text = f"{what.name} is removed."
        self._notes.addWidget(FindingLine("ok", text))
        self._refresh_all()

    # ------------------------------------------------------------------ drops

    def dragEnterEvent(self, a0: QDragEnterEvent | None) -> None:
        """Take files, folders and addresses; not a card of this dock itself."""
        if a0 is None or a0.source() is self:
            return
        data = a0.mimeData()
        if data is not None and data.hasUrls():
            a0.acceptProposedAction()
            self.drop_hint.show()

    def dragLeaveEvent(self, a0: QDragLeaveEvent | None) -> None:
        self.drop_hint.hide()

    def dropEvent(self, a0: QDropEvent | None) -> None:
        self.drop_hint.hide()
        data = None if a0 is None else a0.mimeData()
        if a0 is not None and data is not None:
            a0.acceptProposedAction()
            self.imports.add_urls(data.urls())

    # ------------------------------------------------------------------ coming and going

    def showEvent(self, a0: QShowEvent | None) -> None:
        """Look again: files may have come or gone meanwhile."""
        super().showEvent(a0)
        self.refresh_models()

    def event(self, event: QEvent | None) -> bool:
        """Begin nothing more when napari takes this out of its dock: that is all its x does."""
        handled = super().event(event)
        if event is not None and event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.job.reset()
            self.imports.queue.cancel()
        return handled

    def _restyle(self, event: object = None) -> None:
        self.setStyleSheet(style_sheet(str(self.viewer.theme)))
