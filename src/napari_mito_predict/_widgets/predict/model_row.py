"""One model of the checklist: what it is, and its traffic light while it is checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QDialog, QDialogButtonBox, QGridLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from napari_mito_predict._widgets.common.card_browser import CardBrowser, readme_of
from napari_mito_predict._widgets.common.model_words import (
    cells_explained,
    cells_kind,
    problem_of,
    sampling_explained,
    target_title,
    third_axes,
    voxel_size,
)
from napari_mito_predict._widgets.common.wrapped import Wrapped
from napari_mito_predict._widgets.predict.light_view import LightView

if TYPE_CHECKING:
    from pathlib import Path

    from napari_mito_predict.models.card import ModelCard
    from napari_mito_predict.models.registry import ModelInfo


class ModelRow(QWidget):
    """A box to check, the name of a model, what it is, and below them its light.

    Parameters
    ----------
    info : ModelInfo
        The model.
    title : str
        What it is called here.
    """

    def __init__(self, info: ModelInfo, title: str) -> None:
        super().__init__()
        self.model = ""
        """Its name on its card, which findings are about; empty where there is no card."""
        self.box = QCheckBox()
        self.box.setEnabled(info.card is not None)
        self.box.setAccessibleName(title)
        self.light = LightView(title)
        details = Wrapped(_details(info), quiet=True)
        top = Qt.AlignmentFlag.AlignTop  # a long name takes several lines
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(6)
        grid.setVerticalSpacing(0)
        grid.setColumnStretch(1, 1)
        grid.addWidget(self.box, 0, 0, top)
        grid.addWidget(Wrapped(title), 0, 1)
        grid.addWidget(details, 1, 1, 1, 3)
        grid.addWidget(self.light, 2, 1, 1, 3)
        if info.card is not None:
            self.model = info.card.name
            details.setToolTip(sampling_explained(info.card))
            grid.addWidget(_cells_badge(info.card), 0, 2, top)
            grid.addWidget(self._card_button(info.card, info.path), 0, 3, top)

    def _card_button(self, card: ModelCard, package: Path) -> QToolButton:
        button = QToolButton()
        button.setText("i")
        button.setToolTip(f"What {card.name} is, and how far to trust it")
        button.setAccessibleName(f"About {card.name}")
        button.clicked.connect(lambda: show_card(card, self, package))
        return button


def show_card(card: ModelCard, parent: QWidget, package: Path | None = None) -> QDialog:
    """Open the model card beside the work; it blocks nothing.

    Where the package is a folder, its README is shown, with its pictures.
    """
    dialog = QDialog(parent)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setWindowTitle(f"Model card: {card.name}")
    dialog.resize(520, 480)
    text = CardBrowser()
    content = None
    if package is not None:
        content = readme_of(package)
    text.show_card(content or card.to_markdown(), package)
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    buttons.rejected.connect(dialog.close)
    box = QVBoxLayout(dialog)
    box.addWidget(text)
    box.addWidget(buttons)
    dialog.show()
    return dialog


def _cells_badge(card: ModelCard) -> QLabel:
    """Whether it knows simulated or real cells; which ones stands below."""
    badge = QLabel(cells_kind(card))
    badge.setProperty("badge", True)
    badge.setToolTip(cells_explained(card))
    return badge


def _details(info: ModelInfo) -> str:
    """Below the name: what it predicts from what, or why it cannot be used."""
    if info.card is None:
        return problem_of(info)
    targets = " + ".join(target_title(target.name) for target in info.card.targets)
    parts = [targets, third_axes(info.card), voxel_size(info.card)]
    if info.card.trained_on:
        parts.append(info.card.cells)
    return " · ".join(parts)
