"""Planes that were never recorded, in words."""

from __future__ import annotations

from collections.abc import Collection, Sequence

Plane = tuple[int, int, int]
"""t, c, z, counted from 0."""

_MOST_TIME_POINTS = 3


def describe_missing(missing: Collection[Plane], names: Sequence[str | None]) -> str:
    """Say which planes of which time points were never recorded, in one sentence or two.

    Parameters
    ----------
    missing : collection of (int, int, int)
        (t, c, z), at least one.
    names : sequence of str or None
        Of the channels.
    """
    incomplete = sorted({t for t, _, _ in missing})
    said = [f"time point {t} lacks {_lacking(missing, t, names)}" for t in incomplete[:_MOST_TIME_POINTS]]
    if len(incomplete) > _MOST_TIME_POINTS:
        said.append(f"and {len(incomplete) - _MOST_TIME_POINTS} more lack planes")
    return (
        f"{len(missing)} planes were never recorded, so the recording was probably stopped early: {'; '.join(said)} "
        "(counted from 0). What is complete can be used."
    )


def _lacking(missing: Collection[Plane], t: int, names: Sequence[str | None]) -> str:
    """Which planes of a time point are missing, such as "Z 7-11 of BF and Z 7-11 of DAPI"."""
    parts = []
    for channel, name in enumerate(names):
        steps = sorted(z for at, c, z in missing if (at, c) == (t, channel))
        if steps:
            parts.append(f"Z {ranges(steps)} of {name or f'channel {channel}'}")
    return " and ".join(parts)


def ranges(numbers: Sequence[int]) -> str:
    """Write ``[0, 1, 2, 5]`` as "0-2, 5"."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
