"""What pages are made of, as data; `templates/pieces.html.j2` says how each of it looks."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Cell:
    """A cell of a table that is more than a number or its name; all others are plain text.

    Attributes
    ----------
    text : str
    kind : str
        ``best`` of its column, which is marked; ``name``, for words, which begin where their column does, while numbers
        end there; ``reason``, for a sentence, which may take several lines; or a verdict, in words and in a colour:
        ``good``, ``caution`` or ``bad``.
    anchor : str
        Of the part of the page that it leads to; empty where it leads nowhere.
    """

    text: str
    kind: Literal["", "best", "name", "reason", "good", "caution", "bad"] = ""
    anchor: str = ""


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes
    ----------
    cells : sequence of str or Cell
    kind : {"", "baseline", "unusable"}
        ``baseline`` is what the other rows have to beat, or a remark on them: it is written less loudly. ``unusable``
        is what nobody should take: it is greyed.
    """

    cells: Sequence[str | Cell]
    kind: Literal["", "baseline", "unusable"] = ""


@dataclass(frozen=True)
class Table:
    """A table; where the window is too narrow for it, it scrolls.

    Attributes
    ----------
    head : sequence of str or Cell
        The first column is of names.
    rows : sequence of Row
    """

    head: Sequence[str | Cell]
    rows: Sequence[Row]


@dataclass(frozen=True)
class Picture:
    """A picture inside the page.

    Attributes
    ----------
    content : bytes
        The file.
    caption : str
        Below it, and read out to who cannot see it.
    media_type : {"image/png", "image/svg+xml"}
        Of `content`. A browser runs no script of an SVG that is shown like this.
    """

    content: bytes
    caption: str
    media_type: Literal["image/png", "image/svg+xml"] = "image/png"

    @property
    def source(self) -> str:
        """The picture as an address."""
        return f"data:{self.media_type};base64,{base64.b64encode(self.content).decode('ascii')}"


@dataclass(frozen=True)
class Caution:
    """What has to be known before the numbers are read, in a box.

    Attributes
    ----------
    said : str
        In a sentence.
    meaning : str
        What that means; may be empty.
    """

    said: str
    meaning: str = ""
