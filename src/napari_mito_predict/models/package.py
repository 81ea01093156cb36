"""A model package: a folder, or the same zipped, with card, weights and a self-test.

Opening one never runs code from it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from napari_mito_predict._files import atomic_folder, atomic_write_text
from napari_mito_predict.errors import DamagedModelError, InvalidModelError, UnwritableOutputError
from napari_mito_predict.models.card import ModelCard, TrainingImagesFile, Weights
from napari_mito_predict.models.files import CARD, README, SAMPLE, TRAINING_IMAGES, PackageFiles, open_package
from napari_mito_predict.models.sample import Sample, check_sample, decode_sample
from napari_mito_predict.models.training_images import TrainingImages, from_bytes, to_bytes
from napari_mito_predict.models.weights import check_weights, forward, load_network, to_file

if TYPE_CHECKING:
    from napari_mito_predict.networks import Network

_SELF_TEST_TOLERANCE = 1e-3
"""Largest accepted difference of the self-test, in standard deviations of the output: float32 convolutions of other
processors and torch versions differ by some 1e-5, one wrong layer by about 1."""


@dataclass(frozen=True)
class Model:
    """Network + trained weights + card: the thing a user picks.

    Attributes
    ----------
    name : str
        The card's name.
    card : ModelCard
        What it predicts and expects.
    network : Network
        In evaluation mode, float32, on the CPU. Normalised input ``(N, 1, *spatial)``, output
        ``(N, targets, *spatial)``.
    sample : Sample, optional
        What the package holds for its self-test.
    training_images : TrainingImages, optional
        What the images it was trained on look like; None where nobody knows.
    """

    card: ModelCard
    network: Network
    sample: Sample | None = field(default=None, repr=False, compare=False)
    training_images: TrainingImages | None = field(default=None, repr=False, compare=False)

    @property
    def name(self) -> str:
        """The card's name."""
        return self.card.name

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the predicted structures, in the order of the network's output channels."""
        return tuple(target.name for target in self.card.targets)

    @property
    def voxel_size_um(self) -> tuple[float | None, float | None, float | None]:
        """Sampling ``(z, y, x)`` in micrometres that the model was trained at, see `Input`; z may be ``None``."""
        return self.card.input.voxel_size_um

    @property
    def third_axes(self) -> tuple[Literal["z", "t"], ...]:
        """Which third axes the model was trained for; ``()`` for a 2-D model."""
        return self.card.input.third_axes


def save_model(
    folder: Path,
    card: ModelCard,
    network: Network,
    sample_input: np.ndarray,
    *,
    precision: Literal["float32", "float16"] = "float32",
    pictures: Mapping[str, bytes] | None = None,
    training_images: TrainingImages | None = None,
) -> ModelCard:
    """Write a package: complete, or not at all; an existing one at `folder` is replaced in one step.

    Parameters
    ----------
    folder : Path
        The package; its parent is created.
    card : ModelCard
        Everything but the fingerprints of the weights and of the training images, which are filled in.
    network : Network
        Its state is saved; the network itself is not changed.
    sample_input : ndarray, float32, (C, *spatial)
        A small normalised input, sizes divisible by the network's stride, kept with the output for the self-test.
    precision : {"float32", "float16"}
        Precision of the stored convolution weights. Everything one-dimensional (biases, batch-norm statistics)
        stays float32: it costs nothing, and running variances may underflow in float16.
    pictures : mapping of str to bytes, optional
        PNG files by name, such as the learning curve, which the README shows.
    training_images : TrainingImages, optional
        What the images trained on look like.

    Returns
    -------
    ModelCard
        The card as written, with the fingerprints.

    Raises
    ------
    DamagedModelError
        The network takes no such input.
    InvalidModelError
        The weights are not finite, or the training images are nothing to compare with.
    UnwritableOutputError
        The folder cannot be written.
    """
    folder = Path(folder)
    file, weights = to_file(network, precision)
    content: dict[str, bytes] = {file: weights}
    seen = None
    if training_images is not None:
        content[TRAINING_IMAGES] = to_bytes(training_images)
        seen = TrainingImagesFile(sha256=hashlib.sha256(content[TRAINING_IMAGES]).hexdigest())
    fingerprint = Weights(file=file, sha256=hashlib.sha256(weights).hexdigest())
    card = card.model_copy(update={"weights": fingerprint, "training_images": seen})
    # The self-test holds what a reader of this package will compute, with weights rounded as they are stored.
    reloaded = load_network(card, weights, str(folder))
    given = np.asarray(sample_input, np.float32)
    sample = Sample(given, forward(reloaded, given))
    check_sample(sample, reloaded, folder)
    try:
        with atomic_folder(folder) as temporary:
            _write_package(temporary, card, content, sample, pictures or {})
    except OSError as error:
        raise UnwritableOutputError(
            f"the model could not be written ({error.strerror or error}).", file=folder
        ) from error
    return card


def _write_package(
    folder: Path, card: ModelCard, content: Mapping[str, bytes], sample: Sample, pictures: Mapping[str, bytes]
) -> None:
    folder.mkdir(parents=True)
    for name, part in content.items():
        (folder / name).write_bytes(part)
    np.savez_compressed(folder / SAMPLE, input=sample.given, output=sample.expected)
    for name, picture in pictures.items():
        (folder / name).write_bytes(picture)
    gallery = "".join(f"\n![{Path(name).stem}]({name})\n" for name in pictures)
    atomic_write_text(folder / README, card.to_markdown() + gallery)
    atomic_write_text(folder / CARD, card.to_json())


def read_card(path: Path) -> ModelCard:
    """Read only the card of the package at `path`; needs no torch.

    Raises
    ------
    DamagedModelError
        No package, or no card in it.
    InvalidModelError
        The card is not valid.
    """
    with open_package(path) as files:
        return card_of(files)


def card_of(files: PackageFiles) -> ModelCard:
    """Read the card of a package whose files are at hand; raises what `read_card` does."""
    return ModelCard.from_json(files.read(CARD), source=f"{files.path}{os.sep}{CARD}")


def read_package(path: Path) -> Model:
    """Load the package at `path`, a folder or a zip file.

    Raises
    ------
    DamagedModelError
        A file is missing, or weights or training images are not the ones the card describes.
    InvalidModelError
        The card is not valid, the weights do not fit the network or hold NaN, or the training images are nothing to
        compare with.
    """
    with open_package(path) as files:
        card = card_of(files)
        network = _network(files, card)
        seen = _training_images(files, card, network)
        return Model(card, network, _sample_or_none(files, network), seen)


def _network(files: PackageFiles, card: ModelCard) -> Network:
    """Load the network of a package; what its weights say of themselves is looked at before they are read."""
    file = card.weights.file
    size = files.size(file)
    with files.stream(file) as stream:
        check_weights(card, stream, size, str(files.path))
    weights = files.read(file)
    _require_fingerprint(weights, card.weights.sha256, "the weights", files.path)
    return load_network(card, weights, str(files.path))


def _training_images(files: PackageFiles, card: ModelCard, network: Network) -> TrainingImages | None:
    if card.training_images is None:
        return None
    content = files.read(card.training_images.file)
    _require_fingerprint(content, card.training_images.sha256, "the numbers about its training images", files.path)
    found = from_bytes(content, files.path)
    if len(found.mean) not in (0, network.feature_count):
        raise InvalidModelError(
            f"the numbers about its training images are of {len(found.mean)} features, and its network gives "
            f"{network.feature_count}.",
            file=files.path,
        )
    return found


def _require_fingerprint(content: bytes, wanted: str, what: str, path: Path) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != wanted:
        raise DamagedModelError(
            f"{what} are damaged (SHA-256 {found[:12]}..., the card says {wanted[:12] or 'nothing'}...). Get the model "
            "again from where it came from.",
            file=path,
        )


@dataclass(frozen=True)
class VerifyReport:
    """Outcome of a package's self-test."""

    name: str
    passed: bool
    difference: float
    """Largest difference to the stored output, in standard deviations of that output."""
    message: str


def verify_model(path: Path) -> VerifyReport:
    """Run the self-test of the package at `path`: same fingerprint, and the stored sample gives the stored output.

    Raises
    ------
    DamagedModelError, InvalidModelError
        As `read_package`; or there is no self-test, or it is damaged, or not for this network.
    """
    path = Path(path)
    with open_package(path) as files:
        card = card_of(files)
        network = _network(files, card)
        _training_images(files, card, network)
        given, expected = _sample(files, network)
    try:
        found = forward(network, given)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise DamagedModelError(f"the network cannot take the input of its self-test ({reason}).", file=path) from error
    difference = float(np.abs(found - expected).max() / max(float(expected.std()), 1e-12))
    passed = difference <= _SELF_TEST_TOLERANCE
    if passed:
        verdict = "gives the stored output"
    else:
        verdict = "gives another output than the one stored with it"
    message = f"{card.name} {verdict} (largest difference {difference:.1e} std)."
    return VerifyReport(card.name, passed, difference, message)


def _sample(files: PackageFiles, network: Network) -> Sample:
    sample = decode_sample(files.read(SAMPLE), files.path)
    check_sample(sample, network, files.path)
    return sample


def _sample_or_none(files: PackageFiles, network: Network) -> Sample | None:
    """Read the self-test of a package; None where there is none that fits: predicting needs none."""
    try:
        return _sample(files, network)
    except DamagedModelError:
        return None
