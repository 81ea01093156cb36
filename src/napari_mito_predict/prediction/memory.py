"""How much memory a prediction needs, how much there is, and how to tell that it ran out."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from math import inf, prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from napari_mito_predict.prediction.tiles import (
    MIN_DEPTH,
    TileGrid,
    halo_needed,
    per_axis,
    plan_strips,
    plan_tiles,
    round_up,
)

if TYPE_CHECKING:
    from napari_mito_predict.prediction.device import Device

# Half of what is free: convolution libraries take workspaces and reorder their inputs, allocators fragment, and the
# viewer next to us needs some too.
_SHARE = 0.5
# Largest core in voxels, chosen for what people see: 32 x 384 x 384 is a few seconds of work for two CPU cores, so
# that the picture grows and a cancel is prompt. On 32 x 1024 x 1024 with a halo of 48 (the bundled networks) the halo
# then costs 41 % more arithmetic, against 20 % for cores of 512 and 64 % for 256 (benchmarks/prediction_speed.py).
_LARGEST_CORE = {"cpu": 32 * 384 * 384, "mps": 32 * 768 * 768, "cuda": 32 * 1024 * 1024}
_XY_RANGE = (256, 1536)
# Voxels along y or x down to which a core is halved before its planes are divided: below, tiles are mostly halo.
_NARROW = 64
# Largest strips in voxels. They have no halo: on processors small ones are as fast, and stay in the caches longer.
# Below some number of rows the coarse levels have too little to do.
# On a GPU what comes last is fetched while nothing is computed any more: on an H200, strips of 256 rows of
# 32 x 1024 x 1024 voxels cost 1 % more than those of 512, and are fetched in half the time.
LARGEST_STRIP = {"cpu": 2**20, "mps": 12 * 2**20, "cuda": 8 * 2**20}
FEWEST_ROWS = 64
# Elements of a tensor that cuDNN counts in 32 bits; beyond, torch goes a slow way of its own.
_MOST_ELEMENTS = 2**31 - 1
_ROWS_BESIDE = 4

_OUT_OF_MEMORY = (
    "out of memory",  # CUDA, MPS, ROCm, XPU
    "can't allocate memory",  # torch's CPU allocator on Linux
    "not enough memory",  # torch's CPU allocator on Windows
    "cublas_status_alloc_failed",
    "cudnn_status_alloc_failed",
    "invalid buffer size",  # MPS, a single buffer too large
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` says that memory ran out; torch has a class for it on CUDA and only texts elsewhere."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error).lower() for text in _OUT_OF_MEMORY)


def free_memory(device: Device) -> int:
    """Bytes that can be allocated now on `device`."""
    if device.kind == "cuda":
        free, _ = torch.cuda.mem_get_info(device.torch_device)
        cached = torch.cuda.memory_reserved(device.torch_device) - torch.cuda.memory_allocated(device.torch_device)
        return int(free + cached)
    if device.kind == "mps":
        return max(0, int(torch.mps.recommended_max_memory()) - int(torch.mps.driver_allocated_memory()))
    return min(int(psutil.virtual_memory().available), _container_limit())


def empty_cache(device: Device) -> None:
    """Give back what torch holds in reserve. Call it outside the ``except`` block: a traceback keeps tensors alive."""
    if device.kind == "cuda":
        torch.cuda.empty_cache()
    elif device.kind == "mps":
        torch.mps.empty_cache()


def bytes_per_voxel(
    network: nn.Module, *, ndim: int, stride: tuple[int, ...], channels: int = 1, planes: int | None = None
) -> float:
    """Peak memory of one float32 pass, in bytes per input voxel, without weights: measured on a small volume.

    Of so many `planes`, where that matters, else of as many as are needed.
    """
    # Large enough that the coarsest level is more than one voxel, which some layers insist on.
    size = [max(2 * s, 8) for s in stride[-ndim:]]
    if planes is not None:
        size[0] = planes
    with torch.inference_mode(), _LiveBytes() as live:
        network(torch.zeros((1, channels, *size)))
    peak: int = live.peak
    return peak / prod(size)


def choose_tiles(
    shape: tuple[int, int, int],
    *,
    stride: tuple[int, int, int],
    receptive_field: tuple[int, int, int],
    kind: str,
    bytes_per_voxel: float,
    free: int,
    halo: int | None = None,
    whole: bool = False,
) -> TileGrid:
    """The largest tiles that fit into memory and still let a person watch and cancel.

    Parameters
    ----------
    shape, stride, receptive_field, halo
        See `napari_mito_predict.prediction.tiles.plan_tiles`.
    kind : str
        Kind of device.
    bytes_per_voxel : float
        Of the network, in the precision used.
    free : int
        Bytes free on the device.
    whole : bool
        Rather everything at once, if it fits: for a network that looks at the whole field.
    """
    affordable = free * _SHARE
    core = _largest_core(shape, stride, receptive_field)
    if not whole or prod(core) * bytes_per_voxel > affordable:
        side = int((_LARGEST_CORE[kind] / core[0]) ** 0.5)
        side = min(max(side, _XY_RANGE[0]), _XY_RANGE[1])
        core[1:] = side, side
    while True:
        grid = plan_tiles(shape, stride=stride, receptive_field=receptive_field, core=per_axis(core), halo=halo)
        if prod(grid.largest_read) * bytes_per_voxel <= affordable:
            return grid
        if max(core[1:]) > _NARROW:
            core[1:] = core[1] // 2, core[2] // 2
        elif core[0] >= 2 * MIN_DEPTH:
            core[0] //= 2
        elif max(core[1:]) > max(stride[1:]):
            core[1:] = max(core[1] // 2, stride[1]), max(core[2] // 2, stride[2])
        else:
            return grid  # the smallest there is: try, and say so if it fails


def choose_strips(
    shape: tuple[int, int, int],
    *,
    stride: tuple[int, int, int],
    receptive_field: tuple[int, int, int],
    kind: str,
    bytes_per_voxel: float,
    free: int,
    channels: int,
) -> TileGrid:
    """Strips along the longest axis, as large as memory allows and a person likes to watch; see `choose_tiles`.

    Where memory is too short for strips of `FEWEST_ROWS` rows across the whole volume, it is divided into bands. So it
    is on GPUs where features of so many `channels`, the most that a voxel has, would be more than they count.
    """
    core = _largest_core(shape, stride, receptive_field)
    axis = max((1, 2, 0), key=lambda a: core[a])  # of axes of one length the first: y, x, and only then the planes
    others = [a for a in range(3) if a != axis]
    smallest = (2 * MIN_DEPTH, _NARROW, _NARROW)
    whole, affordable = core[axis], free * _SHARE / bytes_per_voxel
    countable = _MOST_ELEMENTS // channels if kind == "cuda" else inf
    fewest = max(FEWEST_ROWS, 2 * stride[axis])
    waiting = halo_needed(receptive_field[axis], stride[axis])
    while True:
        core[axis] = 1
        grid = plan_strips(shape, stride=stride, receptive_field=receptive_field, axis=axis, core=per_axis(core))
        across = prod(grid.largest_read[a] for a in others)
        rows = int(affordable / across)
        if rows < whole:
            rows -= waiting  # with more than one strip, the rows that wait between them take memory, too
        rows = min(rows, max(LARGEST_STRIP[kind] // across, fewest))
        # A convolution reads a few rows more than a strip has.
        rows = min(rows, int(min(countable / across - _ROWS_BESIDE, whole)))
        divisible = [a for a in others if core[a] > max(smallest[a], stride[a])]
        if rows >= min(fewest, whole) or not divisible:
            core[axis] = max(min(rows, whole), stride[axis])
            return plan_strips(shape, stride=stride, receptive_field=receptive_field, axis=axis, core=per_axis(core))
        widest = max(divisible, key=lambda a: (a > 0, core[a]))  # the planes last
        core[widest] = round_up(core[widest] // 2, stride[widest])


def _largest_core(
    shape: tuple[int, int, int], stride: tuple[int, int, int], receptive_field: tuple[int, int, int]
) -> list[int]:
    """All of the padded volume; for a 2-D network, which sees one plane at a time, all of one plane."""
    core = [round_up(size, step) for size, step in zip(shape, stride, strict=True)]
    if receptive_field[0] == 1:
        core[0] = 1
    return core


class _LiveBytes(TorchFunctionMode):
    """Adds up the storage of all tensors made inside the block that are alive at the same time.

    A dispatch mode would see a little more, but importing what it needs takes seconds in which nothing else runs.
    """

    def __init__(self) -> None:
        super().__init__()
        self.peak = 0
        self._alive: dict[int, int] = {}

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        results = result
        if not isinstance(result, tuple | list):
            results = [result]
        for tensor in results:
            if isinstance(tensor, torch.Tensor):
                self._watch(tensor.untyped_storage())
        self.peak = max(self.peak, sum(self._alive.values()))
        return result

    def _watch(self, storage: torch.UntypedStorage) -> None:
        """Count `storage` until it is released."""
        key = storage._cdata  # its address, which all views of it share
        if key not in self._alive:
            self._alive[key] = storage.nbytes()
            weakref.finalize(storage, self._alive.pop, key, None)


def _container_limit() -> int:
    """Bytes left under this container's limit (Linux control groups), where there is one."""
    group = Path("/sys/fs/cgroup")
    try:
        limit = (group / "memory.max").read_text(encoding="utf-8").strip()
        used = int((group / "memory.current").read_text(encoding="utf-8"))
        return max(0, int(limit) - used)
    except (OSError, ValueError):  # no control groups, or the limit is "max"
        return 1 << 62  # more than any machine has
