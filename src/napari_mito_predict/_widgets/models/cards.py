"""The cards of all models that pass the filter, the user's own first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_mito_predict._widgets.common.layouts import column
from napari_mito_predict._widgets.common.wrapped import Wrapped
from napari_mito_predict._widgets.models.card_view import CardView
from napari_mito_predict._widgets.models.thumbnails import Thumbnails, key_of
from napari_mito_predict._widgets.models.words import position, searched

if TYPE_CHECKING:
    from napari_mito_predict._widgets.models.thumbnails import Key
    from napari_mito_predict.models.registry import ModelInfo


class Cards(QWidget):
    """A column of cards, of which at most one is unfolded."""

    used = Signal(object)
    trained = Signal(object)
    changed = Signal(object)
    dragged = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.views: list[CardView] = []
        self._filter = ""
        self._thumbnails = Thumbnails(self)
        self._thumbnails.drawn.connect(self._show_picture)
        self._lines: QVBoxLayout = column(6)
        self.setLayout(self._lines)
        self._nothing = Wrapped(quiet=True)
        self._lines.addWidget(self._nothing)
        self._nothing.hide()

    # ------------------------------------------------------------------ the list

    def show_models(self, infos: Sequence[ModelInfo]) -> None:
        """Show these; a card of what did not change stays as it is, with what it says."""
        kept = {view.info.path: view for view in self.views}
        views = []
        for info in sorted(infos, key=position):
            view = kept.get(info.path)
            if view is None or view.info != info:
                view = self._make(info)
            views.append(view)
        for view in self.views:
            if view not in views:
                view.hide()
                view.deleteLater()
        self.views = views
        for i, view in enumerate(views):
            self._lines.insertWidget(i, view)
        self._thumbnails.want([view.info for view in views])
        self._apply_filter()

    def set_filter(self, text: str) -> None:
        """Show only models that all these words are found of."""
        self._filter = text
        self._apply_filter()

    @property
    def shown(self) -> list[CardView]:
        """The cards that pass the filter."""
        return [view for view in self.views if not view.isHidden()]

    def card_of(self, name: str) -> CardView | None:
        """The card of a model; one that can be used goes before one that cannot."""
        return next((view for view in self.views if view.info.name == name), None)

    def _apply_filter(self) -> None:
        words = self._filter.casefold().split()
        for view in self.views:
            text = searched(view.info)
            view.setVisible(all(word in text for word in words))
        nothing = ""
        if not self.views:
            nothing = "No models yet. Import one, or drop it here."
        elif not self.shown:
            nothing = f"No model has '{self._filter}' on its card."
        self._nothing.say(nothing)

    # ------------------------------------------------------------------ cards

    def _make(self, info: ModelInfo) -> CardView:
        view = CardView(info)
        view.unfolded.connect(lambda on: self._fold_others(view, on))
        for name in ("used", "trained", "changed", "dragged"):
            getattr(view, name).connect(getattr(self, name))
        if self._thumbnails.is_drawn(info):
            view.head.show_picture(self._thumbnails.get(info))
        return view

    def _fold_others(self, view: CardView, unfolded: bool) -> None:
        if not unfolded:
            return
        for other in self.views:
            if other is not view:
                other.unfold(False)

    def _show_picture(self, key: Key) -> None:
        for view in self.views:
            if key_of(view.info) == key:
                view.head.show_picture(self._thumbnails.get(view.info))
