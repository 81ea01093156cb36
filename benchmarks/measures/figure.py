"""The figure of the study: each measure on recording and prediction, field by field.

python benchmarks/measures/figure.py RESULT.json FIGURE.png
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import matplotlib as mpl

mpl.use("agg")
import matplotlib.pyplot as plt

SHOWN = {
    "z": (
        "mitochondria.total_volume",
        "mitochondria.total_length",
        "mitochondria.count",
        "mitochondria.branch_points",
        "nuclei.total_volume",
        "nucleoids.count",
    ),
    "t": (
        "mitochondria.total_area",
        "mitochondria.total_length",
        "mitochondria.count",
        "mitochondria.branch_points",
        "nuclei.total_area",
        "nucleoids.count",
    ),
}
COLOURS = {"supported": "#1a7f37", "with care": "#9a6700", "not supported": "#b42318"}
TITLES = {"z": "stacks: mito-z, dna-z", "t": "planes of series: mito-t, dna-t"}


def main() -> None:
    """Draw it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", type=Path)
    parser.add_argument("figure", type=Path)
    given = parser.parse_args()
    result = json.loads(given.result.read_text(encoding="utf-8"))
    figure, rows = plt.subplots(2, 6, figsize=(15, 5.6), layout="constrained")
    for kind, axes in zip(SHOWN, rows, strict=True):
        for measure, ax in zip(SHOWN[kind], axes, strict=True):
            _draw(ax, measure, result[kind])
        axes[0].set_ylabel(f"{TITLES[kind]}\n\nprediction")
    for ax in rows[-1]:
        ax.set_xlabel("recorded fluorescence")
    figure.savefig(given.figure, dpi=100)


def _draw(ax: plt.Axes, measure: str, result: dict) -> None:
    pairs = [(field["recorded"][measure], field["predicted"][measure]) for field in result["fields"]]
    found = result["agreement"][measure]["predicted_recorded"]
    low, high = 0, 1.08 * max(max(pair) for pair in pairs)
    ax.plot([low, high], [low, high], color="0.7", linewidth=1)
    ax.scatter(*zip(*pairs, strict=True), s=18, color=COLOURS[found["verdict"]])
    ax.set_xlim(low, high)
    ax.set_ylim(low, high)
    concordance = "–" if found["concordance"] is None else f"{found['concordance']:.2f}"
    bias = "–" if found["bias"] is None else f"{found['bias']:+.0%}"
    structure, name = measure.split(".")
    title = f"{structure}: {name.replace('_', ' ')}\nconcordance {concordance}, bias {bias}\n{found['verdict']}"
    ax.set_title(title, fontsize=9, color=COLOURS[found["verdict"]])
    ax.tick_params(labelsize=7)


if __name__ == "__main__":
    main()
