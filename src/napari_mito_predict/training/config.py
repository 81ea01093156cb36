"""The training configuration: a YAML file that says everything a run needs, and nothing unknown."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from napari_mito_predict.errors import ConfigError
from napari_mito_predict.models.card import Name

_LARGEST_CONFIG = 1 << 20

Fraction = Annotated[float, Field(ge=0, lt=1)]
Channel = str | int


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Data(_Part):
    """Where the pairs come from: files that hold transmitted light and fluorescence of one field each."""

    files: tuple[str, ...] = Field(min_length=1)
    """Paths or glob patterns, relative to the configuration file."""
    transmitted: Channel = "transmitted"
    """Channel name, index or role of the transmitted light."""


class Split(_Part):
    """Whole fields held out: 75/25 into training and test, then 90/10 into training and validation."""

    test: Fraction | tuple[str, ...] = 0.25
    validation: Fraction | tuple[str, ...] = 0.1
    seed: int = 0


class NetworkConfig(_Part):
    """A network to train from scratch."""

    kind: Literal["unet"] = "unet"
    ndim: Literal[2, 3] | None = None
    """``None``: 3-D if the data has a third axis."""
    depth: int = Field(default=4, ge=1, le=6)
    base_channels: int = Field(default=32, ge=2, le=128)
    convs_per_level: int = Field(default=2, ge=1, le=4)

    def arguments(self, ndim: int, targets: int) -> dict[str, int]:
        """Arguments of the network for `ndim`-dimensional data, as the model card keeps them."""
        return {
            "ndim": self.ndim or ndim,
            "depth": self.depth,
            "base_channels": self.base_channels,
            "convs_per_level": self.convs_per_level,
            "in_channels": 1,
            "out_channels": targets,
        }


class Augment(_Part):
    """Random changes of each training patch; everything off by default, as in the paper."""

    flip: bool = False
    """Mirror along y and x, together with quarter turns."""
    noise: float = Field(default=0.0, ge=0, le=2)
    """Largest standard deviation of Gaussian noise added to the input, in standard deviations of the input."""
    blur: float = Field(default=0.0, ge=0, le=3)
    """Largest sigma of a Gaussian blur of the input in y and x, in voxels."""
    intensity: float = Field(default=0.0, ge=0, le=0.9)
    """Largest relative change of the input's contrast, and largest offset in standard deviations."""


PRESETS: dict[str, dict[str, Any]] = {
    "paper": {"network": {"depth": 4, "base_channels": 32}, "iterations": 10_000, "batch_size": 8},
    "fnet": {
        "network": {"depth": 4, "base_channels": 32},
        "iterations": 50_000,
        "batch_size": 24,
        "betas": (0.5, 0.999),
    },
    "quick": {
        "network": {"depth": 3, "base_channels": 16},
        "iterations": 2_000,
        "batch_size": 4,
        "schedule": "cosine",
        "augment": {"flip": True},
    },
    "robust": {
        "network": {"depth": 3, "base_channels": 16},
        "iterations": 10_000,
        "batch_size": 4,
        "schedule": "cosine",
        "augment": {"flip": True, "noise": 0.3, "blur": 0.8, "intensity": 0.2},
    },
}


class TrainingConfig(_Part):
    """One training run. Keys that are absent take the preset's value."""

    targets: dict[Name, Channel] = Field(min_length=1)
    """Name of each predicted structure -> truth channel (name, index or role)."""
    data: Data
    output: Path
    """The run folder."""
    name: Name = "my-model"
    title: str = ""
    split: Split = Split()
    preset: Literal["paper", "fnet", "quick", "robust"] = "paper"
    network: NetworkConfig | None = None
    start_from: str | None = None
    """Model to fine-tune, by name or path; then no `network`."""
    voxel_size_um: tuple[float | None, float, float] | None = None
    """Sampling ``(z, y, x)`` to train at; ``None``: that of the first file. Other files are resampled."""
    patch: tuple[int, ...] | None = None
    """``None``: 32 x 64 x 64 in 3-D, 256 x 256 in 2-D."""
    batch_size: int = Field(default=8, ge=1)
    iterations: int = Field(default=10_000, ge=1)
    max_minutes: float | None = Field(default=None, gt=0)
    learning_rate: float = Field(default=1e-3, gt=0)
    betas: tuple[Fraction, Fraction] = (0.9, 0.999)
    schedule: Literal["constant", "cosine"] = "constant"
    warmup: int = Field(default=0, ge=0)
    """Iterations of linear warm-up."""
    foreground: Fraction = 0.0
    """Fraction of patches that are chosen for their signal: the brightest truth out of four random places."""
    augment: Augment = Augment()
    validate_every: int = Field(default=500, ge=1)
    devices: int = Field(default=1, ge=1)
    precision: Literal["auto", "32", "bf16", "16"] = "auto"
    threads: int | None = Field(default=None, ge=1)
    """CPU threads; ``None``: torch's own choice."""
    compile: bool = False
    """Compile the network first: about 1.4 times faster on a CPU, after a minute or more; needs a C++ compiler."""
    weights_precision: Literal["float32", "float16"] = "float32"
    """Precision of the convolution weights in the finished package."""
    seed: int = 0

    @model_validator(mode="before")
    @classmethod
    def _fill_in_preset(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        preset = PRESETS.get(given.get("preset", "paper"), {})
        filled = {**preset, **given}
        if given.get("start_from"):
            if given.get("network"):
                raise ValueError("'network' and 'start_from' exclude each other: the start model brings its network")
            filled["network"] = None
        elif isinstance(filled.get("network"), dict):
            filled["network"] = {**preset["network"], **filled["network"]}
        return filled

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
            if path.stat().st_size > _LARGEST_CONFIG:
                raise ConfigError(f"{path}: too large for a training configuration.")
            given = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise ConfigError(f"{path}: not a readable YAML file ({error}).") from error
        config = cls.parse(given, source=str(path))
        folder = path.resolve().parent
        data = config.data.model_copy(update={"files": tuple(str(folder / f) for f in config.data.files)})
        start = config.start_from
        if start and (folder / start).exists():  # a path; anything else is the name of a model
            start = str(folder / start)
        return config.model_copy(update={"data": data, "output": folder / config.output, "start_from": start})

    @classmethod
    def parse(cls, given: object, *, source: str = "training configuration") -> TrainingConfig:
        """Validate a mapping as `load` does; paths stay as they are."""
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            problems = "; ".join(_explain(e) for e in error.errors()[:5])
            raise ConfigError(f"{source}: {problems}.") from error

    def save(self, path: Path) -> None:
        """Write the configuration as YAML, absolute paths, complete or not at all."""
        from napari_mito_predict._files import atomic_write_text

        atomic_write_text(path, yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True))


def _explain(error: Any) -> str:
    where = ".".join(map(str, error["loc"])) or "configuration"
    if error["type"] == "extra_forbidden":
        known = _known_keys(error["loc"][:-1])
        near = difflib.get_close_matches(str(error["loc"][-1]), known, n=1)
        return f"{where}: unknown key" + (f", did you mean '{near[0]}'?" if near else f"; known are {', '.join(known)}")
    return f"{where}: {error['msg']}"


def _known_keys(location: tuple[str | int, ...]) -> list[str]:
    parts: dict[tuple[str | int, ...], type[BaseModel]] = {
        (): TrainingConfig,
        ("data",): Data,
        ("split",): Split,
        ("network",): NetworkConfig,
        ("augment",): Augment,
    }
    return list(parts.get(location, TrainingConfig).model_fields)
