"""What a trainer says of itself in `status.json`, and whether it still lives."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import psutil
from pydantic import Field, TypeAdapter, ValidationError

from napari_mito_predict._files import atomic_write_text
from napari_mito_predict._reading import read_bytes

SCHEMA_VERSION = 1
_LARGEST_BYTES = 1 << 20
_SILENT_S = 60.0
"""A trainer on another computer that has not been heard of for so long is taken for dead."""

State = Literal["preparing", "running", "stopped", "done", "failed", "interrupted", "damaged"]
_ALIVE = ("preparing", "running")
_SAME_START_S = 1.5
"""How exactly the start of a process is known."""


@dataclass
class Status:
    """What `status.json` holds.

    Attributes
    ----------
    state : str
        ``preparing``, ``running``, ``stopped`` (can be resumed), ``done``, ``failed``; and two which no trainer writes:
        ``interrupted`` when it said it was alive, but its process is gone, and ``damaged`` when what it said cannot be
        read.
    message : str
        For people.
    iteration, iterations : int
        How far, and how many there will be.
    seconds_left : float or None
        Time to the end.
    pid : int
        Of the trainer.
    heartbeat : float
        When it was last heard of, seconds since 1970.
    scores : dict
        Validation PCC of ``best``, of the ``base`` model before training, and of what needs no network: the
        ``blurred input`` and the ``local contrast``.
    started : float
        When its process began, see `process_start`; 0 where an earlier version wrote this.
    host : str
        The computer it runs on.
    schema_version : int
        Of this file; 1 where it does not say.
    """

    state: State
    message: str = ""
    iteration: int = 0
    iterations: int = 0
    seconds_left: float | None = None
    pid: Annotated[int, Field(ge=0, lt=2**32)] = 0
    heartbeat: float = 0.0
    scores: dict[str, float] = field(default_factory=dict)
    started: float = 0.0
    host: str = ""
    schema_version: int = SCHEMA_VERSION

    @property
    def alive(self) -> bool:
        """A trainer is at work."""
        return self.state in _ALIVE


_STATUS = TypeAdapter(Status)


def read_status(path: Path) -> Status:
    """What the trainer wrote; a status in the state ``damaged`` that says why where it cannot be understood.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    """
    try:
        status = _STATUS.validate_json(read_bytes(path, _LARGEST_BYTES))
    except FileNotFoundError:
        raise
    except OSError as error:
        return Status("damaged", f"{path} cannot be read ({error.strerror or error}).")
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        message = f"{path} cannot be read ({where}: {first['msg']}). Resuming the run writes it anew."
        return Status("damaged", message)
    if status.schema_version > SCHEMA_VERSION:
        message = f"{path} was written by a newer version (schema {status.schema_version}). Update napari-mito-predict."
        return Status("damaged", message)
    return status


def write_status(path: Path, status: Status) -> None:
    """Write a status as that of this process, heard of now."""
    said = dataclasses.replace(status, heartbeat=time.time(), **_this_process())
    atomic_write_text(path, json.dumps(dataclasses.asdict(said), indent=2))


def trainer_is_alive(status: Status) -> bool:
    """Whether the process that wrote this status still exists.

    A process number alone does not tell, since systems use them again; nor does the age of the heartbeat, since a
    trainer may be suspended and clocks may be set. A process of that number that began when the trainer did is the
    trainer. Of another computer only the heartbeat can be seen.
    """
    if status.host and status.host != platform.node():
        return abs(time.time() - status.heartbeat) < _SILENT_S
    try:
        process = psutil.Process(status.pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        if status.started:
            return abs(process_start(process) - status.started) < _SAME_START_S
    except psutil.Error:
        return False
    return abs(time.time() - status.heartbeat) < _SILENT_S


def process_start(process: psutil.Process) -> float:
    """When a process began, in seconds by a clock that is not set: since boot on Linux, since 1970 elsewhere."""
    if not psutil.LINUX:
        return float(process.create_time())
    # The kernel counts from boot; psutil adds when that was, which changes when the computer's clock is set.
    boot = psutil.boot_time()
    return float(process.create_time() - boot)


@cache
def _this_process() -> dict[str, Any]:
    return {"pid": os.getpid(), "started": process_start(psutil.Process()), "host": platform.node()}
