"""Reads damaged things one after the other, in a process that may be killed: a line of JSON for each of them.

Started by `test_fuzz.py` with the kind and the paths. A case that takes 10 s of processor time, or 60 s, ends the
process by a signal; the caller goes on behind it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import resource
import signal
import sys
from pathlib import Path

from napari_mito_predict.errors import MitoPredictError

_CPU_S, _WALL_S = 10, 60
_ADDRESS_SPACE = 8 << 30


def image(path: Path) -> str:
    """Read what `predict` would, of the first scenes, time points and channels."""
    from napari_mito_predict.image import open_image

    digest = hashlib.sha256()
    opened = open_image(path)
    for scene in range(min(3, len(opened.scenes))):
        one = opened.with_scene(scene)
        for t in range(min(3, one.sizes["T"])):
            for channel in range(min(3, one.sizes["C"])):
                stack = one.read(t, channel)
                digest.update(f"{stack.shape} {stack.dtype.str}".encode() + stack.tobytes())
    return digest.hexdigest()


def plan(path: Path) -> str:
    """Plan a prediction, which is where a size that no recording has is refused."""
    from napari_mito_predict.prediction.plan import plan_prediction

    return str(len(plan_prediction(path, "mito-z").outputs))


def package(path: Path) -> str:
    """Load a model and run its self-test; the weights are what counts."""
    from napari_mito_predict.models import read_package, verify_model

    report = verify_model(path)
    if not report.passed:
        raise MitoPredictError(report.message, file=path)
    digest = hashlib.sha256()
    for name, weight in sorted(read_package(path).network.state_dict().items()):
        digest.update(name.encode() + weight.numpy().tobytes())
    return digest.hexdigest()


def run(path: Path) -> str:
    """Show a run, as the command and the dock do."""
    from napari_mito_predict.cli._console import json_text
    from napari_mito_predict.cli.runs import _record, _row
    from napari_mito_predict.training import Run

    found = Run(path)
    _row(found)
    json_text(_record(found) | {"metrics": found.metrics})
    assert found.stop_requested in ("", "pause", "keep")
    assert all("iteration" in line for line in found.metrics)
    with contextlib.suppress(MitoPredictError):
        _ = found.config
    return found.status.state


def runs(folder: Path) -> str:
    """List runs."""
    from napari_mito_predict.training.runs import runs_in

    return str(len([found.status.state for found in runs_in(folder)]))


def models(folder: Path) -> str:
    """List models."""
    from napari_mito_predict.models.info import Source
    from napari_mito_predict.models.neighbours import models_in

    return str(len(models_in(folder, Source.OWN)))


def config(path: Path) -> str:
    """Load a training configuration."""
    from napari_mito_predict.training import TrainingConfig

    return hashlib.sha256(TrainingConfig.load(path).to_yaml().encode()).hexdigest()


KINDS = {each.__name__: each for each in (image, plan, package, run, runs, models, config)}


def _peak_mib() -> float:
    """Most memory since the last time, where the system tells."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0.0
    peak = int(re.findall(r"VmHWM:\s+(\d+)", status.read_text())[0]) / 1024
    Path("/proc/self/clear_refs").write_text("5")
    return peak


def _outcome(path: Path, kind: str) -> dict[str, object]:
    try:
        return {"result": "read", "detail": KINDS[kind](path)}
    except MitoPredictError as error:
        named = path.name in str(error) and len(str(error).splitlines()) == 1
        return {"result": "refused" if named else "unnamed", "detail": ascii(str(error))[:300]}
    except BaseException as error:  # noqa: BLE001 - to be told
        return {"result": "unnamed", "detail": ascii(f"{type(error).__name__}: {error}")[:300]}


def main() -> None:
    """Tell the outcome of each case as soon as it is known."""
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    answers = sys.stdout
    sys.stdout = sys.stderr
    for line in sys.stdin:
        case = json.loads(line)
        signal.alarm(_WALL_S)
        signal.setitimer(signal.ITIMER_PROF, _CPU_S)
        outcome = _outcome(Path(case["path"]), case["kind"])
        answers.write(json.dumps(outcome | {"mib": _peak_mib()}) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
