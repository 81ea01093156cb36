"""The series of a field: how its mitochondria change, with what is known of each number beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_mito_predict.errors import NoSeriesError
from napari_mito_predict.measurement.dynamics import SeriesDynamics
from napari_mito_predict.measurement.measures import DYNAMICS_MEASURES, DynamicsMeasure, Structure
from napari_mito_predict.measurement.settings import DynamicsSettings
from napari_mito_predict.measurement.verdicts import judge_dynamics

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    from napari_mito_predict.measurement.settings import MeasureSettings
    from napari_mito_predict.measurement.sources import Source
    from napari_mito_predict.measurement.voxels import Voxels

_AS_NAMED_FOR_PEOPLE = {"um": "µm", "px": "px"}


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredDynamics:
    """How the mitochondria of a field change; number and length of each time point are in the table of fields.

    Attributes
    ----------
    series : pandas.DataFrame
        A row for each measure of the whole series: ``image``, ``scene``, ``measure``, ``value``, ``unit``,
        ``predicted_by``, ``verdict`` and ``why``. The measures are those of `DYNAMICS_MEASURES` that
        `DynamicsTables.summary` has.
    frames : pandas.DataFrame
        A row for each time point and measure: the same, with ``t`` and ``time_s``.
    events : pandas.DataFrame
        A row for each fission and fusion: ``image``, ``scene``, what `DynamicsTables.events` has, with ``t`` in the
        place of ``frame``, ``predicted_by``, ``verdict`` and ``why``. Labels are those of the table of mitochondria.
    settings : DynamicsSettings
        How they were followed, in the unit that the image has.
    default_settings : bool
        They were segmented and followed as the verdicts were found.
    """

    series: pd.DataFrame
    frames: pd.DataFrame
    events: pd.DataFrame
    settings: DynamicsSettings
    default_settings: bool


class FieldDynamics:
    """Mitochondria of a field, time point by time point.

    Parameters
    ----------
    sources : mapping of Structure to Source
    voxels : Voxels
    step_s : float or None
    settings : MeasureSettings

    Raises
    ------
    NoSeriesError
        There is one time point, or no channel of mitochondria.
    MeasurementError
        A time step that is not positive, or settings in another unit than the image.
    """

    def __init__(
        self, sources: Mapping[Structure, Source], voxels: Voxels, step_s: float | None, settings: MeasureSettings
    ) -> None:
        if Structure.MITOCHONDRIA not in sources:
            raise NoSeriesError(
                "fissions, fusions and speed are those of mitochondria, and only "
                f"{' and '.join(sources)} are measured. Measure mitochondria too, or no dynamics."
            )
        self._source = sources[Structure.MITOCHONDRIA]
        self._unit = voxels.unit
        if self._source.image.sizes["T"] < 2:
            raise NoSeriesError(
                f"{self._source.image.name} has one time point; fissions, fusions and speed need two at least. "
                "Give a series, or measure no dynamics."
            )
        self._settings = DynamicsSettings.fitting(settings.dynamics, voxels)
        self._default_settings = settings.follows_as_tested
        self._judgements = judge_dynamics(self._source.origin(default_settings=self._default_settings), voxels.ndim)
        self._dynamics = SeriesDynamics(voxels, step_s, self._settings)

    def add(self, labels: npt.NDArray[Any], pixels: npt.NDArray[Any]) -> None:
        """Measure the next time point; as `SeriesDynamics.add`."""
        self._dynamics.add(labels, pixels)

    def result(self) -> MeasuredDynamics:
        """Put the tables together."""
        import pandas as pd

        tables = self._dynamics.tables()
        summary = self._rows(tables.summary.to_dict(), {})
        frames: list[dict[str, object]] = []
        for row in tables.frames.to_dict("records"):
            frames += self._rows(row, {"t": row["frame"], "time_s": row["time_s"]})
        events = tables.events.rename(columns={"frame": "t"})
        for position, (name, value) in enumerate(self._head().items()):
            events.insert(position, name, value)
        for name, value in self._verdict("fissions").items():
            events[name] = value
        return MeasuredDynamics(
            series=pd.DataFrame(summary),
            frames=pd.DataFrame(frames),
            events=events,
            settings=self._settings,
            default_settings=self._default_settings,
        )

    def _rows(self, values: Mapping[Any, Any], when: dict[str, object]) -> list[dict[str, object]]:
        """A row for each measure that there is a value of."""
        rows = []
        for measure in DYNAMICS_MEASURES:
            column = self._column(measure)
            if column in values:
                unit = measure.unit.format(_AS_NAMED_FOR_PEOPLE[self._unit])
                number = {"measure": measure.name, "value": float(values[column]), "unit": unit}
                rows.append(self._head() | when | number | self._verdict(measure.name))
        return rows

    def _column(self, measure: DynamicsMeasure) -> str:
        """Its name in `DynamicsTables`, which for lengths ends in the unit."""
        endings = {"{}": f"_{self._unit}", "{}/s": f"_{self._unit}_per_s"}
        return measure.name + endings.get(measure.unit, "")

    def _head(self) -> dict[str, object]:
        image = self._source.image
        return {"image": self._source.field, "scene": image.scenes[image.scene]}

    def _verdict(self, measure: str) -> dict[str, object]:
        mark = self._source.channel.prediction
        judgement = self._judgements[measure]
        by = "" if mark is None else mark.by
        return {"predicted_by": by, "verdict": judgement.verdict, "why": judgement.why}
