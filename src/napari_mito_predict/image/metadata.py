"""XML from image files, and the numbers in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.etree import ElementTree

# How many of a unit make a micrometre (or a second), as OME, ImageJ and OME-Zarr spell them. Division, because
# 1e-7 m times 1e6 is not 0.1 in floating point. With any other unit the size counts as unknown.
_PER_UM = {
    **dict.fromkeys(("um", "µm", "μm", "\\u00b5m", "micron", "microns", "micrometer", "micrometre"), 1.0),
    **dict.fromkeys(("nm", "nanometer", "nanometre"), 1e3),
    **dict.fromkeys(("mm", "millimeter", "millimetre"), 1e-3),
    **dict.fromkeys(("cm", "centimeter", "centimetre"), 1e-4),
    **dict.fromkeys(("m", "meter", "metre"), 1e-6),
    **dict.fromkeys(("å", "angstrom"), 1e4),
    **dict.fromkeys(("inch", "in"), 1 / 25400),
}
_PER_SECOND = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1.0),
    **dict.fromkeys(("ms", "msec", "millisecond", "milliseconds"), 1e3),
    **dict.fromkeys(("min", "minute", "minutes"), 1 / 60),
    **dict.fromkeys(("h", "hour", "hours"), 1 / 3600),
}


SMALLEST_VOXEL_UM = 1e-3
LARGEST_VOXEL_UM = 1e3
"""Voxels of light microscopes lie between. What is outside has another unit, or is a resolution for print."""


def parse_xml(text: str) -> ElementTree.Element:
    """Parse XML; entity bombs are stopped by expat itself (2.4.1 and later, in every Python we support)."""
    return ElementTree.fromstring(text)  # noqa: S314


def known_size(value: object) -> float | None:
    """Give a size as float, or None for what means unknown: absent, 0, negative, not finite, no number."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and number > 0 else None


def impossible_axes(voxel_size_um: Sequence[float | None]) -> list[str]:
    """Those of z, y, x along which a voxel size is known and cannot be that of a light microscope."""
    sizes = zip("zyx", voxel_size_um, strict=True)
    return [axis for axis, size in sizes if size is not None and not SMALLEST_VOXEL_UM <= size <= LARGEST_VOXEL_UM]


def describe_size(voxel_size_um: Sequence[float | None]) -> str:
    """Voxel sizes for people: ``0.3 x 0.1 x 0.1 µm (z, y, x)``, with ? for what is not known."""
    return " x ".join("?" if size is None else f"{size:.3g}" for size in voxel_size_um) + " µm (z, y, x)"


def length_um(value: object, unit: str | None) -> float | None:
    """Convert a length to micrometres; None where the number or its unit is unknown."""
    return _convert(value, unit, _PER_UM)


def time_s(value: object, unit: str | None) -> float | None:
    """Convert a time to seconds; None where the number or its unit is unknown."""
    return _convert(value, unit, _PER_SECOND)


def knows_unit(unit: str) -> bool:
    """Whether sizes in a unit, of length or of time, can be converted."""
    name = unit.strip().lower()
    return name in _PER_UM or name in _PER_SECOND


def _convert(value: object, unit: str | None, table: dict[str, float]) -> float | None:
    number, divisor = known_size(value), table.get((unit or "").strip().lower())
    return number / divisor if number is not None and divisor is not None else None
