"""The study of measures compares what it says it compares."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"

pytestmark = pytest.mark.skipif(not BENCHMARKS.is_dir(), reason="no package holds the benchmarks, only the repository")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield import_module("measures.run")
    for name in [name for name in sys.modules if name.partition(".")[0] == "measures"]:
        del sys.modules[name]


def test_verdicts_come_from_prediction_and_recording(run) -> None:
    fields = [
        {
            "geometry": {"mitochondria.count": 2 * count},
            "recorded": {"mitochondria.count": count, "nuclei.count": 1.0},
            "predicted": {"mitochondria.count": count, "nuclei.count": 2.0},
            "dice_recorded": 0.9,
            "dice_predicted": 0.7,
        }
        for count in (4.0, 5, 6, 7, 8, 9, 10, 11)
    ]
    compared = run.compare(fields)
    counted = compared["mitochondria.count"]
    assert counted["predicted_recorded"]["verdict"] == "supported"
    assert counted["recorded_geometry"]["bias"] == -0.5
    assert compared["nuclei.count"].keys() == {"predicted_recorded"}
    assert compared["nuclei.count"]["predicted_recorded"]["verdict"] == "not supported"
    assert "| mitochondria.count | -50%" in "\n".join(run.markdown("z", fields, compared))
