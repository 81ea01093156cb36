"""What is to be known of a graph to give it an image: the order of its axes, its sizes, what comes before and after."""

from __future__ import annotations

from collections import Counter
from math import prod
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, model_validator

GRAPH: Final = "graph"
"""Kind of architecture of such a network on a model card."""

MOST_TARGETS = 16
_LARGEST_SIZE = 1 << 14
_LARGEST_WINDOW = 1 << 28
"""Voxels of a window of fixed size."""

Size = Annotated[int, Field(gt=0, le=_LARGEST_SIZE)]
Axes = Annotated[str, Field(pattern="^[bczyx1]{2,8}$")]
"""One letter for each axis: b, c, z (the third axis, whatever it is), y, x, and 1 for an axis of one entry."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Step(_Part):
    """One operation on values, voxel by voxel; of ``softmax`` among the channels of an output."""

    kind: Literal["linear", "clip", "sigmoid", "softmax"]
    gain: tuple[FiniteFloat, ...] = Field(default=(1.0,), min_length=1, max_length=MOST_TARGETS)
    """Of ``linear``, ``gain * value + offset``: one for all channels, or one for each."""
    offset: tuple[FiniteFloat, ...] = Field(default=(0.0,), min_length=1, max_length=MOST_TARGETS)
    low: FiniteFloat | None = None
    """Of ``clip``."""
    high: FiniteFloat | None = None


Steps = Annotated[tuple[Step, ...], Field(max_length=16)]


class AxisSize(_Part):
    """Sizes of an axis that the graph takes: ``min + n * step``, or `min` alone where `step` is 0."""

    min: Size
    step: Annotated[int, Field(ge=0, le=_LARGEST_SIZE)] = 0
    halo: Annotated[int, Field(ge=0, le=_LARGEST_SIZE)] = 0
    """Voxels at both ends of the output that its author would not use: they lack context."""

    @model_validator(mode="after")
    def _more_than_its_halo(self) -> AxisSize:
        if self.step == 0 and 2 * self.halo >= self.min:
            raise ValueError("nothing is left of an axis without its halo")
        return self

    @property
    def fixed(self) -> bool:
        """Whether the graph takes one size only."""
        return self.step == 0

    @property
    def stride(self) -> int:
        """What is new in each window, where they follow each other."""
        return self.step or self.min - 2 * self.halo

    def valid(self, size: int) -> int:
        """The smallest size that is taken and holds `size` voxels; of a fixed axis its only size."""
        if self.fixed or size <= self.min:
            return self.min
        return self.min - (self.min - size) // self.step * self.step


class GraphOutput(_Part):
    """One tensor that the graph gives."""

    axes: Axes
    channels: Annotated[int, Field(gt=0, le=MOST_TARGETS)]
    after: Steps = ()
    """What is done with its values."""


class GraphArguments(_Part):
    """Everything beside the graph itself."""

    input_axes: Axes
    sizes: tuple[AxisSize, ...] = Field(min_length=2, max_length=3)
    """Of the axes z (where there is one), y and x."""
    outputs: tuple[GraphOutput, ...] = Field(min_length=1, max_length=MOST_TARGETS)
    before: Steps = ()
    """What is done with values after normalisation."""
    dtype: Literal["float32", "float64"] = "float32"
    """Of the values that the graph takes."""
    reach: tuple[Size, ...] | None = None
    """Receptive field, where it is known better than by halos."""
    whole_field: bool = False
    """Whether an output voxel depends on all of the input, or nobody says how much of it."""

    @model_validator(mode="after")
    def _fitting(self) -> GraphArguments:
        spatial = "zyx"[-len(self.sizes) :]
        for axes in (self.input_axes, *(output.axes for output in self.outputs)):
            counts = Counter(axes.replace("1", ""))
            if max(counts.values()) > 1 or set(spatial) - set(axes) or ("z" in axes) != (spatial == "zyx"):
                raise ValueError(f"the axes '{axes}' do not fit an image with the axes '{spatial}'")
        for output in self.outputs:
            if output.channels > 1 and "c" not in output.axes:
                raise ValueError(f"an output of {output.channels} channels has an axis for them")
        if sum(output.channels for output in self.outputs) > MOST_TARGETS:
            raise ValueError(f"more than {MOST_TARGETS} channels in all outputs")
        if self.reach is not None and len(self.reach) != len(self.sizes):
            raise ValueError("'reach' has one number for each axis")
        if prod(size.min for size in self.sizes) > _LARGEST_WINDOW:
            raise ValueError("the smallest input is larger than any memory")
        return self


def check_graph(arguments: dict[str, Any]) -> GraphArguments:
    """Give the arguments of a card as what they are.

    Raises
    ------
    ValueError
        They cannot be; says why, on one line.
    """
    try:
        return GraphArguments.model_validate(arguments)
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in error.errors()[:5])
        raise ValueError(f"the network cannot be used ({'; '.join(problems)})") from error
