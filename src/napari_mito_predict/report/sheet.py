"""A page of tables, figures and findings in a fixed order, for reports that need no layout of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_mito_predict._files import atomic_write_text
from napari_mito_predict.report.rendering import render

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from napari_mito_predict.image import Finding
    from napari_mito_predict.report.pieces import Caution, Picture, Table


@dataclass(frozen=True)
class Section:
    """A box of the page; what is empty is left out.

    Attributes
    ----------
    heading : str
    about : str
        What it shows, and of what.
    result : str
        What comes of it, in a sentence; it stands out.
    cautions : sequence of Caution
    table : Table or None
        Verdicts are cells of the kinds ``good``, ``caution`` and ``bad`` in a column of kind ``name``.
    pictures : sequence of Picture
    notes : sequence of str
        Below.
    folded : mapping of str to Table
        What is in it -> a long table, which is folded away at first.
    """

    heading: str
    about: str = ""
    result: str = ""
    cautions: Sequence[Caution] = ()
    table: Table | None = None
    pictures: Sequence[Picture] = ()
    notes: Sequence[str] = ()
    folded: Mapping[str, Table] | None = None


@dataclass(frozen=True)
class Sheet:
    """The whole page.

    Attributes
    ----------
    title : str
        Of the window.
    heading : str
    subtitle : str
        What it is of, and when and by what it was made.
    about : str
        What the reader has before them, in a few sentences.
    cautions : sequence of Caution
        What has to be known before anything else is read, such as that numbers are from a prediction.
    findings : sequence of Finding
        What was noticed on the way.
    sections : sequence of Section
    versions : mapping of str to str
        What computed it.
    """

    title: str
    heading: str
    subtitle: str
    about: str = ""
    cautions: Sequence[Caution] = ()
    findings: Sequence[Finding] = ()
    sections: Sequence[Section] = ()
    versions: Mapping[str, str] | None = None


def render_sheet(sheet: Sheet) -> str:
    """The page as HTML. Every text is escaped; pictures are inside it."""
    return render("sheet.html.j2", title=sheet.title, heading=sheet.heading, subtitle=sheet.subtitle, sheet=sheet)


def write_sheet(sheet: Sheet, path: Path) -> Path:
    """Write the page, completely or not at all; `path` is replaced where it exists.

    Raises
    ------
    UnwritableOutputError
        The folder is missing, read-only or full.
    """
    atomic_write_text(path, render_sheet(sheet))
    return path
