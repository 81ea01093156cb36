"""The table of fissions and fusions beside a simulated series."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_mito_predict._tables import write_table
from napari_mito_predict.simulation.true_dynamics import EVENT_COLUMNS

if TYPE_CHECKING:
    from napari_mito_predict.simulation.true_dynamics import TrueDynamics


def events_path(image: Path) -> Path:
    """Where the events of a simulated file are written: ``cell_0000.czi`` has ``cell_0000.events.csv``."""
    return image.with_name(f"{image.stem}.events.csv")


def write_events(path: Path, dynamics: TrueDynamics) -> None:
    """Write the table that `TrueDynamics.events` gives, complete or not at all.

    Raises
    ------
    UnwritableOutputError
        The folder is missing, read-only or full.
    """
    write_table(path, EVENT_COLUMNS, dynamics.events())
