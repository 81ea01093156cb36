"""Each prediction finds its truth, by its record first, or is left out with the reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_mito_predict.errors import EvaluationError, UnreadableImageError
from napari_mito_predict.evaluation.matching import images_in, match, match_repeats
from napari_mito_predict.image import file_signature

IMAGE = np.arange(512, dtype=np.uint16).reshape(2, 16, 16)


def _record(path: str) -> dict[str, object]:
    return {"input": {"path": path, "name": path.replace("\\", "/").rsplit("/", 1)[-1]}}


def _names(pairs: list[tuple[Path, Path]]) -> list[tuple[str, str]]:
    return [(prediction.name, truth.name) for prediction, truth in pairs]


def test_the_record_decides_before_the_name(make_image, tmp_path) -> None:
    make_image("out/a_mitochondria.ome.tif", IMAGE, record=_record("C:\\scans\\b.ome.tif"))
    make_image("truth/a.ome.tif", IMAGE)
    make_image("truth/b.ome.tif", IMAGE)
    pairs, skipped = match(tmp_path / "out", tmp_path / "truth")
    assert _names(pairs) == [("a_mitochondria.ome.tif", "b.ome.tif")]
    assert not skipped


def test_a_truth_in_another_format_is_found(make_image, tmp_path) -> None:
    make_image("out/a_mitochondria.ome.tif", IMAGE, record=_record("/data/a.czi"))
    make_image("truth/a.ome.tif", IMAGE)
    assert _names(match(tmp_path / "out", tmp_path / "truth")[0]) == [("a_mitochondria.ome.tif", "a.ome.tif")]


def test_without_records_the_longest_name_counts(make_image, tmp_path) -> None:
    for name in ("cell_mitochondria", "cell_1_mitochondria", "cell_10"):
        make_image(f"out/{name}.ome.tif", IMAGE)
    for name in ("cell", "cell_1", "cell_10"):
        make_image(f"truth/{name}.ome.tif", IMAGE)
    assert _names(match(tmp_path / "out", tmp_path / "truth")[0]) == [
        ("cell_10.ome.tif", "cell_10.ome.tif"),
        ("cell_1_mitochondria.ome.tif", "cell_1.ome.tif"),
        ("cell_mitochondria.ome.tif", "cell.ome.tif"),
    ]


def test_what_has_no_truth_or_two_is_left_out_with_the_reason(make_image, tmp_path) -> None:
    for name in ("lost_dna", "a_dna", "b_dna"):
        make_image(f"out/{name}.ome.tif", IMAGE)
    for name in ("a.ome.tif", "b.ome.tif", "b.tif"):
        make_image(f"truth/{name}", IMAGE)
    pairs, skipped = match(tmp_path / "out", tmp_path / "truth")
    assert _names(pairs) == [("a_dna.ome.tif", "a.ome.tif")]
    assert [Path(line.split(": ")[0]).name for line in skipped] == ["b_dna.ome.tif", "lost_dna.ome.tif"]
    assert "b.ome.tif and b.tif" in skipped[0]
    assert "no truth" in skipped[1]


def test_a_folder_may_have_one_file_as_truth(make_image, tmp_path) -> None:
    for name in ("a_dna", "a_mitochondria", "b_dna"):
        make_image(f"out/{name}.ome.tif", IMAGE)
    truth = make_image("a.ome.tif", IMAGE)
    pairs, skipped = match(tmp_path / "out", truth)
    assert [prediction.name for prediction, _ in pairs] == ["a_dna.ome.tif", "a_mitochondria.ome.tif"]
    assert len(skipped) == 1


def test_nothing_to_compare(make_image, tmp_path) -> None:
    make_image("out/x.ome.tif", IMAGE)
    make_image("truth/y.ome.tif", IMAGE)
    with pytest.raises(EvaluationError, match=r"out.*truth.*x\.ome\.tif"):
        match(tmp_path / "out", tmp_path / "truth")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UnreadableImageError, match="empty"):
        images_in(tmp_path / "empty")
    with pytest.raises(UnreadableImageError, match="missing"):
        images_in(tmp_path / "missing")


def _lone_record(path: Path, prediction: str) -> dict[str, object]:
    """Of a prediction from a file with one channel."""
    signature = file_signature(path)
    return {"input": {"path": str(path), "name": path.name, "sizes": {"C": 1}, **signature}, "name": prediction}


def test_the_truth_may_be_a_file_of_its_own_beside_the_input(make_image, tmp_path) -> None:
    for field in ("cells_1", "cells_2"):
        light = make_image(f"scans/{field}_phase.ome.tif", IMAGE)
        make_image(f"scans/{field}_nuclei.ome.tif", IMAGE[::-1])
        make_image(f"out/{field}_phase_dna.ome.tif", IMAGE, record=_lone_record(light, field))
    pairs, skipped = match(tmp_path / "out", tmp_path / "scans")
    assert _names(pairs) == [(f"cells_{i}_phase_dna.ome.tif", f"cells_{i}_nuclei.ome.tif") for i in (1, 2)]
    assert not skipped


def test_a_truth_of_the_same_name_in_another_folder_is_found(make_image, tmp_path) -> None:
    light = make_image("phase/cells.ome.tif", IMAGE)
    make_image("nuclei/cells.ome.tif", IMAGE[::-1])
    make_image("out/cells_dna.ome.tif", IMAGE, record=_lone_record(light, "cells"))
    assert _names(match(tmp_path / "out", tmp_path / "nuclei")[0]) == [("cells_dna.ome.tif", "cells.ome.tif")]
    with pytest.raises(EvaluationError, match="no truth"):  # the input is no truth of itself
        match(tmp_path / "out", tmp_path / "phase")


def test_numbered_fields_are_not_kin(make_image, tmp_path) -> None:
    light = make_image("phase/cells_1.ome.tif", IMAGE)
    make_image("nuclei/cells_2.ome.tif", IMAGE)
    make_image("out/cells_1_dna.ome.tif", IMAGE, record=_lone_record(light, "cells_1"))
    with pytest.raises(EvaluationError, match="no truth"):
        match(tmp_path / "out", tmp_path / "nuclei")


def test_repeats_belong_to_the_truth_they_are_named_after(make_image, tmp_path) -> None:
    truths = {name: make_image(f"truth/{name}.ome.tif", IMAGE) for name in ("cell", "cell_1", "cell_10")}
    names = ("cell", "cell_1 repeat", "cell_1-b", "cell_10", "lost")
    repeats = {name: make_image(f"again/{name}.ome.tif", IMAGE) for name in names}
    found, skipped = match_repeats([tmp_path / "again"], tmp_path / "truth")
    assert found == {
        truths["cell"]: [repeats["cell"]],
        truths["cell_1"]: [repeats["cell_1 repeat"], repeats["cell_1-b"]],
        truths["cell_10"]: [repeats["cell_10"]],
    }
    assert len(skipped) == 1
    assert "lost.ome.tif: a repeat, but no truth of its name" in skipped[0]


def test_all_repeats_belong_to_a_single_truth(make_image, tmp_path) -> None:
    truth = make_image("cell.ome.tif", IMAGE)
    repeats = [make_image(f"again/{name}.ome.tif", IMAGE) for name in ("a", "b")]
    assert match_repeats([tmp_path / "again"], truth) == ({truth: repeats}, [])


def test_truths_of_one_folder_are_not_repeats_of_each_other(make_image, tmp_path) -> None:
    for name in ("cell", "cell_2"):
        make_image(f"truth/{name}.ome.tif", IMAGE)
    assert match_repeats([tmp_path / "truth"], tmp_path / "truth") == ({}, [])
