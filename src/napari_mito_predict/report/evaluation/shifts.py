"""What was found of the registration of truth and predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_mito_predict.report.pieces import Caution
from napari_mito_predict.report.words import count, listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_mito_predict.evaluation import ShiftCheck
    from napari_mito_predict.evaluation.results import Result

_WEAK = 0.5


def shifted_truths(results: Sequence[Result]) -> Iterator[Caution]:
    """One for each prediction of a field that the truth looks shifted against."""
    for result in results:
        if result.shift is not None and result.shift.shifted:
            yield _shifted(result, result.shift)


def registered(results: Sequence[Result]) -> str:
    """For which predictions of a field there is no shift, in one line; empty where for none."""
    return _said_of("no shift of the truth against the prediction", results, significant=True)


def not_told(results: Sequence[Result]) -> str:
    """For which predictions of a field it cannot be told, in one line; empty where for none."""
    said = "whether the truth is shifted cannot be told, for it matches the prediction nowhere better than chance"
    return _said_of(said, results, significant=False)


def shifted_fields(results: Sequence[Result]) -> Caution | None:
    """In which fields of a target the truth looks shifted, and against whose prediction."""
    shifted: dict[str, list[str]] = {}
    for result in results:
        if result.shift is not None and result.shift.shifted:
            shifted.setdefault(result.case.field, []).append(result.case.model)
    if not shifted:
        return None
    models = {result.case.model for result in results}
    fields = count(len({result.case.field for result in results}), "field")
    named = list(shifted)
    if len(models) > 1:
        named = [f"{field} (by {listed(found)})" for field, found in shifted.items()]
    return Caution(
        f"In {len(shifted)} of {fields} the truth looks shifted against a prediction: {listed(named)}.",
        "Their scores enter the means above uncorrected.",
    )


def _said_of(said: str, results: Sequence[Result], *, significant: bool) -> str:
    told = [(result.case.model, result.shift) for result in results if result.shift is not None]
    models = [model for model, shift in told if not shift.shifted and shift.significant is significant]
    if not models:
        return ""
    return f"{said} ({listed(models)})" if len(results) > 1 else said


def _shifted(result: Result, shift: ShiftCheck) -> Caution:
    doubt = "It is weak, so the two may also show different structures. " if shift.pcc_after < _WEAK else ""
    return Caution(
        f"The truth looks shifted against the prediction ({result.case.model}): {_by(shift)}.",
        f"PCC over the voxels both share: {shift.pcc_before:.3f} before and {shift.pcc_after:.3f} after correction. "
        f"{doubt}All other numbers here are without correction. A shift comes from the microscope (stage, camera or "
        "colour offset between channels) or was learnt from training pairs that had it.",
    )


def _by(shift: ShiftCheck) -> str:
    parts = []
    for axis, voxels, um in zip("zyx", shift.voxels, shift.um, strict=True):
        if not voxels:
            continue
        moved = f"{axis} {voxels:+d} voxels"
        if um is not None:
            moved += f" ({um:+.3g} µm)"
        parts.append(moved)
    return ", ".join(parts).replace("-", "−")
