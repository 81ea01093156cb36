"""The model card: what a model predicts, from what input, how it was trained, and how far to trust it."""

from __future__ import annotations

import json
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PositiveFloat, ValidationError, model_validator

from napari_mito_predict.errors import InvalidModelError
from napari_mito_predict.image.names import file_stem
from napari_mito_predict.models.licence import NOT_STATED

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

SCHEMA_VERSION: Final = 1
SIMULATED_DISCLAIMER = "Trained on simulated cells, not validated on real ones."
_WHAT_SIMULATED_MEANS = (
    "It never saw a real microscope image: on real cells take its output as a demonstration and as a start for "
    "fine-tuning on your own pairs, never as a measurement."
)

Measure = Literal["pcc", "fine_pcc"]
_MEASURES: dict[Measure, str] = {"pcc": "PCC", "fine_pcc": "fine PCC"}

ThirdAxis = Literal["z", "t"]

_LONGEST_NAME = 64
_SHOWN = 40
"""Letters of a name that is too long, in a message."""


def check_name(name: str) -> str:
    """Return `name` if it can be a file name everywhere, in any script; raise ``ValueError`` otherwise.

    A package is a folder of the model's name, and is given on command lines, where ``-`` begins an option.
    """
    if len(name) > _LONGEST_NAME:
        raise ValueError(
            f"'{name[:_SHOWN]}…' is not a model name: it has {len(name)} letters, and at most {_LONGEST_NAME} are taken"
        )
    if not name.isprintable() or not name[:1].isalnum() or file_stem(name) != name:
        raise ValueError(
            f"'{name}' is not a model name: it has to begin with a letter or digit, and to be a name for files on all "
            'systems, without any of / \\ : * ? " < > |'
        )
    return name


Name = Annotated[str, AfterValidator(check_name)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Target(_Part):
    """One predicted structure."""

    name: Name
    """What it is, for example ``mitochondria``; the key of the prediction."""
    stain: str
    """The fluorescent label whose signal is predicted, for example ``TMRM``."""
    colormap: str = "gray"
    contrast_limits: tuple[float, float] = (-1.0, 6.0)
    """Display range in z-scores of the training truth."""


class Architecture(_Part):
    """Network and its arguments, see `napari_mito_predict.networks.build_network`."""

    kind: str
    arguments: dict[str, Any] = Field(default_factory=dict)


class Normalisation(_Part):
    """How a volume is brought to zero mean and unit variance, by statistics of the whole volume."""

    kind: Literal["zscore"] = "zscore"
    clip_percentiles: tuple[float, float] | None = (0.1, 99.9)
    """Values outside are clipped before the statistics are taken; ``None`` for no clipping."""


class Input(_Part):
    """What the model expects to see."""

    modality: str = "transmitted light"
    """Kind of transmitted light, as `Modality` spells it where it is one of those, else in any words."""
    voxel_size_um: tuple[PositiveFloat | None, PositiveFloat | None, PositiveFloat | None]
    """Sampling ``(z, y, x)`` the model was trained at; z is ``None`` where it has no meaning (time series, 2-D).

    All three are ``None`` where the training images did not know it: such a model takes images as they are."""
    estimated_pixel_um: PositiveFloat | None = None
    """Pixel size (y and x) estimated by other means, where the training images did not know it."""
    third_axes: tuple[ThirdAxis, ...]
    """``("z",)``, ``("t",)``, ``("z", "t")``, or ``()`` for a 2-D model."""
    third_axis_step: dict[ThirdAxis, PositiveFloat] = Field(default_factory=dict)
    """Step of the third axis in training: micrometres for z, seconds for t."""
    normalisation: Normalisation = Normalisation()

    @model_validator(mode="after")
    def _known_or_unknown(self) -> Input:
        z, *plane = self.voxel_size_um
        if None in plane and (z is not None or any(plane)):
            raise ValueError("'voxel_size_um' says y and x, or nothing at all")
        if self.estimated_pixel_um is not None and any(plane):
            raise ValueError("'estimated_pixel_um' is for a 'voxel_size_um' that is not known")
        return self

    @property
    def sampling_known(self) -> bool:
        """Whether the sampling trained at is known; else nothing is resampled for the model."""
        return self.voxel_size_um[1] is not None


class Training(_Part):
    """Where the weights come from."""

    data: str
    pairs: int = Field(ge=0)
    iterations: int = Field(ge=0)
    code_version: str = ""
    date: str = ""
    start_from: str | None = None
    notes: str = ""


class Agreement(_Part):
    """Means over groups of fields; ``None`` where there is none, such as of a constant prediction."""

    pcc: float | None = None
    fine_pcc: float | None = None


class ModelTest(_Part):
    """One target on fields that were not trained on, beside what needs no network."""

    target: Name
    on: str
    """Which fields."""
    model: Agreement
    baselines: dict[str, Agreement] = Field(default_factory=dict)

    def compared(self, measure: Measure) -> tuple[str, ...]:
        """The baselines that were compared with the model in a measure."""
        if getattr(self.model, measure) is None:
            return ()
        return tuple(name for name, found in self.baselines.items() if getattr(found, measure) is not None)


class Unbeaten(NamedTuple):
    """A baseline that a model is not better than, in one measure."""

    target: str
    measure: Measure
    value: float | None
    """Of the model."""
    baseline: str
    baseline_value: float

    def __str__(self) -> str:
        """Such as ``mitochondria, PCC 0.41 against 0.43 of the local contrast``."""
        name = _MEASURES[self.measure]
        value = "none" if self.value is None else f"{self.value:.2f}"
        return f"{self.target}, {name} {value} against {self.baseline_value:.2f} of the {self.baseline}"


class Weights(_Part):
    """The weights file and its fingerprint."""

    file: Literal["weights.safetensors"] = "weights.safetensors"
    sha256: str = Field(default="", pattern="^([0-9a-f]{64})?$")


class ModelCard(_Part):
    """Everything `model.json` holds."""

    schema_version: Literal[1] = SCHEMA_VERSION
    name: Name
    title: str
    targets: tuple[Target, ...] = Field(min_length=1)
    architecture: Architecture
    input: Input
    training: Training
    metrics: dict[str, dict[str, float]] = Field(default_factory=dict)
    """Test condition -> metric -> value."""
    tests: tuple[ModelTest, ...] = ()
    """Each target beside what needs no network; empty for models of earlier versions."""
    licence: str = ""
    """Of the weights, as an SPDX expression such as ``GPL-3.0-only``; empty where nobody stated one."""
    authors: tuple[str, ...] = ()
    attribution: str = ""
    """Whose data the weights were made from, and where they are published."""
    simulated: bool
    trained_on: str = ""
    """The real cells, in a few words: what they are, how they were seen, on how many microscopes."""
    weights: Weights = Weights()

    @property
    def disclaimer(self) -> str:
        """The sentence that has to travel with every result of this model; empty for models of real cells."""
        return SIMULATED_DISCLAIMER if self.simulated else ""

    @property
    def unbeaten(self) -> tuple[Unbeaten, ...]:
        """The best baseline of each target and measure that the model is not better than."""
        found = []
        for test in self.tests:
            for measure in _MEASURES:
                values = {name: getattr(agreement, measure) for name, agreement in test.baselines.items()}
                known = {name: value for name, value in values.items() if value is not None}
                if not known:
                    continue
                best = max(known, key=known.__getitem__)
                own = getattr(test.model, measure)
                if own is None or own <= known[best]:
                    found.append(Unbeaten(test.target, measure, own, best, known[best]))
        return tuple(found)

    @property
    def cells(self) -> str:
        """Which cells it knows, in a few words: ``simulated``, or ``real`` and which."""
        if self.simulated:
            return "simulated"
        if self.trained_on:
            return f"real: {self.trained_on}"
        return "real"

    @classmethod
    def from_json(cls, text: str | bytes, *, source: str) -> ModelCard:
        """Read a card.

        Parameters
        ----------
        text : str or bytes
            Content of `model.json`.
        source : str
            Name of the file, for messages.

        Raises
        ------
        InvalidModelError
            Not JSON, a newer schema, an unknown, missing or impossible field; names the field.
        """
        try:
            version = json.loads(text).get("schema_version")
        except (ValueError, AttributeError, RecursionError) as error:
            raise InvalidModelError(f"{source}: not a model card ({error}).") from error
        if isinstance(version, int) and version > SCHEMA_VERSION:
            raise InvalidModelError(
                f"{source}: written by a newer version (schema {version}, this one reads {SCHEMA_VERSION}). "
                "Update napari-mito-predict."
            )
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            problems = "; ".join(_problem_text(problem) for problem in error.errors()[:5])
            raise InvalidModelError(f"{source}: not a valid model card. {problems}.") from error

    def to_json(self) -> str:
        """The card as indented JSON text."""
        return self.model_dump_json(indent=2) + "\n"

    def to_markdown(self) -> str:
        """The card for people, as Markdown; a simulated model says so in its first line."""
        stains = ", ".join(f"{target.name} ({target.stain})" for target in self.targets)
        lines = [
            f"# {self.title}\n",
            f"Predicts {stains} from {self.input.modality}; {self._third_axes_text()}, {self._voxel_size_text()}.\n",
            f"- Training: {self.training.data}; {self.training.pairs} pairs, {self.training.iterations} iterations"
            f" ({self.training.date}).",
            f"- Network: {self.architecture.kind} {self.architecture.arguments}",
            f"- Licence: {self.licence or NOT_STATED}. Authors: {', '.join(self.authors) or NOT_STATED}.",
            "- Values are z-scores of the training truth: brightness is relative, not calibrated.",
        ]
        lines += self._test_lines()
        if self.trained_on:
            lines.insert(2, f"- Cells: {self.trained_on}.")
        if self.attribution:
            lines.append(f"- Attribution: {self.attribution}")
        if self.training.notes:
            lines.append(f"- {self.training.notes}")
        warning = ""
        if self.simulated:
            warning = f"**{self.disclaimer}** {_WHAT_SIMULATED_MEANS}\n"
        return "\n".join([warning, *lines, "", *self._metric_table()]) + "\n"

    def _third_axes_text(self) -> str:
        plurals = {"z": "z-stacks", "t": "time series"}
        return " or ".join(plurals[axis] for axis in self.input.third_axes) or "single planes"

    def _voxel_size_text(self) -> str:
        if not self.input.sampling_known:
            estimated = self.input.estimated_pixel_um
            about = f" (about {estimated:g} um, estimated)" if estimated else ""
            return f"voxel size unknown{about}: images are taken as they are, pixel for pixel"
        z_um, *plane_um = self.input.voxel_size_um
        in_plane = f"{plane_um[0]:g} x {plane_um[1]:g} um"
        if z_um is None:
            return in_plane
        return f"{z_um:g} x {in_plane} (z, y, x)"

    def _test_lines(self) -> list[str]:
        """Whether the model is better than what needs no network, as far as that was tested."""
        if not self.tests:
            return []
        if self.unbeaten:
            found = "; ".join(map(str, self.unbeaten))
            return [f"- **No better than without a network** on the {self.tests[0].on}: {found}."]
        baselines: list[str] = []
        measures: list[str] = []
        for measure, shown in _MEASURES.items():
            compared = list(chain.from_iterable(test.compared(measure) for test in self.tests))
            if compared:
                baselines += compared
                measures.append(shown)
        if not measures:
            return []
        without = f"what needs no network ({', '.join(dict.fromkeys(baselines))})"
        return [f"- Better on the {self.tests[0].on} than {without}, in {' and '.join(measures)}."]

    def _metric_table(self) -> list[str]:
        if not self.metrics:
            return []
        columns = list(dict.fromkeys(chain.from_iterable(self.metrics.values())))
        rows = [_table_row(condition, values, columns) for condition, values in self.metrics.items()]
        return [f"| condition | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|", *rows]


def _table_row(condition: str, values: dict[str, float], columns: list[str]) -> str:
    """One row of the table of metrics; empty where a condition was not measured by one."""
    shown = {metric: f"{value:.3g}" for metric, value in values.items()}
    return f"| {condition} | " + " | ".join(shown.get(column, "") for column in columns) + " |"


def _problem_text(problem: ErrorDetails) -> str:
    """A fault found by pydantic, with the place of the field in the card."""
    place = ".".join(map(str, problem["loc"]))
    return f"{place}: {problem['msg']}"
