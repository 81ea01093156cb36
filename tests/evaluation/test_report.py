"""The report says what it has to: numbers, pictures, the disclaimer, the winner, and nothing that runs."""

from __future__ import annotations

import base64
import csv
import io
import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from napari_mito_predict.errors import EvaluationError, UnwritableOutputError
from napari_mito_predict.evaluation import evaluate, flicker
from napari_mito_predict.evaluation.cases import open_case
from napari_mito_predict.evaluation.results import OTHERS, gather
from napari_mito_predict.evaluation.tables import as_record, write_csv
from napari_mito_predict.image import Finding, Level, open_image
from napari_mito_predict.models.record import ModelRecord, PredictionRecord
from napari_mito_predict.report.evaluation import figures
from napari_mito_predict.report.evaluation.page import render, write_html
from napari_mito_predict.report.evaluation.scores import number

_LINE = r"<tr[^>]*><td>([^<]+)</td><td>([0-9]+)</td><td[^>]*>([−0-9.]+)</td>"
DISCLAIMER = "Trained on simulated cells, not validated on real ones."


class _Page(HTMLParser):
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


@pytest.fixture(scope="module")
def report(predicted):
    return gather([open_case(*predicted)])


def test_numbers_are_those_of_evaluate(report, predicted) -> None:
    prediction, truth = (open_image(path) for path in predicted)
    a, b = prediction.read(), truth.read(channel="TMRM")
    (result,) = report.results
    assert result.scores == evaluate(a, b, voxel_size_um=truth.voxel_size_um)
    assert result.scores.pcc > 0.5
    assert result.baselines["blurred input"].pcc < result.scores.pcc
    assert result.baselines["local contrast"].fine_pcc < result.scores.fine_pcc
    assert [len(planes) for planes in (result.planes, *result.baseline_planes.values())] == [16, 16, 16]
    assert not result.time_points
    assert result.regions["foreground"].voxels == (b > result.threshold).sum()
    assert result.views.residual.shape == (64, 64)
    assert result.views.counts.sum() == a.size
    assert result.views.z == int(np.argmax(b.std(axis=(1, 2), dtype=float)))
    assert result.card.name == "mito-z"


def test_the_page_holds_numbers_pictures_and_the_disclaimer(report) -> None:
    page = _Page(render(report))
    (result,) = report.results
    assert f"{result.scores.pcc:.3f}" in page.text
    assert f"{result.scores.ssim_windowed:.3f}" in page.text
    for words in (
        DISCLAIMER, "SSIM, global form", "SSIM, windowed", "different numbers", "Predicted intensity is relative",
        "0.1–99.9 percentiles", "Otsu", "mito-z", "baseline: blurred input",
        "baseline: local contrast", "fine PCC", "Gaussian of 1.3 µm", "contrast in",
        "no shift", "scikit-image",
    ):  # fmt: skip
        assert words in page.text, words
    pictures = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(pictures) == 3
    for picture in pictures:
        assert picture["alt"]
        assert base64.b64decode(picture["src"].removeprefix("data:image/png;base64,")).startswith(b"\x89PNG")
    assert DISCLAIMER in pictures[0]["alt"]


def test_the_page_needs_nothing_else(report) -> None:
    page = _Page(render(report))
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    places = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    links = [attributes["href"] or "" for _, attributes in page.tags if "href" in attributes]
    assert {link.removeprefix("#") for link in links} <= places  # within the page only
    assert "http://" not in page.text
    assert "https://" not in page.text


def test_names_cannot_break_out_of_the_page(report) -> None:
    nasty = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)> $x_{1}$ &amp;"
    (result,) = report.results
    record = result.case.record.model_copy(
        update={
            "findings": (Finding(Level.INFO, "note", nasty),),
            "model": ModelRecord(name=nasty, title=nasty, licence=nasty),
        }
    )
    case = replace(
        result.case, field=nasty, target=nasty, model=nasty, prediction_name=nasty, record=record, notes=(nasty,),
        disclaimer=nasty, channel=replace(result.case.channel, name=nasty),
    )  # fmt: skip
    changed = replace(report, results=(replace(result, case=case), replace(result, case=replace(case, field="_b"))))
    page = render(replace(changed, skipped=(nasty,), versions={nasty: nasty}))
    parsed = _Page(page)
    assert "<script" not in page
    assert not [attributes for _, attributes in parsed.tags if "onerror" in attributes]
    assert all((attributes["src"] or "").startswith("data:image/png") for t, attributes in parsed.tags if t == "img")
    assert parsed.text.count(nasty) >= 8


def test_one_case_may_fail_among_others(report, predicted, make_image) -> None:
    bad = make_image("cell_mitochondria.ome.tif", np.zeros((16, 64, 64), np.float32))
    found = gather([open_case(bad, predicted[1]), open_case(*predicted)], skipped=["x: no truth."], thorough=False)
    assert len(found.results) == 1
    assert found.skipped[0] == "x: no truth."
    assert "constant" in found.skipped[1]
    assert "Not compared: 2" in _Page(render(found)).text
    with pytest.raises(EvaluationError, match="nothing to compare"):
        gather([], skipped=["x: no truth."])


@pytest.fixture
def two_models(stack, make_image):
    """Two fields, each predicted by a better and a worse model of one target."""
    rng = np.random.default_rng(0)
    cases = []
    for name, part in (("one", stack[:, :, :32]), ("two", stack[:, :, 32:])):
        truth = make_image(f"{name}.ome.tif", part, axes="CZYX", channels=("ESID", "TMRM", "SYBR Gold"))
        for model, noise in (("better", 0.5), ("worse", 2.0)):
            z = (part[1] - part[1].mean()) / part[1].std()
            data = (z + rng.normal(0, noise, z.shape)).astype(np.float32)
            record = {"target": "mitochondria", "model": {"name": model}}
            prediction = make_image(f"{model}/{name}_mitochondria.ome.tif", data, record=record)
            cases.append(open_case(prediction, truth))
    return cases


def test_two_models_have_a_winner(two_models) -> None:
    found = gather(two_models)
    assert {c.metric: c.winner for c in found.comparisons}["pcc"] == "better"
    comparison = found.comparisons[0]
    assert comparison.fields == ("one", "two")
    assert comparison.differences[0].better_in == 2
    assert comparison.differences[0].mean > 3 * comparison.differences[0].standard_error > 0
    assert OTHERS in found.results[0].baselines
    page = _Page(render(found))
    assert "better has the best mean in every measure over 2 fields" in page.text
    assert "2 of 2" in page.text
    assert ("td", {"class": "best"}) in page.tags
    assert len([tag for tag, _ in page.tags if tag == "img"]) == 1 + 2 * 3


def test_every_field_has_a_line_that_leads_to_it(two_models) -> None:
    page = _Page(render(gather(two_models)))
    places = [attributes["id"] for tag, attributes in page.tags if tag == "section" and "id" in attributes]
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    assert links == [f"#{place}" for place in places]
    assert len(set(places)) == 2
    assert "foreground" in page.text


def test_measures_that_disagree_are_told(two_models) -> None:
    found = gather(two_models, thorough=False)
    changed = []
    for comparison in found.comparisons:
        other = comparison.differences[0]
        if comparison.metric == "ssim_global":
            comparison = replace(comparison, winner="worse", differences=(replace(other, model="better"),))
        if comparison.metric == "mae":
            comparison = replace(comparison, winner="", differences=())
        if comparison.metric == "pcc":
            comparison = replace(comparison, differences=(replace(other, mean=0.01, standard_error=0.02),))
        changed.append(comparison)
    page = _Page(render(replace(found, comparisons=tuple(changed)))).text
    assert "better has the best mean PCC, fine PCC, spectral PCC, SSIM (windowed), R², NRMSE and PSNR" in page
    assert "worse has the best mean SSIM (global)" in page
    assert "the means are equal in MAE" in page
    assert "The measures disagree" in page
    assert page.count("(not told apart)") == 1


def test_every_mean_is_over_the_fields_that_all_models_share(two_models) -> None:
    """Foreground and baselines were averaged over more fields than the scores they stand below."""
    found = gather([case for case in two_models if (case.model, case.field) != ("worse", "two")])
    first = next(r for r in found.results if r.case.model == "better" and r.case.field == "one")
    page = render(found)
    shown = {name: (n, pcc) for name, n, pcc in re.findall(_LINE, page[: page.index("Winner of each measure")])}
    expected = {
        "better": first.scores,
        "better, foreground": first.regions["foreground"],
        "baseline: blurred input": first.baselines["blurred input"],
    }
    for name, scores in expected.items():
        assert shown[name] == ("1", f"{scores.pcc:.3f}".replace("-", "−")), name


def test_another_winner_within_the_foreground_is_told(two_models) -> None:
    found = gather(two_models, thorough=False)
    assert "Within the foreground" not in render(found)
    changed = []
    for result in found.results:
        pcc = {"better": 0.2, "worse": 0.4}[result.case.model]
        regions = {"foreground": replace(result.regions["foreground"], pcc=pcc)}
        changed.append(replace(result, regions=regions))
    page = _Page(render(replace(found, results=tuple(changed)))).text
    assert "Within the foreground worse has the better mean PCC, 0.400 against 0.200 of better." in page


@pytest.mark.parametrize(("models", "truths", "panels"), [(1, 1, 4), (2, 1, 6), (3, 1, 8), (5, 2, 14)])
def test_all_predictions_stand_beside_one_truth(report, monkeypatch, models, truths, panels) -> None:
    """Truth and input were drawn anew for each model, which left half the room to what differs."""
    drawn = []
    monkeypatch.setattr(figures, "as_png", lambda figure: drawn.append(figure) or b"")
    (result,) = report.results
    named = [replace(result, case=replace(result.case, model=f"model {i}")) for i in range(models)]
    figures.draw_views(named)
    titles = [axis.get_title() for axis in drawn[0].axes if axis.get_title()]
    assert titles.count("truth") == titles.count("transmitted light") == truths
    assert [title for title in titles if title.startswith("prediction")] == [
        f"prediction, fitted: model {i}" for i in range(models)
    ]
    assert len([title for title in titles if title.startswith("residual")]) == models
    assert len(titles) == panels


def test_a_mean_error_has_four_digits_in_every_line() -> None:
    assert [number("pcc", value) for value in (-0.0004, -0.0006)] == ["0.000", "−0.001"]
    assert [number("mae", value) for value in (24.9, 1715.2, 0.5)] == ["24.90", "1715", "0.5000"]


def test_a_few_bright_cells_do_not_darken_the_pictures(stack, make_image) -> None:
    truth = stack[1].copy()
    truth[:, :2, :4] = 60_000  # 0.2 % of all
    z = stack[1].astype(np.float32)
    found = gather([open_case(make_image("out/c.ome.tif", z), make_image("c.ome.tif", truth, channels=("TMRM",)))])
    views = found.results[0].views
    assert views.truth_range == pytest.approx(np.percentile(truth, (0.5, 99.5)))
    assert "0.5–99.5 percentiles of the truth" in _Page(render(found)).text


def test_folders_of_one_model_name_are_told_apart(two_models) -> None:
    record = PredictionRecord(model=ModelRecord(name="mine"))
    cases = [replace(case, model="mine", record=record) for case in two_models]
    assert {r.case.model for r in gather(cases, thorough=False).results} == {"mine (better)", "mine (worse)"}


def test_a_shift_is_told_and_not_corrected(stack, make_image) -> None:
    z = ((stack[1] - stack[1].mean()) / stack[1].std()).astype(np.float32)
    truth = make_image("cell.ome.tif", np.roll(stack[1], 4, 2), channels=("TMRM",))
    found = gather([open_case(make_image("out/cell_mitochondria.ome.tif", z), truth)])
    (result,) = found.results
    assert result.shift.voxels == (0, 0, 4)
    assert result.shift.pcc_after == pytest.approx(1, abs=1e-3)
    assert result.scores == evaluate(z, np.roll(stack[1], 4, 2), voxel_size_um=result.case.truth.voxel_size_um)
    page = _Page(render(found)).text
    assert "The truth looks shifted against the prediction (unknown model): x +4 voxels (+0.44 µm)" in page
    assert f"{result.shift.pcc_before:.3f} before and 1.000 after" in page
    assert "Nothing is known of this model" in page


def test_time_series_get_curves_over_time(stack, make_image) -> None:
    z = ((stack[1] - stack[1].mean()) / stack[1].std()).astype(np.float32)
    truth = make_image("series.ome.tif", stack[1], axes="TYX", channels=("TMRM",))
    found = gather([open_case(make_image("out/series_mitochondria.ome.tif", z, axes="TYX"), truth)])
    (result,) = found.results
    assert [part.t for part in result.time_points] == list(range(16))
    assert "Scores over time points" in _Page(render(found)).text
    assert as_record(found)["results"][0]["time_points"][3]["pcc"] == pytest.approx(1)


def test_time_series_have_flicker_beside_that_of_the_truth(stack, make_image) -> None:
    values = stack[1].astype(np.float32)
    blinking = values * np.where(np.arange(len(values)) % 2, 1.2, 0.8)[:, None, None].astype(np.float32)
    truth = make_image("series.ome.tif", stack[1], axes="TYX", channels=("TMRM",))
    found = gather([open_case(make_image("out/series_mitochondria.ome.tif", blinking, axes="TYX"), truth)])
    (result,) = found.results
    size = result.case.truth.voxel_size_um
    assert result.flicker == flicker(blinking, truth=values, voxel_size_um=size)
    assert result.flicker.prediction > 1.1 * result.flicker.truth
    page = _Page(render(found)).text
    assert f"{100 * result.flicker.prediction:.0f} % of the contrast comes and goes" in page
    assert f"(truth {100 * result.flicker.truth:.0f} %)" in page
    assert as_record(found)["results"][0]["flicker"]["prediction"] == result.flicker.prediction


def test_a_single_plane_has_no_curves(stack, make_image) -> None:
    z = stack[1][5].astype(np.float32)
    truth = make_image("plane.ome.tif", stack[1][5], axes="YX", channels=("TMRM",), voxel_size_um=(None, None, None))
    found = gather([open_case(make_image("out/plane.ome.tif", z, axes="YX"), truth)])
    page = _Page(render(found))
    assert len([tag for tag, _ in page.tags if tag == "img"]) == 2
    assert "Z step" not in next(attributes["alt"] for tag, attributes in page.tags if tag == "img")
    assert "64 × 64 voxels (Y × X), voxel size not stated in the file" in page.text


def test_mask_and_repeat(predicted, stack, make_image) -> None:
    mask = np.zeros(stack[1].shape, np.uint8)
    mask[:, :32] = 1
    noisy = stack.astype(float) + np.random.default_rng(0).normal(0, 200, stack.shape)
    names = ("ESID", "TMRM", "SYBR Gold")
    repeat = make_image("repeat.ome.tif", noisy.astype(np.float32), axes="CZYX", channels=names)
    found = gather(
        [open_case(*predicted)],
        mask=open_image(make_image("mask.ome.tif", mask)),
        repeats={predicted[1]: [repeat]},
    )
    (result,) = found.results
    a = open_image(predicted[0]).read()
    assert result.regions["mask"].pcc == pytest.approx(evaluate(a[:, :32], stack[1][:, :32]).pcc)
    r = np.corrcoef(stack[1].ravel(), noisy[1].ravel())[0, 1]
    assert result.ceiling == pytest.approx(math.sqrt(r), abs=1e-5)
    page = _Page(render(found)).text
    assert f"Noise ceiling of the PCC: {math.sqrt(r):.3f}" in page
    assert "within the mask" in page


def test_tables(report, two_models, tmp_path) -> None:
    path = write_csv(report, tmp_path / "scores.csv")
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    (result,) = report.results
    assert [row["part"] for row in rows[:3]] == ["all", "foreground", "baseline: blurred input"]
    assert float(rows[0]["pcc"]) == pytest.approx(result.scores.pcc, abs=1e-8)
    assert len([row for row in rows if row["part"] == "plane"]) == 16
    assert rows[0]["disclaimer"] == DISCLAIMER
    record = as_record(report)
    assert record["results"][0]["pcc"] == result.scores.pcc
    assert record["results"][0]["disclaimer"] == DISCLAIMER
    assert record["versions"]["numpy"]


def test_a_cell_is_never_a_formula(report, tmp_path) -> None:
    (result,) = report.results
    case = replace(result.case, field="=cmd()", model="-1+1", prediction_name="@x")
    path = write_csv(replace(report, results=(replace(result, case=case),)), tmp_path / "scores.csv")
    row = next(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    assert (row["field"], row["model"], row["prediction"]) == ("'=cmd()", "'-1+1", "'@x")


def test_reports_are_written_completely_or_not_at_all(report, tmp_path, monkeypatch) -> None:
    path = tmp_path / "report.html"
    write_html(report, path)
    first = path.read_text(encoding="utf-8")
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(UnwritableOutputError):
        write_html(replace(report, skipped=("another",)), path)
    assert path.read_text(encoding="utf-8") == first
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
    assert not re.search("another", first)
