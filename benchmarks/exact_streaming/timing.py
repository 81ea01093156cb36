"""How long ways take, in one process and in turn, and how far they are from one whole float32 pass.

Every round runs each way once, in the same order; a way's ratio is that of its time to the first way's in the same
round, so that a machine that slows down slows both. Medians over rounds are reported. Errors are in standard
deviations of the whole float32 pass, anywhere (`largest`) and, where the volume is large enough, farther from its
borders in y and x than the network looks (`inside`): there it no longer matters how the border is padded. And as
1 - PCC.

Where memory is too short for the whole float32 pass, our network strip by strip in float32 stands in for it, which
`reference` says: on the other volumes the two are compared.
"""

from __future__ import annotations

import gc
import time
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from exact_streaming.not_measured import NotMeasured
from exact_streaming.subject import Subject
from exact_streaming.ways import explain, make

if TYPE_CHECKING:
    from exact_streaming.ways import Predict

_WHOLE = {"name": "whole pass in float32", "kind": "bare"}
_STRIPS = {"name": "strip by strip in float32", "kind": "network"}


def measure_times(arguments: dict[str, Any]) -> dict[str, Any]:
    """`arguments`: network, shape, precision, ways, repeats, errors (whether to look at the results)."""
    subject, precision = Subject.make(arguments["network"], arguments["shape"]), arguments["precision"]
    rows: dict[str, dict[str, Any]] = {way["name"]: {"seconds": [], "ratios": []} for way in arguments["ways"]}
    ready: dict[str, Predict] = {}
    for way in arguments["ways"]:
        try:
            ready[way["name"]] = make(way, subject, precision)
        except NotMeasured as error:
            rows[way["name"]] = {"not_measured": str(error)}
            print(f"  {way['name']}: not measured: {error}", flush=True)
    truth, reference = reference_of(subject) if arguments["errors"] else (None, "")
    for i in range(arguments["repeats"]):
        first = None
        for name, predict in list(ready.items()):
            gc.collect()
            began = time.perf_counter()
            try:
                output = predict()
            except Exception as error:  # noqa: BLE001  another package's; the other ways are still to be measured
                rows[name] = {"not_measured": str(error) if isinstance(error, NotMeasured) else explain(error)}
                del ready[name]
                continue
            seconds = time.perf_counter() - began
            if name == arguments["ways"][0]["name"]:
                first = seconds
            rows[name]["seconds"].append(seconds)
            rows[name]["ratios"].append(seconds / first if first else None)
            if truth is not None and i == 0:
                rows[name] |= difference(output, truth, subject.reach)
            print(f"  round {i + 1}, {name}: {seconds:.2f} s", flush=True)
            del output
    for name in ready:
        row = rows[name]
        row["median_s"] = median(row["seconds"])
        row["voxels_per_s"] = subject.raw.size / row["median_s"]
        row["ratio"] = None if None in row["ratios"] else median(row["ratios"])
    return {"ways": rows, "reference": reference}


def reference_of(subject: Subject) -> tuple[np.ndarray, str]:
    """The right answer, and how it was found."""
    try:
        return make(_WHOLE, subject, "32")(), _WHOLE["name"]
    except NotMeasured:
        return make(_STRIPS, subject, "32")(), _STRIPS["name"]


def difference(output: np.ndarray, truth: np.ndarray, margin: int) -> dict[str, float]:
    """Largest differences in standard deviations of `truth`, and 1 - PCC; summed plane by plane in float64."""
    if output.shape != truth.shape:
        raise NotMeasured(f"its result has shape {output.shape}, expected {truth.shape}")
    largest = inside = 0.0
    sums, n = np.zeros(5), truth.size
    has_inside = min(truth.shape[1:]) > 2 * margin
    margins = (slice(margin, -margin or None),) * 2 if has_inside else (slice(None),) * 2
    for given, wanted in zip(output, truth, strict=True):
        a, b = given.astype(np.float64), wanted.astype(np.float64)
        apart = np.abs(a - b)
        largest, inside = max(largest, float(apart.max())), max(inside, float(apart[margins].max()))
        sums += [a.sum(), b.sum(), (a * a).sum(), (b * b).sum(), ((a - b) ** 2).sum()]
    mean_a, mean_b = sums[0] / n, sums[1] / n
    std_a, std_b = np.sqrt(sums[2] / n - mean_a**2), np.sqrt(sums[3] / n - mean_b**2)
    # From the squared difference, which keeps the digits that 1 - covariance would lose.
    apart_squared = sums[4] / n - (mean_a - mean_b) ** 2
    one_minus_pcc = (apart_squared - (std_a - std_b) ** 2) / (2 * std_a * std_b)
    found = {"largest": largest / std_b, "inside": inside / std_b, "one_minus_pcc": max(one_minus_pcc, 0.0)}
    return {key: float(value) for key, value in found.items() if has_inside or key != "inside"}
