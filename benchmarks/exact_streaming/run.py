"""Measure exact prediction strip by strip, and other ways beside it, on this machine's processor.

    python benchmarks/exact_streaming/run.py --output results.json [--scale full|quick|smoke] [--only NAME ...]

Parts; `--only` picks them, or any piece of a measurement's name (``--only largest``, ``--only 32x512x512/bf16``):

compare
    One volume, one network, all ways in one process in the order A B A B ...; see `exact_streaming.timing` for times
    and errors, `exact_streaming.resident` for memory, and the modules of the ways for what each does.
scaling
    Our engine on ever longer volumes.
largest
    A stack of a whole large camera field through the bundled models.
training
    Our training loop beside the same arithmetic with nothing around it.

All numbers go to the JSON file, after each measurement; what is in it is not measured again but with ``--again``. What
could not be measured is tried again; one way that failed among others that did not, only with ``--again``. The tables
are printed as Markdown. Nothing else should run meanwhile. MONAI and bioimageio.core are left out where they are not
installed; see `exact_streaming.blocks` for versions that go together.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from exact_streaming.programme import main

if __name__ == "__main__":
    sys.exit(main())
