"""How long opening and reading a CZI of 32 x 1024 x 1024 takes with the library of this Python, plain and by Zstandard.

    python benchmarks/read_czi.py [OTHER_PYTHON]

With another Python, both read the same files in turns, so that a busy machine is unfair to neither.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SHAPE = (32, 1024, 1024)
COMPRESSIONS = {"plain": "uncompressed:", "zstd": "zstd1:ExplicitLevel=1;PreProcess=HiLoByteUnpack"}
ROUNDS = 7


def main() -> None:
    """Write the files, read them in turns, and print the times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", nargs="?", help="another Python that has the package")
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.read:
        print(_seconds(arguments.read))
        return
    pythons = [sys.executable] + ([arguments.other] if arguments.other else [])
    with tempfile.TemporaryDirectory() as folder:
        for name, compression in COMPRESSIONS.items():
            path = Path(folder) / f"{name}.czi"
            _write(path, compression)
            times: dict[str, list[float]] = {python: [] for python in pythons}
            for _ in range(ROUNDS):
                for python in pythons:
                    times[python].append(_seconds_of(python, path))
            for python, seconds in times.items():
                print(f"{name:6} {statistics.median(seconds):.3f} s (best {min(seconds):.3f} s) {python}")


def _seconds_of(python: str, path: Path) -> float:
    """Time it in a fresh process of one Python."""
    command = [python, __file__, "--read", str(path)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _seconds(path: Path) -> float:
    """Open and read once to import what is needed and to fill the cache of the disk, then take the best of three."""
    from napari_mito_predict.image import open_image

    times = []
    for _ in range(4):
        start = time.perf_counter()
        stack = open_image(path).read()
        times.append(time.perf_counter() - start)
        assert stack.shape == SHAPE
    return min(times[1:])


def _write(path: Path, compression: str) -> None:
    import numpy as np
    import pylibCZIrw.czi as pyczi

    rng = np.random.default_rng(0)
    # Noise of a camera on a smooth field: compresses to about half, as recordings do.
    field = 2000 + 1500 * np.sin(np.linspace(0, 20, SHAPE[2]))
    with pyczi.create_czi(str(path), compression_options=compression) as document:
        for z in range(SHAPE[0]):
            plane = rng.poisson(field, SHAPE[1:]).astype(np.uint16)
            document.write(data=plane[..., None], plane={"C": 0, "Z": z})
        document.write_metadata(channel_names={0: "TL"}, scale_x=1e-7, scale_y=1e-7, scale_z=3e-7)


if __name__ == "__main__":
    main()
