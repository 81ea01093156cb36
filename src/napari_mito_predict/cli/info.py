"""``mito-predict info``: what is in an image file, what we take its channels for, and what is wrong with it."""

from __future__ import annotations

from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_mito_predict.cli._console import echo, print_json, print_table, say
from napari_mito_predict.errors import ImageError

if TYPE_CHECKING:
    from napari_mito_predict.image import Finding, ImageSource


def info(
    files: Annotated[
        list[Path] | None, typer.Argument(help="CZI, OME-TIFF, TIFF or OME-Zarr.", show_default=False)
    ] = None,
    axes: Annotated[
        str | None,
        typer.Option("--axes", help="For a TIFF or OME-Zarr that does not say what its axes are, like ZYX or TYX."),
    ] = None,
    pixels: Annotated[
        bool, typer.Option("--pixels", help="Also read the transmitted light, and look for blank planes, NaN and more.")
    ] = False,
    device: Annotated[
        bool, typer.Option("--device", help="Say what computes here: processor or graphics card.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON for scripts: an object for one FILE, a list for several.")
    ] = False,
) -> None:
    """Show scenes, sizes, channels, voxel size and time step of images, and problems found.

    Nothing is read but the description of the images, so this is quick for the largest file. Channels come with what
    we take them for and why; `mito-predict predict --channel` overrides it. Of several scenes, such as the fields of a
    plate, one that cannot be opened says why, and the others are shown.
    """
    if not files and not device:
        raise typer.BadParameter("give at least one FILE, or --device", param_hint="FILE")
    computes = _device() if device else []
    records = []
    failed = False
    for file in files or []:
        try:
            records.append(_record(file, axes, pixels))
        except ImageError as error:
            if len(files or []) == 1:
                raise
            say(f"Error: {error}")
            failed = True
    failed = failed or any("error" in scene for scene in chain.from_iterable(record["scenes"] for record in records))
    if json and device:
        print_json({"device": computes, "files": records})
    elif json and len(files or []) == 1:
        print_json(records[0])
    elif json:
        print_json(records)
    else:
        for record in records:
            _show(record)
        for line in computes:
            echo(line)
    if failed:
        raise typer.Exit(1)


def _device() -> list[str]:
    from napari_mito_predict.models import bundled_names, load_model
    from napari_mito_predict.prediction.device import choose_device, describe
    from napari_mito_predict.prediction.precision import describe_agreement

    models = [load_model(name) for name in (*bundled_names("z"), *bundled_names("t"))]
    return [*describe(), *describe_agreement(models, choose_device())]


def _record(file: Path, axes: str | None, pixels: bool) -> dict[str, Any]:
    from napari_mito_predict.image import open_scenes

    scenes = []
    errors = []
    for index, (name, opened) in enumerate(open_scenes(file, axes=axes)):
        try:
            if isinstance(opened, ImageError):
                raise opened
            scenes.append(_scene(opened, pixels))
        except ImageError as error:
            errors.append(error)
            scenes.append({"index": index, "name": name, "error": error.reason_about(file)})
    if len(errors) == len(scenes):
        raise errors[0]
    return {"file": file, "scenes": scenes}


def _scene(image: ImageSource, pixels: bool) -> dict[str, Any]:
    return {
        "index": image.scene,
        "name": image.scenes[image.scene],
        "sizes": image.sizes,
        "dtype": str(image.dtype),
        "voxel_size_um": image.voxel_size_um,
        "time_step_s": image.time_step_s,
        "is_rgb": image.is_rgb,
        "simulated": image.simulated,
        "channels": [asdict(channel) for channel in image.channels],
        "findings": [asdict(finding) for finding in _findings(image, pixels)],
    }


def _findings(image: ImageSource, pixels: bool) -> list[Finding]:
    """Everything to say about an image, also about one without a channel to predict from."""
    from napari_mito_predict.errors import AmbiguousChannelError, ChannelNotFoundError, PredictedInputError
    from napari_mito_predict.image import Finding, Level, check_image, unreadable_channels

    try:
        found = check_image(image)
        if pixels and not image.unsupported:
            found += _pixel_findings(image)
    except PredictedInputError as error:
        found = [Finding(Level.WARNING, "reader", warning) for warning in image.warnings]
        reason = error.reason_about(image.path or image.name)
        found.append(Finding(Level.WARNING, "prediction", f"{reason[0].upper()}{reason[1:]}"))
    except (ChannelNotFoundError, AmbiguousChannelError):
        candidates = [channel for channel in image.channels if channel.role == "transmitted"]
        code, message = "no-transmitted-light", "No channel looks like transmitted light."
        if candidates:
            code = "ambiguous-channel"
            message = f"{len(candidates)} channels could be the transmitted light."
        found = [Finding(Level.WARNING, "reader", warning) for warning in image.warnings]
        found.append(Finding(Level.WARNING, code, message, "Say which one to predict from with --channel."))
    return found + unreadable_channels(image)


def _pixel_findings(image: ImageSource) -> list[Finding]:
    """What is wrong with the pixels of the transmitted light, as far as they were recorded."""
    from napari_mito_predict.image import check_volume

    light = image.channel()
    lacking = {t for t, c, _ in image.missing if c == light.index}
    found: list[Finding] = []
    for t in range(image.sizes["T"]):
        if t not in lacking and not image.why_unsupported(light):
            where = f"time point {t}" if image.sizes["T"] > 1 else ""
            found += check_volume(image.read(t, light.index), where=where)
    return found


def _show(record: dict[str, Any]) -> None:
    echo(str(record["file"]), bold=True)
    for scene in record["scenes"]:
        if len(record["scenes"]) > 1:
            echo(f"Scene {scene['index']}: {scene['name']}")
        if "error" in scene:
            echo(f"  Error: {scene['error']}")
            continue
        sizes = ", ".join(f"{axis} {size}" for axis, size in scene["sizes"].items())
        rows = [
            ("Size", f"{sizes} ({scene['dtype']})"),
            ("Voxel size", _voxel_size(scene["voxel_size_um"], depth=scene["sizes"]["Z"])),
        ]
        if scene["sizes"]["T"] > 1:
            rows.append(("Time step", _quantity(scene["time_step_s"], " s")))
        if scene["simulated"]:
            rows.append(("Origin", "simulated by napari-mito-predict"))
        for title, text in rows:
            echo(f"  {title + ':':<12}{text}")
        print_table(
            ["  CHANNEL", "NAME", "ROLE", "WHY"],
            [[f"  {c['index']}", c["name"] or "(no name)", _shows(c), c["reason"]] for c in scene["channels"]],
        )
        for finding in scene["findings"]:
            echo(f"  {finding['level']}: {finding['message']} {finding['fix']}".rstrip())
    echo()


def _shows(channel: dict[str, Any]) -> str:
    """The role of a channel, and which kind of transmitted light it is where that is known."""
    if channel["modality"]:
        return f"{channel['role']} ({channel['modality']})"
    return str(channel["role"])


def _voxel_size(sizes: tuple[float | None, ...], depth: int) -> str:
    if not any(sizes):
        return "unknown"
    parts = [f"{axis} {_quantity(size)}" for axis, size in zip("zyx", sizes, strict=True)]
    if sizes[0] is None and depth == 1:
        del parts[0]  # a single plane has no Z step
    return ", ".join(parts) + " µm"


def _quantity(value: float | None, unit: str = "") -> str:
    if value is None:
        return "unknown"
    return f"{value:.4g}{unit}"
