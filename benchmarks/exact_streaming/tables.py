"""Results as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_MIB = 2**20


def machine_lines(machine: dict[str, Any]) -> str:
    """One paragraph."""
    bf16 = ", ".join(machine["bf16_instructions"]) or "none"
    return (
        f"{machine['processor']}, {machine['cores']} cores, bfloat16 instructions: {bf16}; "
        f"torch {machine.get('torch')} with {machine.get('threads')} threads, {machine['system']}"
    )


def comparison_table(
    shape: str, precision: str, network: str, times: dict[str, Any], memory: dict[str, dict[str, Any]]
) -> str:
    """All ways on one volume."""
    title = f"### {shape}, {precision}, network {network}"
    if "not_measured" in times:
        return f"{title}\n\nnot measured: {times['not_measured']}"
    head = ["way", "s", "Mvoxel/s", "ratio", "MiB above input", "MiB above arrays"]
    head += ["largest error / std", "the same inside", "1 - PCC"]
    rows = []
    for name, row in times["ways"].items():
        held = memory.get(name, {})
        if "not_measured" in row:
            rows.append([name, f"not measured: {row['not_measured']}", *[""] * 7])
            continue
        rows.append(
            [
                name,
                f"{row['median_s']:.2f}",
                f"{row['voxels_per_s'] / 1e6:.2f}",
                "" if row["ratio"] is None else f"{row['ratio']:.3f}",
                *_memory(held, "growth_bytes", "above_arrays_bytes"),
                *(f"{row[key]:.1e}" if key in row else "" for key in ("largest", "inside", "one_minus_pcc")),
            ]
        )
    return f"{title}\n\n{table(head, rows)}\n\nErrors are to: {times['reference']}."


def single_table(title: str, first: str, rows: dict[str, dict[str, Any]]) -> str:
    """Runs of our engine."""
    head = [first, "s", "ns/voxel", "Mvoxel/s", "MiB of input", "MiB above input", "MiB above input and output"]
    head += ["MiB above arrays"]
    body = []
    for name, row in rows.items():
        if "not_measured" in row:
            body.append([name, f"not measured: {row['not_measured']}", *[""] * 6])
            continue
        speed = row["voxels_per_s"]
        body.append(
            [
                name,
                f"{row['seconds']:.2f}",
                f"{1e9 / speed:.1f}",
                f"{speed / 1e6:.2f}",
                *_memory(row, "input_bytes", "growth_bytes", "above_output_bytes", "above_arrays_bytes"),
            ]
        )
    note = "Arrays: the input, the stack as read from it, the result on the model's grid, and the output."
    return f"### {title}\n\n{table(head, body)}\n\n{note}"


def training_table(title: str, rows: dict[str, dict[str, Any]]) -> str:
    """Both loops in each precision."""
    head = ["precision", "bare it/s", "ours it/s", "ours / bare", "inside the network"]
    body = []
    for precision, row in rows.items():
        if "not_measured" in row:
            body.append([precision, f"not measured: {row['not_measured']}", "", "", ""])
            continue
        rates = [f"{row[key]:.3f}" for key in ("bare_per_s", "ours_per_s", "ratio")]
        body.append([precision, *rates, f"{100 * row['inside']:.1f} %"])
    return f"### {title}\n\n{table(head, body)}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "/") for cell in line) + " |" for line in lines)


def _memory(row: dict[str, Any], *keys: str) -> list[str]:
    return [f"{row[key] / _MIB:.0f}" if key in row else "" for key in keys]
