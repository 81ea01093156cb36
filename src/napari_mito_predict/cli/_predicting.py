"""What ``mito-predict predict`` does with each image: predict it, write the results, print what is to be known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_mito_predict.cli._console import progress, say
from napari_mito_predict.errors import OutputError, UnknownModelError

if TYPE_CHECKING:
    from napari_mito_predict.image import Finding, ImageSource
    from napari_mito_predict.models import Model
    from napari_mito_predict.prediction import Execution, PredictionPlan, TrafficLight


class OutputFormat(StrEnum):
    """How predictions are written."""

    OME_TIFF = "ome-tiff"
    OME_ZARR = "ome-zarr"

    @property
    def suffix(self) -> str:
        return _SUFFIXES[self]


_SUFFIXES = {OutputFormat.OME_TIFF: ".ome.tif", OutputFormat.OME_ZARR: ".ome.zarr"}


@dataclass
class PredictionJob:
    """What one command does with each of its images.

    Attributes
    ----------
    folder : Path
        Gets the predictions.
    format : OutputFormat
    overwrite : bool
    composite : bool
        All targets as the channels of one file.
    model_names : tuple of str
        Empty for those that `choose_models` takes.
    strict : bool
        Refuse an image whose light is not green, before anything is computed.
    options : dict
        Further arguments of `plan_prediction`.
    records : list of dict
        What was written: input, scene, target, output, and by which light of which model.
    """

    folder: Path
    format: OutputFormat
    overwrite: bool
    composite: bool
    model_names: tuple[str, ...]
    strict: bool
    options: dict[str, Any]
    records: list[dict[str, Any]] = field(default_factory=list)
    _loaded: dict[str, Model] = field(default_factory=dict)
    _printed: set[str] = field(default_factory=set)

    def run(self, image: ImageSource) -> None:
        """Predict one image and write the results.

        Raises
        ------
        UnknownModelError
            No model that could be chosen is for its third axis.
        DoubtfulPredictionError
            It is strict, and a light is not green; nothing was computed.
        OutputExistsError, OutputError
            A file of that name is there, or was just written; nothing was computed.
        MitoPredictError
            Whatever else is in the way, such as a result too large for memory and so for an OME-TIFF.
        """
        from napari_mito_predict.prediction import look, plan_prediction

        models = [self._load(name) for name in self.model_names or self._choose_models(image)]
        plan = look(plan_prediction(image, models, **self.options))
        if self.strict:
            plan.check_lights()
        for light in plan.lights.values():
            self._print_light(image, light)
        self._print_new(image, plan.findings)
        paths = self._paths(image, plan)
        self._refuse_taken(paths.values())
        if self.format is OutputFormat.OME_ZARR:
            self._write_blocks(image, plan, paths)
        else:
            self._write_whole(image, plan, paths)

    def _choose_models(self, image: ImageSource) -> tuple[str, ...]:
        """Names of the models for an image, and why none of real cells is among them."""
        from napari_mito_predict.prediction.choice import choose_models

        choice = choose_models(image, self.options.get("channel"), self.options.get("voxel_size_um"))
        if not choice.models:
            kind = "time series" if image.third_axis == "t" else "z-stacks"
            raise UnknownModelError(
                f"no model for {kind} comes with this version. Name one of yours with -m.", file=image.path
            )
        self._print_new(image, choice.findings)
        return choice.models

    def _write_blocks(self, image: ImageSource, plan: PredictionPlan, paths: dict[str, Path]) -> None:
        """Write an OME-Zarr while predicting: neither image nor result has to fit into memory."""
        from napari_mito_predict.prediction import RunContext, run, run_to_zarr

        where: Path | dict[str, Path] = paths
        if self.composite:
            where = next(iter(paths.values()))
        with progress(image.name) as on_progress:
            execution = run(plan, RunContext(on_progress))
            run_to_zarr(execution, where, overwrite=self.overwrite)
        self._print_new(image, execution.findings)  # what was noticed on the way
        for key, path in paths.items():
            self._note_written(image, key, path, execution)

    def _write_whole(self, image: ImageSource, plan: PredictionPlan, paths: dict[str, Path]) -> None:
        """Predict, then write OME-TIFFs, each completely or not at all."""
        from napari_mito_predict.prediction import RunContext, run, save_composite

        with progress(image.name) as on_progress:
            execution = run(plan, RunContext(on_progress))
            predictions = execution.predict()
        self._print_new(image, execution.findings)
        for key, path in paths.items():
            if self.composite:
                save_composite(list(predictions.values()), path, overwrite=self.overwrite)
            else:
                predictions[key].save(path, overwrite=self.overwrite)
            self._note_written(image, key, path, execution)

    def _paths(self, image: ImageSource, plan: PredictionPlan) -> dict[str, Path]:
        """Key of the output, or of all where they share a file -> file."""
        from napari_mito_predict.prediction.files import output_paths

        return output_paths(self.folder, image, plan.outputs, self.format.suffix, composite=self.composite)

    def _load(self, name: str) -> Model:
        from napari_mito_predict.models import load_model

        if name not in self._loaded:
            self._loaded[name] = load_model(name)
        return self._loaded[name]

    def _refuse_taken(self, paths: Iterable[Path]) -> None:
        """Refuse names that are taken; a name given just now is refused even with --overwrite."""
        from napari_mito_predict.image import check_output

        written = {record["output"] for record in self.records}
        for path in paths:
            if path in written:
                raise OutputError(
                    "was just written for another image of the same name. Predict the two into two folders.", file=path
                )
            check_output(path, overwrite=self.overwrite)

    def _print_new(self, image: ImageSource, findings: Iterable[Finding]) -> None:
        """Print each finding once in a command, with the first image it is about."""
        for finding in findings:
            if finding.advice not in self._printed:
                self._printed.add(finding.advice)
                say(f"{image.name}: {finding.advice}")

    def _print_light(self, image: ImageSource, light: TrafficLight) -> None:
        """Print what a light says; each reason once in a command, like `_print_new`."""
        new = [finding.advice for finding in light.reasons if finding.advice not in self._printed]
        self._printed.update(new)
        if len(new) < len(light.reasons):
            new.append("For reasons said above." if not new else "And for reasons said above.")
        say(f"{image.name}: {light.model}: {light.colour}. {' '.join(new)}".rstrip())

    def _note_written(self, image: ImageSource, key: str, path: Path, execution: Execution) -> None:
        lights = execution.lights
        if not self.composite:
            name = execution.plan.outputs[key].model_name
            lights = {name: lights[name]}
        self.records.append(
            {
                "input": image.path,
                "scene": image.scene,
                "target": key,
                "output": path,
                "lights": {name: asdict(light) for name, light in lights.items()},
            }
        )
        say(f"Wrote {path}")
