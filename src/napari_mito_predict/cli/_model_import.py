"""``mito-predict models import``: a model of anybody into the model list."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from napari_mito_predict.cli._console import echo, print_json, progress, say
from napari_mito_predict.cli._model_table import predicts, record
from napari_mito_predict.errors import DownloadError, ForeignModelError, MitoPredictError, UntrustedModelError

if TYPE_CHECKING:
    from napari_mito_predict.models import ModelInfo, Normalisation, Target

_T = TypeVar("_T")
_OPTIONS = {
    "preset": "--preset",
    "name": "--name",
    "title": "--title",
    "licence": "--licence",
    "trained_on": "--trained-on",
    "targets": "--target",
    "voxel_size_um": "--voxel-size",
    "third_axes": "--third-axis",
    "normalisation": "--normalisation",
    "modality": "--modality",
    "simulated": "--real/--simulated",
    "trust": "--trust",
}
"""By what `Told` calls it."""
_UNKNOWN = ("-", "none", "unknown")


class ThirdAxis(StrEnum):
    """What the third axis of a model's images is."""

    Z = "z"
    T = "t"
    NONE = "none"


def import_(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A model folder, a zip file of one, a model file of another program, or an address (https://...).",
        ),
    ],
    name: Annotated[str | None, typer.Option("--name", help="What to call it here.")] = None,
    sha256: Annotated[
        str | None,
        typer.Option("--sha256", help="SHA-256 of the file, as its authors publish it; needed for an address."),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option("--preset", help="A published model, such as VSCyto3D, whose details are known here."),
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(
            "--target",
            metavar="NAME=STAIN",
            help="What an output of the network is, such as nuclei=DAPI; repeat for several, in their order.",
        ),
    ] = None,
    voxel_size: Annotated[
        tuple[str, str, str] | None,
        typer.Option(
            "--voxel-size",
            metavar="Z Y X",
            help="Voxel size of the training images in micrometres; none for what has no meaning or is unknown.",
        ),
    ] = None,
    third_axis: Annotated[
        list[ThirdAxis] | None,
        typer.Option(
            "--third-axis", help="z for stacks, t for time series, none for single planes; repeat if it knows both."
        ),
    ] = None,
    normalisation: Annotated[
        str | None,
        typer.Option(
            "--normalisation",
            metavar="KIND",
            help="zscore, zscore:LOW,HIGH (clipped at these percentiles), robust (median and quartiles), "
            "range:LOW,HIGH (percentiles that become 0 and 1), fixed:OFFSET,SCALE, or none.",
        ),
    ] = None,
    modality: Annotated[
        str | None, typer.Option("--modality", help="Kind of light: bright-field, phase contrast, DIC ...")
    ] = None,
    title: Annotated[str | None, typer.Option("--title", help="One line on what it does.")] = None,
    trained_on: Annotated[
        str | None, typer.Option("--trained-on", help="Which cells, seen how, on which microscope.")
    ] = None,
    licence: Annotated[str | None, typer.Option("--licence", help="Of the weights, such as BSD-3-Clause.")] = None,
    simulated: Annotated[
        bool | None, typer.Option("--simulated/--real", help="Whether the cells it learned from were simulated.")
    ] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="Run code that comes with the file. Only for files of people you know.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the model as JSON.")] = False,
) -> None:
    """Copy a model into your own models, after it has passed its self-test.

    A model of this program says all about itself. For a model file of another
    program, say what the file does not: most of it is known where there is a
    preset, and what is missing is listed. The file itself is never changed.

    Examples: `mito-predict models import mito-lab.zip`,
    `mito-predict models import https://... --sha256 9f86d0...`,
    `mito-predict models import model.p --target dna=Hoechst --voxel-size 0.29 0.108 0.108 --third-axis z`.
    """
    from napari_mito_predict.models import Told, import_model

    told = Told(
        preset=preset,
        name=name,
        title=title,
        licence=licence,
        trained_on=trained_on,
        targets=_targets(target),
        voxel_size_um=_voxel_size(voxel_size),
        third_axes=_third_axes(third_axis),
        normalisation=_normalisation(normalisation),
        modality=modality,
        simulated=simulated,
        trust=trust,
    )
    try:
        with _fetching(source) as on_progress:
            info = import_model(source, told, sha256=sha256, on_progress=on_progress)
    except MitoPredictError as error:
        option = _option_that_helps(error, sha256)
        if option:
            error.add_note(option)
        raise
    if json:
        print_json(record(info))
    else:
        _tell(info, name)


@contextmanager
def _fetching(source: str) -> Iterator[Callable[[int, int], None] | None]:
    """Show a progress bar for what comes from an address."""
    from napari_mito_predict.models import is_address

    if not is_address(source):
        yield None
        return
    with progress("Fetching") as update:
        yield lambda done, total: update(done >> 20, total >> 20, "(MB)")


def _tell(info: ModelInfo, asked: str | None) -> None:
    from napari_mito_predict.models import has_self_test

    card = info.card
    if card is None:
        return
    echo(f"Imported as {info.name}: {predicts(card)}. It lies in {info.path}")
    if asked and asked != info.name:
        say(f"There was a model '{asked}' already.")
    if card.disclaimer:
        say(card.disclaimer)
    if not has_self_test(info.path):
        say("It came without a self-test: its weights are those of its card, but what they give was not compared.")
    say(f"Use it: mito-predict predict IMAGE -o DIR -m {info.name}")


def _option_that_helps(error: MitoPredictError, sha256: str | None) -> str:
    """Name the options for what an error advises: errors are read in the dock as well, which has no options."""
    if isinstance(error, DownloadError):
        return "" if sha256 else "(--sha256)"
    if isinstance(error, UntrustedModelError):
        return "(--trust)"
    if isinstance(error, ForeignModelError) and error.missing:
        return f"({', '.join(_OPTIONS[word] for word in error.missing if word in _OPTIONS)})"
    return ""


def _targets(given: list[str] | None) -> tuple[Target, ...] | None:
    from napari_mito_predict.models import Target

    if not given:
        return None
    targets = []
    for text in given:
        parts = [part.strip() for part in text.split("=", maxsplit=1)]
        if len(parts) < 2 or not all(parts):
            raise typer.BadParameter(f"'{text}' is not a name and a stain, like nuclei=DAPI")
        targets.append(_validated(Target, f"'{text}' cannot be a target", name=parts[0], stain=parts[1]))
    return tuple(targets)


def _voxel_size(given: tuple[str, str, str] | None) -> tuple[float | None, float | None, float | None] | None:
    if given is None:
        return None
    return _micrometres(given[0]), _micrometres(given[1]), _micrometres(given[2])


def _micrometres(text: str) -> float | None:
    if text.lower() in _UNKNOWN:
        return None
    try:
        size = float(text)
    except ValueError:
        size = -1.0
    if not 0 < size < float("inf"):
        raise typer.BadParameter(f"'{text}' is no size in micrometres; say none where there is no such size")
    return size


def _third_axes(given: list[ThirdAxis] | None) -> Any:
    if not given:
        return None
    if ThirdAxis.NONE in given and len(set(given)) > 1:
        raise typer.BadParameter("a third axis is z, t, or both, or there is none")
    return tuple(dict.fromkeys(str(axis) for axis in given if axis is not ThirdAxis.NONE))


def _normalisation(text: str | None) -> Normalisation | None:
    from napari_mito_predict.models import Normalisation

    if text is None:
        return None
    kind, *numbers = text.lower().split(":", maxsplit=1)
    values = _numbers("".join(numbers))
    if kind == "none" and not values:
        return Normalisation(kind="fixed", offset=0.0, scale=1.0)
    wanted: dict[str, object] = {}
    if kind == "zscore" and len(values) in (0, 2):
        wanted = {"kind": kind, "clip_percentiles": values or None}
    elif kind == "robust" and not values:
        wanted = {"kind": kind}
    elif kind == "range" and len(values) == 2:
        wanted = {"kind": kind, "percentiles": values}
    elif kind == "fixed" and len(values) == 2:
        wanted = {"kind": kind, "offset": values[0], "scale": values[1]}
    if not wanted:
        raise typer.BadParameter(
            f"'{text}' is none of zscore, zscore:0.1,99.9, robust, range:1,99, fixed:0,65535 and none"
        )
    return _validated(Normalisation, f"'{text}' is not possible", **wanted)


def _numbers(text: str) -> tuple[float, ...]:
    """Numbers between commas."""
    if not text:
        return ()
    try:
        return tuple(float(number) for number in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"'{text}' are no numbers with a comma between them, like 1,99") from None


def _validated(make: Callable[..., _T], complaint: str, **values: object) -> _T:
    """Make a part of a card out of what was typed; what it complains of is a mistake in the command."""
    from pydantic import ValidationError

    try:
        return make(**values)
    except ValidationError as error:
        reason = "; ".join(detail["msg"].removeprefix("Value error, ") for detail in error.errors())
        raise typer.BadParameter(f"{complaint}: {reason}") from error
