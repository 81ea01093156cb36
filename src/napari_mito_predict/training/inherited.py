"""What a model takes over from the one it starts from: licence, authors, attribution; how its input is normalised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_mito_predict.errors import ConfigError, ModelError
from napari_mito_predict.image import Finding, Level
from napari_mito_predict.models import Normalisation
from napari_mito_predict.models.licence import is_binding, licence_after
from napari_mito_predict.training.sampling import start_card

if TYPE_CHECKING:
    from napari_mito_predict.training.config import TrainingConfig


@dataclass(frozen=True)
class Terms:
    """Whose a model is, and what others may do with it; see the fields of `ModelCard`."""

    licence: str = ""
    authors: tuple[str, ...] = ()
    attribution: str = ""


def terms_of(config: TrainingConfig) -> Terms:
    """Terms of the model that a training makes: those of its start model, and the licence that is asked for.

    Raises
    ------
    ConfigError
        Another licence is asked for than the start model allows.
    TrainingDataError
        There is no such start model, or it is damaged.
    """
    start = start_card(config)
    if start is None:
        return Terms(licence=(config.licence or "").strip())
    try:
        licence = licence_after(start.licence, config.licence)
    except ModelError as error:
        raise ConfigError(f"licence: {error}") from error
    return Terms(licence, start.authors, start.attribution)


def normalisation_of(config: TrainingConfig) -> Normalisation:
    """How the input is normalised: as the start model learnt it, else to z-scores.

    Raises
    ------
    TrainingDataError
        There is no such start model, or it is damaged.
    """
    start = start_card(config)
    if start is None:
        return Normalisation()
    return start.input.normalisation


def explain_terms(config: TrainingConfig) -> tuple[Finding, ...]:
    """Say under which licence the finished model will be, where its start model decides that.

    Raises
    ------
    ConfigError, TrainingDataError
        See `terms_of`.
    """
    licence = terms_of(config).licence
    start = start_card(config)
    if start is None or not is_binding(start.licence):
        return ()
    message = f"{start.name} is under {licence}: what is trained from it is so, too. What it predicts is not."
    return (Finding(Level.INFO, "licence-inherited", message),)
