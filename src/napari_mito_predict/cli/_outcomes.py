"""What ``mito-predict predict`` says: what is to be known of each image, how far it is, and what became of it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from napari_mito_predict.cli._console import OnProgress, console, printable, say
from napari_mito_predict.errors import (
    IncompleteImageError,
    MetadataError,
    MitoPredictError,
    OutputExistsError,
    ResultTooLargeError,
    SmoothingError,
    UnknownAxesError,
    UnknownModelError,
)

if TYPE_CHECKING:
    from napari_mito_predict.image import Finding
    from napari_mito_predict.prediction.batch.outcome import Outcome
    from napari_mito_predict.prediction.batch.stages import Begun
    from napari_mito_predict.prediction.traffic_light import TrafficLight

_MOST_NAMED = 8
"""Scenes of a file."""


class Report:
    """Prints each thing once in a command, with the first image it is about."""

    def __init__(self) -> None:
        self._printed: set[str] = set()

    def begun(self, begun: Begun) -> None:
        """Print what is known of an image before it is predicted."""
        image = begun.image
        if begun.entry.scene is None and len(image.scenes) > 1:
            say(f"{begun.entry.path.name} holds {_named(image.scenes)}")
        self._findings(begun.image.name, begun.said)
        for light in begun.plan.lights.values():
            self._light(begun.image.name, light)
        self._findings(begun.image.name, begun.plan.findings)

    def ended(self, outcome: Outcome) -> None:
        """Print what became of an image."""
        self.known(outcome)
        if outcome.error is not None:
            scene = f", scene {outcome.scene}" if outcome.scene else ""
            option = option_that_helps(outcome.error)
            say(f"Skipped {outcome.entry.path}{scene}: {outcome.reason} {option}".rstrip())
            return
        for key, path in outcome.files.items():
            if outcome.is_new:
                score = outcome.pcc.get(key)
                say(f"Wrote {path}" if score is None else f"Wrote {path} (PCC {score:.3f} with the truth in the image)")
            else:
                say(f"{path} is there already: of the same image, model and parameters.")

    def known(self, outcome: Outcome) -> None:
        """Print what is to be known of an image that was not said before."""
        for light in outcome.lights.values():
            self._light(outcome.name, light)
        self._findings(outcome.name, outcome.findings)

    def _findings(self, image: str, findings: Iterable[Finding]) -> None:
        for finding in findings:
            if finding.advice not in self._printed:
                self._printed.add(finding.advice)
                say(f"{image}: {finding.advice}")

    def _light(self, image: str, light: TrafficLight) -> None:
        """Print what a light says of an image, once for each image and model."""
        key = f"{image}: {light.model}: {light.colour}."
        if key in self._printed:
            return
        self._printed.add(key)
        new = [finding.advice for finding in light.reasons if finding.advice not in self._printed]
        self._printed.update(new)
        if len(new) < len(light.reasons):
            new.append("For reasons said above." if not new else "And for reasons said above.")
        say(f"{key} {' '.join(new)}".rstrip())


def _named(scenes: Sequence[str]) -> str:
    """Say which scenes there are, and how to choose one or all of them."""
    names = ", ".join(scenes[:_MOST_NAMED])
    if len(scenes) > _MOST_NAMED:
        names += ", ..."
    return f'{len(scenes)} scenes: {names}. This is the first. Others: --scene "{scenes[1]}", for example, or all.'


def written(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """What was written, for scripts: a record for each file."""
    records = []
    for outcome in outcomes:
        if not outcome.is_new:
            continue
        for key, path in outcome.files.items():
            model = outcome.models.get(key)
            lights = outcome.lights if model is None else {model: outcome.lights[model]}
            records.append(
                {
                    "input": outcome.entry.path,
                    "scene": outcome.scene_index,
                    "target": key,
                    "output": path,
                    "pcc": outcome.pcc.get(key),
                    "lights": {name: asdict(light) for name, light in lights.items()},
                }
            )
    return records


def option_that_helps(error: MitoPredictError) -> str:
    """Name the option for what an error advises: errors are read in the dock as well, which has no options."""
    if isinstance(error, OutputExistsError):
        return "(--overwrite)"
    if isinstance(error, IncompleteImageError):
        return "(--times, --planes)"
    if isinstance(error, UnknownAxesError):
        return "" if "--axes" in str(error) else "(--axes)"
    if isinstance(error, MetadataError):
        return "(--voxel-size)"
    if isinstance(error, SmoothingError):
        return "(--smooth-time)"
    if isinstance(error, ResultTooLargeError):
        return "(--format ome-zarr)"
    if isinstance(error, UnknownModelError):
        return "(-m)"
    return ""


class Bars:
    """Progress over all images, and of the one under way, on a terminal; nothing in a pipe."""

    def __init__(self, images: int | None) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bars = Progress(*columns, console=console(errors=True), transient=True)
        self._all = None
        if images != 1:
            self._all = self._bars.add_task("Images", total=images)
        self._one = self._bars.add_task("", total=None, visible=False)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show them as long as the block runs."""
        if not sys.stderr.isatty():
            yield
            return
        with self._bars:
            yield

    def begin(self, name: str) -> OnProgress:
        """Begin an image; gives what moves its bar."""

        def update(done: int, total: int, message: str) -> None:
            description = printable(f"{name} {message}".strip())
            self._bars.update(self._one, completed=done, total=total, description=description, visible=True)

        return update

    def end(self) -> None:
        """Count an image."""
        if self._all is not None:
            self._bars.advance(self._all)
