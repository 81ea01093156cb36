"""Importing the package, or asking the command line for help, must stay cheap: no torch, no Qt, no napari."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "napari", "qtpy", "PyQt6", "PySide6", "superqt", "magicgui", "pyqtgraph", "lightning_fabric")

IMPORTS = "import napari_mito_predict"
HELP = """
import sys
from napari_mito_predict.cli import main
sys.argv = ["mito-predict", {arguments}]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
"""


def modules_after(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter has loaded after running `code`."""
    report = "\nimport sys; print('MODULES', *{name.partition('.')[0] for name in sys.modules})"
    command = [sys.executable, "-W", "error", "-c", code + report]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True)
    return set(done.stdout.rpartition("MODULES ")[2].split())


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(IMPORTS, id="package"),
        pytest.param(HELP.format(arguments="'--help'"), id="help"),
        pytest.param(HELP.format(arguments="'predict', '--help'"), id="predict-help"),
        pytest.param(HELP.format(arguments="'models', 'list'"), id="models-list"),
        pytest.param("import napari_mito_predict._widgets", id="widgets-package"),
    ],
)
def test_no_heavy_import(code: str) -> None:
    assert modules_after(code).isdisjoint(HEAVY)


def test_measures_import_their_libraries_when_they_measure() -> None:
    loaded = modules_after("from napari_mito_predict.measurement import measure, segment_mitochondria")
    assert loaded.isdisjoint({*HEAVY, "pandas", "skan", "numba", "skimage"})


@pytest.mark.parametrize(
    "code", [pytest.param(IMPORTS, id="package"), pytest.param(HELP.format(arguments="'--help'"), id="help")]
)
def test_no_array_library_either(code: str) -> None:
    assert modules_after(code).isdisjoint({"numpy", "scipy", "dask", "bioio", "tifffile"})
