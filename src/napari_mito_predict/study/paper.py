"""What the paper reports, as far as its text says so: bar heights of its figures are not in it."""

from __future__ import annotations

from dataclasses import dataclass

CITATION = (
    "C.-M. Hsu, Y.-J. Lee, A.-C. Wei, Convolutional neural networks predict mitochondrial structures from label-free "
    "microscopy images, Proc. SPIE 11792, 117920G (2021), doi 10.1117/12.2591089"
)


@dataclass(frozen=True, slots=True)
class Reported:
    """One number pair of Table 2: Pearson r and SSIM in its global form, on real cells."""

    pcc: float
    ssim_global: float


TABLE_2 = {
    ("z", "unet"): Reported(0.7312, 0.5730),
    ("z", "gvtnet"): Reported(0.5226, 0.4028),
    ("t", "unet"): Reported(0.6431, 0.5545),
    ("t", "gvtnet"): Reported(0.6845, 0.6068),
}
"""(Third axis, network) -> scores; z-stacks are recipe H1, time series D1."""

COMBINED_PCC = {"z": (0.7203, 0.7462), "t": (0.6359, 0.6779)}
"""Pearson r of the combined and the specific model in the text of Figs. 5 and 6. Order ambiguous: not asserted."""

FINDINGS = {
    "models": "The confocal models of 917 pixels (D, H) do best, in time and in z; Airyscan and 512 pixels are lower.",
    "training-size": "More training sets help up to 32; then the curve is flat.",
    "patch-size": "Larger patches are better; 128 pixels no longer help.",
    "architecture": "In z the U-Net is better than GVTNet (PCC 0.7312, 0.5226), in time GVTNet is (0.6845, 0.6431).",
    "combined": (
        "The model trained for the kind of input does best; the combined one is in between, but takes either. The text "
        "gives the pairs 0.7203 and 0.7462 for z and 0.6359 and 0.6779 for time; which of the two belongs to which "
        "model is ambiguous there, so that nothing is asserted here."
    ),
}
"""Study -> what the paper found."""
