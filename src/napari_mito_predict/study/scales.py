"""How large a study is: a minute for the tests, an evening on a small computer, or the paper's own size."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from napari_mito_predict.errors import StudyError
from napari_mito_predict.study.configs import paper_iterations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_mito_predict.study.recipes import Recipe

NetworkKind = Literal["unet", "gvtnet"]


@dataclass(frozen=True)
class Scale:
    """Sizes of everything in a study.

    Attributes
    ----------
    name : str
    words : str
        What it is for.
    size, slices : int or None
        Rows and columns, planes or frames of each field; ``None``: those of the recipe.
    fields : (int, int) or None
        Training and test fields of each recipe; ``None``: those of the recipe.
    iterations : int or None
        Of each run; ``None``: the paper's for the recipe.
    patch : tuple of int
        ``(D, Y, X)``.
    networks : mapping
        Kind -> depth, width and whatever else differs from the default.
    settings : mapping
        Further keys of every training configuration.
    seeds : int
        Repeats of the studies that show an error bar.
    training_sizes : tuple of int
        Numbers of training fields tried.
    patch_sizes : tuple of int
        Rows and columns of patches tried.
    """

    name: str
    words: str
    size: int | None
    slices: int | None
    fields: tuple[int, int] | None
    iterations: int | None
    patch: tuple[int, int, int]
    networks: Mapping[NetworkKind, Mapping[str, float]]
    seeds: int
    training_sizes: tuple[int, ...]
    patch_sizes: tuple[int, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def sets(self, recipe: Recipe) -> tuple[int, int]:
        """Training and test fields of a recipe."""
        return self.fields or (recipe.training_sets, recipe.test_sets)

    def size_of(self, recipe: Recipe) -> int:
        """Rows and columns; F's fields are twice as large, because the same cells downscaled are those of G."""
        if self.size is None:
            return recipe.size
        if recipe.letter == "F":
            return 2 * self.size
        return self.size

    def slices_of(self, recipe: Recipe) -> int:
        """Planes or frames."""
        return self.slices or recipe.slices

    def iterations_of(self, recipe: Recipe) -> int:
        """Iterations of a run on a recipe."""
        return self.iterations or paper_iterations(recipe)


_QUICK: dict[str, Any] = {"batch_size": 4, "schedule": "cosine"}
_SHORT = {"momentum": 0.1}
"""GVTNet's own, 0.003, averages the statistics of its normalisation over a thousand iterations. After a hundred they
are mostly the initial ones still, which spoils predictions however well the weights were trained."""

SCALES = {
    scale.name: scale
    for scale in (
        Scale(
            name="smoke",
            words="everything runs, the numbers mean nothing; about two minutes",
            size=64,
            slices=16,
            fields=(3, 1),
            iterations=4,
            patch=(16, 32, 32),
            networks={
                "unet": {"depth": 2, "base_channels": 8},
                "gvtnet": {"depth": 2, "base_channels": 8, **_SHORT},
            },
            settings={**_QUICK, "batch_size": 1, "validate_every": 4},
            seeds=1,
            training_sizes=(2, 3),
            patch_sizes=(16, 32),
        ),
        Scale(
            name="cpu",
            words="small networks on small fields, about a quarter of an hour for each study on two processor cores",
            size=128,
            slices=32,
            fields=(8, 3),
            iterations=120,
            patch=(32, 64, 64),
            networks={
                "unet": {"depth": 3, "base_channels": 16},
                "gvtnet": {"depth": 4, "base_channels": 16, **_SHORT},
            },
            settings={**_QUICK, "warmup": 20, "validate_every": 60},
            seeds=3,
            training_sizes=(2, 4, 8, 16, 32),
            patch_sizes=(16, 32, 64, 96),
        ),
        Scale(
            name="paper",
            words="fields, networks and iterations as in the paper; days on a graphics card",
            size=None,
            slices=None,
            fields=None,
            iterations=None,
            patch=(32, 64, 64),
            networks={
                "unet": {"depth": 4, "base_channels": 32},
                "gvtnet": {"depth": 4, "base_channels": 32},
            },
            settings={"batch_size": 8},
            seeds=3,
            training_sizes=(2, 4, 8, 16, 24, 32, 40, 46),
            patch_sizes=(16, 32, 64, 96, 128),
        ),
    )
}


def find_scale(name: str) -> Scale:
    """A scale by its name.

    Raises
    ------
    StudyError
        There is none of that name.
    """
    if name not in SCALES:
        raise StudyError(f"No scale '{name}'. There are " + "; ".join(f"{s.name} ({s.words})" for s in SCALES.values()))
    return SCALES[name]
