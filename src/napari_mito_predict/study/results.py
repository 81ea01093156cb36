"""Tables of a study: one row for each number, with the run folder, seed and field it is from."""

from __future__ import annotations

import json
import math
import statistics
from collections import defaultdict
from dataclasses import asdict, dataclass, fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from napari_mito_predict._tables import read_table, write_table
from napari_mito_predict.errors import StudyError
from napari_mito_predict.study.experiments import tests_of
from napari_mito_predict.study.scoring import MODEL, read_scores, scores_file
from napari_mito_predict.training.run import Run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from napari_mito_predict.study.experiments import Study
    from napari_mito_predict.study.plan import Plan

_CONVERTERS: dict[str, Callable[[str], Any]] = {"int": int, "float": float}
"""Annotation of a column -> how its cells are read; all others are text."""


@dataclass(frozen=True, slots=True)
class Row:
    """One score of one run on one test field.

    Attributes
    ----------
    study : str
    run : str
        Run folder, relative to the study's.
    recipe : str
        What was trained on, such as ``H1``, ``HD1`` (both third axes) or ``H12`` (both targets).
    network : str
    training_fields, patch, iterations, seed : int
    tested_on : str
        Letter of the data set the field is of.
    field : str
        Name of the field: of its file, without the suffix.
    target : str
    model : str
        ``this model``, or ``blurred input`` for what is there without a network.
    pcc, ssim_global : float
    """

    study: str
    run: str
    recipe: str
    network: str
    training_fields: int
    patch: int
    iterations: int
    seed: int
    tested_on: str
    field: str
    target: str
    model: str
    pcc: float
    ssim_global: float


@dataclass(frozen=True, slots=True)
class Summary:
    """Mean over fields, then over seeds.

    Attributes
    ----------
    mean : float
    spread : float
        Standard deviation over seeds; NaN with a single one.
    values : tuple of float
        Mean over fields, of each seed in turn.
    """

    mean: float
    spread: float
    values: tuple[float, ...]

    @property
    def words(self) -> str:
        """Mean ± spread, or the mean alone where there was one seed."""
        if math.isnan(self.spread):
            return f"{self.mean:.3f}"
        return f"{self.mean:.3f} ± {self.spread:.3f}"


def collect(plan: Plan, study: Study) -> list[Row]:
    """All scores of the runs of a study that are there, on the data sets that this study asks for."""
    rows = []
    for spec in plan.studies[study]:
        folder = plan.run_folder(spec)
        for letter in tests_of(spec, study):
            path = scores_file(folder, letter)
            if not path.exists():
                continue
            for score in read_scores(path):
                rows.append(
                    Row(
                        study=study,
                        run=folder.relative_to(plan.folder).as_posix(),
                        recipe=spec.recipe,
                        network=spec.network,
                        training_fields=sum(spec.training),
                        patch=spec.patch[-1],
                        iterations=spec.iterations,
                        seed=spec.seed,
                        tested_on=letter,
                        **asdict(score),
                    )
                )
    return rows


def table_file(folder: Path, study: Study) -> Path:
    """The table of a study."""
    return folder / "results" / f"{study}.csv"


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Write the table of a study."""
    _write(path, [field.name for field in fields(Row)], map(asdict, rows))


def read_rows(path: Path) -> list[Row]:
    """Read the table of a study.

    Raises
    ------
    StudyError
        It is damaged.
    """
    try:
        return [_parse_row(cells) for cells in read_table(path)]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StudyError(f"not a table of results ({error}). Delete it and repeat the command.", file=path) from error


def _parse_row(cells: Mapping[str, str]) -> Row:
    values: dict[str, Any] = {}
    for column in fields(Row):
        convert = _CONVERTERS.get(str(column.type), str)
        values[column.name] = convert(cells[column.name])
    return Row(**values)


def write_runs(plan: Plan) -> None:
    """Write `runs.csv`: how each run of the folder was trained, how long it took, and the fingerprint of its model."""
    rows = [_about(Run(path)) for path in sorted((plan.folder / "runs").glob("*")) if (path / "model").is_dir()]
    if rows:
        _write(plan.folder / "results" / "runs.csv", list(rows[0]), rows)


def _about(run: Run) -> dict[str, Any]:
    config, status = run.config, run.status
    seconds = math.nan
    if run.metrics:
        seconds = run.metrics[-1]["seconds"]
    try:
        card = json.loads((run.model_folder / "model.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        card = {}
    return {
        "run": f"runs/{run.path.name}",
        "state": status.state,
        "targets": "+".join(config.targets),
        "network": json.dumps(card.get("architecture", {}).get("arguments", {}), sort_keys=True),
        "patch": "x".join(map(str, config.patch or ())),
        "batch_size": config.batch_size,
        "iterations": status.iteration,
        "seed": config.seed,
        "validation_pcc": f"{status.scores.get('best', math.nan):.4f}",
        "seconds": f"{seconds:.0f}",
        "weights_sha256": card.get("weights", {}).get("sha256", ""),
        "code_version": card.get("training", {}).get("code_version", ""),
    }


def summarise(
    rows: Iterable[Row], key: Callable[[Row], Any], metric: str = "pcc", model: str = MODEL
) -> dict[Any, Summary]:
    """Group rows by `key`; in each group take the mean over fields for each seed, then over seeds.

    Parameters
    ----------
    rows : iterable of Row
    key : callable
        Row -> group.
    metric : {"pcc", "ssim_global"}
    model : str
        Only rows of this one; see `Row`.

    Returns
    -------
    dict
        Group -> summary.
    """
    groups: dict[Any, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row.model == model:
            groups[key(row)][row.seed].append(getattr(row, metric))
    return {name: _summary(by_seed) for name, by_seed in groups.items()}


def scored_on_all(rows: Sequence[Row], letters: str) -> list[Row]:
    """Choose the rows of the runs that have scores on all of these data sets: what is pooled has to be complete."""
    found: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        found[row.run].add(row.tested_on)
    return [row for row in rows if set(letters) <= found[row.run] and row.tested_on in letters]


def write_summary(path: Path, rows: Sequence[Row]) -> None:
    """Write one line for each model, data set and target: means over fields and seeds, with the spread over seeds."""
    names = ("recipe", "network", "training_fields", "patch", "iterations", "tested_on", "target")
    key = attrgetter(*names)
    lines = []
    for model in dict.fromkeys(row.model for row in rows):
        pcc = summarise(rows, key, "pcc", model)
        ssim = summarise(rows, key, "ssim_global", model)
        for group, found in pcc.items():
            numbers = {
                "model": model,
                "seeds": len(found.values),
                "pcc": f"{found.mean:.4f}",
                "pcc_sd_over_seeds": f"{found.spread:.4f}",
                "ssim_global": f"{ssim[group].mean:.4f}",
                "ssim_global_sd_over_seeds": f"{ssim[group].spread:.4f}",
            }
            lines.append(dict(zip(names, group, strict=True)) | numbers)
    if lines:
        _write(path, list(lines[0]), lines)


def _summary(by_seed: Mapping[int, Sequence[float]]) -> Summary:
    means = tuple(statistics.fmean(values) for _, values in sorted(by_seed.items()))
    spread = math.nan
    if len(means) > 1:
        spread = statistics.stdev(means)
    return Summary(statistics.fmean(means), spread, means)


def _write(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_table(path, columns, rows)
