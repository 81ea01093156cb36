"""The states that a run can go on from: written completely, and verified before a run goes on from one."""

from __future__ import annotations

import hashlib
import io
import logging
import math
import pickle
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_mito_predict._files import atomic_path, atomic_write_text, sha256_file
from napari_mito_predict._reading import open_file, read_text
from napari_mito_predict.errors import DamagedCheckpointError, TrainingError, one_line

if TYPE_CHECKING:
    from torch import Tensor

_log = logging.getLogger(__name__)

_KEPT = 2
_LARGEST_HASH = 1 << 10
_PARTS = frozenset({"model", "optimiser", "scaler", "average", "random", "progress", "config", "digests"})
_LEARNED = ("model", "optimiser", "scaler", "average")
"""Parts that training changes, and that a loss or gradient that is not finite would poison."""
_UNREADABLE = (
    OSError,
    EOFError,
    RuntimeError,  # torch: not one of its files; zipfile: encrypted
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    pickle.UnpicklingError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
"""What zipfile and torch raise on files that are cut, overwritten, or no checkpoints at all."""


def save_checkpoint(folder: Path, iteration: int, state: Mapping[str, Any]) -> None:
    """Write a checkpoint and its SHA-256, completely or not at all; keep the one before, remove all others.

    Parameters
    ----------
    folder : Path
        Where checkpoints are; it exists.
    iteration : int
        How many iterations led to this state.
    state : mapping
        What `torch.save` takes, with the parts that `load_newest_checkpoint` gives.

    Raises
    ------
    TrainingError
        The state holds numbers that are not finite. Nothing is written, so that the last good one stays.
    UnwritableOutputError
        The disk is full, or was taken away.
    """
    import torch

    poisoned = _first_not_finite(state)
    if poisoned:
        raise TrainingError(
            f"{folder.parent}: {poisoned} became NaN or infinite at iteration {iteration}. This state was not kept; "
            "the last good model and checkpoint are. Start a new run with a lower learning rate, or with "
            "`clip_gradient`."
        )
    path = folder / f"{iteration:08d}.pt"
    # A checkpoint without a hash is still checked, one with the hash of another is refused: so the old hash goes first.
    _hash_of(path).unlink(missing_ok=True)
    with atomic_path(path) as temporary:
        try:
            torch.save(dict(state), temporary)
        except RuntimeError as error:  # what torch makes of a full disk
            raise OSError(f"torch could not write: {error}") from error
        digest = sha256_file(temporary)
    atomic_write_text(_hash_of(path), f"{digest}  {path.name}\n")  # as `sha256sum --check` reads it
    _remove_others(folder, path)


def load_newest_checkpoint(folder: Path) -> dict[str, Any] | None:
    """Load the newest checkpoint that is sound; what is wrong with newer ones is logged.

    Returns
    -------
    dict or None
        ``model``, ``optimiser``, ``scaler``, ``average``, ``random``, ``progress``, ``config`` and ``digests``, on the
        CPU. None where there is no checkpoint at all.

    Raises
    ------
    DamagedCheckpointError
        There are checkpoints, but none is sound.
    """
    problems = []
    for path in reversed(_checkpoints(folder)):
        try:
            return _load(path)
        except DamagedCheckpointError as error:
            _log.warning("%s: %s Trying the one before.", folder, error)
            problems.append(str(error))
    if problems:
        raise DamagedCheckpointError(
            f"none of the {len(problems)} checkpoints can be used, so this run cannot go on; nothing in its "
            "folder was changed. Put the checkpoints back from a backup, or start a new run in another folder, with "
            f"`start_from` this run's model. {' '.join(problems)}",
            file=folder,
        )
    return None


def _load(path: Path) -> dict[str, Any]:
    """Verify and load one checkpoint; what is wrong with it is said without its folder."""
    import torch

    try:
        with open_file(path) as stream:
            content = stream.read()
        _verify(path, content)
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        raise DamagedCheckpointError(f"{path.name} is damaged ({one_line(error)}).") from error
    if not isinstance(state, dict) or not state.keys() >= _PARTS:
        raise DamagedCheckpointError(f"{path.name} is damaged (it does not hold what a checkpoint holds).")
    poisoned = _first_not_finite(state)
    if poisoned:
        raise DamagedCheckpointError(f"{path.name} is of no use ({poisoned} is NaN or infinite).")
    return state


def _verify(path: Path, content: bytes) -> None:
    """Raise `ValueError` or what zipfile raises unless `content` is what was written.

    torch itself reads changed bytes without a word: it does not look at the checksums of its own zip files.
    """
    try:
        expected = read_text(_hash_of(path), _LARGEST_HASH).partition(" ")[0]
    except FileNotFoundError:
        # Written by an earlier version, copied without its hash, or by a trainer that was killed between the two.
        expected = ""
    if expected:
        if hashlib.sha256(content).hexdigest() != expected:
            raise ValueError("its content is not what was written")
        return
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise ValueError(f"the checksum of its part {damaged} is wrong")


def _first_not_finite(state: Mapping[str, Any]) -> str:
    """The first part of what was learned that is NaN or infinite, such as ``model/conv_out.weight``; or empty."""
    import torch

    for part in _LEARNED:
        for name, value in _numbers(state.get(part), part):
            if isinstance(value, float):
                finite = math.isfinite(value)
            else:
                finite = bool(torch.isfinite(value).all())
            if not finite:
                return name
    return ""


def _numbers(value: Any, name: str) -> Iterator[tuple[str, float | Tensor]]:
    """All tensors and floats in nested dictionaries, lists and tuples, each with its path."""
    import torch

    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _numbers(inner, f"{name}/{key}")
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _numbers(inner, f"{name}/{index}")
    elif isinstance(value, float | torch.Tensor):
        yield name, value


def _remove_others(folder: Path, newest: Path) -> None:
    """Keep the newest checkpoints; those numbered after `newest` were damaged, or the run had gone on from them."""
    older = [path for path in _checkpoints(folder) if path.name <= newest.name]
    for path in _checkpoints(folder):
        if path not in older[-_KEPT:]:
            path.unlink(missing_ok=True)
            _hash_of(path).unlink(missing_ok=True)


def _checkpoints(folder: Path) -> list[Path]:
    """All checkpoints, the oldest first."""
    return sorted(folder.glob("[0-9]*.pt"))


def _hash_of(checkpoint: Path) -> Path:
    return checkpoint.with_name(f"{checkpoint.name}.sha256")
