"""How reliable is the warning about shifted channels? Known shifts of simulated cells: found, missed, false alarms.

    mito-predict simulate cells -n 12 --seed 2000 --flip-z
    python shifts.py cells [--start-from mito-z] [--output shifts.json]

Each cell's truth is moved by known whole voxels (z, y, x) before the check that every training begins with. "Right" is
a warning within one voxel of the shift along each axis that was looked along (edges: not z); at no shift every warning
is a false alarm. Once against the start model's prediction, once (as when training from scratch) by edges.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from napari_mito_predict.evaluation import edges, find_shift
from napari_mito_predict.models import load_model
from napari_mito_predict.prediction import predict
from napari_mito_predict.training.checks import check_shift
from napari_mito_predict.training.fields import Field, Place
from napari_mito_predict.training.pairs import Pair, open_field, prepare, read_volumes

SHIFTS = ((0, 0, 0), (0, 1, 0), (0, 2, 0), (0, 0, -3), (0, 5, 4), (0, -12, 8), (2, 0, 0), (4, 0, 3))


def main() -> None:
    """Print one row per shift and reference."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--start-from", default="mito-z")
    parser.add_argument("--channel", default="TMRM")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    model = load_model(options.start_from)
    counts = {kind: {shift: [0, 0] for shift in SHIFTS} for kind in ("start model", "edges")}
    cells = sorted(options.folder.glob("*.czi"))
    for path in cells:
        pair = read(path, options.channel)
        expected = predict(pair.input.astype(np.float32), model)[model.targets[0]].data
        for shift in SHIFTS:
            moved = Pair(pair.field, pair.input, np.roll(pair.truth, shift, (1, 2, 3)))
            for kind, like in (("start model", expected), ("edges", None)):
                warned, right = judge(moved, like, shift)
                counts[kind][shift][0] += warned
                counts[kind][shift][1] += right
    rows = {kind: {str(s): {"warned": w, "right": r} for s, (w, r) in c.items()} for kind, c in counts.items()}
    for kind, found in rows.items():
        for shift, row in found.items():
            print(f"{kind:12} shift {shift:14} warned {row['warned']:2} of {len(cells)}, right {row['right']:2}")
    if options.output:
        options.output.write_text(json.dumps({"cells": len(cells), "rows": rows}, indent=1) + "\n", encoding="utf-8")


def read(path: Path, channel: str) -> Pair:
    """The field as training reads it."""
    opened = open_field(Field(path.stem, Place(path, "transmitted"), (Place(path, channel),)))
    return prepare(next(read_volumes(opened)), opened, None)


def judge(pair: Pair, like: np.ndarray | None, shift: tuple[int, ...]) -> tuple[bool, bool]:
    """Whether the check warns, and whether it is right about where."""
    given, truth = pair.input.astype(np.float32), pair.truth[0].astype(np.float32)
    findings, _ = check_shift(pair, (lambda _: [like]) if like is not None else None, ("truth",), along_third=True)
    pictures = (edges(given), edges(truth)) if like is None else (like, truth)
    found = find_shift(*pictures, along_third=like is not None).voxels
    looked_along = slice(1, None) if like is None else slice(None)
    close = all(abs(f - s) <= 1 for f, s in zip(found[looked_along], shift[looked_along], strict=True))
    return bool(findings), bool(findings) and close


if __name__ == "__main__":
    main()
