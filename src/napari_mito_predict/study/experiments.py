"""Which trainings each study needs, as data. Trainings that several studies share are done once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from napari_mito_predict.errors import StudyError
from napari_mito_predict.study.recipes import LETTERS, RECIPES, TARGETS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from napari_mito_predict.study.scales import NetworkKind, Scale

Study = Literal["models", "training-size", "patch-size", "architecture", "combined"]

TITLES: dict[Study, str] = {
    "models": "All models (Fig. 3)",
    "training-size": "Number of training sets (Fig. 4a)",
    "patch-size": "Patch size (Fig. 4b)",
    "architecture": "U-Net and GVTNet (Table 2)",
    "combined": "Combined and specific models (Figs. 5, 6)",
}
Z, TIME = "H", "D"
"""The data sets that stand for z-stacks and for time series in the paper's comparisons."""

_MITOCHONDRIA, _DNA = TARGETS.values()


@dataclass(frozen=True, slots=True)
class RunSpec:
    """One training of a study.

    Attributes
    ----------
    letters : str
        Data sets trained on; ``HD`` for the combined model.
    targets : tuple of str
        What is predicted; two for one network of both.
    network : {"unet", "gvtnet"}
    training : int
        Training fields of each data set, those that validate included.
    patch : tuple of int
    iterations : int
    seed : int
        Of the weights and the patches; fields and their split stay the same.
    """

    letters: str
    targets: tuple[str, ...]
    network: NetworkKind
    training: tuple[int, ...]
    patch: tuple[int, int, int]
    iterations: int
    seed: int = 0

    @property
    def name(self) -> str:
        """Says everything that sets this run apart from the others of a scale; the name of its folder."""
        indices = {target: index for index, target in TARGETS.items()}
        recipe = self.letters + "".join(indices[target] for target in self.targets)
        fields = "-".join(map(str, self.training))
        return f"{recipe}-{self.network}-n{fields}-p{self.patch[-1]}-i{self.iterations}-s{self.seed}"

    @property
    def recipe(self) -> str:
        """Such as ``H1``, ``H12`` (both targets at once) or ``HD1`` (z-stacks and time series together)."""
        return self.name.partition("-")[0]


def runs_of(study: Study, scale: Scale, sets: Mapping[str, int], max_training: int | None = None) -> list[RunSpec]:
    """The trainings of a study.

    Parameters
    ----------
    study : str
    scale : Scale
    sets : mapping
        Data set -> training fields used of it, of those data sets that are there.
    max_training : int, optional
        The largest number of training fields that the study of their number tries; default: as many as other studies
        use.

    Raises
    ------
    StudyError
        It needs a data set that is not there.
    """
    lacking = [letter for letter in needed(study) if letter not in sets]
    if len(lacking) == len(needed(study)) or (lacking and study != "models"):
        raise StudyError(
            f"The study '{study}' needs pairs of recipe {' and '.join(lacking)}; there are some of "
            f"{', '.join(sets) or 'none'}."
        )
    return list(dict.fromkeys(_MAKERS[study](_Maker(scale, sets, max_training or sets.get(Z, 0)))))


def needed(study: Study) -> str:
    """Letters of the data sets a study needs; of `models` those it would have, but one is enough."""
    return {"models": "".join(LETTERS), "training-size": Z, "patch-size": Z}.get(study, Z + TIME)


@dataclass(frozen=True)
class _Maker:
    """Fills in what most runs have in common."""

    scale: Scale
    sets: Mapping[str, int]
    max_training: int

    def run(
        self,
        letters: str,
        targets: Sequence[str] = (_MITOCHONDRIA,),
        *,
        network: NetworkKind = "unet",
        training: int | None = None,
        patch: int | None = None,
        seed: int = 0,
    ) -> RunSpec:
        """A run of the scale's sizes, unless `training` fields or a `patch` of so many rows and columns are given."""
        fields = tuple(self.sets[letter] for letter in letters)
        if training:
            fields = (training,)
        size = self.scale.patch
        if patch:
            size = (size[0], patch, patch)
        return RunSpec(
            letters=letters,
            targets=tuple(targets),
            network=network,
            training=fields,
            patch=size,
            iterations=self.scale.iterations_of(RECIPES[f"{letters[0]}1"]),
            seed=seed,
        )


def _models(make: _Maker) -> Iterable[RunSpec]:
    for letter in LETTERS:
        if letter in make.sets:
            for target in TARGETS.values():
                yield make.run(letter, [target])


def _training_size(make: _Maker) -> Iterable[RunSpec]:
    sizes = {size for size in make.scale.training_sizes if size < make.max_training} | {make.max_training}
    for size in sorted(sizes):
        yield make.run(Z, training=size)


def _patch_size(make: _Maker) -> Iterable[RunSpec]:
    for size in make.scale.patch_sizes:
        yield make.run(Z, patch=size)


def _architecture(make: _Maker) -> Iterable[RunSpec]:
    kinds: tuple[NetworkKind, ...] = ("unet", "gvtnet")
    for seed in range(make.scale.seeds):
        for letter in (Z, TIME):
            for kind in kinds:
                yield make.run(letter, network=kind, seed=seed)


def _combined(make: _Maker) -> Iterable[RunSpec]:
    """Specific and combined models of each target; and for z one network of both targets."""
    seeds = range(make.scale.seeds)
    for target in TARGETS.values():
        for seed in seeds:
            for letters in (Z, TIME, Z + TIME):
                yield make.run(letters, [target], seed=seed)
    for seed in seeds:
        yield make.run(Z, [_MITOCHONDRIA, _DNA], seed=seed)


_MAKERS: dict[Study, Callable[[_Maker], Iterable[RunSpec]]] = {
    "models": _models,
    "training-size": _training_size,
    "patch-size": _patch_size,
    "architecture": _architecture,
    "combined": _combined,
}
STUDIES: tuple[Study, ...] = tuple(_MAKERS)


def find_studies(name: str) -> tuple[Study, ...]:
    """One study by its name, or ``all`` of them.

    Raises
    ------
    StudyError
        There is none of that name.
    """
    if name == "all":
        return STUDIES
    found = tuple(study for study in STUDIES if study == name)
    if not found:
        raise StudyError(f"No study '{name}'. There are {', '.join(STUDIES)}, and all.")
    return found


def tests_of(spec: RunSpec, study: Study) -> str:
    """Letters of the data sets on whose test fields a study needs a run scored."""
    if study == "combined" and len(spec.targets) == 1:
        return Z + TIME
    return spec.letters
