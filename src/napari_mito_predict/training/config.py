"""The training configuration: a YAML file that says everything a run needs, and nothing unknown."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)

from napari_mito_predict._files import atomic_write_text
from napari_mito_predict._reading import read_bytes
from napari_mito_predict._yaml import PlainYamlError, load_yaml
from napari_mito_predict.errors import ConfigError
from napari_mito_predict.models.card import ThirdAxis
from napari_mito_predict.models.card_values import Micrometres, Name
from napari_mito_predict.training.config_problems import explain
from napari_mito_predict.training.patch_size import patch_problem, stride_of
from napari_mito_predict.training.presets import PRESETS

SCHEMA_VERSION = 1
_LARGEST_CONFIG = 1 << 20
_MOST_PROBLEMS = 5

_KEYS_OF_KIND: dict[str, tuple[str, ...]] = {
    "unet": ("convs_per_level",),
    "gvtnet": ("attention", "heads", "down", "up", "momentum"),
}
"""Keys of `network` that mean something for one kind only."""

_MAY_CHANGE = {"schema_version", "output", "devices", "threads", "compile", "cache", "look_for_shifts", "add_to_models"}

Fraction = Annotated[float, Field(ge=0, lt=1)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Count = Annotated[int, Field(ge=1, le=10**9)]
PatchSize = Annotated[int, Field(ge=1, le=4096)]
Channel = str | int


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Data(_Part):
    """Where the pairs come from, in one of three forms; all paths are relative to the configuration file."""

    files: tuple[str, ...] | None = Field(default=None, min_length=1)
    """Files, or patterns such as ``day1/*.czi``, that hold transmitted light and fluorescence of one field each."""
    input_folder: str | None = None
    """Folder (or pattern) of transmitted-light files, matched by name with those in `target_folder`."""
    target_folder: str | None = None
    csv: str | None = None
    """Table with pytorch_fnet's columns: `path_czi, channel_signal, channel_target` or `path_signal, path_target`."""
    transmitted: Channel = "transmitted"
    """Channel name, index or role of the transmitted light."""
    axes: str | None = None
    """For TIFFs that do not say what their axes are, such as ``ZYX`` or ``TYX``."""
    exclude: tuple[str, ...] = ()
    """Names of fields to leave out."""
    allow_prediction_as_truth: bool = False
    """Train on truths that are predictions themselves, which are refused else; the card of the model says so."""

    @model_validator(mode="after")
    def _one_form(self) -> Data:
        forms = [self.files is not None, bool(self.input_folder or self.target_folder), self.csv is not None]
        if sum(forms) != 1:
            raise ValueError("give either 'files', or 'input_folder' and 'target_folder', or 'csv'")
        if forms[1] and not (self.input_folder and self.target_folder):
            raise ValueError("'input_folder' and 'target_folder' belong together")
        return self

    @model_serializer(mode="wrap")
    def _without_default(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Runs that were begun before there was this key go on."""
        return {key: value for key, value in handler(self).items() if key != "allow_prediction_as_truth" or value}

    def relative_to(self, folder: Path) -> Data:
        """A copy with paths made absolute; relative ones begin at `folder`."""
        single = {key: getattr(self, key) for key in ("input_folder", "target_folder", "csv")}
        paths: dict[str, Any] = {key: str(folder / value) for key, value in single.items() if value is not None}
        if self.files is not None:
            paths["files"] = tuple(str(folder / file) for file in self.files)
        return self.model_copy(update=paths)


class Split(_Part):
    """Whole fields held out: 75/25 into training and test, then 90/10 into training and validation."""

    by: str | None = Field(default=None, max_length=200)
    """What belongs together and stays in one part: a regular expression on the names of fields, whose first group (or
    all that matches) is the group; or ``folder``. `test` and `validation` then name groups; fractions count them."""
    test: Fraction | tuple[str, ...] = 0.25
    validation: Fraction | tuple[str, ...] = 0.1
    seed: Seed = 0

    @field_validator("by")
    @classmethod
    def _is_a_pattern(cls, by: str | None) -> str | None:
        if by is None:
            return None
        if not by:
            raise ValueError("is empty: give a pattern such as '^[^_]+', or folder")
        try:
            re.compile(by)
        except (re.error, RecursionError, OverflowError) as error:
            raise ValueError(f"'{by}' is not a pattern ({error}): give one such as '^[^_]+', or folder") from error
        return by

    @field_validator("test", "validation", mode="before")
    @classmethod
    def _names_are_words(cls, wanted: Any) -> Any:
        """YAML takes 8 for a number and 012 for ten: what was meant cannot be known any more."""
        if isinstance(wanted, list | tuple) and not all(isinstance(name, str) for name in wanted):
            raise ValueError("put names in quotation marks, such as ['012', '013']: without, they are read as numbers")
        return wanted

    @model_serializer(mode="wrap")
    def _without_default(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Runs that were begun before there was this key go on."""
        return {key: value for key, value in handler(self).items() if key != "by" or value is not None}


NetworkKind = Literal["unet", "gvtnet"]
NETWORKS: Final = get_args(NetworkKind)
"""Kinds of networks that are trained here; others are there for predicting."""


class NetworkConfig(_Part):
    """A network to train from scratch."""

    kind: NetworkKind = "unet"
    ndim: Literal[2, 3] | None = None
    """``None``: 3-D if the data has a third axis."""
    depth: int = Field(default=4, ge=1, le=6)
    """Down-samplings of a U-Net; levels of a GVTNet, which are one more than its down-samplings."""
    base_channels: int = Field(default=32, ge=2, le=128)
    convs_per_level: int = Field(default=2, ge=1, le=4)
    """U-Net only."""
    attention: Literal["linear", "softmax"] = "linear"
    """This and all below: GVTNet only, see `napari_mito_predict.networks.gvtnet.GVTNet`."""
    heads: int = Field(default=1, ge=1, le=32)
    down: Literal["convolution", "v1", "v2"] = "convolution"
    up: Literal["convolution", "v1", "v2"] = "convolution"
    momentum: float = Field(default=0.003, gt=0, le=1)

    @model_validator(mode="after")
    def _fits_its_kind(self) -> NetworkConfig:
        foreign = sorted(self._foreign & self.model_fields_set)
        if foreign:
            raise ValueError(f"a {self.kind} has no '{foreign[0]}'")
        if self.kind == "gvtnet" and self.base_channels % self.heads:
            raise ValueError(f"'base_channels' ({self.base_channels}) has to be a multiple of 'heads' ({self.heads})")
        return self

    @model_serializer(mode="wrap")
    def _without_foreign(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in handler(self).items() if key not in self._foreign}

    @property
    def _foreign(self) -> set[str]:
        """Keys of the other kinds."""
        return set().union(*(keys for kind, keys in _KEYS_OF_KIND.items() if kind != self.kind))

    @property
    def stride(self) -> int:
        """What every size of a patch has to be divisible by."""
        return stride_of(self.kind, self.depth)

    def arguments(self, ndim: int, targets: int) -> dict[str, Any]:
        """Arguments of the network for `ndim`-dimensional data, as the model card keeps them."""
        return {
            "ndim": self.ndim or ndim,
            "depth": self.depth,
            "base_channels": self.base_channels,
            **{key: getattr(self, key) for key in _KEYS_OF_KIND[self.kind]},
            "in_channels": 1,
            "out_channels": targets,
        }


class Augment(_Part):
    """Random changes of each training patch; everything off by default, as in the paper."""

    flip: bool = False
    """Mirror along y and x, together with quarter turns."""
    flip_third: bool = False
    """Mirror along the third axis too. Light does not run backwards, nor does time: rarely right."""
    noise: float = Field(default=0.0, ge=0, le=2)
    """Largest standard deviation of Gaussian noise added to the input, in standard deviations of the input."""
    blur: float = Field(default=0.0, ge=0, le=3)
    """Largest sigma of a Gaussian blur of the input in y and x, in voxels."""
    intensity: float = Field(default=0.0, ge=0, le=4)
    """The input's contrast is multiplied or divided by up to 1 plus this, and its brightness moved by up to this (at
    most 1) in standard deviations. Empty fields have a far higher contrast after normalisation than crowded ones."""
    zoom: float = Field(default=0.0, ge=0, le=0.5)
    """Largest relative change of size in y and x, input and truth alike."""
    rotate: bool = False
    """Turn by any angle in y and x, input and truth alike."""
    gamma: float = Field(default=0.0, ge=0, le=2)
    """The input's brightness, from darkest to brightest, is raised to a power between 1 / (1 + this) and 1 + this;
    its mean and contrast stay."""

    @model_serializer(mode="wrap")
    def _without_default(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Runs that were begun before there were these keys go on."""
        return {key: value for key, value in handler(self).items() if key not in ("rotate", "gamma") or value}


class TrainingConfig(_Part):
    """One training run. Keys that are absent take the preset's value."""

    schema_version: int = Field(default=SCHEMA_VERSION, ge=1)
    """Of this kind of file; may be left out."""
    targets: dict[Name, Channel | None] = Field(min_length=1, max_length=16)
    """Name of each predicted structure -> truth channel (name, index or role); ``None``: the file's only channel.

    A single name may be given as ``target: mitochondria`` where the truth has files of its own.
    """
    data: Data
    output: Path
    """The run folder."""
    name: Name = "my-model"
    title: str = Field(default="", max_length=200)
    split: Split = Split()
    preset: Literal["paper", "paper-deep", "fnet", "gvtnet", "quick", "robust", "general"] = "paper"
    network: NetworkConfig | None = None
    start_from: str | None = None
    """Model to fine-tune, by name or path; then no `network`."""
    licence: str | None = Field(default=None, max_length=200)
    """Of the model, as an SPDX expression such as ``MIT``; ``None``: that of the start model, else not stated."""
    third_axes: tuple[ThirdAxis, ...] | None = Field(default=None, min_length=1)
    """``[z, t]``: one model of z-stacks and time series alike. ``None``: of the kind that the first field is."""
    voxel_size_um: tuple[Micrometres | None, Micrometres, Micrometres] | None = None
    """Sampling ``(z, y, x)`` to train at; ``None``: that of the start model, else of the first field."""
    patch: tuple[PatchSize, ...] | None = Field(default=None, min_length=2, max_length=3)
    """``None``: the preset's; 32 x 64 x 64 in 3-D, 256 x 256 in 2-D (192 x 192 for ``general``)."""
    batch_size: int = Field(default=8, ge=1, le=65_536)
    """Patches per iteration, over all devices together."""
    accumulate: int = Field(default=1, ge=1, le=65_536)
    """Compute each batch in so many parts, one after the other: less memory, the same gradient."""
    iterations: Count = 10_000
    max_minutes: float | None = Field(default=None, gt=0)
    """Most time until `model/` is finished; the schedule is shortened to fit."""
    loss: Literal["mse", "l1", "mse+dssim", "mse+pcc"] = "mse"
    learning_rate: float = Field(default=1e-3, gt=0)
    betas: tuple[Fraction, Fraction] = (0.9, 0.999)
    schedule: Literal["constant", "cosine"] = "constant"
    warmup: int = Field(default=0, ge=0, le=10**9)
    """Iterations of linear warm-up."""
    clip_gradient: float | None = Field(default=None, gt=0)
    """Largest norm of the gradient."""
    average: Fraction = 0.0
    """Decay of a running average of the weights, which is then validated and kept; 0 for none."""
    weight_decay: float = Field(default=0.0, ge=0, le=10)
    """Weights shrink by this times the learning rate in each iteration, apart from the gradient (AdamW)."""
    select: Literal["best", "last"] = "best"
    """Which state becomes the model: the best on the validation fields, or the last one. The last one needs no
    validation: with `split.validation` 0 every field that is not tested is trained on."""
    foreground: Fraction = 0.0
    """Fraction of patches that are chosen for their signal: the brightest truth out of four random places."""
    truth_ceiling: float | None = Field(default=None, gt=0)
    """Brightest truth trained on, in standard deviations: a few glowing cells otherwise rule the loss. Scores are
    always taken on the truth as it is."""
    augment: Augment = Augment()
    validate_every: Count = 500
    """Iterations between validations; each also writes a preview and a checkpoint."""
    patience: Count | None = None
    """Stop after so many validations without improvement."""
    devices: int = Field(default=1, ge=1, le=1024)
    precision: Literal["auto", "32", "bf16", "16"] = "auto"
    threads: int | None = Field(default=None, ge=1, le=4096)
    """CPU threads; ``None``: torch's own choice."""
    compile: bool = False
    """Compile the network first: about 1.4 times faster on a CPU, after a minute or more; needs a C++ compiler."""
    cache: Literal["auto", "memory", "disk"] = "auto"
    """Where prepared fields are kept; ``auto``: on disk where memory is short."""
    look_for_shifts: bool = True
    """Look for shifts between the channels of each field first, which takes a prediction of each."""
    weights_precision: Literal["float32", "float16"] = "float32"
    """Precision of the convolution weights in the finished package."""
    add_to_models: bool = True
    """Put the finished model into the list of the user's own models."""
    seed: Seed = 0

    @field_validator("schema_version")
    @classmethod
    def _not_newer(cls, version: int) -> int:
        if version > SCHEMA_VERSION:
            raise ValueError(f"written for a newer version (known is {SCHEMA_VERSION}); update napari-mito-predict")
        return version

    @model_validator(mode="before")
    @classmethod
    def _fill_in_preset(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        name = given.get("preset", "paper")
        preset: dict[str, Any] = {}
        if isinstance(name, str):  # anything else is refused below
            preset = PRESETS.get(name, {})
        filled = {**preset, **given}
        if "target" in filled and "targets" not in filled:
            filled["targets"] = {filled.pop("target"): None}
        if given.get("start_from"):
            if given.get("network"):
                raise ValueError("'network' and 'start_from' exclude each other: the start model brings its network")
            filled["network"] = None
        elif isinstance(filled.get("network"), dict):
            filled["network"] = {**preset.get("network", {}), **filled["network"]}
        return filled

    @model_validator(mode="after")
    def _consistent(self) -> TrainingConfig:
        if self.data.files is not None and None in self.targets.values():
            raise ValueError("'targets' has to name the truth channel, such as {mitochondria: TMRM}")
        if self.batch_size % (self.devices * self.accumulate):
            raise ValueError(
                f"'batch_size' ({self.batch_size}) has to be a multiple of 'devices' x 'accumulate' "
                f"({self.devices * self.accumulate})"
            )
        if self.patch is not None and self.network is not None:
            at_a_time = self.batch_size // (self.devices * self.accumulate)
            if problem := patch_problem(self.patch, self.network.stride, at_a_time):
                raise ValueError(problem.removesuffix("."))
        if self.patience is not None and self.select == "last":
            raise ValueError("'patience' waits for a better state, and with 'select: last' none is better: drop one")
        return self

    @classmethod
    def load(cls, path: Path) -> TrainingConfig:
        """Read a YAML file; paths in it are relative to it.

        Raises
        ------
        ConfigError
            The file cannot be read, or a field is unknown, missing or impossible; names the field.
        """
        path = Path(path)
        try:
            given = load_yaml(read_bytes(path, _LARGEST_CONFIG))
        except (OSError, PlainYamlError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ConfigError(f"not a readable YAML file: {reason}.", file=path) from error
        return cls.parse(given, source=path).relative_to(path.resolve().parent)

    @classmethod
    def parse(cls, given: object, *, source: str | Path = "training configuration") -> TrainingConfig:
        """Validate a mapping as `load` does; paths stay as they are. `source` says what, or which file, it is from."""
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            found = error.errors(include_url=False)[:_MOST_PROBLEMS]
            problems = "; ".join(explain(each, _known_keys(each["loc"][:-1])) for each in found)
            if isinstance(source, Path):
                raise ConfigError(f"{problems}.", file=source) from error
            raise ConfigError(f"{source}: {problems}.") from error

    def relative_to(self, folder: Path) -> TrainingConfig:
        """A copy with paths made absolute; relative ones begin at `folder`."""
        start = self.start_from
        if start and os.path.exists(folder / start):  # a path; anything else is the name of a model
            start = str(folder / start)
        return self.model_copy(
            update={"data": self.data.relative_to(folder), "output": folder / self.output, "start_from": start}
        )

    def to_yaml(self) -> str:
        """Write the configuration as a YAML document that `load` reads."""
        text: str = yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
        return text

    def save(self, path: Path) -> None:
        """Write the configuration as YAML, absolute paths, complete or not at all."""
        atomic_write_text(path, self.to_yaml())

    def differences(self, other: dict[str, Any]) -> list[str]:
        """Fields, as ``name: theirs -> ours``, in which an earlier `model_dump` differs.

        Where and with what is computed may change, what is computed may not.
        """
        mine = self.model_dump(mode="json")
        # What was begun before there was a key had its default.
        theirs = {key: type(self).model_fields[key].default for key in mine.keys() - other.keys()} | other
        return [
            f"{key}: {theirs.get(key)} -> {mine.get(key)}"
            for key in sorted(mine.keys() | theirs.keys())
            if key not in _MAY_CHANGE and mine.get(key) != theirs.get(key)
        ]


def _known_keys(location: tuple[str | int, ...]) -> list[str]:
    parts: dict[tuple[str | int, ...], type[BaseModel]] = {
        (): TrainingConfig,
        ("data",): Data,
        ("split",): Split,
        ("network",): NetworkConfig,
        ("augment",): Augment,
    }
    return list(parts.get(location, TrainingConfig).model_fields)
