"""From network to model package: the card, and how well the model does on fields it never saw."""

from __future__ import annotations

import datetime
from importlib import metadata
from typing import TYPE_CHECKING

import numpy as np

from napari_mito_predict.evaluation import evaluate
from napari_mito_predict.image import ChannelRole
from napari_mito_predict.models import (
    Architecture,
    Input,
    Model,
    ModelCard,
    Target,
    Training,
    load_model,
    save_model,
)
from napari_mito_predict.prediction import predict
from napari_mito_predict.training.config import NetworkConfig
from napari_mito_predict.training.pairs import load_pairs

if TYPE_CHECKING:
    from napari_mito_predict.networks import Network
    from napari_mito_predict.training.config import TrainingConfig
    from napari_mito_predict.training.data import TrainingData
    from napari_mito_predict.training.run import Run

_COLORMAPS = {ChannelRole.MITOCHONDRIA: "magenta", ChannelRole.DNA: "cyan"}
_DEFAULT_LIMITS = (-0.5, 6.0)
_SHOWN_PERCENTILES = (25.0, 99.8)
_SAMPLE = {2: (128, 128), 3: (16, 48, 48)}


def export_model(
    run: Run, config: TrainingConfig, data: TrainingData, network: Network | None = None, iteration: int | None = None
) -> None:
    """Write the best model so far as a package; without `network`, finish the one there with its test results.

    Parameters
    ----------
    run, config, data
        The run.
    network : Network, optional
        A better network than the one kept so far, at `iteration`.
    iteration : int, optional
        Where `network` comes from.
    """
    if network is not None:
        save_model(
            run.model_folder,
            _card(config, data, network, iteration or 0),
            network,
            _sample(data, network),
            precision=config.weights_precision,
        )
        return
    model = run.model
    metrics, limits = _test(model, config, data)
    targets = tuple(t.model_copy(update={"contrast_limits": limits[t.name]}) for t in model.card.targets)
    card = model.card.model_copy(update={"metrics": metrics, "targets": targets})
    save_model(run.model_folder, card, model.network, _sample(data, model.network), precision=config.weights_precision)


def _card(config: TrainingConfig, data: TrainingData, network: Network, iteration: int) -> ModelCard:
    shape = config.network or NetworkConfig()
    start = load_model(config.start_from).card if config.start_from else None
    architecture = (
        start.architecture
        if start
        else Architecture(kind=shape.kind, arguments=shape.arguments(data.ndim, data.targets))
    )
    step = {data.third_axis: data.third_axis_step} if data.third_axis and data.third_axis_step else {}
    stains = ", ".join(data.stains)
    return ModelCard(
        name=config.name,
        title=config.title or f"{stains} from transmitted light",
        targets=tuple(
            Target(name=name, stain=stain, colormap=_COLORMAPS.get(role, "gray"), contrast_limits=_DEFAULT_LIMITS)
            for name, stain, role in zip(config.targets, data.stains, data.roles, strict=True)
        ),
        architecture=architecture,
        input=Input(
            voxel_size_um=data.voxel_size_um,
            third_axes=(data.third_axis,) if data.third_axis else (),
            third_axis_step=step,
        ),
        training=Training(
            data="simulated cells" if data.simulated else "pairs of the user's own",
            pairs=len(data.fields.training),
            iterations=iteration,
            code_version=metadata.version("napari-mito-predict"),
            date=datetime.date.today().isoformat(),
            start_from=start.name if start else None,
            notes=""
            if data.fields.validation
            else "Too few fields for validation: the best model was chosen on training fields.",
        ),
        simulated=data.simulated,
    )


def _sample(data: TrainingData, network: Network) -> np.ndarray:
    """A small piece of a validation field for the package's self-test, sizes divisible by the network's stride."""
    volume = data.validation[0].input
    size = [
        max(s, min(w, n) // s * s) for w, n, s in zip(_SAMPLE[network.ndim], volume.shape, network.stride, strict=True)
    ]
    pads = [(0, max(0, want - have)) for want, have in zip(size, volume.shape, strict=True)]
    padded = np.pad(volume, pads, mode="symmetric")
    sample: np.ndarray = padded[tuple(slice(n) for n in size)][None].astype(np.float32)
    return sample


def _test(
    model: Model, config: TrainingConfig, data: TrainingData
) -> tuple[dict[str, dict[str, float]], dict[str, tuple[float, float]]]:
    """Scores on the test fields, predicted as a user would, and a display range for each target."""
    paths = data.fields.test or data.fields.validation or data.fields.training
    scores: dict[str, list[tuple[float, float]]] = {name: [] for name in model.targets}
    shown: dict[str, list[np.ndarray]] = {name: [] for name in model.targets}
    for path in paths:
        for pair in load_pairs(path, config, data.voxel_size_um):
            result = predict(pair.input.astype(np.float32), model, voxel_size_um=data.voxel_size_um)
            for name, truth in zip(model.targets, pair.truth, strict=True):
                score = evaluate(result[name].data, truth)
                scores[name].append((score.pcc, score.ssim_global))
                shown[name].append(np.percentile(result[name].data, _SHOWN_PERCENTILES))
    label = "test fields" if data.fields.test else "training fields"
    rows = {
        f"{name}, {label}": {
            "pcc": float(np.mean(s, axis=0)[0]),
            "ssim_global": float(np.mean(s, axis=0)[1]),
            "fields": len(paths),
        }
        for name, s in scores.items()
    }
    limits = {name: (float(np.mean(v, axis=0)[0]), float(np.mean(v, axis=0)[1])) for name, v in shown.items()}
    return rows, limits
