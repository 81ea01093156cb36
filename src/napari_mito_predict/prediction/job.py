"""One model's share of a plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_mito_predict.prediction.tiles import seen_axes

if TYPE_CHECKING:
    from napari_mito_predict.models import Model
    from napari_mito_predict.prediction.tiles import TileGrid
    from napari_mito_predict.prediction.volumes import Layout


@dataclass(frozen=True)
class Job:
    """One model's share of a plan.

    Attributes
    ----------
    model : Model
        What to apply.
    keys : tuple of str
        Keys of its outputs, in the order of the network's channels.
    layout : Layout
        How it takes the third axis.
    shape : tuple of int
        (D, Y, X) of its volumes at the model's voxel size.
    grid : TileGrid
        The tiles of each volume.
    """

    model: Model
    keys: tuple[str, ...]
    layout: Layout
    shape: tuple[int, int, int]
    grid: TileGrid

    @property
    def flat(self) -> bool:
        """Whether the network takes each plane by itself."""
        return self.model.network.ndim == 2

    @property
    def in_parts(self) -> bool:
        """Whether the network looks at the whole field, but gets tiles of it."""
        if self.model.network.contexts == 0:
            return False
        return any(self.grid.axes[a].divided for a in seen_axes(self.flat))

    @property
    def passes(self) -> int:
        """How many times the tiles are gone through: once more for each average over the field that is needed."""
        if not self.in_parts:
            return 1
        return 1 + (self.model.network.contexts or 0)

    def prepared_like(self, other: Job) -> bool:
        """Whether both take the same prepared input."""
        mine, others = self.model.card.input.normalisation, other.model.card.input.normalisation
        return self.shape == other.shape and mine == others
