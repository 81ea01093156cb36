"""The command line, and which measurements each part is made of."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from exact_streaming.results import Results
from exact_streaming.scales import SCALES, Comparison, Scale, words
from exact_streaming.tables import comparison_table, machine_lines, single_table, training_table

_OURS: list[dict[str, Any]] = [
    {"name": "bare", "kind": "bare"},
    {"name": "bare, folded", "kind": "folded"},
    {"name": "ours", "kind": "engine"},
    {"name": "ours, network only", "kind": "network"},
]
_BUNDLED = ("mito-z", "dna-z")


def main() -> int:
    """Measure what is missing, and print all tables."""
    parser = argparse.ArgumentParser(description="Exact streaming beside other ways of predicting, on the processor.")
    parser.add_argument("--scale", choices=sorted(SCALES), default="full")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="measurements with this in their name")
    parser.add_argument("--network", choices=("random", "bundled"), default="random", help="of the comparisons")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--again", action="store_true", help="measure what is in the file already, too")
    parser.add_argument("--output", type=Path, default=Path("results.json"))
    parser.add_argument("--child", nargs=2, type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        from exact_streaming.child import run_child

        run_child(*options.child)
        return 0
    scale, results = SCALES[options.scale], Results(options.output, options.only, options.again)
    network = _BUNDLED[0] if options.network == "bundled" else scale.network
    tables = [machine_lines(results.describe_machine())]
    tables += [compare(results, options.scale, scale, c, network, options.repeats) for c in scale.comparisons]
    tables += [scaling(results, options.scale, scale, options.repeats), largest(results, options.scale, scale)]
    tables += [training(results, options.scale, scale, options.repeats)]
    print("\n" + "\n\n".join(tables), flush=True)
    return 0


def compare(results: Results, scale_name: str, scale: Scale, comparison: Comparison, network: str, repeats: int) -> str:
    """All ways on one volume: times in one process, memory in one for each."""
    place = f"{scale_name}/compare/{network}/{words(comparison.shape)}/{comparison.precision}"
    same = {"network": network, "shape": comparison.shape, "precision": comparison.precision}
    ways = [*_OURS]
    if comparison.precision == "32" and comparison.others:
        ways.append({"name": "ours, bf16", "kind": "engine", "precision": "bf16"})
    if "monai" in comparison.others:
        ways += monai_ways(results, place, scale, same)
    if "pieces" in comparison.others:
        name = f"pieces of {words(scale.piece)}"
        ways.append({"name": name, "kind": "pieces", "piece": scale.piece, "overlap": scale.piece_overlap})
    if "bioimageio" in comparison.others:
        for halo, what in ((scale.block_halo, f"halo {scale.block_halo}"), (None, "full halo")):
            name = f"bioimageio.core, {words(scale.block)}, {what}"
            ways.append({"name": name, "kind": "bioimageio", "block": scale.block, "halo": halo})
    times = results.get(f"{place}/times", "times", same | {"ways": ways, "repeats": repeats, "errors": True})
    memory = {way["name"]: results.get(f"{place}/memory/{way['name']}", "memory", same | {"way": way}) for way in ways}
    return comparison_table(words(comparison.shape), comparison.precision, network, times, memory)


def monai_ways(results: Results, place: str, scale: Scale, same: dict[str, Any]) -> list[dict[str, Any]]:
    """For each window and overlap, with the number of windows at a time that was fastest at the first overlap."""
    ways = []
    for roi in scale.windows:
        first = scale.window_overlaps[0]
        tried = [
            {"name": str(batch), "kind": "monai", "roi": roi, "overlap": first, "batch": batch}
            for batch in scale.window_batches
        ]
        arguments = same | {"ways": tried, "repeats": 1, "errors": False}
        found = results.get(f"{place}/monai-batches/{words(roi)}", "times", arguments).get("ways", {})
        seconds = {int(name): row["median_s"] for name, row in found.items() if "median_s" in row}
        best = min(seconds, key=lambda batch: seconds[batch]) if seconds else scale.window_batches[0]
        for overlap in scale.window_overlaps:
            name = f"MONAI, {words(roi)}, overlap {overlap}"
            ways.append({"name": name, "kind": "monai", "roi": roi, "overlap": overlap, "batch": best})
    return ways


def scaling(results: Results, scale_name: str, scale: Scale, repeats: int) -> str:
    """Our engine on ever longer volumes: medians of times, memory of one run."""
    way = {"name": "ours", "kind": "engine"}
    rows = {}
    for shape in scale.lengths:
        place, same = f"{scale_name}/scaling/{words(shape)}", {"network": _BUNDLED[0], "shape": shape}
        memory = results.get(place, "memory", same | {"precision": "bf16", "way": way})
        asked = same | {"precision": "bf16", "ways": [way], "repeats": repeats, "errors": False}
        times = results.get(f"{place}/times", "times", asked).get("ways", {}).get("ours", {})
        seconds = {"seconds": times["median_s"], "voxels_per_s": times["voxels_per_s"]} if "median_s" in times else {}
        rows[words(shape)] = memory | seconds
    return single_table(f"Ours on longer volumes: {_BUNDLED[0]}, bf16, medians of times", "volume", rows)


def largest(results: Results, scale_name: str, scale: Scale) -> str:
    """A large stack through both bundled models for z-stacks."""
    way, rows = {"name": "ours", "kind": "engine"}, {}
    for model in _BUNDLED:
        arguments = {"network": model, "shape": scale.largest, "precision": "bf16", "way": way}
        rows[model] = results.get(f"{scale_name}/largest/{model}", "memory", arguments)
    return single_table(f"{words(scale.largest)}, uint16, bf16, one run each", "model", rows)


def training(results: Results, scale_name: str, scale: Scale, repeats: int) -> str:
    """Our training loop and the bare one."""
    same = {"width": scale.width, "batch": scale.batch, "iterations": scale.iterations, "repeats": repeats}
    rows = {
        precision: results.get(f"{scale_name}/training/{precision}", "training", same | {"precision": precision})
        for precision in ("32", "bf16")
    }
    return training_table(f"Training: width {scale.width}, batch {scale.batch} of 32x64x64", rows)
