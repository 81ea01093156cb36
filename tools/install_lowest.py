"""Replace this environment's direct dependencies by the oldest ones that pyproject.toml allows.

torch is left as it is: its oldest release brings CUDA packages on Linux, and the environment has the one it needs.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parent.parent


def main() -> int:
    """Return uv's exit code."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    installed = version("torch")
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "requirements.txt"
        lines = [line for line in project["dependencies"] if not line.startswith("torch")]
        lines += [*project["optional-dependencies"]["zarr"], f"torch=={installed}"]
        wanted.write_text("\n".join(lines), encoding="utf-8")
        command = ["uv", "pip", "install", "--python", sys.executable, "--resolution", "lowest-direct"]
        return subprocess.run([*command, "--requirement", str(wanted)], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
