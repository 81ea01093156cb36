"""``mito-predict evaluate``: how well a prediction matches the truth."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_mito_predict.cli._console import channel_choice, index_or_name, print_json, print_table

if TYPE_CHECKING:
    import numpy as np

    from napari_mito_predict.image import Channel, ImageSource


def evaluate(
    prediction: Annotated[Path, typer.Argument(help="The predicted image, as `mito-predict predict` wrote it.")],
    truth: Annotated[Path, typer.Argument(help="The image with the fluorescence, for example the original CZI.")],
    truth_channel: Annotated[
        str | None,
        typer.Option("--truth-channel", help="Channel of TRUTH: name, number from 0, or role (mitochondria, dna)."),
    ] = None,
    scene: Annotated[str | None, typer.Option("--scene", help="Scene of TRUTH: name or number from 0.")] = None,
    planes: Annotated[bool, typer.Option("--planes", help="Also for each plane.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Compare a prediction with the fluorescence of the same field: PCC, SSIM, R2, NRMSE.

    PCC is the Pearson correlation over all voxels; 1 is perfect, 0 is no relation. SSIM comes in the global form and
    in the usual windowed form (the two are different numbers). R2 and NRMSE compare z-scores, because predicted
    brightness is relative.
    """
    from napari_mito_predict.evaluation import evaluate as score
    from napari_mito_predict.image import open_image

    predicted = open_image(prediction)
    real = open_image(truth, scene=index_or_name(scene))
    channel = real.channel(channel_choice(truth_channel)) if truth_channel else _counterpart(predicted, real)
    a, b = _everything(predicted, 0), _everything(real, channel.index)
    record = {
        "prediction": prediction,
        "truth": truth,
        "truth_channel": channel.name if channel.name is not None else channel.index,
        **asdict(score(a, b)),
    }
    if planes:
        record["planes"] = _per_plane(a, b)
    if json:
        print_json(record)
        return
    print_table(["MEASURE", "VALUE"], [[name, _text(record[name])] for name in record if name != "planes"])
    if planes:
        rows = [[_text(value) for value in row.values()] for row in record["planes"]]
        print_table(["T", "Z", "PCC", "SSIM"], rows)


def _counterpart(predicted: ImageSource, real: ImageSource) -> Channel:
    """The truth channel that belongs to the prediction: the only one, or the one of the same role."""
    from napari_mito_predict.errors import AmbiguousChannelError
    from napari_mito_predict.image import ChannelRole

    if len(real.channels) == 1:
        return real.channels[0]
    role = predicted.channels[0].role
    if role not in (ChannelRole.MITOCHONDRIA, ChannelRole.DNA):
        names = ", ".join(f"{c.index}: {c.name or 'unnamed'}" for c in real.channels)
        raise AmbiguousChannelError(
            f"{real.path}: cannot tell which channel is the truth for '{predicted.channels[0].name}'. "
            f"Choose one with --truth-channel ({names})."
        )
    return real.channel(role)


def _everything(image: ImageSource, channel: int) -> np.ndarray[Any, Any]:
    """All time points of a channel, ``(T, Z, Y, X)``."""
    import numpy as np

    return np.stack([image.read(t, channel) for t in range(image.sizes["T"])])


def _per_plane(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> list[dict[str, float]]:
    from napari_mito_predict.evaluation import pcc, ssim_global

    return [
        {"t": t, "z": z, "pcc": pcc(a[t, z], b[t, z]), "ssim_global": ssim_global(a[t, z], b[t, z])}
        for t in range(a.shape[0])
        for z in range(a.shape[1])
    ]


def _text(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
