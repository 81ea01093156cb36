"""Everything a run reads before its first iteration."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from napari_mito_predict.errors import PredictedInputError, TrainingDataError
from napari_mito_predict.image import ChannelRole, Finding, Level
from napari_mito_predict.training.baselines import fit_baselines
from napari_mito_predict.training.checks import (
    FieldReport,
    Reference,
    check_batch,
    check_shift,
    check_together,
    explain,
)
from napari_mito_predict.training.fields import Field, find_fields
from napari_mito_predict.training.inherited import explain_terms, normalisation_of
from napari_mito_predict.training.overlap import Texture
from napari_mito_predict.training.pairs import OpenField, Pair, open_field, prepare, read_volumes
from napari_mito_predict.training.patch_size import patch_of
from napari_mito_predict.training.plausibility import fingerprint
from napari_mito_predict.training.sampling import Sampling, choose_sampling, explain_sampling, other_kind
from napari_mito_predict.training.split import Fields, split_fields
from napari_mito_predict.training.store import PairStore, store_size
from napari_mito_predict.training.strips import hold_back_strips

if TYPE_CHECKING:
    from napari_mito_predict.evaluation import Baseline
    from napari_mito_predict.training.config import TrainingConfig

_WATCHED = 8
"""Training volumes that are looked at where none is held back."""


@dataclass(frozen=True)
class TrainingData:
    """Pairs ready to be trained on, and what they have in common.

    Attributes
    ----------
    fields : Fields
        Which field went where.
    reports : tuple of FieldReport
        What was found in each.
    findings : tuple of Finding
        What was found in all together.
    training, validation : tuple of Pair
        Volumes. Without validation fields, validation is a strip cut from the training fields; or, where the last
        state becomes the model anyway, a few of these fields themselves.
    sampling : Sampling
        The grid of all pairs.
    stains, roles : tuple
        Truth channel name and role, one per target.
    modality : str
        Kind of transmitted light, the same in all fields; empty where that is not known.
    simulated : bool
        At least one field was written by the simulator, or has a truth predicted by a model that learnt from it.
    truth_predicted_by : dict of str to int
        See `FieldReader.truth_predicted_by`.
    patch : tuple of int
        Patch size.
    baselines : dict of str to tuple of Baseline
        Fitted on training volumes to each target, see `BASELINES`.
    """

    fields: Fields
    reports: tuple[FieldReport, ...]
    findings: tuple[Finding, ...]
    training: tuple[Pair, ...]
    validation: tuple[Pair, ...]
    sampling: Sampling
    stains: tuple[str, ...]
    roles: tuple[ChannelRole, ...]
    modality: str
    simulated: bool
    truth_predicted_by: dict[str, int]
    patch: tuple[int, ...]
    baselines: dict[str, tuple[Baseline, ...]]

    @property
    def ndim(self) -> int:
        """Spatial dimensions of a volume."""
        return self.sampling.ndim

    @property
    def targets(self) -> int:
        """Number of predicted structures."""
        return len(self.stains)

    @property
    def digests(self) -> dict[str, str]:
        """Fingerprint of every field."""
        return {report.name: report.digest for report in self.reports}

    @property
    def channels_seen(self) -> tuple[str, ...]:
        """Digests of the channels of all fields but those for testing, sorted; see `image.pixel_digest`."""
        seen = (report.channels for report in self.reports if report.part != "test")
        return tuple(sorted(set(chain.from_iterable(seen))))

    @property
    def messages(self) -> list[str]:
        """All findings as lines for people."""
        lines = chain.from_iterable(explain(report.name, report.findings) for report in self.reports)
        return [*lines, *explain("", self.findings)]


class FieldReader:
    """Reads fields one after the other, and says what is wrong with each.

    Parameters
    ----------
    config : TrainingConfig
        What to read.
    reference : callable, optional
        The start model, see `check_shift`.
    look_for_shifts : bool
        Whether to look at all.

    Raises
    ------
    TrainingDataError
        There are no fields, or none can be opened, or only some know their voxel size.
    ConfigError
        The start model does not allow the licence that is asked for.

    Attributes
    ----------
    findings : tuple of Finding
        What is to be said once for all fields, before any is read.
    normalisation : Normalisation
        Of all inputs.
    """

    def __init__(
        self, config: TrainingConfig, reference: Reference | None = None, *, look_for_shifts: bool = True
    ) -> None:
        self.config = config
        self.fields = split_fields(find_fields(config.data, config.targets), config.split)
        self._reference = reference
        self.look_for_shifts = look_for_shifts
        self.opened: dict[str, OpenField] = {}
        self._problems: dict[str, Finding] = {}
        for field in self.all_fields:
            try:
                self.opened[field.name] = open_field(
                    field, config.data.axes, allow_prediction_as_truth=config.data.allow_prediction_as_truth
                )
            except TrainingDataError as error:
                code = "prediction-as-input" if isinstance(error.__cause__, PredictedInputError) else "unreadable"
                self._problems[field.name] = Finding(Level.ERROR, code, str(error), where=field.name)
        if not self.opened:
            raise TrainingDataError(" ".join(explain("", list(self._problems.values()))))
        # A field that will be refused does not say what the others have to be like.
        usable = [opened for opened in self.opened.values() if not _errors(opened.findings)]
        self.first = next(iter(usable or self.opened.values()))
        self.sampling = choose_sampling(config, usable or list(self.opened.values()))
        said = explain_sampling(config, usable or list(self.opened.values()), self.sampling)
        self.normalisation = normalisation_of(config)
        self.findings = (*explain_terms(config), *said)
        if not self.fields.holds_back(config.select):
            self.findings += (_not_validated(),)

    @property
    def all_fields(self) -> tuple[Field, ...]:
        """Training, then validation, then test fields."""
        return self.fields.training + self.fields.validation + self.fields.test

    @property
    def stains(self) -> tuple[str, ...]:
        """Truth channel names, without ZEN's track suffix; a nameless channel is called like its target."""
        names = zip(self.first.truths, self.config.targets, strict=True)
        return tuple(_without_track(channel.name or name) for (_, channel), name in names)

    @property
    def modality(self) -> str:
        """Kind of transmitted light, the same in all fields; empty where that is not known."""
        known = {opened.input.modality for opened in self.opened.values()}
        return str(known.pop() or "") if len(known) == 1 else ""

    @property
    def truth_predicted_by(self) -> dict[str, int]:
        """Models whose predictions are taken for the truth, and in how many fields; empty where all is recorded."""
        found: Counter[str] = Counter()
        for opened in self.opened.values():
            marks = [channel.prediction for _, channel in opened.truths if channel.prediction is not None]
            found.update({mark.by for mark in marks})
        return dict(found)

    def read(self, field: Field) -> tuple[list[Pair], FieldReport]:
        """All volumes of a field, and what was found; no volumes where there is an error."""
        report = FieldReport(field.name, self.fields.part_of(field.name), group=self.fields.groups[field.name])
        if field.name in self._problems:
            return [], replace(report, findings=(self._problems[field.name],))
        opened = self.opened[field.name]
        stranger = other_kind(opened, self.config, self.first)
        if stranger is not None:
            return [], replace(report, findings=(stranger, *_errors(opened.findings)))
        found = list(opened.findings)
        pairs: list[Pair] = []
        digests: list[str] = []
        channels: tuple[str, ...] = ()
        light = None
        texture = None
        picture = None
        try:
            if all(finding.level is not Level.ERROR for finding in found):
                for raw in read_volumes(opened):
                    found += raw.findings(self.stains)
                    digests.append(raw.digest())
                    channels = channels or raw.first_stacks(opened)
                    if light is None:
                        light = fingerprint(raw.input)
                        texture = Texture.of(raw.input)
                    pairs.append(prepare(raw, opened, self.sampling.voxel_size_um, self.normalisation))
            if pairs and self.look_for_shifts:
                along_z = opened.third_axis == "z"
                shifts, picture = check_shift(
                    pairs[len(pairs) // 2], self._reference, tuple(self.config.targets), along_third=along_z
                )
                found += shifts
        except TrainingDataError as error:
            if all(finding.level is not Level.ERROR for finding in found):
                found.append(Finding(Level.ERROR, "unreadable", str(error), where=field.name))
        report = replace(
            report,
            digest="-".join(digests),
            channels=channels,
            shape=opened.shape_at(self.sampling.voxel_size_um),
            volumes=opened.volumes,
            light=light,
            texture=texture,
            findings=_first_of_each_kind(found),
            picture=picture,
        )
        if not report.usable:
            return [], report
        return pairs, report


def load_data(
    reader: FieldReader,
    store: PairStore,
    *,
    gap: int = 0,
    follow: bool = False,
    on_field: Callable[[FieldReport, int], None] | None = None,
) -> TrainingData:
    """Read and check all fields; keep those to train and to validate on.

    Parameters
    ----------
    reader : FieldReader
        What there is.
    store : PairStore
        Where volumes are kept.
    gap : int
        Rows or columns between a strip held back for validation and what is trained on: the network's receptive field.
    follow : bool
        Another process has read and stored everything; take it from there.
    on_field : callable, optional
        Called with each report and how many fields are done.

    Raises
    ------
    TrainingDataError
        Lists every problem of every field.
    """
    config = reader.config
    fields = reader.fields
    reports: list[FieldReport] = []
    kept: dict[str, list[Pair]] = {}
    for done, field in enumerate(reader.all_fields, 1):
        if follow:
            if field not in fields.test:
                kept[field.name] = list(store.kept(field.name, reader.opened[field.name].volumes))
            continue
        pairs, report = reader.read(field)
        reports.append(report)
        if field not in fields.test:
            kept[field.name] = [store.keep(pair, i) for i, pair in enumerate(pairs)]
        if on_field:
            on_field(report, done)
    together = [*reader.findings, *check_together(reports)]
    refuse(reports, together)
    training = tuple(chain.from_iterable(kept[field.name] for field in fields.training))
    validation = tuple(chain.from_iterable(kept[field.name] for field in fields.validation))
    if not fields.holds_back(config.select):
        validation = training[:: max(1, len(training) // _WATCHED)]
    elif not validation:
        parts = hold_back_strips(training, gap)
        training = parts.training
        validation = parts.validation
        together += parts.findings
    patch = patch_of(config, reader.sampling.ndim)
    return TrainingData(
        fields=fields,
        reports=tuple(reports),
        findings=(*together, *check_batch(training, patch, config.batch_size)),
        training=training,
        validation=validation,
        sampling=reader.sampling,
        stains=reader.stains,
        roles=tuple(channel.role for _, channel in reader.first.truths),
        modality=reader.modality,
        simulated=any(_is_simulated(opened) for opened in reader.opened.values()),
        truth_predicted_by=reader.truth_predicted_by,
        patch=patch,
        baselines=fit_baselines(training),
    )


def make_store(config: TrainingConfig, reader: FieldReader, folder: Path, free: int) -> PairStore:
    """In memory where that is asked for, or where the volumes fit and no other process shares them."""
    kept = [reader.opened[f.name] for f in reader.fields.training + reader.fields.validation if f.name in reader.opened]
    size = store_size(kept, len(config.targets), reader.sampling.voxel_size_um)
    in_memory = config.cache == "memory" or (
        config.cache == "auto" and config.devices == 1 and PairStore.fits(size, free)
    )
    if in_memory:
        return PairStore(None)
    return PairStore(folder)


def _not_validated() -> Finding:
    message = "Nothing is held back for validation: the curve shows fields that are trained on, and rises in any case."
    return Finding(Level.INFO, "not-validated", message)


def _is_simulated(opened: OpenField) -> bool:
    """Whether a field comes from the simulator, be it by way of a model that learnt from it."""
    marks = [channel.prediction for _, channel in opened.truths]
    return opened.image.simulated or any(mark.simulated for mark in marks if mark is not None)


def _errors(findings: Sequence[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.level is Level.ERROR]


def refuse(reports: Sequence[FieldReport], together: Sequence[Finding]) -> None:
    """Raise if there is any error, with all of them."""
    errors = []
    all_findings = list(together)
    for report in reports:
        all_findings += report.findings
        errors += explain(report.name, _errors(report.findings))
    errors += explain("", _errors(together))
    if errors:
        error = TrainingDataError("\n".join(errors))
        error.codes = frozenset(finding.code for finding in _errors(all_findings))
        raise error


def _first_of_each_kind(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """One finding per kind and channel, however many time points show it."""
    first: dict[tuple[Level, str, str], Finding] = {}
    for finding in findings:
        first.setdefault((finding.level, finding.code, finding.where), finding)
    return tuple(first.values())


def _without_track(name: str) -> str:
    """Channel name without ZEN's track suffix: ``SYBR Gold-T2`` -> ``SYBR Gold``."""
    if "-T" not in name:
        return name
    stem, track = name.rsplit("-T", 1)
    if track.isdigit():
        return stem
    return name
