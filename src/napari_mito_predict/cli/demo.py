"""``mito-predict demo``: from the sample CZI to predictions, their correlation with the truth, and napari."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_mito_predict.cli._console import json_text, prepare_folder, print_table, progress, say
from napari_mito_predict.cli._display import has_display, install_line, missing_packages, virtual_display

if TYPE_CHECKING:
    from napari_mito_predict.image import ImageSource
    from napari_mito_predict.models import Model
    from napari_mito_predict.prediction import Prediction

_MODELS = ("mito-z", "dna-z")
_PICTURE_SECONDS = 300
"""A napari that has taken no picture by then hangs."""


def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the results; made if missing.")
    ] = Path("demo-output"),
    window: Annotated[
        bool, typer.Option("--window/--no-window", help="Show napari; without a screen, take its picture.")
    ] = True,
) -> None:
    """Predict mitochondria and DNA in the sample that comes with the package, and show them in napari.

    DIR then holds both predictions as OME-TIFF, their Pearson correlation with the truth (pcc.json), and a picture
    of the napari window (napari.png). With a screen, napari stays open until you close it.
    """
    from napari_mito_predict._files import atomic_write_text
    from napari_mito_predict.image import open_image
    from napari_mito_predict.models import load_model

    prepare_folder(output)
    sample = open_image(sample_file())
    models = [load_model(name) for name in _MODELS]
    scores = _predict(sample, models, output)
    atomic_write_text(output / "pcc.json", json_text(scores) + "\n")
    rows = [[target, str(score["model"]), f"{score['pcc']:.3f}"] for target, score in scores.items()]
    print_table(["TARGET", "MODEL", "PCC"], rows)
    say("PCC is the Pearson correlation with the simulated truth, over the whole stack.")
    say(next((model.card.disclaimer for model in models if model.card.disclaimer), ""))
    if window:
        _show(output)


def sample_file() -> Path:
    """The simulated CZI that comes with the package."""
    return Path(str(files("napari_mito_predict") / "_sample" / "simulated_cell.czi"))


def _predict(sample: ImageSource, models: list[Model], output: Path) -> dict[str, dict[str, object]]:
    """Write the predictions; returns target -> model, file, PCC."""
    from napari_mito_predict.evaluation import pcc
    from napari_mito_predict.image import ChannelRole
    from napari_mito_predict.prediction import predict

    with progress("Predicting") as on_progress:
        predictions: dict[str, Prediction] = predict(sample, models, on_progress=on_progress)
    scores: dict[str, dict[str, object]] = {}
    for target, prediction in predictions.items():
        path = output / f"{sample.name}_{target}.ome.tif"
        prediction.save(path, overwrite=True)
        truth = sample.read(channel=ChannelRole(target))
        scores[target] = {"pcc": pcc(prediction.data, truth), "model": prediction.model, "file": path.name}
        say(f"Wrote {path}")
    return scores


def _show(output: Path) -> None:
    """Open napari on the results in a process of its own, on this screen or on one without a monitor."""
    if find_spec("napari") is None:
        say("napari is not installed here, so there is no picture of it. To install: pip install 'napari[pyqt6]'")
        return
    picture = output / "napari.png"
    if has_display():
        say("napari is opening. Close its window to end the demo.")
        _run_napari(output, picture, environment=dict(os.environ), stay=True)
        return
    missing = missing_packages()
    if missing:
        say(f"No screen here, and no picture of napari either: this machine lacks {', '.join(missing)}. To install:")
        say(f"    {install_line(missing)}")
        return
    with virtual_display() as display:
        environment = {**os.environ, "DISPLAY": display, "QT_QPA_PLATFORM": "xcb"}
        _run_napari(output, picture, environment=environment, stay=False)


def _run_napari(output: Path, picture: Path, *, environment: dict[str, str], stay: bool) -> None:
    command = [
        sys.executable,
        "-m",
        "napari_mito_predict._widgets.contributions.demo_window",
        str(sample_file()),
        str(output),
    ]
    command += ["--picture", str(picture)]
    timeout: float | None = _PICTURE_SECONDS
    if stay:  # until somebody closes the window
        command.append("--stay")
        timeout = None
    try:
        subprocess.run(command, env=environment, check=True, timeout=timeout)
    except subprocess.SubprocessError as error:
        say("The predictions are written, but napari could not show them; what it said is above.")
        raise typer.Exit(1) from error
    say(f"Wrote {picture}")
