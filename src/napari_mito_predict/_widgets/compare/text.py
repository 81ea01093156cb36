"""What the compare step says in words: what the numbers cover, a shift, and a paragraph for a paper."""

from __future__ import annotations

import math
from importlib import metadata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_mito_predict._widgets.compare.scores import Agreement, BaselineAgreement
    from napari_mito_predict.evaluation import ShiftCheck
    from napari_mito_predict.models.record import DeviceUse, PredictionRecord

CAPTION = "Predicted brightness is relative, not calibrated."
SHIFT_TIP = (
    "Looked for in the middle of the stack, at most 32 × 384 × 384 voxels of it. Where the PCC stays below 0.5 with it "
    "undone, the two may also show different structures."
)
_FINE = (
    "Fine PCC: the same after subtracting from each plane its blur by a Gaussian of 1.3 µm (12 pixels where the pixel "
    "size is unknown)."
)
_SSIM = (
    "SSIM: the global form of Hsu, Lee & Wei 2021, not the usual one in small windows; each image is clipped to its "
    "0.1–99.9 percentiles over the very pixels compared and scaled to 0–1. The report takes the percentiles over the "
    "whole volume for its parts too, so its SSIM of a single plane is another."
)


def coverage(
    plane: Agreement | None, stack: Agreement | None, region: Sequence[Agreement | None] = (), *, series: bool = False
) -> str:
    """Which pixels the numbers cover and how they were made comparable.

    Parameters
    ----------
    plane, stack : Agreement or None
        As far as they are known.
    region : sequence of Agreement or None
        Of the plane and of the stack, where a region is chosen.
    series : bool
        The stack is one of a time series.
    """
    how = f"PCC: Pearson correlation. {_FINE} {_SSIM} Nothing was registered or corrected."
    counted = "; ".join(_counted(plane, stack, region, series=series))
    if not counted:
        return how
    covered = f"{counted[0].upper()}{counted[1:]}, all that is finite in both images."
    if any(region):
        covered += " All closed shapes of the layer count, in every plane."
    return f"{covered}\n{how}"


def _counted(
    plane: Agreement | None, stack: Agreement | None, region: Sequence[Agreement | None], *, series: bool
) -> Iterator[str]:
    """How many pixels each of the numbers covers."""
    if plane:
        yield f"this plane: {plane.voxels:,} pixels"
    if stack:
        where = "stack"
        if series:
            where = "stack at this time point"
        yield f"{where}: {_millions(stack.voxels)} voxels"
    units = ("pixels of this plane", "voxels of the stack")
    parts = [f"{found.voxels:,} {unit}" for found, unit in zip(region, units, strict=False) if found]
    if parts:
        yield f"region: {' and '.join(parts)}"


def baseline_words(found: BaselineAgreement | None, stack: Agreement | None) -> str:
    """What needs no network in one sentence, and a second where the prediction is no better; empty where unknown."""
    if found is None or stack is None:
        return ""
    known = {name: value for name, value in found.pcc.items() if math.isfinite(value)}
    if not known:
        return ""
    names = ", ".join(f"{name} {value:z.2f}" for name, value in known.items())
    words = f"{names[0].upper()}{names[1:]}."
    if math.isfinite(stack.pcc) and stack.pcc <= max(known.values()):
        words += " The prediction is no better than that."
    return words


def baseline_tip(found: BaselineAgreement | None) -> str:
    """What the sentence on baselines means, with their fine PCC."""
    if found is None:
        return ""
    fine = ", ".join(f"{name} {value:z.2f}" for name, value in found.fine.items() if math.isfinite(value))
    tip = (
        "PCC of the transmitted light itself with the truth of this stack, without any network: blurred, and its local "
        "contrast; blur, window and sign are the best ones for this very stack."
    )
    return f"{tip} Fine PCC: {fine}." if fine else tip


def shift_words(shift: ShiftCheck) -> str:
    """A shift in one sentence or two."""
    return (
        f"The truth looks shifted by {_by(shift)} (PCC {shift.pcc_before:.2f} as it is, {shift.pcc_after:.2f} with "
        f"that undone). Nothing was moved."
    )


def predicted_truth_words(model: str) -> str:
    """What numbers mean whose truth is a prediction."""
    return f"The truth is a prediction itself, by {model}: the numbers tell how alike two are, not how right."


def methods_text(
    record: PredictionRecord,
    truth: str,
    stack: Agreement,
    *,
    planes: str = "",
    region: Agreement | None = None,
    shift: ShiftCheck | None = None,
    baselines: BaselineAgreement | None = None,
    truth_predicted_by: str = "",
    disclaimer: str = "",
) -> str:
    """One paragraph for the methods of a paper.

    Parameters
    ----------
    record : PredictionRecord
        How the prediction was made, as `PredictionPlan.record` gives it; empty where nobody wrote it down.
    truth : str
        Name of the truth.
    stack : Agreement
        Over the whole stack.
    planes : str
        What the stack consists of, for example ``"32 Z steps"``.
    region : Agreement, optional
        Scores within a region.
    shift : ShiftCheck, optional
        Mentioned where the truth looks shifted.
    baselines : BaselineAgreement, optional
        What needs no network, in the same stack.
    truth_predicted_by : str
        Model that made the truth, where that is a prediction itself.
    disclaimer : str
        Ends the paragraph.
    """
    compared_with = "the recorded fluorescence"
    if truth_predicted_by:
        compared_with = f"another prediction by {truth_predicted_by}"
    voxels = f"{stack.voxels:,} voxels"
    if planes:
        voxels += f" of {planes}"
    sentences = [
        _prediction_words(record),
        *_averaging_words(record),
        f"It was compared with {compared_with} ({truth}) over all {voxels} that are finite in both: Pearson "
        f"correlation (PCC) {stack.pcc:.3f}{_fine_words(stack)}, structural similarity (SSIM) {stack.ssim:.3f}.",
    ]
    if region is not None and not region.problem:
        sentences.append(
            f"Within a manually drawn region ({region.voxels:,} voxels), PCC was {region.pcc:.3f}{_fine_words(region)} "
            f"and SSIM {region.ssim:.3f}."
        )
    if math.isfinite(stack.fine):
        sentences.append(
            "Fine PCC is the PCC after subtracting from each plane its blur by a Gaussian of 1.3 µm (12 pixels where "
            "the pixel size was unknown)."
        )
    if baselines is not None:
        values = [f"{value:.3f} for the {name}" for name, value in baselines.pcc.items() if math.isfinite(value)]
        if values:
            sentences.append(
                "Without a network, with blur, window and sign chosen on this very stack, PCC was "
                f"{' and '.join(values)}."
            )
    sentences += [
        "SSIM is the global form of Hsu, Lee & Wei (2021), with one mean, variance and covariance for all voxels "
        "compared; each image was first clipped to its 0.1–99.9 percentiles over them and scaled to [0, 1].",
        f"Images were not registered{_moved_words(shift, compared_with)}.",
        "Predicted intensity is relative (z-scores of the training data), not calibrated.",
    ]
    if disclaimer:
        sentences.append(f"Note on the model: {disclaimer}")
    return " ".join(sentences)


def _fine_words(found: Agreement) -> str:
    return f" (fine PCC {found.fine:.3f})" if math.isfinite(found.fine) else ""


def _moved_words(shift: ShiftCheck | None, compared_with: str) -> str:
    if shift is None or not shift.shifted:
        return ""
    return (
        f"; {compared_with} appears shifted by {_by(shift)} against the prediction (PCC "
        f"{shift.pcc_after:.3f} with that undone)"
    )


def _prediction_words(record: PredictionRecord) -> str:
    return (
        f"Fluorescence{_target_words(record)} was predicted from transmitted-light images{_input_words(record)} with "
        f"napari-mito-predict {_version(record)} ({', '.join(_model_words(record))})."
    )


def _averaging_words(record: PredictionRecord) -> Iterator[str]:
    orientations = record.parameters.orientations
    if orientations > 1:
        yield (
            f"It is the mean of the predictions of {orientations} orientations of each image, flipped and turned by "
            "quarter turns in y, x (test-time augmentation)."
        )
    if record.parameters.smooth_time > 1:
        yield f"It was smoothed along time, over {record.parameters.smooth_time} time points (Gaussian)."


def _target_words(record: PredictionRecord) -> str:
    text = ""
    if record.target:
        text += f" of {record.target}"
    if record.stain:
        text += f" ({record.stain})"
    return text


def _input_words(record: PredictionRecord) -> str:
    """Channel and voxel size, as far as they are known, in brackets."""
    details = []
    channel = record.input.channel
    if channel is not None and channel.name:
        details.append(f"channel {channel.name}")
    if record.input.voxel_size_um:
        sizes = " × ".join(map(_size_words, record.input.voxel_size_um))
        details.append(f"voxel size {sizes} µm (z, y, x)")
    if not details:
        return ""
    return f" ({'; '.join(details)})"


def _size_words(size_um: float | None) -> str:
    if size_um is None:
        return "unknown"
    return f"{size_um:.4g}"


def _model_words(record: PredictionRecord) -> Iterator[str]:
    """Which model, its weights, and what computed."""
    yield f"model {record.model.name or 'unknown'}"
    if record.model.weights_sha256:
        yield f"weights SHA-256 {record.model.weights_sha256}"
    if record.computed_on:
        yield " and ".join(f"on {use.device.upper()} in {_precision(use)}" for use in record.computed_on)


def _version(record: PredictionRecord) -> str:
    return record.versions.get("napari-mito-predict") or metadata.version("napari-mito-predict")


def _by(shift: ShiftCheck) -> str:
    """For example ``+3 voxels in Y, −5 in X``."""
    parts: list[str] = []
    for voxels, axis in zip(shift.voxels, "ZYX", strict=True):
        if not voxels:
            continue
        amount = f"{voxels:+d}".replace("-", "−")
        if parts:
            parts.append(f"{amount} in {axis}")
        elif abs(voxels) == 1:
            parts.append(f"{amount} voxel in {axis}")
        else:
            parts.append(f"{amount} voxels in {axis}")
    return ", ".join(parts)


def _precision(use: DeviceUse) -> str:
    if use.precision == "32":
        return "float32"
    return use.precision


def _millions(count: int) -> str:
    if count < 10_000_000:
        return f"{count:,}"
    return f"{count / 1e6:.1f} M"
