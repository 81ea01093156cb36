"""The model card: what a model predicts, from what input, how it was trained, and how far to trust it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import (
    Field,
    FiniteFloat,
    ValidationError,
    field_validator,
    model_validator,
)

from napari_mito_predict.errors import InvalidModelError
from napari_mito_predict.models.card_tests import MeasureVerdict, ModelTest, Unbeaten
from napari_mito_predict.models.card_text import MEASURES, SIMULATED_DISCLAIMER, card_markdown
from napari_mito_predict.models.card_values import (
    CardPart,
    Count,
    FieldsSeen,
    Line,
    Micrometres,
    Name,
    Percentiles,
    PositiveFinite,
    Sha256,
    Text,
)
from napari_mito_predict.models.graphs import GRAPH, check_graph
from napari_mito_predict.models.licence import NOT_STATED
from napari_mito_predict.networks.arguments import check_arguments

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

SCHEMA_VERSION: Final = 4
"""Version 1 had no origin, verdicts, picture or kind of weights, and knew one normalisation; 2 no training images; 3
did not say of a verdict on which cells and in how many dimensions it was found."""

ThirdAxis = Literal["z", "t"]

_LONGEST_PROBLEM = 300
"""Letters of one fault of a card, in a message."""


class Target(CardPart):
    """One predicted structure."""

    name: Name
    """What it is, for example ``mitochondria``; the key of the prediction."""
    stain: Line
    """The fluorescent label whose signal is predicted, for example ``TMRM``."""
    colormap: Line = "gray"
    contrast_limits: tuple[FiniteFloat, FiniteFloat] = (-1.0, 6.0)
    """Display range in z-scores of the training truth."""

    @field_validator("contrast_limits")
    @classmethod
    def _lower_one_first(cls, given: tuple[float, float]) -> tuple[float, float]:
        if given[0] > given[1]:
            raise ValueError("contrast limits are two numbers, the lower one first")
        return given


class Architecture(CardPart):
    """Network and its arguments, see `napari_mito_predict.networks.build_network`."""

    kind: Line
    arguments: dict[Line, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _can_be_built(self) -> Architecture:
        if self.kind == GRAPH:
            check_graph(self.arguments)
        else:
            check_arguments(self.kind, self.arguments)
        return self


class Normalisation(CardPart):
    """How a volume is brought into the range that the network knows: clipped, then ``(value - offset) / scale``.

    Offset and scale are taken from the whole volume, but for ``fixed``, where they are those of the card:

    =============  =======================  ==================================
    kind           offset                   scale
    =============  =======================  ==================================
    ``zscore``     mean                     standard deviation
    ``robust``     median                   interquartile range
    ``range``      the first percentile     from the first to the second
    ``fixed``      `offset`                 `scale`
    =============  =======================  ==================================
    """

    kind: Literal["zscore", "robust", "range", "fixed"] = "zscore"
    clip_percentiles: Percentiles | None = (0.1, 99.9)
    """Of ``zscore``: values outside are clipped before the statistics are taken; ``None`` for no clipping."""
    percentiles: Percentiles | None = None
    """Of ``range``: what becomes 0 and what becomes 1."""
    offset: FiniteFloat | None = None
    scale: PositiveFinite | None = None

    @model_validator(mode="before")
    @classmethod
    def _clip_z_scores_only(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("kind", "zscore") != "zscore":
            return {"clip_percentiles": None} | given
        return given

    @model_validator(mode="after")
    def _complete(self) -> Normalisation:
        if self.clip_percentiles is not None and self.kind != "zscore":
            raise ValueError(f"'clip_percentiles' is for 'zscore', not for '{self.kind}'")
        if (self.percentiles is not None) != (self.kind == "range"):
            raise ValueError("'range' needs 'percentiles', and nothing else takes them")
        fixed = {self.offset is not None, self.scale is not None}
        if fixed != {self.kind == "fixed"}:
            raise ValueError("'fixed' needs 'offset' and 'scale', and nothing else takes them")
        return self


class Input(CardPart):
    """What the model expects to see."""

    modality: Line = "transmitted light"
    """Kind of transmitted light, as `Modality` spells it where it is one of those, else in any words."""
    voxel_size_um: tuple[Micrometres | None, Micrometres | None, Micrometres | None]
    """Sampling ``(z, y, x)`` the model was trained at; z is ``None`` where it has no meaning (time series, 2-D).

    All three are ``None`` where the training images did not know it: such a model takes images as they are."""
    estimated_pixel_um: Micrometres | None = None
    """Pixel size (y and x) estimated by other means, where the training images did not know it."""
    third_axes: tuple[ThirdAxis, ...] = Field(max_length=2)
    """``("z",)``, ``("t",)``, ``("z", "t")``, or ``()`` for a 2-D model."""
    third_axis_step: dict[ThirdAxis, PositiveFinite] = Field(default_factory=dict)
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


class Training(CardPart):
    """Where the weights come from."""

    data: Text
    pairs: Count | None
    """How many it learned from; ``None`` where that is not known, as of models from elsewhere."""
    iterations: Count | None
    code_version: Line = ""
    date: Line = ""
    start_from: Line | None = None
    notes: Text = ""
    fields_seen: FieldsSeen | None = None
    """Digests of the channels, see `image.pixel_digest`, of the fields that it, or the model it started from, learned
    from or was chosen by: no independent test of it. ``None`` where they are not known."""


class Origin(CardPart):
    """Where a model from elsewhere was taken from."""

    format: Line
    """Such as ``pytorch_fnet``, ``VisCy`` or ``bioimage.io``."""
    source: Text
    """Name of the file, or address."""
    sha256: Sha256 = ""
    """Of that file."""


WeightsFile = Literal["weights.safetensors", "network.onnx", "network.torchscript"]


class Weights(CardPart):
    """The weights file and its fingerprint."""

    file: WeightsFile = "weights.safetensors"
    """Weights alone; or a network from elsewhere together with them, see `Architecture`."""
    sha256: Sha256 = ""


class TrainingImagesFile(CardPart):
    """The file of numbers about the images trained on, see `TrainingImages`, and its fingerprint."""

    file: Literal["training_images.safetensors"] = "training_images.safetensors"
    sha256: Sha256 = ""


class ModelCard(CardPart):
    """Everything `model.json` holds."""

    schema_version: Literal[1, 2, 3, 4] = SCHEMA_VERSION
    name: Name
    title: Line
    targets: tuple[Target, ...] = Field(min_length=1, max_length=16)
    architecture: Architecture
    input: Input
    training: Training
    metrics: dict[Line, dict[Line, FiniteFloat]] = Field(default_factory=dict, max_length=200)
    """Test condition -> metric -> value."""
    tests: tuple[ModelTest, ...] = Field(default=(), max_length=200)
    """Each target beside what needs no network; empty for models of earlier versions."""
    verdicts: tuple[MeasureVerdict, ...] = Field(default=(), max_length=200)
    """What of a prediction may be measured; empty where that was not tested."""
    licence: Line = ""
    """Of the weights, as an SPDX expression such as ``GPL-3.0-only``; empty where nobody stated one."""
    authors: tuple[Line, ...] = Field(default=(), max_length=200)
    attribution: Text = ""
    """Whose data the weights were made from, and where they are published."""
    simulated: bool | None
    """Whether the training images were; ``None`` where nobody stated it."""
    trained_on: Text = ""
    """The real cells, in a few words: what they are, how they were seen, on how many microscopes."""
    origin: Origin | None = None
    """Of a model from elsewhere."""
    picture: Literal["cover.png"] | None = None
    """A picture of what it does, in the package."""
    weights: Weights = Weights()
    training_images: TrainingImagesFile | None = None
    """None where nobody knows what they looked like, as of models from elsewhere and of earlier versions."""

    @field_validator("schema_version")
    @classmethod
    def _of_today(cls, version: int) -> int:
        """Cards of earlier versions are ones of today once they are read, and are written as such."""
        return SCHEMA_VERSION

    @field_validator("targets")
    @classmethod
    def _names_differ(cls, targets: tuple[Target, ...]) -> tuple[Target, ...]:
        names = [target.name.casefold() for target in targets]
        if len(set(names)) < len(names):
            raise ValueError("two targets have one name; each needs its own, since files are called after them")
        return targets

    @property
    def disclaimer(self) -> str:
        """The sentence that has to travel with every result of this model; empty for models of real cells."""
        return SIMULATED_DISCLAIMER if self.simulated else ""

    @property
    def unbeaten(self) -> tuple[Unbeaten, ...]:
        """The best baseline of each target and measure that the model is not better than."""
        found = []
        for test in self.tests:
            for measure in MEASURES:
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
        """Which cells it knows, in a few words: ``simulated``, ``real`` and which, or that it is not stated."""
        if self.simulated is None and not self.trained_on:
            return NOT_STATED
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
            found = json.loads(text)
        except ValueError as error:  # among them text that is no UTF-8, and numbers of thousands of digits
            raise InvalidModelError(f"{source}: not a model card (it is no JSON).") from error
        except RecursionError as error:
            raise InvalidModelError(f"{source}: not a model card (its values are nested far too deep).") from error
        if not isinstance(found, dict):
            raise InvalidModelError(f"{source}: not a model card (it has no named values).")
        version = found.get("schema_version")
        if type(version) not in (int, type(None)):  # 1.0 and true equal 1
            raise InvalidModelError(
                f"{source}: not a model card ('schema_version' is {version!r:.40}, no whole number)."
            )
        if version is not None and version > SCHEMA_VERSION:
            raise InvalidModelError(
                f"{source}: written by a newer version (schema {version!s:.20}, this one reads {SCHEMA_VERSION}). "
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
        return card_markdown(self)


def _problem_text(problem: ErrorDetails) -> str:
    """A fault found by pydantic, with the place of the field in the card."""
    place = ".".join(map(str, problem["loc"]))
    text = f"{place}: {problem['msg'].removeprefix('Value error, ')}".rstrip(".")
    return f"{text[:_LONGEST_PROBLEM]}…" if len(text) > _LONGEST_PROBLEM else text
