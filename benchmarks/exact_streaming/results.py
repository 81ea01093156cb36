"""The file of results: what is in it is not measured again. Each measurement is made in a process of its own."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from exact_streaming.not_measured import NotMeasured

_RUN = Path(__file__).resolve().with_name("run.py")
_BF16 = ("avx512_bf16", "amx_bf16", "bf16")


class Results:
    """Measurements by name.

    Parameters
    ----------
    path : Path
        The JSON file; written after each measurement, in one step.
    only : list of str
        Measure what has one of these in its name; all when empty. What is known already is used in any case.
    again : bool
        Measure these again, although they are known.
    """

    def __init__(self, path: Path, only: list[str], again: bool) -> None:
        self._path, self._only, self._again = path, only, again
        self._data: dict[str, Any] = {"machine": {}, "measurements": {}}
        if path.exists():
            self._data = json.loads(path.read_text(encoding="utf-8"))

    def get(self, name: str, kind: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """The measurement `name`, made now if it has to be; ``not_measured`` in it says why there is none."""
        known: dict[str, Any] | None = self._data["measurements"].get(name)
        wanted = not self._only or any(part in name for part in self._only)
        if not wanted or (known is not None and "not_measured" not in known and not self._again):
            return known or {"not_measured": "not asked for"}
        print(f"{time.strftime('%H:%M:%S')} {name}", flush=True)
        try:
            found = run_apart(kind, arguments)
        except NotMeasured as error:
            found = {"not_measured": str(error)}
        if "not_measured" in found:
            print(f"  not measured: {found['not_measured']}", flush=True)
        found["load_average"] = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
        self._data["measurements"][name] = found | {"kind": kind, "arguments": arguments}
        self._write()
        return found

    def describe_machine(self) -> dict[str, Any]:
        """Processor, cores, versions: of this run, which may add to an earlier one."""
        self._data["machine"] = machine() | run_apart("machine", {})
        self._write()
        described: dict[str, Any] = self._data["machine"]
        return described

    def _write(self) -> None:
        temporary = self._path.with_name(f"{self._path.name}.partial")
        temporary.write_text(json.dumps(self._data, indent=1), encoding="utf-8")
        os.replace(temporary, self._path)


def run_apart(kind: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Run `exact_streaming.child` in a fresh process; its progress is printed as it comes."""
    with tempfile.TemporaryDirectory() as folder:
        task, result = Path(folder) / "task.json", Path(folder) / "result.json"
        task.write_text(json.dumps({"kind": kind, "arguments": arguments}), encoding="utf-8")
        command = [sys.executable, str(_RUN), "--child", str(task), str(result)]
        code = subprocess.run(command, env=os.environ | {"TQDM_DISABLE": "1"}, check=False).returncode
        if code == 0:
            found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
            return found
    if code == -getattr(signal, "SIGKILL", 9):
        raise NotMeasured("the system ended it, most likely because memory ran out")
    raise NotMeasured(f"it failed with exit code {code}, see above")


def machine() -> dict[str, Any]:
    """What the operating system says of itself."""
    name, flags = platform.processor() or platform.machine(), set()
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                name = value.strip()
            if key.strip() in ("flags", "Features"):
                flags = set(value.split())
    except OSError:
        pass
    return {
        "processor": name,
        "cores": os.cpu_count(),
        "bf16_instructions": [flag for flag in _BF16 if flag in flags],
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "omp_num_threads": os.environ.get("OMP_NUM_THREADS"),
    }
