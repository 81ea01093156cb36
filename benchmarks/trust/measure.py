"""PCC and colour of each field of each pair, kept in files so that a run that was interrupted goes on."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mito_predict.errors import MitoPredictError
from napari_mito_predict.evaluation import pcc
from napari_mito_predict.prediction import predict
from trust.conditions import CONDITIONS, CROSS_VALIDATED, MATCHED, TARGETS, Condition, fields_of
from trust.criteria import Pair
from trust.images import Field, field_of

if TYPE_CHECKING:
    from napari_mito_predict.models import Model


@dataclass(frozen=True)
class Question:
    """One field under one condition, and a model."""

    condition: Condition
    model: str
    field: str

    @property
    def key(self) -> str:
        return f"{self.condition.name} | {self.model} | {self.field}"


def questions(half: str, conditions: Sequence[Condition] = CONDITIONS) -> Iterator[Question]:
    """All of one half; those of one image follow each other."""
    for condition in conditions:
        for name in fields_of(condition, half):
            for model in condition.models:
                yield Question(condition, model, name)


def answered(
    path: Path, half: str, folder: Path, answer: Callable[[Question, Field], dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Ask what `path` does not know yet, and write it there."""
    known: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    opened: tuple[tuple[str, str], Field] | None = None
    for question in questions(half):
        if question.key in known:
            continue
        image = (question.condition.name, question.field)
        if opened is None or opened[0] != image:
            opened = (image, field_of(question.condition, question.field, folder))
        known[question.key] = answer(question, opened[1])
        print(question.key, known[question.key], flush=True)
        path.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    return known


def scored(question: Question, field: Field, model: Model) -> dict[str, Any]:
    """The PCC of a prediction with what was recorded; or why there is none."""
    truth = field.truth_for(TARGETS[question.model])
    if truth is None:
        return {}
    try:
        (prediction,) = predict(field.image, model, channel=field.channel, look=False).values()
    except MitoPredictError as error:
        return {"refused": str(error)}
    found = pcc(field.comparable(prediction.data), truth)
    return {"pcc": round(found, 4)} if math.isfinite(found) else {}


def pairs_of(half: str, scores: dict[str, dict[str, Any]], lights: dict[str, dict[str, Any]]) -> list[Pair]:
    """Put fields together to pairs, with the matched PCC of their model."""
    means = {
        (condition.name, model): _mean(scores, condition, model, half)
        for condition in CONDITIONS
        for model in condition.models
    }
    matched = {model: means[name, model] for model, name in MATCHED.items()} | CROSS_VALIDATED
    pairs = []
    for condition in CONDITIONS:
        for model in condition.models:
            keys = [Question(condition, model, name).key for name in fields_of(condition, half)]
            pairs.append(
                Pair(
                    condition=condition.name,
                    model=model,
                    pcc=means[condition.name, model],
                    matched=matched[model],
                    colours=tuple(lights[key]["colour"] for key in keys),
                    same_structure=condition.same_structure(model),
                )
            )
    return pairs


def _mean(scores: dict[str, dict[str, Any]], condition: Condition, model: str, half: str) -> float:
    """Over the fields that have a PCC."""
    found = [scores[Question(condition, model, name).key].get("pcc") for name in fields_of(condition, half)]
    known = [value for value in found if value is not None]
    return float(np.mean(known)) if known else math.nan
