"""The training configuration: a YAML file that says everything a run needs, and nothing unknown."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import (
    BaseModel,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from napari_mito_predict._files import atomic_write_text
from napari_mito_predict._reading import read_bytes
from napari_mito_predict._yaml import PlainYamlError, load_yaml
from napari_mito_predict.errors import ConfigError
from napari_mito_predict.models.card import ThirdAxis
from napari_mito_predict.models.card_values import Micrometres, Name
from napari_mito_predict.training.config_parts import (
    Augment,
    Channel,
    Count,
    Data,
    Fraction,
    NetworkConfig,
    Part,
    PatchSize,
    Seed,
    Split,
)
from napari_mito_predict.training.config_problems import explain
from napari_mito_predict.training.patch_size import patch_problem
from napari_mito_predict.training.presets import PRESETS

SCHEMA_VERSION = 1
_LARGEST_CONFIG = 1 << 20
_MOST_PROBLEMS = 5

_MAY_CHANGE = {"schema_version", "output", "devices", "threads", "compile", "cache", "look_for_shifts", "add_to_models"}


class TrainingConfig(Part):
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
