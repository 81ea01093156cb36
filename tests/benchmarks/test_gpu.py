"""The benchmark of graphics cards: without one it says so, and a rehearsal goes all the way."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "gpu.py"

pytestmark = pytest.mark.skipif(not BENCHMARK.is_file(), reason="no package holds the benchmarks, only the repository")


def _measured(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCHMARK), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_without_a_gpu_it_says_so(tmp_path: Path) -> None:
    done = _measured("--output", tmp_path / "gpu.json")
    assert done.returncode == 1
    assert "There is no NVIDIA GPU here" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_rehearsal_goes_all_the_way(tmp_path: Path) -> None:
    done = _measured("--rehearse", "--output", tmp_path / "gpu.json")
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "gpu.json").read_text(encoding="utf-8"))
    assert found["rehearsal"]
    assert {row["network"] for row in found["prediction"]} == {"mito-z", "paper"}
    assert all(row["ours"] > 0 and row["at best"] > 0 for row in found["prediction"])
    assert found["agreement"]["PCC, 32"] == pytest.approx(1)
    assert found["agreement"]["largest relative difference of statistics, uint16"] == 0
    assert found["training"][0]["ours it/s"] > 0
