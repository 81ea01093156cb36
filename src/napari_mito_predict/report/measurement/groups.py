"""What may be put into one table: numbers of one structure that are all recorded, or all predicted by one model."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from napari_mito_predict.measurement import Measurements, Structure
from napari_mito_predict.measurement.verdicts import worst_of
from napari_mito_predict.report.words import capitalised

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from napari_mito_predict.measurement import MeasuredChannel, MeasuredDynamics, SegmentedPlane


@dataclass(frozen=True)
class Member:
    """A structure in one field.

    Attributes
    ----------
    field : str
        Name of the field, with its scene where it has several.
    channel : MeasuredChannel
    of : Measurements
        Of that field.
    """

    field: str
    channel: MeasuredChannel
    of: Measurements

    @property
    def measures(self) -> pd.DataFrame:
        """Rows of the table of fields."""
        table = self.of.fields
        return table[table["structure"] == str(self.channel.structure)]

    @property
    def dynamics(self) -> MeasuredDynamics | None:
        """How mitochondria change over time, where that was measured."""
        return self.of.dynamics if self.channel.structure is Structure.MITOCHONDRIA else None

    @property
    def over_time(self) -> pd.DataFrame:
        """Rows of the table of fields, and of dynamics those of each time point."""
        import pandas as pd

        if self.dynamics is None:
            return self.measures
        return pd.concat([self.measures, self.dynamics.frames], ignore_index=True)

    @property
    def objects(self) -> pd.DataFrame:
        """Rows of the table of objects."""
        return self.of.objects[self.channel.structure]

    @property
    def plane(self) -> SegmentedPlane | None:
        """What was found in a plane."""
        return self.of.planes.get(self.channel.structure)


@dataclass(frozen=True)
class Group:
    """One structure of one origin, in all fields that have it."""

    structure: Structure
    predicted_by: str
    members: tuple[Member, ...]

    @property
    def heading(self) -> str:
        """For people: ``Mitochondria, predicted by mito-z``."""
        origin = f"predicted by {self.predicted_by}" if self.predicted_by else "recorded"
        return f"{capitalised(str(self.structure))}, {origin}"

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the fields."""
        return tuple(dict.fromkeys(member.field for member in self.members))

    @property
    def objects_verdict(self) -> str:
        """The worst on single objects; empty without any."""
        verdicts = set().union(*(member.objects["verdict"] for member in self.members))
        return worst_of(verdicts)

    @property
    def is_series(self) -> bool:
        """Whether a field has several time points."""
        return any(member.channel.time_points > 1 for member in self.members)


def grouped(found: Sequence[Measurements]) -> list[Group]:
    """Put together what may be; structures in a fixed order, recordings first."""
    groups: dict[tuple[Structure, str], list[Member]] = {}
    for each in found:
        for channel in each.channels:
            members = groups.setdefault((channel.structure, channel.predicted_by), [])
            name = _unlike(_name(channel, found), {member.field for member in members})
            members.append(Member(name, channel, each))
    ordered = sorted(groups, key=lambda key: (list(Structure).index(key[0]), key[1]))
    return [Group(*key, tuple(groups[key])) for key in ordered]


def _unlike(name: str, taken: set[str]) -> str:
    """The name, with a number where a file of another folder has it too."""
    numbered = name
    number = 1
    while numbered in taken:
        number += 1
        numbered = f"{name} ({number})"
    return numbered


def _name(channel: MeasuredChannel, found: Sequence[Measurements]) -> str:
    """Of a field; with its scene where another field has that name."""
    channels = chain.from_iterable(each.channels for each in found)
    scenes = {other.scene for other in channels if other.field == channel.field}
    if len(scenes) > 1:
        return f"{channel.field}, {channel.scene}"
    return channel.field
