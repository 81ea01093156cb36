"""How the docks look: what napari's theme leaves open, and the icon of a state."""

from __future__ import annotations

from napari.utils.theme import get_theme
from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QIcon, QPainter, QPaintEvent, QPen, QPixmap, QPolygonF
from qtpy.QtWidgets import QWidget

_MARKS = {
    "ok": "✓",
    "warning": "!",
    "severe": "!",
    "error": "×",
    "info": "i",
    "green": "✓",
    "amber": "!",
    "red": "×",
    "looking": "…",
    "idle": "",
}
_LIGHTS = {"green": "#3f9b52", "amber": "#e8a317", "red": "#d9403a"}
"""The same in every theme, as on a street."""
# Corners in parts of the width and height: who sees no colours, sees shapes.
_TRIANGLE = ((0.5, 0.0), (1.0, 0.95), (0.0, 0.95))
_OCTAGON = ((0.3, 0.0), (0.7, 0.0), (1.0, 0.3), (1.0, 0.7), (0.7, 1.0), (0.3, 1.0), (0.0, 0.7), (0.0, 0.3))
_CORNERS = {"amber": _TRIANGLE, "red": _OCTAGON}


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

    def __init__(self, state: str = "idle", parent: QWidget | None = None, *, size: int = 14) -> None:
        super().__init__(parent)
        self._state = state
        self.setFixedSize(QSize(size, size))
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)

    @property
    def state(self) -> str:
        """What it shows."""
        return self._state

    def set_state(self, state: str) -> None:
        """``ok``, ``info``, ``warning``, ``severe``, ``error``, ``idle``, or a light.

        Those are ``green``, ``amber``, ``red``, and ``looking`` before its colour is known.
        """
        self._state = state
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        if not _MARKS.get(self._state):
            return
        painter = QPainter(self)
        _draw_state(painter, self._state, self.height())


def state_icon(state: str, size: int = 14) -> QIcon:
    """What `StateIcon` shows, for the cell of a table; nothing for ``idle``."""
    if not _MARKS.get(state):
        return QIcon()
    pixmap = QPixmap(2 * size, 2 * size)  # sharp also where two pixels of the screen are one of ours
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    _draw_state(painter, state, 2 * size)
    painter.end()
    icon = QIcon(pixmap)
    icon.addPixmap(pixmap, QIcon.Mode.Selected)  # in its own colour in a row that is selected, too
    return icon


def _draw_state(painter: QPainter, state: str, size: int) -> None:
    """Draw the shape of a state, and its mark, into a square."""
    color = _state_color(state)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(color)
    box = QRectF(0, 0, size, size).adjusted(0.5, 0.5, -0.5, -0.5)
    _draw_shape(painter, state, box)
    painter.setPen(QPen(_readable_on(color)))
    font = painter.font()
    font.setBold(True)
    font.setPixelSize(round(0.8 * size))
    painter.setFont(font)
    if state == "amber":
        box.translate(0.0, 0.08 * box.height())  # a triangle is narrow above
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, _MARKS[state])


def _draw_shape(painter: QPainter, state: str, box: QRectF) -> None:
    if state in _CORNERS:
        corners = [QPointF(box.x() + x * box.width(), box.y() + y * box.height()) for x, y in _CORNERS[state]]
        painter.drawPolygon(QPolygonF(corners))
    elif state in ("warning", "error"):
        painter.drawRoundedRect(box, 3, 3)
    else:
        painter.drawEllipse(box)


def _state_color(state: str) -> QColor:
    if state in _LIGHTS:
        return QColor(_LIGHTS[state])
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
