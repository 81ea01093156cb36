"""Look up all installed packages among known vulnerabilities; fails too where one of them could not be looked up.

pip-audit by itself says "No known vulnerabilities found" when the index knows none of the packages. Its `--strict`
tells, but stumbles over this package, which may not be on the index, and over builds such as ``2.13.0+cpu`` of torch.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from importlib.metadata import distributions
from pathlib import Path

_OWN = "napari-mito-predict"


def requirements() -> list[str]:
    """All installed packages but our own, each with its public version."""
    found = {}
    for distribution in distributions():
        name = distribution.metadata["Name"].lower().replace("_", "-")
        if not name.startswith(_OWN):
            found[name] = distribution.version.partition("+")[0]
    return [f"{name}=={version}" for name, version in sorted(found.items())]


def main() -> int:
    """Ask pip-audit, with the arguments of the command line."""
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "installed.txt"
        listed.write_text("\n".join(requirements()), encoding="utf-8")
        command = [sys.executable, "-m", "pip_audit", "--strict", "--no-deps", "--disable-pip", "-r", str(listed)]
        return subprocess.run([*command, "--progress-spinner", "off", *sys.argv[1:]], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
