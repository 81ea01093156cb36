"""What ``mito-predict predict`` does with each image: predict, write, tell."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_mito_predict.cli._console import progress, say
from napari_mito_predict.errors import OutputExistsError, UnknownModelError

if TYPE_CHECKING:
    from napari_mito_predict.image import Finding, ImageSource
    from napari_mito_predict.models import Model
    from napari_mito_predict.prediction import PredictionPlan


class OutputFormat(StrEnum):
    """How predictions are written."""

    OME_TIFF = "ome-tiff"
    OME_ZARR = "ome-zarr"

    @property
    def suffix(self) -> str:
        return ".ome.tif" if self is OutputFormat.OME_TIFF else ".ome.zarr"


@dataclass
class PredictionJob:
    """What is the same for all images, and what was written."""

    folder: Path
    format: OutputFormat
    overwrite: bool
    composite: bool
    model_names: tuple[str, ...]
    options: dict[str, Any]
    records: list[dict[str, Any]] = field(default_factory=list)
    _loaded: dict[str, Model] = field(default_factory=dict)
    _said: set[str] = field(default_factory=set)

    def run(self, image: ImageSource) -> None:
        """Predict one image and write the results; an OME-TIFF is refused where memory cannot hold all of it."""
        from napari_mito_predict.prediction import plan_prediction

        models = [self._model(name) for name in self.model_names or _bundled_for(image)]
        plan = plan_prediction(image, models, **self.options)
        self._tell(image, plan.findings)
        paths = self._paths(image, plan)
        self._check_free(paths.values())
        if self.format is OutputFormat.OME_ZARR:
            self._write_blocks(image, plan, paths)
        else:
            self._write_whole(image, plan, paths)

    def _write_blocks(self, image: ImageSource, plan: PredictionPlan, paths: dict[str, Path]) -> None:
        """Write while predicting."""
        from napari_mito_predict.prediction import predict_to_zarr

        where = next(iter(paths.values())) if self.composite else paths
        with progress(image.name) as on_progress:
            predict_to_zarr(plan, where, overwrite=self.overwrite, on_progress=on_progress)
        self._tell(image, plan.findings)  # what was noticed on the way
        for key, path in paths.items():
            self._wrote(image, key, path)

    def _write_whole(self, image: ImageSource, plan: PredictionPlan, paths: dict[str, Path]) -> None:
        """Predict, then write."""
        from napari_mito_predict.prediction import save_composite

        with progress(image.name) as on_progress:
            predictions = plan.predict(on_progress=on_progress)
        self._tell(image, plan.findings)
        for key, path in paths.items():
            if self.composite:
                save_composite(list(predictions.values()), path, overwrite=self.overwrite)
            else:
                predictions[key].save(path, overwrite=self.overwrite)
            self._wrote(image, key, path)

    def _paths(self, image: ImageSource, plan: PredictionPlan) -> dict[str, Path]:
        """Files by what will be in them."""
        from napari_mito_predict.prediction.files import output_paths

        return output_paths(self.folder, image, plan.outputs, self.format.suffix, composite=self.composite)

    def _model(self, name: str) -> Model:
        from napari_mito_predict.models import load_model

        if name not in self._loaded:
            self._loaded[name] = load_model(name)
        return self._loaded[name]

    def _check_free(self, paths: Iterable[Path]) -> None:
        from napari_mito_predict.image import check_output

        mine = {record["output"] for record in self.records}
        for path in paths:
            if path in mine:
                raise OutputExistsError(
                    f"{path}: was just written for another image of the same name. Predict the two into two folders."
                )
            check_output(path, overwrite=self.overwrite)

    def _tell(self, image: ImageSource, findings: list[Finding]) -> None:
        """Say each finding once, with the first image it is about."""
        for finding in findings:
            text = f"{finding.message} {finding.fix}".rstrip()
            if text not in self._said:
                self._said.add(text)
                say(f"{image.name}: {text}")

    def _wrote(self, image: ImageSource, key: str, path: Path) -> None:
        self.records.append({"input": image.path, "scene": image.scene, "target": key, "output": path})
        say(f"Wrote {path}")


def _bundled_for(image: ImageSource) -> list[str]:
    """Names of the bundled models for the image's third axis."""
    from napari_mito_predict.models import bundled_names

    names = bundled_names(image.third_axis or "z")
    if not names:
        kind = "time series" if image.third_axis == "t" else "z-stacks"
        raise UnknownModelError(
            f"{image.path}: no model for {kind} comes with this version. Name one of yours with -m."
        )
    return names
