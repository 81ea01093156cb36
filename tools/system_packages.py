"""Install what a Linux machine without a desktop needs to open napari; tox runs this before tests and demo.

As root on Debian or Ubuntu the missing packages are installed. Anywhere else the line to type is printed and the
work goes on: what does not need a window will run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from napari_mito_predict.cli._display import install_line, missing_packages


def main() -> int:
    """Return 0 where nothing is missing, or where the rest has to cope; apt's exit code when apt fails."""
    packages = missing_packages()
    if not packages:
        return 0
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        print(
            f"To open napari this machine lacks: {', '.join(packages)}. To install them:\n    {install_line(packages)}"
        )
        return 0
    print(f"Installing system packages: {' '.join(packages)}", flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages],
    ):
        code = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False).returncode
        if code:
            print(f"`{' '.join(command)}` failed with code {code}. Run by hand:\n    {install_line(packages)}")
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
