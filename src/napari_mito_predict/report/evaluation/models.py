"""What is known of the models of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_mito_predict.models.card_text import training_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_mito_predict.evaluation.results import Result
    from napari_mito_predict.models import ModelCard


def facts_of_models(results: Sequence[Result]) -> dict[str, dict[str, str]]:
    """Model -> what -> fact, of what is known of it."""
    models: dict[str, dict[str, str]] = {}
    for result in results:
        if result.case.model not in models:
            facts = _recorded(result) | (_on_its_card(result.card) if result.card is not None else {})
            models[result.case.model] = {what: fact for what, fact in facts.items() if fact}
    return models


def _recorded(result: Result) -> dict[str, str]:
    known = result.case.record.model
    trust = result.case.disclaimer
    if not trust and not known.name:
        trust = "Nothing is known of this model."
    return {
        "title": known.title,
        "weights (SHA-256)": known.weights_sha256,
        "licence": known.licence,
        "attribution": known.attribution,
        "trust": trust,
    }


def _on_its_card(card: ModelCard) -> dict[str, str]:
    sizes = ["–" if size is None else f"{size:g}" for size in card.input.voxel_size_um]
    voxels = f"voxels {' × '.join(sizes)} µm (z, y, x)"
    if not card.input.sampling_known:
        voxels = "voxel size unknown"
    return {
        "trained on": training_text(card),
        "made for": f"{', '.join(card.input.third_axes) or 'single planes'}; {voxels}",
        "network": card.architecture.kind,
        "notes": card.training.notes,
    }
