"""How the docks look: what napari's theme leaves open, and the icon of a state."""

from __future__ import annotations

from napari.utils.theme import get_theme
from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QWidget

_MARKS = {"ok": "✓", "warning": "!", "severe": "!", "error": "×", "info": "i", "idle": ""}


def style_sheet(theme_id: str) -> str:
    """What napari's theme leaves open: quiet text, the main button, step headers, the keyboard focus."""
    theme = get_theme(theme_id)
    text = theme.text.as_hex()
    header = theme.foreground.as_hex()
    accent = theme.current.as_hex()
    on_accent = _readable_on(QColor(accent)).name()
    quiet = ", ".join(str(part) for part in theme.text.as_rgb_tuple(alpha=False))
    return f"""
        QLabel {{ background: transparent; padding: 0px; qproperty-indent: 0; }}
        QLabel[summary="true"] {{ font-weight: normal; }}
        QLabel[quiet="true"] {{ color: rgba({quiet}, 185); }}
        QToolButton {{ background: {theme.primary.as_hex()}; border-radius: 3px; padding: 2px 6px; }}
        QToolButton:hover {{ background: {theme.highlight.as_hex()}; }}
        QLabel[badge="true"] {{ border: 1px solid {theme.secondary.as_hex()}; border-radius: 7px; padding: 0px 5px; }}
        QPushButton[main="true"] {{ font-weight: bold; padding: 7px; }}
        QPushButton[main="true"]:enabled {{ background: {accent}; color: {on_accent}; }}
        QPushButton[main="true"]:enabled:hover {{ background: {theme.highlight.as_hex()}; }}
        QPushButton[header="true"] {{
            background: {header}; color: {text}; border: 1px solid {header}; border-radius: 3px;
            text-align: left; font-weight: bold; padding: 6px 4px;
        }}
        QPushButton:focus, QComboBox:focus, QCheckBox:focus, QToolButton:focus {{ border: 1px solid {text}; }}
        QWidget[shade="true"] {{
            background: {theme.background.as_hex()}; border: 1px solid {header}; border-left: none; border-right: none;
        }}
        QFrame[card="true"] {{ border: 1px solid {theme.error.as_hex()}; border-radius: 3px; padding: 4px; }}
        QFrame[model_card="true"] {{ border: 1px solid {header}; border-radius: 4px; }}
        QAbstractButton[card_head="true"] {{ border: 1px solid transparent; border-radius: 3px; }}
        QAbstractButton[card_head="true"]:hover {{ background: {header}; }}
        QAbstractButton[card_head="true"]:focus {{ border: 1px solid {text}; }}
        QFrame[form_card="true"] {{ border: 1px solid {accent}; border-radius: 4px; }}
        QLabel[title="true"] {{ font-weight: bold; }}
        QLabel[drop_hint="true"] {{ background: {accent}; color: {on_accent}; padding: 10px; font-weight: bold; }}
        QProgressBar::chunk {{ background: {accent}; }}
    """


class StateIcon(QWidget):
    """A shape and a colour for a state; the words beside it say the same."""

    def __init__(self, state: str = "idle", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self.setFixedSize(QSize(14, 14))
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)

    def set_state(self, state: str) -> None:
        """One of ``ok``, ``info``, ``warning``, ``severe``, ``error``, ``idle``."""
        self._state = state
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        mark = _MARKS.get(self._state)
        if not mark:
            return
        color = _state_color(self._state)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(color)
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        if self._state in ("warning", "error"):
            painter.drawRoundedRect(box, 3, 3)
        else:
            painter.drawEllipse(box)
        painter.setPen(QPen(_readable_on(color)))
        font = painter.font()
        font.setBold(True)
        font.setPixelSize(11)
        painter.setFont(font)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, mark)


def _state_color(state: str) -> QColor:
    theme = get_theme(_theme_id())
    colors = {"warning": theme.warning, "severe": theme.error, "error": theme.error, "ok": theme.current}
    return QColor(colors.get(state, theme.secondary).as_hex())


def _readable_on(color: QColor) -> QColor:
    """Black on a light colour, white on a dark one."""
    if color.lightness() > 140:
        return QColor("black")
    return QColor("white")


def _theme_id() -> str:
    from napari.settings import get_settings

    return str(get_settings().appearance.theme)
