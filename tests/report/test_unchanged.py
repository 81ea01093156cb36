"""Pages keep their words and their structure: who changes them writes `pages` anew and reads the difference.

Each page is compared as an outline: a line for each block (heading, paragraph, row of a table, picture) with its
classes, its text and what is marked in it. Pictures are their captions.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from napari_mito_predict.report.evaluation.page import render
from napari_mito_predict.report.measurement import page as measurement_page
from napari_mito_predict.study import page as study_page
from napari_mito_predict.study.experiments import STUDIES, runs_of
from napari_mito_predict.study.plan import Plan
from napari_mito_predict.study.recipes import LETTERS
from napari_mito_predict.study.results import Row, table_file, write_rows
from napari_mito_predict.study.scales import SCALES
from napari_mito_predict.training import Run, Status, TrainingConfig
from napari_mito_predict.training.fields import Field, Place
from napari_mito_predict.training.folds.page import write_page as write_folds_page
from napari_mito_predict.training.folds.plan import CrossValidation, Fold
from napari_mito_predict.training.folds.results import collect

PAGES = Path(__file__).parent / "pages"
WRITE = "MITO_PREDICT_WRITE_PAGES"
"""Set, the pages are written; the tests fail all the same, so that nobody leaves it set."""
INLINE = {"b", "em", "code", "a", "sub", "td", "th"}
IGNORED = {"meta", "html", "head", "body", "main", "div.scroll", "tbody"}


@dataclass
class _Outline(HTMLParser):
    """Lines of a page."""

    page: str
    lines: list[str] = field(default_factory=lambda: [""])

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.feed(self.page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value for name, value in attrs if name not in ("content", "src", "role", "lang")}
        named = ".".join([tag, *(known.pop("class", "") or "").split()])
        if named in IGNORED:
            return
        shown = "".join(f" {name}={value}" for name, value in known.items())
        if tag in INLINE:
            self.lines[-1] += f"<{named}{shown}>"
        else:
            self.lines.append(f"{named}{shown}: ")

    def handle_endtag(self, tag: str) -> None:
        if tag in INLINE - {"td", "th"}:
            self.lines[-1] += f"</{tag}>"
        elif tag in ("section", "div", "details", "table"):
            self.lines.append("")

    def handle_data(self, data: str) -> None:
        if not self.lines[-1].startswith("style"):
            self.lines[-1] += data

    @property
    def text(self) -> str:
        lines = (re.sub(r"\s+", " ", line).strip() for line in self.lines)
        return "\n".join(line for line in lines if line) + "\n"


def outline(page: str, folder: Path) -> str:
    """The page without what differs from day to day and from place to place."""
    text = _Outline(page).text.replace(str(folder), "FOLDER")
    return re.sub(r"\d{4}-\d\d-\d\d, napari-mito-predict \S+\.", "DATE, napari-mito-predict VERSION.", text)


def _check(name: str, page: str, folder: Path) -> None:
    path = PAGES / f"{name}.txt"
    found = outline(page, folder)
    if WRITE in os.environ:
        path.write_text(found, encoding="utf-8")
        pytest.fail(f"{path} was written, since {WRITE} is set")
    assert found.splitlines() == path.read_text(encoding="utf-8").splitlines()


def test_evaluation(evaluation_report, tmp_path: Path) -> None:
    _check("evaluation", render(evaluation_report), tmp_path)


def test_measurement(measured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measurement_page, "versions_of", lambda _: {"skan": "1.2"})
    found = [
        measured("<one>", times=3, channel="TMRM"),
        measured("two", times=3, level=2, channel="TMRM"),
        measured("<one>", model="mito-z", level=1.2, channel="TMRM predicted (mito-z)", size_um=None),
    ]
    created = datetime(2026, 2, 3, 4, 5, tzinfo=UTC)
    page = measurement_page.render(found, skipped=["bad.tif: this is <no> image."], created=created)
    _check("measurement", page, tmp_path)


def test_folds(tmp_path: Path) -> None:
    groups = {"<a>_1": "<a>", "<a>_2": "<a>", "b_1": "b", "c_1": "c", "d_1": "d"}
    config = TrainingConfig.parse(
        {
            "targets": {"mitochondria": "TMRM", "dna": "SYBR"},
            "data": {"files": ["*.czi"]},
            "split": {"by": "^[^_]+", "test": []},
            "name": "cells & co",
            "output": str(tmp_path / "cv"),
        }
    )
    fields = tuple(Field(f, Place(Path(f"{f}.czi"), None), (Place(Path(f"{f}.czi"), None),)) for f in groups)
    folds = (Fold("fold-1", ("<a>", "b")), Fold("fold-2", ("c",)), Fold("fold-3", ("d",)))
    planned = CrossValidation(config, fields, groups, folds)
    tables = {
        "fold-1": [
            *(
                "<a>_1,mitochondria,this model,0.5",
                "<a>_2,mitochondria,this model,0.6",
                "b_1,mitochondria,this model,0.9",
            ),
            *("<a>_1,mitochondria,blurred input,0.1", "b_1,mitochondria,blurred input,0.5"),
        ],
        "fold-2": [
            *("c_1,mitochondria,this model,-0.0001", "c_1,mitochondria,blurred input,0.2"),
            *("c_1,dna,this model,0.3", "c_1,dna,blurred input,nan"),
        ],
    }
    for fold in folds[:2]:
        run = Run.create(planned.config_of(fold))
        run.write_status(Status("done", scores={"best": 0.5}))
        (run.path / "test.csv").write_text(
            "\n".join(["field,target,model,pcc", *tables[fold.name], ""]), encoding="utf-8"
        )
    page = write_folds_page(planned, collect(planned)).read_text(encoding="utf-8")
    _check("folds", page, tmp_path)


@pytest.mark.parametrize("own", [None, Path("pairs")], ids=["simulated", "own"])
def test_study(own: Path | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scale = SCALES["smoke"]
    sets = dict.fromkeys(LETTERS, 3)
    studies = STUDIES if own is None else STUDIES[:1]
    plan = Plan(tmp_path, scale, {study: tuple(runs_of(study, scale, sets)) for study in studies}, {}, (), own)
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"\x89PNG")
    monkeypatch.setattr(study_page, "save_figure", lambda *_: picture)
    (tmp_path / "results").mkdir()
    for study in studies:
        write_rows(table_file(tmp_path, study), _rows(plan, study))
    page = study_page.write_page(plan).read_text(encoding="utf-8")
    _check("study" if own is None else "study-own", page, tmp_path)


def _rows(plan: Plan, study: str) -> list[Row]:
    """Of every run but the last, on each of its data sets."""
    rows = []
    for number, spec in enumerate(plan.studies[study][:-1]):
        for letter in spec.letters:
            for target in spec.targets:
                shared = (study, f"runs/{spec.name}", spec.recipe, spec.network, sum(spec.training), spec.patch[-1])
                tested = (spec.iterations, spec.seed, letter, f"{letter}-<test>-000", target)
                rows.append(Row(*shared, *tested, "this model", 0.5 + number / 100, 0.4 + number / 100))
                rows.append(Row(*shared, *tested, "blurred input", 0.1, 0.05))
    return rows
