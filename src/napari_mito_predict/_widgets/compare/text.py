"""What the compare step says in words: what the numbers cover, a shift, and a paragraph for a paper."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_mito_predict._widgets.compare.scores import Agreement
    from napari_mito_predict.evaluation import ShiftCheck

CAPTION = "Predicted brightness is relative, not calibrated."
SHIFT_TIP = (
    "Looked for in the middle of the stack, at most 32 × 384 × 384 voxels of it. Where the PCC stays below 0.5 with it "
    "undone, the two may also show different structures."
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
    at = " at this time point" if series else ""
    parts = [
        f"{found.voxels:,} {of}"
        for found, of in zip(region, ("pixels of this plane", "voxels of the stack"), strict=False)
        if found
    ]
    known = [
        f"this plane: {plane.voxels:,} pixels" if plane else "",
        f"stack{at}: {_millions(stack.voxels)} voxels" if stack else "",
        f"region: {' and '.join(parts)}" if parts else "",
    ]
    counted = "; ".join(part for part in known if part)
    shapes = " All closed shapes of the layer count, in every plane." if any(region) else ""
    covered = f"{counted[:1].upper()}{counted[1:]}, all that is finite in both images.{shapes}\n" if counted else ""
    return f"{covered}PCC: Pearson correlation. {_SSIM} Nothing was registered or corrected."


def shift_words(shift: ShiftCheck) -> str:
    """A shift in one sentence or two."""
    return (
        f"The truth looks shifted by {_by(shift)} (PCC {shift.pcc_before:.2f} as it is, {shift.pcc_after:.2f} with "
        f"that undone). Nothing was moved."
    )


def methods_text(
    record: Mapping[str, Any],
    truth: str,
    stack: Agreement,
    *,
    planes: str = "",
    region: Agreement | None = None,
    shift: ShiftCheck | None = None,
    disclaimer: str = "",
) -> str:
    """One paragraph for the methods of a paper.

    Parameters
    ----------
    record : dict
        How the prediction was made, as `PredictionPlan.record` gives it; empty where nobody wrote it down.
    truth : str
        Name of the truth.
    stack : Agreement
        Over the whole stack.
    planes : str
        What the stack consists of, for example ``"32 Z steps"``.
    region : Agreement, optional
        The same within a region.
    shift : ShiftCheck, optional
        Said where the truth looks shifted.
    disclaimer : str
        Ends the paragraph.
    """
    also = (
        f" Within a manually drawn region ({region.voxels:,} voxels), PCC was {region.pcc:.3f} and SSIM "
        f"{region.ssim:.3f}."
        if region is not None and not region.problem
        else ""
    )
    moved = (
        f"; the recorded fluorescence appears shifted by {_by(shift)} against the prediction (PCC "
        f"{shift.pcc_after:.3f} with that undone)"
        if shift is not None and shift.shifted
        else ""
    )
    return (
        f"{_prediction_words(record)} It was compared with the recorded fluorescence ({truth}) over all "
        f"{stack.voxels:,} voxels{f' of {planes}' if planes else ''} that are finite in both: Pearson correlation "
        f"(PCC) {stack.pcc:.3f}, structural similarity (SSIM) {stack.ssim:.3f}.{also} SSIM is the global form of Hsu, "
        "Lee & Wei (2021), with one mean, variance and covariance for all voxels compared; each image was first "
        f"clipped to its 0.1–99.9 percentiles over them and scaled to [0, 1]. Images were not registered{moved}. "
        "Predicted intensity is relative (z-scores of the training data), not calibrated."
        f"{f' Note on the model: {disclaimer}' if disclaimer else ''}"
    )


def _prediction_words(record: Mapping[str, Any]) -> str:
    model, made_from, parameters = (record.get(key) or {} for key in ("model", "input", "parameters"))
    version = (record.get("versions") or {}).get("napari-mito-predict") or metadata.version("napari-mito-predict")
    sizes = made_from.get("voxel_size_um") or ()
    size = " × ".join("unknown" if value is None else f"{value:.4g}" for value in sizes)
    channel = (made_from.get("channel") or {}).get("name")
    details = [f"channel {channel}" if channel else "", f"voxel size {size} µm (z, y, x)" if size else ""]
    listed = "; ".join(part for part in details if part)
    weights = model.get("weights_sha256")
    how = [
        f"model {model['name']}" if model.get("name") else "model unknown",
        f"weights SHA-256 {weights}" if weights else "",
        _devices(parameters),
    ]
    stain = record.get("stain")
    target = f" of {record['target']}" if record.get("target") else ""
    what = f"Fluorescence{target}{f' ({stain})' if stain else ''}"
    return (
        f"{what} was predicted from transmitted-light images{f' ({listed})' if listed else ''} with "
        f"napari-mito-predict {version} ({', '.join(part for part in how if part)})."
    )


def _by(shift: ShiftCheck) -> str:
    """For example ``+3 voxels in Y, −5 in X``."""
    moved = [(voxels, axis) for voxels, axis in zip(shift.voxels, "ZYX", strict=True) if voxels]
    parts = [f"{voxels:+d} in {axis}" for voxels, axis in moved]
    if moved:
        unit = "voxel" if abs(moved[0][0]) == 1 else "voxels"
        parts[0] = parts[0].replace(" in", f" {unit} in")
    return ", ".join(parts).replace("-", "−")


def _devices(parameters: Mapping[str, Any]) -> str:
    """What computed, for example ``on CUDA in bf16``; more than one where memory ran out on the first."""
    used = parameters.get("computed_on") or [parameters]  # records of earlier versions name one device
    return " and ".join(
        f"on {device['device'].upper()} in {_precision(device)}" for device in used if "device" in device
    )


def _precision(device: Mapping[str, Any]) -> str:
    precision = str(device.get("precision", "32"))
    return "float32" if precision == "32" else precision


def _millions(count: int) -> str:
    return f"{count / 1e6:.1f} M" if count >= 10_000_000 else f"{count:,}"
