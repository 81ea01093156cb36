"""Values on a model card, each with a bound: a card comes from anywhere, and is shown and computed with."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from napari_mito_predict.image.metadata import LARGEST_VOXEL_UM, SMALLEST_VOXEL_UM
from napari_mito_predict.image.names import file_stem

_NOT_TO_BE_READ = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What moves the cursor of a terminal, colours or turns around what follows; a space takes its place."""
_LARGEST_NUMBER = 10**15
LONGEST_NAME: Final = 64
_SHOWN = 40
"""Letters of a name that is too long, in a message."""


class CardPart(BaseModel):
    """A part of a card: nothing in it can be set, and a key that is not known is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def check_name(name: str) -> str:
    """Return `name` if it can be a file name everywhere, in any script; raise ``ValueError`` otherwise.

    A package is a folder of the model's name, and is given on command lines, where ``-`` begins an option.
    """
    if len(name) > LONGEST_NAME:
        raise ValueError(
            f"'{name[:_SHOWN]}…' is not a model name: it has {len(name)} letters, and at most {LONGEST_NAME} are taken"
        )
    if not name.isprintable() or not name[:1].isalnum() or file_stem(name) != name:
        raise ValueError(
            f"'{name}' is not a model name: it has to begin with a letter or digit, and to be a name for files on all "
            'systems, without any of / \\ : * ? " < > |'
        )
    return name


def _one_line(text: str) -> str:
    return _NOT_TO_BE_READ.sub(" ", text)


def _lines(text: str) -> str:
    return "\n".join(map(_one_line, text.split("\n")))


def _check_percentiles(given: tuple[float, float]) -> tuple[float, float]:
    low, high = given
    if not 0 <= low < high <= 100:
        raise ValueError("percentiles are two numbers from 0 to 100, the lower one first")
    return given


# A card comes from anywhere: each value has a bound, so that nothing absurd is shown, computed with or allocated.
Name = Annotated[str, AfterValidator(check_name)]
LONGEST_LINE: Final = 200
Line = Annotated[str, Field(max_length=LONGEST_LINE), AfterValidator(_one_line)]
Text = Annotated[str, Field(max_length=20_000), AfterValidator(_lines)]
Count = Annotated[int, Field(ge=0, le=_LARGEST_NUMBER)]
PositiveFinite = Annotated[float, Field(gt=0, le=_LARGEST_NUMBER)]
Micrometres = Annotated[float, Field(ge=SMALLEST_VOXEL_UM, le=LARGEST_VOXEL_UM)]
Percentiles = Annotated[tuple[float, float], AfterValidator(_check_percentiles)]
MOST_FIELDS_SEEN: Final = 20_000
"""Digests; a card with as many is half as large as one may be."""
FieldsSeen = Annotated[
    tuple[Annotated[str, Field(pattern="^[0-9a-f]{16}$")], ...], Field(min_length=1, max_length=MOST_FIELDS_SEEN)
]
Sha256 = Annotated[str, Field(pattern="^([0-9a-f]{64})?$")]
