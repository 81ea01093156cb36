"""The tables on the page of a study: its numbers beside the paper's, and the recipes."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from napari_mito_predict.report.pieces import Row, Table
from napari_mito_predict.study.experiments import TIME, Study, Z
from napari_mito_predict.study.figures import NAMES
from napari_mito_predict.study.paper import COMBINED_PCC, TABLE_2
from napari_mito_predict.study.recipes import LETTERS, RECIPES
from napari_mito_predict.study.results import Summary, scored_on_all, summarise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_mito_predict.study import results

_NONE = "–"


def numbers_of(study: Study, scores: Sequence[results.Row]) -> Table:
    """The means of a study, in the form that the paper gives them, where it does."""
    if study == "architecture":
        return _table_2(scores)
    if study == "combined":
        return _combined(scores)
    return _models(study, scores)


def recipes_table() -> Table:
    """Table 1 of the paper."""
    rows = []
    for letter in LETTERS:
        recipe = RECIPES[f"{letter}1"]
        size = f"{recipe.size} x {recipe.size}"
        if recipe.downscaled_from:
            size += f" (downscaled from {recipe.downscaled_from})"
        taken = [recipe.detector, recipe.axis_word, recipe.step_words]
        sizes = [f"{recipe.training_sets}/{recipe.test_sets}", size, str(recipe.slices), f"{recipe.pixel_um:.3f} µm"]
        rows.append(Row([f"{letter}1, {letter}2", *taken, *sizes]))
    head = ["recipe", "detector", "third axis", "step", "sets", "XY pixels", "slices", "pixel size (our reading)"]
    return Table(head, rows)


def reported_pairs() -> str:
    """What the paper reports of combined and specific models."""
    pairs = []
    for letter in (Z, TIME):
        recipe = RECIPES[f"{letter}1"]
        first, second = COMBINED_PCC[recipe.third_axis]
        pairs.append(f"{recipe.axis_word} {first:.4f} and {second:.4f}")
    return f"In the paper's text: {'; '.join(pairs)}. Their order is ambiguous and not asserted here."


def _table_2(scores: Sequence[results.Row]) -> Table:
    """Table 2 with our numbers beside the paper's."""
    rows = []
    for letter in (Z, TIME):
        recipe = RECIPES[f"{letter}1"]
        tested = [score for score in scores if score.tested_on == letter]
        pcc = summarise(tested, lambda score: score.network, "pcc")
        ssim = summarise(tested, lambda score: score.network, "ssim_global")
        for network in ("unet", "gvtnet"):
            reported = TABLE_2[recipe.third_axis, network]
            name = f"{recipe.images} ({recipe.name}), {NAMES[network]}"
            theirs = [f"{reported.pcc:.4f}", f"{reported.ssim_global:.4f}"]
            rows.append(Row([name, *theirs, _mean(pcc, network), _mean(ssim, network)]))
    return Table(["", "the paper: PCC", "the paper: SSIM, global", "here: PCC", "here: SSIM, global"], rows)


def _combined(scores: Sequence[results.Row]) -> Table:
    """Specific and combined models of each target, and one network of both, on either kind of input."""
    found = summarise(scores, lambda score: (score.recipe, score.target, score.tested_on))
    both = summarise(scored_on_all(scores, Z + TIME), lambda score: (score.recipe, score.target))
    trained = {(score.recipe, score.target) for score in scores}
    rows = []
    for index, target in (("1", "mitochondria"), ("2", "dna"), ("12", "mitochondria"), ("12", "dna")):
        for letters in (Z, TIME, Z + TIME):
            recipe = f"{letters}{index}"
            if (recipe, target) not in trained:
                continue
            name = f"{NAMES[target]}: {NAMES[letters]}"
            if index == "12":
                name += ", one network of both targets"
            cells = [_mean(found, (recipe, target, letter)) for letter in (Z, TIME)]
            rows.append(Row([name, *cells, _mean(both, (recipe, target))]))
    return Table(["here: PCC", "tested on z-stacks", "tested on time series", "on both"], rows)


def _models(study: Study, scores: Sequence[results.Row]) -> Table:
    """A row for each model."""
    key = attrgetter("recipe", "target", "training_fields", "patch")
    pcc = summarise(scores, key, "pcc")
    ssim = summarise(scores, key, "ssim_global")
    rows = []
    for model in sorted(pcc):
        of_model = [score for score in scores if key(score) == model]
        example = of_model[0]
        name = f"{example.recipe}, {NAMES[example.target]}"
        if study == "models":
            name += f": {RECIPES[example.recipe].words}"
        fields = len({score.field for score in of_model})
        numbers = [str(number) for number in (example.training_fields, example.patch, fields)]
        rows.append(Row([name, *numbers, _mean(pcc, model), _mean(ssim, model)]))
    return Table(["recipe", "training sets", "patch", "test fields", "here: PCC", "here: SSIM, global"], rows)


def _mean(found: dict[object, Summary], key: object) -> str:
    summary = found.get(key)
    if summary is None:
        return _NONE
    return summary.words.replace("-", "−")
