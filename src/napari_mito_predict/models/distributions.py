"""Models that are distributed and installed by themselves, such as napari-mito-predict-real-models.

Such a distribution has an entry point of the group `GROUP` whose value is the name of a package, and that package has a
folder `models` with one folder for each model. Neither is imported: listing models runs no code of others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Final

GROUP: Final = "napari_mito_predict.models"
REAL_MODELS: Final = "napari-mito-predict-real-models"
"""The distribution with models of real cells."""
_FOLDER = "models"


@dataclass(frozen=True)
class ModelDistribution:
    """An installed distribution of models.

    Attributes
    ----------
    name : str
        Of the distribution.
    folder : Path
        With a folder for each model; where there is a problem, what should have been it.
    problem : str
        Why there are no models; empty where there are.
    """

    name: str
    folder: Path
    problem: str = ""


def installed_distributions() -> Iterator[ModelDistribution]:
    """Every installed distribution of models, by name; one that is broken says so and stops no other."""
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: (_distribution_name(entry), entry.name)):
        yield _located(entry)


def _located(entry: EntryPoint) -> ModelDistribution:
    name = _distribution_name(entry)
    package, *inner = entry.value.split(".")  # to find an inner package by its whole name would import the outer one
    try:
        spec = find_spec(package)
    except (ImportError, ValueError) as error:
        return ModelDistribution(name, Path(entry.value), f"{entry.value} cannot be found ({error}).")
    if spec is None:
        return ModelDistribution(name, Path(entry.value), f"{entry.value} cannot be found. Install {name} again.")
    folders = [Path(place, *inner, _FOLDER) for place in spec.submodule_search_locations or ()]
    folder = next((folder for folder in folders if folder.is_dir()), None)
    if folder is None:
        return ModelDistribution(
            name, Path(entry.value), f"{entry.value} has no folder '{_FOLDER}'. Install {name} again."
        )
    return ModelDistribution(name, folder)


def _distribution_name(entry: EntryPoint) -> str:
    if entry.dist is None:
        return entry.name
    return entry.dist.name
