"""What was measured, as one HTML file that needs nothing else: no scripts, no network."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING, Final

from napari_mito_predict._versions import versions_of
from napari_mito_predict.models import SIMULATED_DISCLAIMER
from napari_mito_predict.report.measurement import figures
from napari_mito_predict.report.measurement.groups import grouped
from napari_mito_predict.report.measurement.segmentation import how_followed, how_found
from napari_mito_predict.report.measurement.tables import (
    definitions,
    dynamics_table,
    field_table,
    measured_from,
    object_table,
    table_of_each_field,
    verdicts_in_words,
)
from napari_mito_predict.report.pieces import Caution, Picture
from napari_mito_predict.report.sheet import Section, Sheet, render_sheet, write_sheet
from napari_mito_predict.report.words import capitalised, count, listed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_mito_predict.measurement import Measurements
    from napari_mito_predict.report.measurement.groups import Group

_PACKAGES: Final = ("napari-mito-predict", "numpy", "scipy", "scikit-image", "skan", "pandas")
_HEADING: Final = "Measurements"
_LONGEST_TITLE: Final = 120
_MOST_ROWS: Final = 12
"""Of what was measured in; more are folded away."""
_MOST_PLANES: Final = 6
_SAID_AS_CAUTIONS: Final = ("predicted", "simulated-model", "size-unknown")
"""Codes of findings."""
_ABOUT: Final = (
    "Measures of fields, and of single objects. Beside each number from a prediction stands whether that measure may "
    "be taken from predictions of its model: supported (at least 8 independent fields, concordance at least 0.8, bias "
    "at most 10 %), with care (the same on fewer fields), not supported, or not tested."
)


def write_measurement_report(
    found: Sequence[Measurements], path: Path, *, skipped: Sequence[str] = (), created: datetime | None = None
) -> Path:
    """Write what was measured as a page, completely or not at all; `path` is replaced where it exists.

    Parameters
    ----------
    found : sequence of Measurements
        What `measure` gave, one for each field.
    path : Path
        Of the file, such as ``page.html``.
    skipped : sequence of str
        What could not be measured, and why.
    created : datetime, optional
        When it was measured; now by default.

    Returns
    -------
    Path

    Raises
    ------
    UnwritableOutputError
        The folder is missing, read-only or full.

    Examples
    --------
    >>> write_measurement_report([nmp.measure("cells.czi")], Path("page.html"))    # doctest: +SKIP
    """
    return write_sheet(measurement_sheet(found, skipped=skipped, created=created), path)


def render(found: Sequence[Measurements], *, skipped: Sequence[str] = (), created: datetime | None = None) -> str:
    """The page as HTML; parameters as of `write_measurement_report`."""
    return render_sheet(measurement_sheet(found, skipped=skipped, created=created))


def measurement_sheet(
    found: Sequence[Measurements], *, skipped: Sequence[str] = (), created: datetime | None = None
) -> Sheet:
    """What the page says, as data; parameters as of `write_measurement_report`."""
    groups = grouped(found)
    names = list(dict.fromkeys(chain.from_iterable(group.fields for group in groups)))
    moment = created or datetime.now(UTC)
    structures = listed(list(dict.fromkeys(str(group.structure) for group in groups)))
    said = chain.from_iterable(each.findings for each in found)
    findings = [finding for finding in said if finding.code not in _SAID_AS_CAUTIONS]
    sections = [_measured(found, groups), *(_group(group) for group in groups), *_density(found), _meanings(groups)]
    if skipped:
        sections.append(Section("Not measured", notes=skipped))
    return Sheet(
        title=f"{_HEADING}: {', '.join(names)[:_LONGEST_TITLE]}",
        heading=f"{_HEADING} of {structures}" if structures else _HEADING,
        subtitle=f"{count(len(names), 'field')}. {moment.day} {moment:%B %Y, %H:%M} UTC.",
        about=_ABOUT if any(group.predicted_by for group in groups) else "",
        cautions=_cautions(found),
        findings=findings,
        sections=sections,
        versions=versions_of(_PACKAGES),
    )


def _cautions(found: Sequence[Measurements]) -> list[Caution]:
    """What has to be known first: simulated cells, predictions, unknown sizes; each once, with how many fields."""
    channels = list(chain.from_iterable(each.channels for each in found))
    cautions = []
    models = list(dict.fromkeys(channel.predicted_by for channel in channels if channel.predicted_by))
    simulated = list(dict.fromkeys(channel.predicted_by for channel in channels if channel.simulated_model))
    if models:
        said = f"Measured on predictions by {listed(models)}."
        cautions.append(Caution(said, "Read the verdict before you take a number; single objects were never compared."))
    if simulated:
        meaning = f"{listed(simulated)}: on real cells these numbers demonstrate the method and measure nothing."
        cautions.append(Caution(SIMULATED_DISCLAIMER, meaning))
    unknown = sum(each.unit == "px" for each in found)
    if unknown:
        said = f"The size of a voxel is not known in {count(unknown, 'field')} of {len(found)}."
        cautions.append(Caution(said, "There everything is measured in pixels: fields cannot be compared by length."))
    return cautions


def _measured(found: Sequence[Measurements], groups: Sequence[Group]) -> Section:
    """From what, and how."""
    table = measured_from(found)
    heading = "What was measured"
    ways = _ways(groups)
    if len(table.rows) <= _MOST_ROWS:
        return Section(heading, table=table, notes=ways)
    return Section(heading, notes=ways, folded={count(len(table.rows), "channel"): table})


def _ways(groups: Sequence[Group]) -> list[str]:
    """How each structure was found; several ways where settings or units differ."""
    ways = []
    for group in groups:
        for member in group.members:
            changed = "" if member.channel.default_settings else " (not the defaults)"
            ways.append(f"{group.structure.capitalize()}{changed}: {how_found(member.channel)}")
            if member.dynamics is not None:
                changed = "" if member.dynamics.default_settings else " (not all of it the defaults)"
                ways.append(f"Over time{changed}: {how_followed(member.dynamics.settings)}")
    return list(dict.fromkeys(ways))


def _group(group: Group) -> Section:
    """Numbers of a structure: fields, what was found, objects, time."""
    folded = {}
    if len(group.fields) > 1:
        folded["Each field"] = table_of_each_field(group)
    dynamics = dynamics_table(group)
    if dynamics.rows:
        folded["Fissions, fusions and movement"] = dynamics
    objects = object_table(group)
    if objects.rows:
        folded["Objects: medians and quartiles"] = objects
    return Section(
        group.heading,
        about=_about(group),
        result=verdicts_in_words(group),
        table=field_table(group),
        pictures=_pictures(group),
        folded=folded,
    )


def _about(group: Group) -> str:
    objects = sum(len(member.objects) for member in group.members)
    dimensions = sorted({member.channel.dimensions for member in group.members})
    how = listed([f"{number}-D" for number in dimensions])
    over = ""
    if len(group.fields) > 1:
        over = " Mean, standard deviation, least and largest are those of fields"
        over += ", each of which is its mean over time." if group.is_series else "."
    return f"{count(objects, 'object')} in {count(len(group.fields), 'field')}, measured in {how}.{over}"


def _pictures(group: Group) -> list[Picture]:
    pictures = []
    shown = [member for member in group.members if member.plane is not None][:_MOST_PLANES]
    if shown:
        which = "each field" if len(shown) == len(group.members) else f"the first {len(shown)} fields"
        caption = f"Outlines of what was found, in a part of {which}."
        pictures.append(Picture(figures.draw_found(shown), caption))
    distributions = figures.draw_distributions(group)
    if distributions:
        said = (
            "All objects; the dark line is the median. The largest 0.5 % of many are left out, a few have a line each."
        )
        warned = ""
        if group.predicted_by:
            warned = " Single objects of a prediction were never compared with a recording. Grey: not supported."
        pictures.append(Picture(distributions, f"{said}{warned}"))
    over_time = figures.draw_over_time(group)
    if over_time:
        pictures.append(Picture(over_time, "Measures of fields over time."))
    return pictures


def _density(found: Sequence[Measurements]) -> list[Section]:
    """Mitochondria around the nucleus: in micrometres or pixels, recorded or predicted, each by itself."""
    parts: dict[tuple[str, bool], list[tuple[str, Measurements]]] = {}
    for each in found:
        if len(each.distances):
            predicted = any(channel.predicted_by for channel in each.channels)
            parts.setdefault((each.unit, predicted), []).append((each.channels[0].field, each))
    sections = []
    for (_, predicted), shown in parts.items():
        about = "From predictions, which nobody compared in this with recordings: not tested." if predicted else ""
        caption = "Part of the cytoplasm that mitochondria take; of a series its mean over time."
        picture = Picture(figures.draw_density(shown), caption)
        origin = "predicted" if predicted else "recorded"
        sections.append(Section(f"Mitochondria around the nucleus, {origin}", about=about, pictures=[picture]))
    return sections


def _meanings(groups: Sequence[Group]) -> Section:
    """What each measure is, folded away."""
    by_structure: dict[str, list[Group]] = {}
    for group in groups:
        by_structure.setdefault(capitalised(str(group.structure)), []).append(group)
    return Section("What each measure is", folded={name: definitions(same) for name, same in by_structure.items()})
