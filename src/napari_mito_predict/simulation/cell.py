"""One flat cultured cell: shape, organelles and what they are made of.

Numbers are textbook ranges, spread on purpose. Lengths are um, coordinates (z, y, x) with z = 0 at the coverslip.
A cell depends on its random generator and the field only, never on the sampling or the optics.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates

from napari_mito_predict.simulation.shapes import Points, SmoothMap, grow_paths, sigmoid

Values = npt.NDArray[np.float64]
Bounds = tuple[tuple[float, float], tuple[float, float]]
"""Lower and upper (y, x) corner in um of the region that gets organelles."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A map over (y, x) as values on a raster that starts at `corner` (y, x) with steps of `step_um`; 0 outside."""

    values: Values
    corner: tuple[float, float]
    step_um: float

    @classmethod
    def of(cls, outline: Outline, bounds: Bounds, step_um: float = 0.25) -> Chart:
        """Heights of `outline` in um within `bounds`."""
        y, x = (np.arange(low, high + step_um, step_um) for low, high in zip(*bounds, strict=True))
        heights = outline.height(y[:, None], x[None])
        return cls(np.asarray(heights, np.float64), bounds[0], step_um)

    def __call__(self, y: npt.ArrayLike, x: npt.ArrayLike) -> Values:
        """Values at `y`, `x` (um), linearly interpolated."""
        y, x = np.broadcast_arrays(y, x)
        rows = (y - self.corner[0]) / self.step_um
        columns = (x - self.corner[1]) / self.step_um
        return np.asarray(map_coordinates(self.values, [rows, columns], order=1))


@dataclass(frozen=True, slots=True)
class Outline:
    """Shape of nucleus and cell body, which ends where one of the `neighbours` is nearer to its own nucleus.

    With a `chart`, heights are looked up there: organelles are placed by asking for millions of them.
    """

    centre: npt.NDArray[np.floating]
    radii: npt.NDArray[np.floating]
    angle: float
    reach: float
    lamella_um: float
    roughness: SmoothMap
    rim: SmoothMap
    ruffles: SmoothMap
    neighbours: tuple[Outline, ...] = ()
    chart: Chart | None = None

    def lateral(self, y: npt.ArrayLike, x: npt.ArrayLike) -> npt.NDArray[np.floating]:
        """Distance from the axis of the nucleus, in nuclear radii."""
        u, v = self._turned(np.asarray(y), np.asarray(x))
        return np.asarray(np.hypot(u, v))

    def height(self, y: npt.ArrayLike, x: npt.ArrayLike) -> npt.NDArray[np.floating]:
        """Thickness of the cell in um: a lamella that bulges over the nucleus and thins out at its rim."""
        if self.chart is not None:
            return self.chart(y, x)
        rho = self.lateral(y, x)
        # Room for the nucleus, and 0.4 um of cytoplasm round it.
        bulge = (2 * self.radii[0] + 0.4) * np.exp(-((rho / 2) ** 2))
        thickness = np.maximum(bulge + self.lamella_um + 0.25 * self.ruffles(y, x), 0)
        # The rim lies at `reach` nuclear radii, give or take 0.45, and is about 1 / 3.5 of a radius wide.
        height = thickness * sigmoid((self.reach + 0.45 * self.rim(y, x) - rho) * 3.5)
        if self.neighbours:
            own = rho - 0.3 * self.rim(y, x)
            nearest = np.minimum.reduce([cell.lateral(y, x) - 0.3 * cell.rim(y, x) for cell in self.neighbours])
            # Steeper than a free rim, and past its middle where two cells meet: they touch, with a shallow furrow.
            height = height * sigmoid((nearest - own) * 9 + 1.5)
        return np.asarray(height)

    @property
    def reach_um(self) -> float:
        """No part of the cell is farther than this from the axis of the nucleus."""
        return float((self.reach + 2.5) * self.radii[1:].max())

    def nucleus(self, z: npt.ArrayLike, y: npt.ArrayLike, x: npt.ArrayLike) -> npt.NDArray[np.floating]:
        """Soft mask, 1 inside the nucleus."""
        u, v = self._turned(np.asarray(y), np.asarray(x))
        lateral = u**2 + v**2
        distance = np.sqrt(((np.asarray(z) - self.centre[0]) / self.radii[0]) ** 2 + lateral)
        # In nuclear radii: a surface rough by a twentieth, soft over about 1 / 35.
        return sigmoid((1 - distance - 0.05 * self.roughness(y, x)) * 35)

    def cytoplasm(self, points: Points, clearance_um: float = 0.25) -> npt.NDArray[np.bool_]:
        """Whether each of the (N, 3) points lies inside the cell but outside its nucleus."""
        z = points.T[0]
        y = points.T[1]
        x = points.T[2]
        above = z > 0.8 * clearance_um
        below = z < self.height(y, x) - clearance_um
        return np.asarray(above & below & (self.nucleus(z, y, x) < 0.05))

    def _turned(
        self, y: npt.NDArray[np.floating], x: npt.NDArray[np.floating]
    ) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.floating]]:
        """Positions along the long and the short axis of the nucleus, in units of its radii."""
        # Scalars of float64 would turn positions in float32 into volumes of float64.
        dy = y - np.float32(self.centre[1])
        dx = x - np.float32(self.centre[2])
        cos = np.float32(np.cos(self.angle))
        sin = np.float32(np.sin(self.angle))
        return (dx * cos + dy * sin) / np.float32(self.radii[2]), (dy * cos - dx * sin) / np.float32(self.radii[1])


@dataclass(frozen=True, slots=True)
class Mitochondria:
    """All mitochondria as rows of balls.

    Attributes
    ----------
    points : (P, 3) array
        Centres of the balls in um.
    radius : (P,) array
        In um.
    owner : (P,) array
        Index of the mitochondrion that a ball belongs to.
    index_step : (M,) array
        Refractive index of each mitochondrion, as a difference to the cytoplasm.
    potential : (M,) array
        Relative brightness of each in TMRM, which gathers by the membrane potential.
    """

    points: Points
    radius: Values
    owner: npt.NDArray[np.int64]
    index_step: Values
    potential: Values


@dataclass(frozen=True, slots=True)
class Balls:
    """Round things: centres (N, 3), radius in um (N,), value (N,), a refractive index step or a brightness."""

    points: Points
    radius: Values
    value: Values


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell; see the module for units. Refractive indices are differences unless named `n_`."""

    outline: Outline
    mitochondria: Mitochondria
    nucleoids: Balls
    droplets: Balls
    vesicles: Balls
    fibres: Points
    nucleoli: Balls
    n_cytoplasm: float
    nucleus_step: float
    envelope_step: float
    grain: float
    nuclear_dna: float
    tmrm_background: float


def draw_cell(rng: np.random.Generator, bounds: Bounds, nucleus_in_view: bool = True) -> Cell:
    """Draw one random cell whose organelles fill the region `bounds`."""
    outline = draw_outline(rng, bounds, nucleus_in_view)
    area = (bounds[1][0] - bounds[0][0]) * (bounds[1][1] - bounds[0][1]) / 1000
    return with_organelles(rng, outline, bounds, area)


def with_organelles(rng: np.random.Generator, outline: Outline, bounds: Bounds, area: float) -> Cell:
    """Fill the part of a cell inside `bounds`; numbers of organelles go with `area`, in 1000 um^2."""
    mitochondria = _draw_mitochondria(rng, outline, bounds, area)
    droplets = _scatter(rng, outline, bounds, rng.uniform(10, 70) * area, rng.uniform(0, 1))
    vesicles = _scatter(rng, outline, bounds, rng.uniform(50, 500) * area, 0.4)
    vesicle_radius = rng.uniform(0.06, 0.2, len(vesicles))
    nucleoli = outline.centre + outline.radii * rng.uniform(-0.45, 0.45, (int(rng.integers(1, 5)), 3))
    return Cell(
        outline=outline,
        mitochondria=mitochondria,
        nucleoids=_draw_nucleoids(rng, mitochondria),
        droplets=Balls(droplets, rng.gamma(4, 0.05, len(droplets)) + 0.08, rng.uniform(-0.012, 0.1, len(droplets))),
        # The smaller the vesicle the denser: the main confounder of short mitochondria.
        vesicles=Balls(vesicles, vesicle_radius, np.interp(vesicle_radius, [0.06, 0.2], [0.03, 0.008])),
        fibres=_draw_fibres(rng, outline, bounds, area),
        nucleoli=Balls(nucleoli, rng.uniform(0.5, 1.1, len(nucleoli)), np.ones(len(nucleoli))),
        n_cytoplasm=rng.uniform(1.355, 1.370),
        nucleus_step=rng.uniform(-0.014, -0.002),
        envelope_step=rng.uniform(0.006, 0.02),
        grain=rng.uniform(0.002, 0.006),
        nuclear_dna=rng.uniform(0.25, 0.8),
        tmrm_background=rng.uniform(0.02, 0.08),
    )


def draw_outline(rng: np.random.Generator, bounds: Bounds, nucleus_in_view: bool) -> Outline:
    """Draw the shape of one cell whose nucleus lies in `bounds` or, if not `nucleus_in_view`, just outside."""
    low, high = np.array(bounds)
    radii = np.array([rng.uniform(1.1, 1.7), rng.uniform(4, 6.5), rng.uniform(5.5, 9)])
    place = rng.uniform(0.2, 0.8, 2)
    reach = rng.uniform(1.8, 5)
    # Drawn in any case: what follows is the same whether or not the nucleus is in view.
    outside = int(rng.choice([-1, 1]))
    axis = int(rng.integers(2))
    centre = low + place * (high - low)
    if not nucleus_in_view:
        edges = {-1: low, 1: high}
        centre[axis] = edges[outside][axis] + outside * (radii[2] + 2)
        reach += 4  # else most of the field would be empty
    return Outline(
        centre=np.array([0.5 + radii[0], *centre]),
        radii=radii,
        angle=rng.uniform(0, np.pi),
        reach=reach,
        lamella_um=rng.uniform(0.9, 1.8),
        roughness=SmoothMap.draw(rng, 2.0),
        rim=SmoothMap.draw(rng, 3.5),
        ruffles=SmoothMap.draw(rng, 2.0),
    )


def _draw_mitochondria(rng: np.random.Generator, outline: Outline, bounds: Bounds, area: float) -> Mitochondria:
    """A population spread through the cell, and a dense, strongly branched web around the nucleus."""
    spread = _population(
        rng,
        outline,
        _scatter(rng, outline, bounds, rng.uniform(60, 220) * area, rng.uniform(0.3, 1.6)),
        typical_um=rng.uniform(0.5, 1.3),
        curl=rng.uniform(0.15, 0.8),
        branching=0.35,
    )
    web = _population(
        rng,
        outline,
        _scatter(rng, outline, bounds, rng.uniform(0, 200) * area, rng.uniform(2, 4)),
        typical_um=rng.uniform(0.7, 1.4),
        curl=rng.uniform(0.4, 1.0),
        branching=rng.uniform(0.4, 0.7),
    )
    paths = [path for path in spread + web if len(path)]
    radius = [
        rng.uniform(0.15, 0.27) * (1 + 0.15 * np.sin(np.arange(len(path)) / rng.uniform(2.5, 8))) for path in paths
    ]
    return Mitochondria(
        points=np.concatenate([np.empty((0, 3)), *paths]),
        radius=np.concatenate([np.empty(0), *radius]),
        owner=np.repeat(np.arange(len(paths)), [len(path) for path in paths]),
        index_step=rng.uniform(0.018, 0.04, len(paths)),
        potential=rng.lognormal(0, 0.25, len(paths)),
    )


def _population(
    rng: np.random.Generator, outline: Outline, starts: Points, typical_um: float, curl: float, branching: float
) -> list[Points]:
    """Branching worms from `starts`; `typical_um` is the logarithm of the median length in um."""
    count = len(starts)
    lengths = np.clip(rng.lognormal(typical_um, 0.7, count), 0.5, 14)
    outward = np.arctan2(starts[:, 1] - outline.centre[1], starts[:, 2] - outline.centre[2])
    headings = outward + rng.normal(0, 0.9, count)
    bends = curl * rng.uniform(0.4, 1.6, count)
    paths = grow_paths(rng, starts, headings, lengths, bends, outline.cytoplasm)
    worms = list(paths)
    owner = np.arange(count)
    for _ in range(3):  # branches, branches of branches, and theirs
        # Points are 0.1 um apart: nothing shorter than 1.5 um has a branch, and none begins in the first 0.5 um.
        forked = [i for i, path in enumerate(paths) if len(path) > 15 and rng.random() < branching]
        if not forked:
            break
        starts = np.array([paths[i][rng.integers(5, len(paths[i]))] for i in forked])
        owner = owner[forked]
        lengths = lengths[forked] / 2
        headings = rng.uniform(0, 2 * np.pi, len(forked))
        bends = np.full(len(forked), 0.8)
        paths = grow_paths(rng, starts, headings, lengths, bends, outline.cytoplasm)
        for worm, branch in zip(owner, paths, strict=True):
            worms[worm] = np.concatenate([worms[worm], branch])
    return worms


def _draw_nucleoids(rng: np.random.Generator, mitochondria: Mitochondria) -> Balls:
    """About one nucleoid per 1.5 um of mitochondrion; they have no refractive index of their own."""
    points = mitochondria.points
    count = len(mitochondria.potential) + len(points) // 15  # points are 0.1 um apart
    chosen = rng.integers(0, max(len(points), 1), count)
    return Balls(points[chosen], np.full(count, 0.09), 5 * rng.lognormal(0, 0.2, count))


def _draw_fibres(rng: np.random.Generator, outline: Outline, bounds: Bounds, area: float) -> Points:
    """Stress fibres: long, nearly straight, along the long axis of the nucleus; all their points together."""
    starts = _scatter(rng, outline, bounds, rng.uniform(0, 25) * area, 0)
    count = len(starts)
    headings = outline.angle + rng.normal(0, 0.15, count)
    paths = grow_paths(rng, starts, headings, np.full(count, 15.0), np.full(count, 0.04), outline.cytoplasm)
    return np.concatenate([np.empty((0, 3)), *paths])


def _scatter(rng: np.random.Generator, outline: Outline, bounds: Bounds, expected: float, crowding: float) -> Points:
    """About `expected` random positions in the cytoplasm, denser towards the nucleus the larger `crowding` is."""
    wanted = round(expected)
    low, high = np.array(bounds)
    found = np.empty((0, 3))
    for _ in range(20):  # a field that shows little of the cell simply gets fewer
        if len(found) >= wanted:
            break
        yx = rng.uniform(low, high, (8 * wanted + 8, 2))
        height = outline.height(*yx.T)
        points = np.column_stack([rng.uniform(0.15, 0.85, len(yx)) * height, yx])
        rho = outline.lateral(*yx.T)
        crowded = np.where(rho > 0.9, np.exp(-crowding * np.maximum(rho - 1, 0)), 0.3)  # few lie on top of the nucleus
        weight = crowded * (height > 0.7)
        accepted = (rng.random(len(yx)) < weight) & outline.cytoplasm(points)
        found = np.concatenate([found, points[accepted]])
    return found[:wanted]


def within(cell: Cell, low: Points, high: Points) -> Cell:
    """The cell with only those organelles that lie inside the box from `low` to `high`, (y, x) in um."""

    def inside(points: Points) -> npt.NDArray[np.bool_]:
        return np.asarray(np.all((points[:, 1:] > low) & (points[:, 1:] < high), axis=1))

    def balls_inside(balls: Balls) -> Balls:
        chosen = inside(balls.points)
        return Balls(balls.points[chosen], balls.radius[chosen], balls.value[chosen])

    mitochondria = cell.mitochondria
    chosen = inside(mitochondria.points)
    return replace(
        cell,
        mitochondria=replace(
            mitochondria,
            points=mitochondria.points[chosen],
            radius=mitochondria.radius[chosen],
            owner=mitochondria.owner[chosen],
        ),
        nucleoids=balls_inside(cell.nucleoids),
        droplets=balls_inside(cell.droplets),
        vesicles=balls_inside(cell.vesicles),
        nucleoli=balls_inside(cell.nucleoli),
        fibres=cell.fibres[inside(cell.fibres)],
    )
