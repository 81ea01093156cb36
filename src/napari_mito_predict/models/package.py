"""A model package: a folder, or the same zipped, with card, weights and a self-test.

Opening one never runs code from it.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import uuid
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

import numpy as np

from napari_mito_predict._files import atomic_write_text
from napari_mito_predict.errors import DamagedModelError, InvalidModelError, UnwritableOutputError
from napari_mito_predict.models.card import ModelCard, Weights

if TYPE_CHECKING:
    import torch
    from torch import nn

    from napari_mito_predict.networks import Network

CARD = "model.json"
WEIGHTS = "weights.safetensors"
README = "README.md"
SAMPLE = "sample.npz"
_LARGEST = {CARD: 1 << 20, WEIGHTS: 4 << 30, SAMPLE: 64 << 20}
_SELF_TEST_TOLERANCE = 1e-3
"""Largest accepted difference of the self-test, in standard deviations of the output: float32 convolutions of other
processors and torch versions differ by some 1e-5, one wrong layer by about 1."""


class Sample(NamedTuple):
    """A small normalised input ``(C, *spatial)``, and the float32 output ``(targets, *spatial)`` that belongs to it."""

    given: np.ndarray
    expected: np.ndarray


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
    """

    card: ModelCard
    network: Network
    sample: Sample | None = field(default=None, repr=False, compare=False)

    @property
    def name(self) -> str:
        """The card's name."""
        return self.card.name

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the predicted structures, in the order of the network's output channels."""
        return tuple(target.name for target in self.card.targets)

    @property
    def voxel_size_um(self) -> tuple[float | None, float, float]:
        """Sampling ``(z, y, x)`` in micrometres that the model was trained at; z may be ``None``."""
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
) -> ModelCard:
    """Write a package: complete, or not at all; an existing one at `folder` is replaced in one step.

    Parameters
    ----------
    folder : Path
        The package; its parent is created.
    card : ModelCard
        Everything but the weights' fingerprint, which is filled in.
    network : Network
        Its state is saved; the network itself is not changed.
    sample_input : ndarray, float32, (C, *spatial)
        A small normalised input, sizes divisible by the network's stride, kept with the output for the self-test.
    precision : {"float32", "float16"}
        Precision of the stored convolution weights. Everything one-dimensional (biases, batch-norm statistics)
        stays float32: it costs nothing, and running variances may underflow in float16.
    pictures : mapping of str to bytes, optional
        PNG files by name, such as the learning curve, which the README shows.

    Returns
    -------
    ModelCard
        The card as written, with the SHA-256 of the weights.

    Raises
    ------
    UnwritableOutputError
        The folder cannot be written.
    """
    from safetensors.torch import save

    folder = Path(folder)
    module = cast("nn.Module", network)
    tensors = {name: _stored(tensor, precision) for name, tensor in module.state_dict().items()}
    weights = save(tensors, metadata={"format": "pt"})
    card = card.model_copy(update={"weights": Weights(sha256=hashlib.sha256(weights).hexdigest())})
    reloaded = _network(card, weights, str(folder))
    sample = np.asarray(sample_input, np.float32)
    temporary = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        temporary.mkdir(parents=True)
        (temporary / WEIGHTS).write_bytes(weights)
        np.savez_compressed(temporary / SAMPLE, input=sample, output=_forward(reloaded, sample))
        for name, content in (pictures or {}).items():
            (temporary / name).write_bytes(content)
        shown = "".join(f"\n![{Path(name).stem}]({name})\n" for name in pictures or {})
        atomic_write_text(temporary / README, card.to_markdown() + shown)
        atomic_write_text(temporary / CARD, card.to_json())
        _swap(temporary, folder)
    except OSError as error:
        raise UnwritableOutputError(f"{folder}: the model could not be written ({error.strerror or error}).") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return card


def read_card(path: Path) -> ModelCard:
    """Read only the card of the package at `path`; needs no torch.

    Raises
    ------
    DamagedModelError
        No package, or no card in it.
    InvalidModelError
        The card is not valid.
    """
    return ModelCard.from_json(_read(path, CARD), source=f"{path}{os.sep}{CARD}")


def read_package(path: Path) -> Model:
    """Load the package at `path`, a folder or a zip file.

    Raises
    ------
    DamagedModelError
        A file is missing, or the weights are not the ones the card describes.
    InvalidModelError
        The card is not valid, the weights do not fit the network, or they hold NaN.
    """
    card = read_card(path)
    weights = _read(path, card.weights.file)
    found = hashlib.sha256(weights).hexdigest()
    if found != card.weights.sha256:
        raise DamagedModelError(
            f"{path}: the weights are damaged (SHA-256 {found[:12]}..., the card says "
            f"{card.weights.sha256[:12] or 'nothing'}...). Get the model again from where it came from."
        )
    return Model(card, _network(card, weights, str(path)), _sample(path))


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
        As `read_package`.
    """
    model = read_package(path)
    given, expected = _read_sample(path)
    found = _forward(model.network, given)
    difference = float(np.abs(found - expected).max() / max(float(expected.std()), 1e-12))
    passed = difference <= _SELF_TEST_TOLERANCE
    verdict = "gives the stored output" if passed else "gives another output than the one stored with it"
    return VerifyReport(
        model.name, passed, difference, f"{model.name} {verdict} (largest difference {difference:.1e} std)."
    )


def _read_sample(path: Path) -> Sample:
    with np.load(io.BytesIO(_read(path, SAMPLE)), allow_pickle=False) as sample:
        return Sample(sample["input"], sample["output"])


def _sample(path: Path) -> Sample | None:
    """The sample, or None where it is missing or unreadable: only a self-test needs it."""
    try:
        return _read_sample(path)
    except (DamagedModelError, ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile, zlib.error):
        return None


def _stored(tensor: torch.Tensor, precision: str) -> torch.Tensor:
    import torch

    tensor = tensor.detach().cpu().contiguous()
    if precision == "float16" and tensor.is_floating_point() and tensor.ndim > 1:
        return tensor.to(torch.float16)
    return tensor.clone()


def _network(card: ModelCard, weights: bytes, source: str) -> Network:
    """Build the card's network and fill it, strictly."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load

    from napari_mito_predict.networks import build_network

    try:
        tensors = load(weights)
    except SafetensorError as error:
        raise DamagedModelError(f"{source}: the weights cannot be read ({error}).") from error
    network = build_network(card.architecture.kind, card.architecture.arguments)
    module = cast("nn.Module", network)
    wanted = {name: tuple(t.shape) for name, t in module.state_dict().items()}
    given = {name: tuple(t.shape) for name, t in tensors.items()}
    wrong = sorted(n for n in wanted.keys() | given.keys() if wanted.get(n) != given.get(n))
    if wrong:
        raise InvalidModelError(
            f"{source}: weights do not fit the network; first of {len(wrong)}: {', '.join(wrong[:5])}."
        )
    if network.out_channels != len(card.targets):
        raise InvalidModelError(
            f"{source}: {network.out_channels} outputs but {len(card.targets)} targets on the card."
        )
    if any(t.is_floating_point() and not bool(torch.isfinite(t).all()) for t in tensors.values()):
        raise InvalidModelError(f"{source}: the weights hold NaN or infinite numbers.")
    module.load_state_dict({n: t.float() if t.is_floating_point() else t for n, t in tensors.items()}, strict=True)
    module.eval().requires_grad_(False)
    return network


def _forward(network: Network, sample: np.ndarray) -> np.ndarray:
    import torch

    with torch.inference_mode():
        output: np.ndarray = network(torch.from_numpy(np.ascontiguousarray(sample))[None])[0].float().numpy()
    return output


def _read(path: Path, member: str) -> bytes:
    """One file of a package, with a bound on its size; a zip file is read in place and never unpacked."""
    path = Path(path)
    try:
        if path.is_dir():
            file = path / member
            if not file.is_file():
                raise DamagedModelError(f"{path}: not a complete model package, '{member}' is missing.")
            size, content = file.stat().st_size, file.read_bytes
        elif zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                if member not in archive.namelist():
                    raise DamagedModelError(f"{path}: not a complete model package, '{member}' is missing.")
                size, content = archive.getinfo(member).file_size, lambda: zipfile.ZipFile(path).read(member)
        else:
            raise DamagedModelError(f"{path}: neither a model folder nor a zipped one.")
        if size > _LARGEST[member]:
            raise DamagedModelError(f"{path}: '{member}' is larger than a model may be ({size:,} bytes).")
        return content()
    except (OSError, zipfile.BadZipFile) as error:
        raise DamagedModelError(f"{path}: '{member}' could not be read ({error}).") from error


def _swap(new: Path, final: Path) -> None:
    """Put the finished folder `new` in place; a reader sees the old package or the new one, never a mixture."""
    if not final.exists():
        os.replace(new, final)
        return
    old = final.with_name(f".{final.name}.{uuid.uuid4().hex[:8]}.old")
    os.replace(final, old)
    try:
        os.replace(new, final)
    except OSError:
        os.replace(old, final)
        raise
    shutil.rmtree(old, ignore_errors=True)
