"""From network to model package: the card, and how well the model does on fields it never saw."""

from __future__ import annotations

import datetime
import logging
from collections import defaultdict
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mito_predict.errors import ModelError
from napari_mito_predict.image import ChannelRole
from napari_mito_predict.models import Architecture, Input, Model, ModelCard, Target, Training, save_model
from napari_mito_predict.models.card_values import LONGEST_LINE, MOST_FIELDS_SEEN
from napari_mito_predict.prediction.appearance import MOST_VOLUMES
from napari_mito_predict.training.config_parts import NetworkConfig
from napari_mito_predict.training.inherited import terms_of
from napari_mito_predict.training.pictures import draw_curve, draw_example
from napari_mito_predict.training.scoring import OURS, Row, Scorer, comparable, model_tests, summarise, write_rows
from napari_mito_predict.training.split import describe_groups
from napari_mito_predict.training.start import start_model
from napari_mito_predict.training.summary import look_at_pair, training_images_of
from napari_mito_predict.training.validation import predict_pair

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_mito_predict.networks import Network
    from napari_mito_predict.prediction.appearance import Look
    from napari_mito_predict.training.config import TrainingConfig
    from napari_mito_predict.training.data import FieldReader, TrainingData
    from napari_mito_predict.training.pairs import Pair
    from napari_mito_predict.training.run import Run

_log = logging.getLogger(__name__)

_COLORMAPS = {ChannelRole.MITOCHONDRIA: "magenta", ChannelRole.DNA: "cyan"}
_DEFAULT_LIMITS = (-0.5, 6.0)
_SHOWN_PERCENTILES = (25.0, 99.8)
_TRAINED_ON = "fields trained on"
_TEST_FIELDS = "test fields"
_SAMPLE = {2: (128, 128), 3: (16, 48, 48)}


def make_card(config: TrainingConfig, data: TrainingData, iteration: int) -> ModelCard:
    """The card of a model trained so far, without scores."""
    shape = config.network or NetworkConfig()
    terms = terms_of(config)
    start = None
    start_from = None
    if config.start_from is None:
        architecture = Architecture(kind=shape.kind, arguments=shape.arguments(data.ndim, data.targets))
    else:
        start = start_model(config.start_from, data.ndim).card
        architecture = start.architecture
        start_from = start.name
    origin = "pairs of the user's own"
    if data.simulated:
        origin = "simulated cells"
    notes = []
    every = len(data.fields.training + data.fields.validation + data.fields.test)
    for model, fields in data.truth_predicted_by.items():
        notes.append(f"The truth of {fields} of {every} fields is itself a prediction by {model}.")
    if config.split.by is not None:
        groups = describe_groups(data.fields.groups.values())
        notes.append(f"Fields that belong together stayed in one part ({groups}).")
    if any(finding.code == "shared-pixels" for finding in data.findings):
        notes.append("Fields of different parts share pixels: the scores are too good.")
    if not data.fields.validation and config.select == "best":
        notes.append("Too few fields for validation: the best model was chosen on strips of them.")
    if config.select == "last":
        notes.append("The state after the last iteration, not chosen by any score.")
    return ModelCard(
        name=config.name,
        title=config.title or f"{', '.join(data.stains)} from transmitted light"[:LONGEST_LINE],
        targets=_targets(config, data),
        architecture=architecture,
        input=_input(data, start),
        training=Training(
            data=origin,
            pairs=len(data.fields.training),
            iterations=iteration,
            code_version=metadata.version("napari-mito-predict"),
            date=datetime.date.today().isoformat(),
            start_from=start_from,
            notes=" ".join(notes),
            fields_seen=_seen(data, start),
        ),
        licence=terms.licence,
        authors=terms.authors,
        attribution=terms.attribution,
        simulated=data.simulated,
    )


def _seen(data: TrainingData, start: ModelCard | None) -> tuple[str, ...] | None:
    """Digests of what this model, and the one it started from, learned from or were chosen by."""
    seen = set(data.channels_seen)
    if start is not None:
        seen.update(start.training.fields_seen or ())
    if not seen or len(seen) > MOST_FIELDS_SEEN:
        return None
    return tuple(sorted(seen))


def _targets(config: TrainingConfig, data: TrainingData) -> tuple[Target, ...]:
    found = []
    for name, stain, role in zip(config.targets, data.stains, data.roles, strict=True):
        colormap = _COLORMAPS.get(role, "gray")
        stain = stain[:LONGEST_LINE]  # it is the name of a channel, which may be of any length
        found.append(Target(name=name, stain=stain, colormap=colormap, contrast_limits=_DEFAULT_LIMITS))
    return tuple(found)


def _input(data: TrainingData, start: ModelCard | None) -> Input:
    """What the model expects to see: images like those trained on; what these do not know, as its start model does."""
    known: dict[str, Any] = {}
    if start is not None:
        known["modality"] = start.input.modality
        known["normalisation"] = start.input.normalisation
        if data.sampling.voxel_size_um[1] is None:
            known["estimated_pixel_um"] = start.input.estimated_pixel_um
    if data.modality:
        known["modality"] = data.modality
    return Input(
        voxel_size_um=data.sampling.voxel_size_um,
        third_axes=data.sampling.third_axes,
        third_axis_step=data.sampling.steps,
        **known,
    )


def save_best(run: Run, config: TrainingConfig, data: TrainingData, model: Model) -> None:
    """Write the best model so far."""
    save_model(
        run.model_folder, model.card, model.network, _sample(data, model.network), precision=config.weights_precision
    )


def finish_model(run: Run, config: TrainingConfig, data: TrainingData, reader: FieldReader) -> ModelCard:
    """Score the best model on the test fields, and write these scores, the curve and an example into the package.

    Beside it stand, on the same fields, the model it started from and what needs no network. `test.csv` holds all
    scores of each image. What the images trained on look like is summed up here, and not for `save_best`, which goes on
    all the time.
    """
    model = run.model
    rivals = {OURS: model, **_start_model(config, model)}
    label, pairs = _test_pairs(config, reader, data)
    scorer = Scorer.of(data, model.targets)
    rows: list[Row] = []
    shown: dict[str, list[np.ndarray]] = defaultdict(list)
    example: tuple[Pair, np.ndarray] | None = None
    looks: list[Look] = []
    for pair in pairs:
        if label == _TEST_FIELDS and len(looks) < MOST_VOLUMES:
            looks.append(look_at_pair(pair, data, model.network))
        for rival, candidate in rivals.items():
            predicted = predict_pair(candidate, pair, data.sampling.voxel_size_um, config.precision)
            rows += scorer.rows(pair, rival, predicted)
            if rival == OURS:
                for name, prediction in zip(model.targets, predicted, strict=True):
                    shown[name].append(np.percentile(prediction, _SHOWN_PERCENTILES))
            example = example or (pair, predicted)
        rows += scorer.baseline_rows(pair)
    rows = comparable(rows)
    write_rows(run.path / "test.csv", rows)
    card = model.card.model_copy(
        update={
            "metrics": summarise(rows, label),
            "tests": model_tests(rows, label) if label != _TRAINED_ON else (),
            "targets": tuple(_with_limits(target, shown.get(target.name)) for target in model.card.targets),
        }
    )
    pictures = {"curve.png": draw_curve(run.metrics)}
    if example:
        pictures["example.png"] = draw_example(*example, model.targets)
    return save_model(
        run.model_folder,
        card,
        model.network,
        _sample(data, model.network),
        precision=config.weights_precision,
        pictures=pictures,
        training_images=training_images_of(data, model.network, looks),
    )


def _with_limits(target: Target, percentiles: list[np.ndarray] | None) -> Target:
    """`target` with the mean of the shown percentiles of its predictions as contrast limits, where there are any."""
    if percentiles is None:
        return target
    limits = tuple(np.mean(percentiles, axis=0).tolist())
    return target.model_copy(update={"contrast_limits": limits})


def _start_model(config: TrainingConfig, model: Model) -> dict[str, Model]:
    """The model it started from, where that predicts the same and is still there."""
    if not config.start_from:
        return {}
    try:
        start = start_model(config.start_from, model.network.ndim)
    except ModelError as error:
        _log.warning("The start model is left out of the comparison. %s", error)
        return {}
    if start.targets != model.targets:
        return {}
    return {f"start model {start.name}": start}


def _test_pairs(config: TrainingConfig, reader: FieldReader, data: TrainingData) -> tuple[str, Iterator[Pair]]:
    """Volumes of the test fields, read now for the first time since the checks; else those validated on."""
    if not data.fields.test and not data.fields.validation and config.select == "last":
        return _TRAINED_ON, iter(data.validation)
    if not data.fields.test:
        return "validation fields", iter(data.validation)

    def read() -> Iterator[Pair]:
        for field in data.fields.test:
            pairs, report = reader.read(field)
            if not report.usable:
                _log.warning("Test field %s is left out: %s", field.name, report.findings[-1].message)
            yield from pairs

    return _TEST_FIELDS, read()


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
