"""Is there a screen to show napari on, what does Linux lack for one, and a screen of our own.

Nothing here installs anything: it finds out and says what to type.
"""

from __future__ import annotations

import ctypes
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

logger = logging.getLogger(__name__)

# What Qt's X11 platform plugin and OpenGL load, by soname, and the Debian package that brings it. Qt's wheels ship
# everything else. The list was found by starting napari on a Debian with nothing but Python installed.
_DEBIAN_PACKAGES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-xinerama.so.0": "libxcb-xinerama0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}
_FONT_FOLDER = Path("/usr/share/fonts")
_START_SECONDS = 30


def has_display() -> bool:
    """Whether a window opened now would be seen by somebody."""
    if sys.platform != "linux":
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def missing_packages(*, virtual: bool = True) -> list[str]:
    """Debian packages without which napari cannot open a window here; empty elsewhere than on Linux.

    Parameters
    ----------
    virtual : bool
        Also ask for Xvfb, the screen for machines that have none.
    """
    if sys.platform != "linux":
        return []
    missing = [package for library, package in _DEBIAN_PACKAGES.items() if not _loads(library)]
    if not any(_FONT_FOLDER.glob("**/*.ttf")):
        missing.append("fonts-dejavu-core")
    if virtual and shutil.which("Xvfb") is None:
        missing.append("xvfb")
    return missing


def install_line(packages: list[str]) -> str:
    """The line to type on Debian or Ubuntu."""
    apt_get = "apt-get"
    if os.geteuid() != 0:
        apt_get = "sudo apt-get"
    return f"{apt_get} update && {apt_get} install -y --no-install-recommends {' '.join(packages)}"


@contextmanager
def virtual_display(width: int = 1600, height: int = 1000) -> Iterator[str]:
    """Run an X server without a screen, on a free display number; yields its name, like ``":3"``.

    Raises
    ------
    OSError
        Xvfb is not installed, or did not start.
    """
    read_end, write_end = os.pipe()
    command = ["Xvfb", "-displayfd", str(write_end), "-screen", "0", f"{width}x{height}x24", "-nolisten", "tcp"]
    try:
        server = subprocess.Popen(command, pass_fds=[write_end], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except OSError:
        os.close(read_end)
        raise
    finally:
        os.close(write_end)
    try:
        # The server closes its end when it gives up, so this cannot wait for ever on a dead one.
        with os.fdopen(read_end, encoding="ascii") as answers:
            number = answers.readline().strip()
        if not number:
            raise OSError(f"Xvfb ended with code {server.wait(_START_SECONDS)} before it opened a display")
        yield f":{number}"
    finally:
        server.terminate()
        server.wait(_START_SECONDS)


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
