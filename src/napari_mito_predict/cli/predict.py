"""``mito-predict predict``: files and folders in, predicted images out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_mito_predict.cli._console import (
    channel_choice,
    index_or_name,
    parse_tile,
    prepare_folder,
    print_json,
    progress,
    say,
)
from napari_mito_predict.errors import (
    MitoPredictError,
    OutputExistsError,
    PredictionCancelled,
    UnknownModelError,
    UnreadableImageError,
)

if TYPE_CHECKING:
    from napari_mito_predict.image import Finding, ImageSource
    from napari_mito_predict.models import Model


class OutputFormat(StrEnum):
    """How predictions are written."""

    OME_TIFF = "ome-tiff"
    OME_ZARR = "ome-zarr"

    @property
    def suffix(self) -> str:
        return ".ome.tif" if self is OutputFormat.OME_TIFF else ".ome.zarr"


def predict(
    inputs: Annotated[
        list[Path], typer.Argument(metavar="INPUT...", help="Images (CZI, TIFF, OME-Zarr), or folders of them.")
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Folder for the predictions; made if missing.")
    ],
    models: Annotated[
        list[str] | None,
        typer.Option(
            "-m", "--model", help="Name or folder of a model; repeat for several. Without it: the bundled pair."
        ),
    ] = None,
    channel: Annotated[
        str | None,
        typer.Option("--channel", help="Transmitted-light channel, by name or number from 0, if it is not found."),
    ] = None,
    scene: Annotated[
        str | None, typer.Option("--scene", help="Scene by name or number from 0, or `all`. Default: the first.")
    ] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1, mps ...")] = "auto",
    precision: Annotated[
        str, typer.Option("--precision", help="auto, 32, bf16 or 16; 32 is the most exact and works everywhere.")
    ] = "auto",
    format_: Annotated[
        OutputFormat, typer.Option("--format", help="File format of the predictions.")
    ] = OutputFormat.OME_TIFF,
    tile: Annotated[
        str,
        typer.Option(
            "--tile", help="auto, whole, or voxels like 64x256x256 (z, y, x); changes memory use, not results."
        ),
    ] = "auto",
    composite: Annotated[
        bool, typer.Option("--composite", help="All targets as the channels of one file, each in its colour.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace predictions that exist.")] = False,
    axes: Annotated[
        str | None, typer.Option("--axes", help="Axes of a TIFF that does not say them, like ZYX or TYX.")
    ] = None,
    voxel_size: Annotated[
        tuple[float, float, float] | None,
        typer.Option(
            "--voxel-size",
            metavar="Z Y X",
            help="Voxel size in micrometres, where the file does not know it or is wrong.",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print what was written as JSON.")] = False,
) -> None:
    """Predict mitochondria and DNA from the transmitted-light channel of each INPUT.

    For `cells.czi` and the bundled models, DIR then holds `cells_mitochondria.ome.tif` and `cells_dna.ome.tif`, on
    the input's own grid, each with a JSON file that says how it was made. In a folder, files that cannot be predicted
    are skipped with the reason, and the command ends with 1.

    Examples: `mito-predict predict cells.czi -o predicted`, `mito-predict predict scans/ -o predicted -m mito-z`.
    """
    options = {
        "channel": channel_choice(channel),
        "voxel_size_um": voxel_size,
        "device": device,
        "precision": precision,
        "tile": parse_tile(tile),
    }
    job = _Job(output, format_.suffix, overwrite, composite, tuple(models or ()), options)
    prepare_folder(output)
    files = [file for entry in inputs for file in _images_in(entry)]
    failed = 0
    for file in files:
        try:
            for image in _scenes(file, scene, axes):
                job.run(image)
        except PredictionCancelled:
            raise
        except MitoPredictError as error:
            if len(files) == 1:
                raise
            failed += 1
            say(f"Skipped {file}: {' '.join(str(error).removeprefix(f'{file}: ').split())}")
    if json:
        print_json(job.records)
    if failed:
        say(f"{failed} of {len(files)} images could not be predicted.")
        raise typer.Exit(1)


@dataclass
class _Job:
    """What is the same for all images, and what was written."""

    folder: Path
    suffix: str
    overwrite: bool
    composite: bool
    model_names: tuple[str, ...]
    options: dict[str, Any]
    records: list[dict[str, Any]] = field(default_factory=list)
    _loaded: dict[str, Model] = field(default_factory=dict)
    _said: set[str] = field(default_factory=set)

    def run(self, image: ImageSource) -> None:
        """Predict one image and write the results."""
        from napari_mito_predict.prediction import plan_prediction, save_composite

        models = [self._model(name) for name in self.model_names or _bundled_for(image)]
        plan = plan_prediction(image, models, **self.options)
        self._tell(image, plan.findings)
        if self.composite:
            paths = {" + ".join(plan.outputs): self.folder / f"{_stem(image)}_predicted{self.suffix}"}
        else:
            paths = {key: self.folder / f"{_stem(image)}_{key.replace('/', '_')}{self.suffix}" for key in plan.outputs}
        self._check_free(paths.values())
        with progress(image.name) as on_progress:
            predictions = plan.predict(on_progress=on_progress)
        self._tell(image, plan.findings)  # what was noticed on the way
        for key, path in paths.items():
            if self.composite:
                save_composite(list(predictions.values()), path, overwrite=self.overwrite)
            else:
                predictions[key].save(path, overwrite=self.overwrite)
            self.records.append({"input": image.path, "scene": image.scene, "target": key, "output": path})
            say(f"Wrote {path}")

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


def _images_in(entry: Path) -> list[Path]:
    """`entry` itself, or what looks like an image in that folder and is no prediction of ours."""
    if not entry.is_dir() or entry.suffix == ".zarr":
        return [entry]
    from napari_mito_predict.image import list_images

    found = [path for path in list_images(entry) if not _is_prediction(path)]
    if not found:
        raise UnreadableImageError(f"{entry}: no CZI, TIFF or OME-Zarr image in this folder.")
    return found


def _is_prediction(path: Path) -> bool:
    from napari_mito_predict.prediction.result import record_path

    return record_path(path).exists()


def _scenes(file: Path, scene: str | None, axes: str | None) -> Iterator[ImageSource]:
    from napari_mito_predict.image import open_image

    if scene != "all":
        image = open_image(file, scene=index_or_name(scene), axes=axes)
        if scene is None and len(image.scenes) > 1:
            say(f"{file.name} holds {len(image.scenes)} scenes; this is the first. Others: --scene NAME or all.")
        yield image
        return
    first = open_image(file, axes=axes)
    for index in range(len(first.scenes)):
        yield first.with_scene(index)


def _stem(image: ImageSource) -> str:
    """``cells``, or ``cells_scene2`` for the second and later scenes (counted from 0, as --scene does)."""
    return f"{image.name}_scene{image.scene}" if image.scene else image.name


def _bundled_for(image: ImageSource) -> list[str]:
    """Names of the bundled models for the image's third axis."""
    from napari_mito_predict.models import bundled_names

    is_series = image.sizes["Z"] == 1 and image.sizes["T"] > 1
    names = bundled_names("t" if is_series else "z")
    if not names:
        kind = "time series" if is_series else "z-stacks"
        raise UnknownModelError(
            f"{image.path}: no model for {kind} comes with this version. Name one of yours with -m."
        )
    return names
