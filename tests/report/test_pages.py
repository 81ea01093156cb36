"""Nothing that a file or a person is called does anything on a page, and nothing of it reads as something else."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import jinja2
import pytest

from napari_mito_predict.errors import UnwritableOutputError
from napari_mito_predict.image import Finding, Level
from napari_mito_predict.report.drawing import as_png, new_figure, plain
from napari_mito_predict.report.evaluation.page import render as render_evaluation
from napari_mito_predict.report.measurement.page import render as render_measurement
from napari_mito_predict.report.pieces import Caution, Cell, Picture, Row, Table
from napari_mito_predict.report.rendering import render
from napari_mito_predict.report.sheet import Section, Sheet, render_sheet, write_sheet
from napari_mito_predict.report.words import visible
from napari_mito_predict.training.folds import page as folds_page
from napari_mito_predict.training.folds.results import GroupScores, summarise
from napari_mito_predict.training.scoring import OURS

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)> {{ 7 * 7 }} &amp; $x_{1}$"
REVERSED = "cell_\u202ecipocsorculf\u202c\u2066.tif\udcff\x00\u2028"
"""Shown as it is, the first part would read "fluoroscopic"; it cannot even be written as UTF-8."""
SHOWN = r"cell_\u202ecipocsorculf\u202c\u2066.tif\udcff\x00\u2028"


class _Tags(HTMLParser):
    """Tags with attributes, and the text a reader sees."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data) -> None:
        self.text += data


def _check_harmless(page: str, times: int) -> None:
    """`HOSTILE` and `REVERSED` are shown as text `times` times at least, and do nothing."""
    parsed = _Tags(page)
    assert not {"script", "iframe", "object", "link"} & {tag for tag, _ in parsed.tags}
    for tag, attributes in parsed.tags:
        assert not {name for name in attributes if name.startswith("on")}
        if tag == "img":
            assert re.match(r"data:image/(png|svg\+xml);base64,[A-Za-z0-9+/=]*$", attributes["src"] or "")
        if tag == "a":
            assert (attributes["href"] or "").startswith("#")
    assert parsed.text.count(HOSTILE) >= times
    assert parsed.text.count(SHOWN) >= times
    assert not set(page) & set(REVERSED[5:6] + "\u202c\u2066\udcff\x00\u2028")
    page.encode("utf-8")


NASTY = HOSTILE + REVERSED


def test_an_evaluation(evaluation_report) -> None:
    first = evaluation_report.results[0]
    case = replace(
        first.case, field=NASTY, target=NASTY, model=NASTY, prediction_name=NASTY, notes=(NASTY,), disclaimer=NASTY,
        channel=replace(first.case.channel, name=NASTY),
    )  # fmt: skip
    shift = replace(first.shift, shifted=True, voxels=(0, 0, 3))
    result = replace(first, case=case, shift=shift)
    changed = replace(evaluation_report, results=(result,), comparisons=(), skipped=(NASTY,), versions={NASTY: NASTY})
    _check_harmless(render_evaluation(changed), 12)


def test_a_cross_validation() -> None:
    scores = [GroupScores(NASTY, "fold-1", NASTY, model, 1, {"pcc": 0.5}) for model in (OURS, NASTY)]
    part = folds_page._target(*summarise(scores))
    folds = Table(["fold"], [Row([NASTY, Cell(NASTY, "name")])])
    page = render(
        "folds.html.j2", package="napari_mito_predict.training.folds", title=NASTY, heading=NASTY, subtitle="",
        missing=[NASTY], missing_words="", targets=[part], table_name="groups.csv", folds=folds,
    )  # fmt: skip
    _check_harmless(page, 8)


def test_measurements(measured) -> None:
    found = measured(NASTY, model=NASTY, channel=NASTY, times=2, reason=NASTY)
    odd = replace(found, findings=(Finding(Level.INFO, "a", NASTY),))
    _check_harmless(render_measurement([odd, measured(NASTY, channel=NASTY, times=2)], skipped=[NASTY]), 12)


@pytest.fixture
def sheet() -> Sheet:
    """A page with everything in it, each text of which is hostile."""
    supported = Cell("supported", "good")
    table = Table(
        ["measure", "bias", Cell("verdict", "name")],
        [
            Row(["count", "0.02", supported]),
            Row(["branches", "0.3", Cell("with care", "caution")]),
            Row([NASTY, "–", Cell(NASTY, "bad")], "baseline"),
            Row([Cell(NASTY, anchor="there"), Cell("1.0", "best"), supported]),
        ],
    )
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    figure = new_figure(2, 1)
    figure.subplots().set_title(plain(NASTY))
    section = Section(
        NASTY,
        about=NASTY,
        result=NASTY,
        cautions=[Caution(NASTY, NASTY)],
        table=table,
        pictures=[Picture(as_png(figure), NASTY), Picture(svg, NASTY, "image/svg+xml")],
        notes=[NASTY],
        folded={NASTY: table},
    )
    return Sheet(
        title=NASTY,
        heading=NASTY,
        subtitle=NASTY,
        about=NASTY,
        cautions=[Caution(NASTY)],
        findings=[
            Finding(Level.INFO, "a", NASTY, NASTY),
            Finding(Level.SEVERE, "b", "Too coarse.", model=NASTY, where=NASTY),
        ],
        sections=[section],
        versions={NASTY: NASTY},
    )


def test_a_sheet_is_harmless(sheet) -> None:
    _check_harmless(render_sheet(sheet), 20)


def test_a_sheet_shows_all_it_was_given(sheet) -> None:
    page = _Tags(render_sheet(sheet))
    for kind, times in {"good": 4, "caution": 2, "bad": 2, "best": 2}.items():
        assert page.tags.count(("td", {"class": kind})) == times, kind
    assert page.tags.count(("th", {"class": "name"})) == 2
    assert page.tags.count(("a", {"href": "#there"})) == 2
    assert [attributes["src"][:19] for tag, attributes in page.tags if tag == "img"] == [
        "data:image/png;base",
        "data:image/svg+xml;",
    ]
    assert ("li", {"class": "severe"}) in page.tags
    assert "Too coarse." in page.text


def test_what_a_sheet_does_not_have_leaves_no_trace() -> None:
    page = _Tags(render_sheet(Sheet("t", "h", "s", sections=[Section("Only a heading")])))
    inside = [tag for tag, _ in page.tags if tag not in ("html", "head", "meta", "title", "style", "body", "main")]
    assert inside == ["header", "h1", "p", "section", "h2"]


def test_a_sheet_is_written_completely_or_not_at_all(sheet, tmp_path: Path) -> None:
    path = write_sheet(sheet, tmp_path / "sheet.html")
    assert path.read_text(encoding="utf-8") == render_sheet(sheet)
    with pytest.raises(UnwritableOutputError):
        write_sheet(sheet, tmp_path / "missing" / "sheet.html")


def test_a_value_that_a_template_lacks_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError, match="heading"):
        render("base.html.j2", title="x", subtitle="y")


@pytest.mark.parametrize("name", ["Zellen ä", "細胞 1", "خلية", "a\tb\nc", "5 µm, 1 µm", "👩‍🔬"])
def test_names_in_any_language_stay_as_they_are(name) -> None:
    assert visible(name) == name


def test_names_in_figures_are_short_and_on_one_line() -> None:
    assert plain("a\nb $x$") == r"a b \$x\$"
    assert plain("x" * 40) == "…" + "x" * 31
    assert "\u202e" not in plain(REVERSED)
