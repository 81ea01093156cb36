"""Tiles for networks that look at the whole field: what they are told of it beside their window.

A *field* is what such a network looks at: the padded volume, or for a 2-D network each of its planes. Given all of it,
the network needs nothing else. Given a tile, it needs its averages over the field (see
`napari_mito_predict.networks.FieldNetwork`). Each average takes one pass over the tiles, to which each tile contributes
its core: cores divide the field, and with the full halo a core's features are those of the field. Then the tiles of the
last pass give what the whole would have given. A network whose view is no such average (softmax attention, global
response normalisation) gets each tile as if it were all there is; that changes the answer, and is said.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from napari_mito_predict.image import Finding, Level

if TYPE_CHECKING:
    from napari_mito_predict.prediction.tiles import Tile, TileGrid


class FieldContexts:
    """The averages over the fields of one volume, as far as they are known.

    Parameters
    ----------
    grid : TileGrid
        The tiles of the volume.
    flat : bool
        Whether each plane is a field of its own. Tiles with the same planes are a layer; they come one after the
        other, so that averages are kept for one layer at a time.
    needed : int or None
        Averages that the network needs, see `napari_mito_predict.networks.Network`.
    """

    def __init__(self, grid: TileGrid, *, flat: bool, needed: int | None) -> None:
        self._grid = grid.with_full_halo()
        self._flat = flat
        self._needed = needed or 0
        self._layer: int | None = None
        self._known: list[np.ndarray] = []

    def wanted(self, piece: Tile) -> bool:
        """Whether averages have to be taken before `piece` can be computed."""
        known = self._layer == self._layer_of(piece)
        return bool(self._needed) and not known and not self._grid.reads_all(piece, self._flat)

    def passes(self, piece: Tile) -> Iterator[tuple[list[Tile], Average]]:
        """One average after the other over the fields that `piece` is part of: the tiles to add, and where to."""
        self._layer, self._known = self._layer_of(piece), []
        tiles = [tile for tile in self._grid if self._layer_of(tile) == self._layer]
        for _ in range(self._needed):
            average = Average(self._grid, self._flat, tiles[0])
            yield tiles, average
            self._known.append(average.value.astype(np.float32))

    def of(self, piece: Tile) -> list[np.ndarray]:
        """What the network is given with the window of `piece`: (planes or 1, ...) for each average that is known."""
        if self._layer != self._layer_of(piece):
            return []
        return [average[_rows(self._grid, self._flat, piece)] for average in self._known]

    def _layer_of(self, piece: Tile) -> int:
        """Which field, or fields of one layer of planes, a tile is part of; a volume is one."""
        if not self._flat:
            return 0
        return piece.index[0]


class Average:
    """Mean over fields of what their parts hold, weighted by size; see `FieldContexts.passes`.

    Attributes
    ----------
    value : ndarray, float64, (planes or 1, ...)
        Complete when all parts were added.
    """

    def __init__(self, grid: TileGrid, flat: bool, first: Tile) -> None:
        self._grid = grid
        self._flat = flat
        self._planes = first.kept[0].size if flat else 1
        self.value = np.zeros(0)

    def add(self, piece: Tile, context: np.ndarray) -> None:
        """Add what the core of `piece` holds, (planes or 1, ...)."""
        if not self.value.size:
            self.value = np.zeros((self._planes, *context.shape[1:]))
        shares = [kept.size / axis.padded for kept, axis in zip(piece.kept, self._grid.axes, strict=True)]
        if self._flat:  # each plane is a field of its own: its share is that of its rows and columns
            shares = shares[1:]
        share = prod(shares)
        self.value[_rows(self._grid, self._flat, piece)] += share * context


def core_within(piece: Tile, flat: bool) -> tuple[slice, ...]:
    """The core of `piece` in its window, for each axis the network knows."""
    core = tuple(span.slice for span in piece.kept_of_read)
    return core[1:] if flat else core


def in_parts(name: str) -> Finding:
    """Said of a model whose answer depends on the tiles."""
    return Finding(
        Level.WARNING,
        f"in-parts-{name}",
        f"{name} looks at the whole image at once, but gets it in parts here: that changes its answer, which is "
        "approximate and differs with the size of the parts.",
        "Leave the tile size to 'auto'; if memory is short, predict a smaller region.",
        model=name,
    )


def _rows(grid: TileGrid, flat: bool, piece: Tile) -> slice:
    """Where the planes of `piece` are among those of its layer; a volume is one row."""
    if not flat:
        return slice(0, 1)
    return piece.kept[0].shift(-grid.axes[0].cores[piece.index[0]].start).slice
