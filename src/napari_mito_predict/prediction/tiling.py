"""The tiles of a model's volumes: as somebody wants them, or as large as memory allows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from napari_mito_predict.errors import PredictionError
from napari_mito_predict.prediction.memory import bytes_per_voxel, choose_strips, choose_tiles
from napari_mito_predict.prediction.runners import can_stream, most_channels
from napari_mito_predict.prediction.tiles import plan_tiles

if TYPE_CHECKING:
    from napari_mito_predict.models import Model
    from napari_mito_predict.networks import Network
    from napari_mito_predict.prediction.device import Device
    from napari_mito_predict.prediction.tiles import TileGrid

_FLOAT32 = 1.0
_HALF = 0.5  # of the memory that float32 needs

_needs: WeakKeyDictionary[Network, _Need] = WeakKeyDictionary()


class Tiling:
    """How volumes are divided for the networks of one plan.

    Parameters
    ----------
    tile : {"auto", "whole"} or tuple of int
        See `napari_mito_predict.prediction.predict`.
    halo : int or None
        See `napari_mito_predict.prediction.plan.plan_prediction`.
    device : Device
        Where it will be computed.
    free : int
        Bytes free there.
    """

    def __init__(self, tile: Any, halo: int | None, device: Device, free: int) -> None:
        self._tile = tile
        self._halo = halo
        self._device = device
        self._free = free

    def grid(self, model: Model, shape: tuple[int, int, int]) -> TileGrid:
        """Tiles of a volume of `shape`, (D, Y, X) at the model's voxel size.

        Raises
        ------
        PredictionError
            The tile that was asked for is none.
        """
        tile = self._tile
        geometry: dict[str, Any] = {
            "stride": planes_rows_columns(model.network.stride),
            "receptive_field": planes_rows_columns(model.network.receptive_field),
        }
        if tile == "auto":
            per_voxel = self._per_voxel(model, shape[0])
            geometry |= {"kind": self._device.kind, "bytes_per_voxel": per_voxel, "free": self._free}
            if self._halo is None and can_stream(model.network):
                return choose_strips(shape, channels=most_channels(model.network), **geometry)
            return choose_tiles(shape, halo=self._halo, whole=model.network.contexts != 0, **geometry)
        if tile == "whole":
            tile = shape
        core: tuple[Any, ...] = ()
        if isinstance(tile, Sequence) and not isinstance(tile, str):
            core = tuple(tile)
        if len(core) != 3 or not all(isinstance(n, int | np.integer) and n > 0 for n in core):
            raise PredictionError(f"Tile {tile!r}: expected 'auto', 'whole' or three positive whole numbers (D, Y, X).")
        return plan_tiles(shape, core=(core[0], core[1], core[2]), halo=self._halo, **geometry)

    def network_bytes(self, model: Model, grid: TileGrid) -> int:
        """Memory that the network needs at its peak for the largest tile or strip of `grid`."""
        return int(grid.held * self._per_voxel(model, grid.largest_read[0]))

    def _per_voxel(self, model: Model, planes: int) -> float:
        """Of a volume of so many planes, in the precision that will be computed in."""
        return _need(model).per_voxel(planes) * (_FLOAT32 if self._device.precision == "32" else _HALF)


def planes_rows_columns(sizes: Sequence[int]) -> tuple[int, int, int]:
    """What a network says of its axes as (D, Y, X); a 2-D network takes D plane by plane."""
    if len(sizes) == 2:
        return 1, int(sizes[0]), int(sizes[1])
    return int(sizes[0]), int(sizes[1]), int(sizes[2])


class _Need(NamedTuple):
    """Bytes that a pass of a network needs: for each voxel, and for each column of voxels whatever their number."""

    voxel: float
    column: float = 0.0

    def per_voxel(self, planes: int) -> float:
        """In all, for each voxel of a volume of so many planes."""
        return self.voxel + self.column / planes


def _need(model: Model) -> _Need:
    """Measured once for each network that is at hand."""
    network = model.network
    if network.bytes_per_voxel is not None:
        return _Need(network.bytes_per_voxel)
    if network not in _needs:
        try:
            _needs[network] = _measured(network)
        except RuntimeError as error:
            raise PredictionError(f"{model.name} cannot compute even a small volume: {error}") from error
    return _needs[network]


def _measured(network: Network) -> _Need:
    """Measured on a small volume; on two, where one window slides along them, whose features do not add up."""
    measure = partial(bytes_per_voxel, network, ndim=network.ndim, stride=tuple(network.stride))
    window = network.fewest_planes
    if window == 1:
        return _Need(measure())
    least = measure(planes=window) * window
    voxel = measure(planes=window + 1) * (window + 1) - least
    return _Need(voxel, least - voxel * window)
