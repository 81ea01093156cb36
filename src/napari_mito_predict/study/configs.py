"""From a recipe to a training configuration with the paper's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_mito_predict.errors import StudyError
from napari_mito_predict.image import list_images

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_mito_predict.study.recipes import Recipe
    from napari_mito_predict.training import TrainingConfig

_FEW_SETS = 60
"""The paper trains for 10,000 to 20,000 iterations, by the amount of training data; the border is our reading."""
_TEST_SHARE = 0.25


def paper_iterations(recipe: Recipe) -> int:
    """10,000 iterations, or 20,000 where there are more training sets than in most recipes."""
    if recipe.training_sets <= _FEW_SETS:
        return 10_000
    return 20_000


def files_in(folder: Path) -> tuple[Path, ...]:
    """The images in a folder, sorted; files of other kinds are passed over.

    Raises
    ------
    StudyError
        There is no such folder, or no image in it.
    """
    if not folder.is_dir():
        raise StudyError("no such folder. Give one that holds CZI, TIFF or OME-Zarr files of pairs.", file=folder)
    found = tuple(list_images(folder))
    if not found:
        raise StudyError("no images there (CZI, TIFF, OME-Zarr, PNG). Check the path.", file=folder)
    return found


def recipe_config(recipe: Recipe, files: Sequence[Path], output: Path) -> TrainingConfig:
    """The paper's training of one recipe on these files.

    Mean squared error, Adam at 0.001, random patches of 32 x 64 x 64, 10,000 to 20,000 iterations; 75 % of the sets
    for training and 25 % for testing, in the proportion of Table 1 where there are as many files as in the paper; a
    tenth of the training sets validates.

    Parameters
    ----------
    recipe : Recipe
    files : sequence of Path
        Each with transmitted light and the truth of the recipe's target.
    output : Path
        The run folder.
    """
    from napari_mito_predict.training import TrainingConfig

    share = _TEST_SHARE
    if len(files) >= recipe.sets:
        share = recipe.test_sets / recipe.sets
    return TrainingConfig.parse(
        {
            "targets": {recipe.target: recipe.target},
            "data": {"files": [str(path.resolve()) for path in files]},
            "output": str(output.resolve()),
            "name": f"recipe-{recipe.name.lower()}",
            "title": f"{recipe.target} from transmitted light, recipe {recipe.name} ({recipe.words})",
            "preset": "paper",
            "split": {"test": round(share, 4), "validation": 0.1, "seed": 0},
            "patch": [32, 64, 64],
            "loss": "mse",
            "learning_rate": 1e-3,
            "iterations": paper_iterations(recipe),
        },
        source=f"recipe {recipe.name}",
    )
