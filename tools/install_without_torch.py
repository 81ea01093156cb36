"""Install what reading, checking and writing images needs, and pytest, but not torch.

Its newest build brings several GB on Linux. What needs it, and what is for a screen, stays away too.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
WITHOUT = {"torch", "lightning-fabric", "torchmetrics", "qtpy", "superqt", "magicgui", "pyqtgraph", "matplotlib"}


def requirements() -> list[str]:
    """List them as pyproject.toml has them: the dependencies, the extra for OME-Zarr, and the group of the tests."""
    content = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = content["project"]
    listed = [*project["dependencies"], *project["optional-dependencies"]["zarr"]]
    listed += content["dependency-groups"]["test-core"]
    return [line for line in listed if re.split(r"[^\w.-]", line)[0] not in WITHOUT]


def main() -> int:
    """Return pip's exit code."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", *requirements()]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
