"""Verdicts on measures in the package of one of the user's own models: card and README, both or neither."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari_mito_predict._files import atomic_path, atomic_write_text
from napari_mito_predict.errors import ProtectedModelError, UnwritableOutputError
from napari_mito_predict.models.files import CARD, README, open_package
from napari_mito_predict.models.own import own_model
from napari_mito_predict.models.package import read_card
from napari_mito_predict.models.writing import write_zip

if TYPE_CHECKING:
    from napari_mito_predict.models.card import ModelCard
    from napari_mito_predict.models.card_tests import MeasureVerdict


def judgeable_model(name: str) -> Path:
    """Find the package of one of the user's own models, whose verdicts can be written.

    Raises
    ------
    UnknownModelError
        No model has that name.
    ProtectedModelError
        It is not the user's own, or lies elsewhere and is only linked to.
    """
    path = own_model(name).path
    if path.is_symlink():
        raise ProtectedModelError(
            f"this is a link to {path.resolve()}, and nothing is changed there. Copy the model, and judge the copy.",
            file=path,
        )
    return path


def save_verdicts(name: str, verdicts: Sequence[MeasureVerdict]) -> Path:
    """Write verdicts into the card and the README of one of the user's own models.

    They take the place of those on the same measures in as many dimensions, of cells of the same kind (real or
    simulated); all others stay.

    Parameters
    ----------
    name : str
        Of the model.
    verdicts : sequence of MeasureVerdict

    Returns
    -------
    Path
        The package.

    Raises
    ------
    UnknownModelError, ProtectedModelError
        See `judgeable_model`.
    ModelError
        The card cannot be read.
    UnwritableOutputError
        The package cannot be written; it is what it was.
    """
    path = judgeable_model(name)
    write_verdicts(path, verdicts)
    return path


def write_verdicts(path: Path, verdicts: Sequence[MeasureVerdict]) -> None:
    """Write verdicts into the package at `path`, whoever it belongs to; see `save_verdicts`."""
    card = read_card(path)
    replaced = set(map(_about, verdicts))
    kept = [verdict for verdict in card.verdicts if _about(verdict) not in replaced]
    judged = card.model_copy(update={"verdicts": (*verdicts, *kept)})
    texts = {README: _readme(path, judged), CARD: judged.to_json()}
    try:
        if path.is_dir():
            _write_both(path, texts)
        else:
            with atomic_path(path) as temporary:  # written where the package is not open any more
                write_zip(path, temporary, texts=texts)
    except OSError as error:
        raise UnwritableOutputError(f"could not be written ({error.strerror or error}).", file=path) from error


def _about(verdict: MeasureVerdict) -> tuple[object, ...]:
    return (verdict.measure, verdict.dimensions, bool(verdict.simulated))


def _readme(path: Path, card: ModelCard) -> str:
    """The README of a card, with the pictures that the one of the package shows."""
    with open_package(path) as files:
        before = files.read(README).decode("utf-8", errors="replace") if files.has(README) else ""
    pictures = [line for line in before.splitlines() if line.startswith("![")]
    return card.to_markdown() + "".join(f"\n{line}\n" for line in pictures)


def _write_both(folder: Path, texts: dict[str, str]) -> None:
    """Write the README and then the card, which decides; where that fails, the README gets its old text back."""
    before = (folder / README).read_bytes() if (folder / README).exists() else None
    atomic_write_text(folder / README, texts[README])
    try:
        atomic_write_text(folder / CARD, texts[CARD])
    except BaseException:
        if before is None:
            (folder / README).unlink()
        else:
            atomic_write_text(folder / README, before.decode("utf-8", errors="replace"))
        raise
