"""What of a run lies in the memory of its device beside the networks, and whether it fits there."""

from __future__ import annotations

import logging
import threading
import weakref
from math import prod
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from napari_mito_predict.prediction.forward import explained
from napari_mito_predict.prediction.memory import empty_cache, free_memory, is_out_of_memory
from napari_mito_predict.prediction.normalize import EXACT_IN_FLOAT32
from napari_mito_predict.prediction.normalize import as_float as as_float_in_memory
from napari_mito_predict.prediction.on_device.assembly import AssemblyOnDevice
from napari_mito_predict.prediction.on_device.resample import resampled
from napari_mito_predict.prediction.on_device.statistics import as_float, measure
from napari_mito_predict.prediction.on_device.transfers import Transfers
from napari_mito_predict.prediction.on_device.volume import VolumeOnDevice, normalised
from napari_mito_predict.prediction.prepare import Prepared
from napari_mito_predict.prediction.resample import Resampling

if TYPE_CHECKING:
    import numpy as np

    from napari_mito_predict.prediction.assembly import Failure, Goal, WaitingBlocks
    from napari_mito_predict.prediction.device import Device
    from napari_mito_predict.prediction.job import Job

_log = logging.getLogger(__name__)

_SHARE = 0.9
"""Of the memory that is free; allocators fragment."""
_WORKING_BYTES = 1 << 30
"""What conversions and resampling take beside the volumes, part by part."""


class DeviceStore:
    """Volumes and results of one run in the memory of its device, as long as they fit there.

    Used by the thread that prepares volumes and the one that computes.

    Parameters
    ----------
    device : Device
        Of the run.
    wanted : bool, optional
        Whether to keep them there; on NVIDIA GPUs when absent, the only ones that compute in float64 and copy beside.
    """

    def __init__(self, device: Device, wanted: bool | None = None) -> None:
        self._device = device
        self._wanted = device.kind == "cuda" if wanted is None else wanted
        self._transfers: Transfers | None = None
        self._lock = threading.Lock()
        self._held: weakref.WeakSet[VolumeOnDevice | AssemblyOnDevice] = weakref.WeakSet()
        self._uploaded: tuple[np.ndarray, Tensor] | None = None  # shared by models that take a volume differently

    def prepare(self, raw: np.ndarray, job: Job, where: str) -> VolumeOnDevice | None:
        """Bring a volume to the device, measure it there and make it ready.

        Takes and raises what `napari_mito_predict.prediction.prepare.prepare` does. Statistics that are known are of no
        use here: to find them by the values of the volume takes longer than to measure it.

        Returns
        -------
        VolumeOnDevice or None
            None where it does not fit, or is not wanted there.
        """
        if not self._wanted or not self._fits(raw, job):
            return None
        try:
            return self._prepared(raw, job, where)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise explained(error, f"Preparing {where}", self._device) from error
            _log.info("a volume does not fit on %s: %s", self._device.name, error)
        self._uploaded = None
        empty_cache(self._device)
        return None

    def assembly(self, goal: Goal, waiting: WaitingBlocks, failure: Failure) -> AssemblyOnDevice | None:
        """Memory for a result on the device; None where it does not fit."""
        try:
            assembly = AssemblyOnDevice(goal, waiting, self._ways(), failure)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise explained(error, goal.job.model.name, self._device) from error
            return None
        with self._lock:
            self._held.add(assembly)
        return assembly

    def evict(self) -> bool:
        """Release everything, because memory got short; say whether there was anything. Nothing is kept here again."""
        self._wanted = False
        self._uploaded = None
        with self._lock:
            held = list(self._held)
            self._held.clear()
        for each in held:
            each.leave()
        if held:
            empty_cache(self._device)
        return bool(held)

    def close(self) -> None:
        """Let go of everything at the end of a run."""
        self._uploaded = None
        self._transfers = None

    def _fits(self, raw: np.ndarray, job: Job) -> bool:
        """Whether a volume, what is made of it and the network fit into the memory that is free now."""
        voxels = prod(job.shape)
        widest = 4 if raw.dtype in EXACT_IN_FLOAT32 else 8
        resampled_bytes = 0
        if raw.shape != job.shape:
            resampled_bytes = widest * (voxels + raw.size)
        per_voxel = self._device.dtype.itemsize + 4 * len(job.result_keys)
        needed = raw.nbytes + resampled_bytes + voxels * per_voxel + job.network_bytes + _WORKING_BYTES
        return needed < _SHARE * free_memory(self._device)

    def _prepared(self, raw: np.ndarray, job: Job, where: str) -> VolumeOnDevice:
        resampling = Resampling.between(raw.shape, job.shape)
        ways = self._ways()
        # Its tensors are used by the thread that computes: they are not bound to the mode of this one.
        with torch.no_grad(), ways.preparing():
            volume = self._on_device(raw)
            if not resampling.identity:
                volume = resampled(as_float(volume), resampling)
            statistics = measure(volume, job.model.card.input.normalisation, where=where)
            values = normalised(volume, statistics, self._device.dtype)
        if values.is_cuda:
            values.record_stream(torch.cuda.default_stream(values.device))
        prepared = VolumeOnDevice(values, Prepared(raw, job.shape, statistics))
        with self._lock:
            self._held.add(prepared)
        return prepared

    def _on_device(self, raw: np.ndarray) -> Tensor:
        """The volume as it is, in types that float32 does not hold as float64; uploaded once for all models."""
        if self._uploaded is None or self._uploaded[0] is not raw:
            self._uploaded = None
            given = raw if raw.dtype.newbyteorder("=") in EXACT_IN_FLOAT32 else as_float_in_memory(raw)
            self._uploaded = raw, self._ways().upload(given)
        return self._uploaded[1]

    def _ways(self) -> Transfers:
        if self._transfers is None:
            self._transfers = Transfers(self._device.torch_device)
        return self._transfers
