"""The page of what was measured: what it says of which numbers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from napari_mito_predict.errors import UnwritableOutputError
from napari_mito_predict.measurement import MitochondriaSettings, NucleiSettings, SegmentedPlane, Voxels
from napari_mito_predict.report.measurement import figures, page
from napari_mito_predict.report.measurement.groups import grouped
from napari_mito_predict.report.measurement.page import render, write_measurement_report
from napari_mito_predict.report.measurement.segmentation import how_found
from napari_mito_predict.report.measurement.tables import field_table, verdicts_in_words
from napari_mito_predict.report.pieces import Cell

CREATED = datetime(2026, 2, 3, 4, 5, tzinfo=UTC)


def _texts(cells) -> list[str]:
    return [cell.text if isinstance(cell, Cell) else cell for cell in cells]


def _row(table, name: str):
    return next(row for row in table.rows if _texts(row.cells)[0] == name)


def test_what_a_prediction_does_not_support_is_greyed_and_says_why(measured) -> None:
    table = field_table(grouped([measured(model="mito-z")])[0])
    row = _row(table, "branch points")
    assert row.kind == "unusable"
    assert Cell("not supported", "bad") in row.cells
    assert "concordance 0.31" in _texts(row.cells)[-1]
    assert Cell("supported", "good") in _row(table, "count").cells
    assert Cell("with care", "caution") in _row(table, "total length").cells
    assert [row.kind for row in table.rows].count("unusable") == 1


def test_recordings_and_predictions_are_never_averaged_together(measured) -> None:
    found = [measured("a", level=1), measured("b", level=3), measured("a", level=100, model="mito-z")]
    groups = grouped(found)
    assert [group.heading for group in groups] == [
        "Mitochondria, recorded",
        "Mitochondria, predicted by mito-z",
        "Nucleoids, recorded",
        "Nucleoids, predicted by mito-z",
    ]
    assert _texts(_row(field_table(groups[0]), "count").cells)[:6] == ["count", "20", "14.1", "10", "30", ""]


def test_micrometres_and_pixels_are_never_averaged_together(measured) -> None:
    table = field_table(grouped([measured("a"), measured("b", size_um=None)])[0])
    lengths = [_texts(row.cells) for row in table.rows if _texts(row.cells)[0] == "total length"]
    assert [cells[-2] for cells in lengths] == ["µm", "px"]
    assert [cells[1] for cells in lengths] == ["1", "1"]


def test_one_reason_for_all_is_said_once(measured) -> None:
    group = grouped([measured(model="mito-z", reason="tested on simulated cells only")])[0]
    assert "why" not in _texts(field_table(group).head)
    said = verdicts_in_words(group)
    assert said.startswith("Verdicts on 3 measures of a prediction: 1 supported, 1 with care and 1 not supported")
    assert said.count("tested on simulated cells only") == 1


def test_cautions_are_said_once_for_many_fields(measured) -> None:
    found = [measured(f"f{n}", model="mito-z", size_um=None) for n in range(5)]
    assert [caution.said for caution in page._cautions(found)] == [
        "Measured on predictions by mito-z.",
        "Trained on simulated cells, not validated on real ones.",
        "The size of a voxel is not known in 5 fields of 5.",
    ]
    assert page._cautions([measured()]) == []


def test_other_findings_are_said_as_they_are(measured) -> None:
    sheet = page.measurement_sheet([measured(model="mito-z")])
    assert [finding.code for finding in sheet.findings] == ["other"]


def test_scenes_of_one_file_are_told_apart(measured) -> None:
    first = measured("cell")
    second = replace(first, channels=tuple(replace(channel, scene="B2") for channel in first.channels))
    assert grouped([first, second])[0].fields == ("cell, Scene:0", "cell, B2")


def test_files_of_one_name_are_two_fields(measured) -> None:
    group = grouped([measured("cell", level=1), measured("cell", level=3)])[0]
    assert group.fields == ("cell", "cell (2)")
    assert _texts(_row(field_table(group), "count").cells)[1] == "20"


def test_a_series_is_drawn_over_time_and_a_single_plane_is_not(measured) -> None:
    series, plane = (grouped([measured(times=times, model="m")])[0] for times in (4, 1))
    assert figures.draw_over_time(series).startswith(b"\x89PNG")
    assert figures.draw_over_time(plane) == b""
    assert "mean over time" in _texts(field_table(series).head)


def test_nothing_found_makes_a_page_all_the_same(measured) -> None:
    found = measured()
    empty = replace(
        found,
        fields=found.fields.assign(value=np.nan),
        objects={structure: table.iloc[:0] for structure, table in found.objects.items()},
        distances=found.distances.iloc[:0],
        planes={},
    )
    html = render([empty])
    assert "0 objects" in html
    assert "<img" not in html
    assert ">nan<" not in html


def test_settings_are_said_with_their_unit(measured) -> None:
    channel = measured().channels[0]
    assert "0.1 µm and 0.5 µm" in how_found(channel)
    ridge = replace(channel, settings=MitochondriaSettings(method="ridge", background=0.8), dimensions=3)
    assert "from 0.1 µm to 0.4 µm" in how_found(ridge)
    local = replace(channel, settings=NucleiSettings.in_pixels())
    assert "60 px apart" in how_found(local)
    assert "box of 30 µm" in how_found(replace(channel, settings=NucleiSettings(local=True)))


def test_a_page_is_written_completely_or_not_at_all(measured, tmp_path: Path) -> None:
    path = write_measurement_report([measured()], tmp_path / "page.html", created=CREATED)
    assert path.read_text(encoding="utf-8") == render([measured()], created=CREATED)
    with pytest.raises(UnwritableOutputError):
        write_measurement_report([measured()], tmp_path / "missing" / "page.html")


@pytest.mark.parametrize("whole", [False, True])
def test_a_plane_is_kept_where_most_was_found(whole) -> None:
    labels = np.zeros((3, 900, 40), np.int32)
    labels[2, 800:810, 5:10] = 1
    labels[2, 800:810, 10:15] = 2
    pixels = labels.astype(np.uint16) * 1000
    plane = SegmentedPlane.of(pixels, labels, Voxels((0.3, 0.1, 0.1), "um"), whole=whole)
    assert plane.z == 2
    assert max(plane.pixels.shape) <= 360
    assert plane.objects.any()
    assert plane.pixels.max() == 255
    assert plane.pixel_size == pytest.approx(0.3 if whole else 0.1)
    if not whole:
        row = plane.objects[np.flatnonzero(plane.objects.any(axis=1))[0]]
        assert np.flatnonzero(row).tolist() == [5, 6, 7, 8, 9, 11, 12, 13, 14]


def test_a_plane_of_one_value_is_kept_too() -> None:
    plane = SegmentedPlane.of(np.full((8, 8), 7), np.zeros((8, 8), np.int32), Voxels((1.0, 1.0), "px"), whole=False)
    assert plane.z is None
    assert not plane.pixels.any()
