"""The parts of a training configuration: where the pairs are, which are held out, the network, random changes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from napari_mito_predict.training.patch_size import stride_of

_KEYS_OF_KIND: dict[str, tuple[str, ...]] = {
    "unet": ("convs_per_level",),
    "gvtnet": ("attention", "heads", "down", "up", "momentum"),
}
"""Keys of `network` that mean something for one kind only."""

Fraction = Annotated[float, Field(ge=0, lt=1)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Count = Annotated[int, Field(ge=1, le=10**9)]
PatchSize = Annotated[int, Field(ge=1, le=4096)]
Channel = str | int


class Part(BaseModel):
    """Unknown keys are refused, and nothing is changed once it is made."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Data(Part):
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


class Split(Part):
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


class NetworkConfig(Part):
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


class Augment(Part):
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
