"""One model's share of a plan."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_mito_predict.prediction.orientations import ORIENTATIONS, UPRIGHT, Orientation
from napari_mito_predict.prediction.tiles import per_axis

if TYPE_CHECKING:
    from napari_mito_predict.models import Model
    from napari_mito_predict.prediction.tiles import Box, Tile, TileGrid
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
    network_bytes : int
        Memory that the network needs at its peak, for the largest tile or strip of any orientation.
    turned_grid : TileGrid, optional
        The tiles of each volume with y and x transposed, where the mean over all orientations is predicted.
    orientation : Orientation
        Of the volumes that `shape` and `grid` are about.
    uncertainty : bool
        Whether the standard deviation over all orientations is an output too, for each target.
    """

    model: Model
    keys: tuple[str, ...]
    layout: Layout
    shape: tuple[int, int, int]
    grid: TileGrid
    network_bytes: int
    turned_grid: TileGrid | None = None
    orientation: Orientation = UPRIGHT
    uncertainty: bool = False

    @property
    def uncertainty_keys(self) -> tuple[str, ...]:
        """Keys of the standard deviations, in the order of `keys`; none where they are not asked for."""
        if not self.uncertainty:
            return ()
        return tuple(f"{key}/uncertainty" for key in self.keys)

    @property
    def result_keys(self) -> tuple[str, ...]:
        """Keys of all its outputs: its targets, then their uncertainties."""
        return self.keys + self.uncertainty_keys

    @property
    def views(self) -> tuple[Job, ...]:
        """What its prediction is the mean of: this job in each orientation, upright the last; or itself alone."""
        if self.turned_grid is None:
            return (self,)
        grids = {False: self.grid, True: self.turned_grid}
        return tuple(
            replace(self, shape=o.shape(self.shape), grid=grids[o.transposed], turned_grid=None, orientation=o)
            for o in ORIENTATIONS
        )

    @property
    def flat(self) -> bool:
        """Whether the network takes each plane by itself."""
        return self.model.network.ndim == 2

    @property
    def exact(self) -> bool:
        """Whether the tiles of all views have all the context that the network looks at."""
        return all(view.grid.exact for view in self.views)

    @property
    def in_parts(self) -> bool:
        """Whether the network looks at the whole field, but gets tiles of it."""
        if self.model.network.contexts == 0:
            return False
        return any(self.grid.axes[a].divided for a in self.model.network.field_axes)

    @property
    def tile_dependent(self) -> bool:
        """Whether the network gets parts of a field that it has to look at as a whole, see `Network.contexts`."""
        return self.model.network.contexts is None and any(view.in_parts for view in self.views)

    @property
    def passes(self) -> int:
        """How many times the tiles are gone through: once more for each average over the field that is needed."""
        if not self.in_parts:
            return 1
        return 1 + (self.model.network.contexts or 0)

    @property
    def tiles_per_volume(self) -> int:
        """Tiles of a volume in all views, counted once for each pass over them."""
        return sum(view.passes * len(view.grid) for view in self.views)

    def place_of(self, tile: Tile) -> Box:
        """What of the upright volume, without its padding, `tile` keeps."""
        kept = per_axis(
            span.clip(axis.inside).shift(-axis.before) for span, axis in zip(tile.kept, self.grid.axes, strict=True)
        )
        return self.orientation.inverse.box(kept, self.shape)

    def prepared_like(self, other: Job) -> bool:
        """Whether both take the same prepared input."""
        mine, others = self.model.card.input.normalisation, other.model.card.input.normalisation
        return self.shape == other.shape and mine == others
