"""Replace this environment's direct dependencies by the oldest ones that pyproject.toml allows.

torch is left as it is: its oldest release brings CUDA packages on Linux, and the environment has the one it needs.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def main() -> int:
    """Return uv's exit code."""
    content = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = content["project"]
    wanted = [line for line in project["dependencies"] if not line.startswith("torch")]
    wanted += [*project["optional-dependencies"]["zarr"], *content["dependency-groups"]["gui"]]
    with tempfile.TemporaryDirectory() as folder:
        direct, without, exact = (Path(folder) / name for name in ("direct.txt", "without.txt", "exact.txt"))
        direct.write_text("\n".join(wanted), encoding="utf-8")
        # An override that is never true takes torch, and all that it brings, out of the resolution.
        without.write_text("torch; sys_platform == 'never'", encoding="utf-8")
        resolve = ["compile", "--quiet", "--resolution", "lowest-direct", "--override", without, "-o", exact, direct]
        for arguments in (resolve, ["install", "--no-deps", "--requirement", exact]):
            done = subprocess.run(["uv", "pip", *arguments, "--python", sys.executable], check=False)
            if done.returncode:
                return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
