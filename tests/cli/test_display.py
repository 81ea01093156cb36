"""Finding out about screens; a screen of our own."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from napari_mito_predict.cli import _display

linux = pytest.mark.skipif(sys.platform != "linux", reason="X11 is for Linux")


@linux
@pytest.mark.parametrize(
    ("variables", "seen"), [({}, False), ({"DISPLAY": ":0"}, True), ({"WAYLAND_DISPLAY": "wayland-0"}, True)]
)
def test_has_display(monkeypatch, variables, seen):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert _display.has_display() is seen


@linux
def test_missing_packages_names_the_debian_package(monkeypatch):
    monkeypatch.setattr(_display, "_loads", lambda library: library != "libEGL.so.1")
    monkeypatch.setattr(shutil, "which", lambda program: None)
    missing = _display.missing_packages()
    assert missing[0] == "libegl1"
    assert missing[-1] == "xvfb"
    assert "xvfb" not in _display.missing_packages(virtual=False)


@linux
@pytest.mark.parametrize(("user", "start"), [(0, "apt-get update"), (1000, "sudo apt-get update")])
def test_install_line(monkeypatch, user, start):
    monkeypatch.setattr("os.geteuid", lambda: user)
    line = _display.install_line(["libegl1", "xvfb"])
    assert line.startswith(start)
    assert line.endswith("libegl1 xvfb")


def test_nothing_is_missing_on_other_systems(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    assert _display.missing_packages() == []
    assert _display.has_display()


@pytest.mark.skipif(shutil.which("Xvfb") is None, reason="Xvfb is not installed")
def test_virtual_display_starts_and_ends():
    with _display.virtual_display() as display:
        socket = f"/tmp/.X11-unix/X{display.removeprefix(':')}"
        assert subprocess.run(["test", "-S", socket], check=False).returncode == 0
    assert subprocess.run(["test", "-S", socket], check=False).returncode == 1


@linux
def test_virtual_display_without_xvfb(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(FileNotFoundError), _display.virtual_display():
        pytest.fail("there is no Xvfb")


@linux
def test_virtual_display_that_does_not_start(monkeypatch, tmp_path):
    program = tmp_path / "Xvfb"
    program.write_text("#!/bin/sh\nexit 3\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OSError, match="code 3"), _display.virtual_display():
        pytest.fail("it did not start")
