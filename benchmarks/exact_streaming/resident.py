"""How much memory a way takes: peak of the resident memory, in a fresh process in which only that way is run.

Before: the volume is there, the way is made (its weights folded or copied, where it does so beforehand), and it has
predicted a small volume, so that libraries are loaded. Then the kernel's mark of the peak is set back (Linux), and the
way predicts once. *Growth* is peak less what was resident before. *Above the arrays* is growth less the arrays as large
as the volume that a way has to make (`exact_streaming.ways.arrays`): the output, and for our engine also the stack as
it read it and the result on the model's grid; the other ways were given the normalised volume.
"""

from __future__ import annotations

import ctypes
import gc
import sys
import time
from pathlib import Path
from typing import Any

import psutil

from exact_streaming.subject import Subject
from exact_streaming.ways import arrays, make


def measure_memory(arguments: dict[str, Any]) -> dict[str, Any]:
    """`arguments`: network, shape, precision, way. Gives seconds, too: of one run."""
    subject, way = Subject.make(arguments["network"], arguments["shape"]), arguments["way"]
    if way["kind"] != "engine":
        _ = subject.normalised
    predict = make(way, subject, arguments["precision"])
    gc.collect()
    give_back()
    reset_peak()
    before = psutil.Process().memory_info().rss
    began = time.perf_counter()
    output = predict()
    seconds = time.perf_counter() - began
    growth, held = peak() - before, arrays(way, arguments["shape"])
    if list(output.shape) != list(arguments["shape"]):
        raise AssertionError(f"the result has shape {output.shape}")
    return {
        "seconds": seconds,
        "voxels_per_s": subject.raw.size / seconds,
        "input_bytes": subject.raw.nbytes,
        "before_bytes": before,
        "growth_bytes": growth,
        "arrays_bytes": held,
        "above_arrays_bytes": growth - sum(held.values()),
        "above_output_bytes": growth - held["output"],
    }


def give_back() -> None:
    """What has been freed, back to the system: else a way would seem to need less (glibc)."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):  # another C library
        pass


def reset_peak() -> None:
    """Forget the peak so far, where the system can; else making the volume counts, which takes little."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        print("  the mark of the peak cannot be set back here", flush=True)


def peak() -> int:
    """Largest resident memory of this process, in bytes.

    Linux's `ru_maxrss` would start with that of the process that started this one; `VmHWM` does not.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        import resource

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024
