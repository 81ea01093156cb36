"""Which versions computed a result."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from functools import cache
from importlib import metadata


def versions_of(packages: Iterable[str]) -> dict[str, str]:
    """Versions of Python and of those packages that are installed, by name."""
    found = {"python": platform.python_version()}
    for package in packages:
        version = _version(package)
        if version:
            found[package] = version
    return found


@cache
def _version(package: str) -> str:
    """Empty where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
