"""Packages of bioimage.io as other programs write them, with tiny networks."""

from __future__ import annotations

import hashlib
import io
import socket
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch import Tensor, nn


@pytest.fixture(autouse=True, scope="session")
def _library() -> None:
    pytest.importorskip("bioimageio.spec", reason="describes packages: pip install napari-mito-predict[bioimageio]")


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks at an address fails the test."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("somebody looked at an address")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


class Tiny(nn.Module):
    """Two convolutions of reach 2; gives as many images as it is told to."""

    def __init__(self, ndim: int = 2, channels: int = 1, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        convolution = {2: nn.Conv2d, 3: nn.Conv3d}[ndim]
        self.first = convolution(1, 4, kernel_size=3, padding=1)
        self.last = convolution(4, channels, kernel_size=3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.relu(self.first(x)))


class Ordered(nn.Module):
    """A network whose axes are in another order, of which some may be missing."""

    def __init__(self, inner: nn.Module, given: str, found: str) -> None:
        super().__init__()
        self.inner = inner
        self.given, self.found = given, found

    def forward(self, x: Tensor) -> Tensor:
        letters = self.given
        for missing in "cb":
            if missing not in letters:
                x, letters = x.unsqueeze(0), missing + letters
        ndim = x.ndim
        order = "bczyx" if "z" in letters else "bcyx"
        y = self.inner(x.permute([letters.index(letter) for letter in order]))
        kept = order
        for letter in "cb":
            if letter not in self.found:
                y = y.select(kept.index(letter), 0)
                kept = kept.replace(letter, "")
        assert ndim == len(order)
        return y.permute([kept.index(letter) for letter in self.found])


NAMES = {"b": "batch", "c": "channel", "z": "z", "y": "y", "x": "x", "t": "time"}


def axis(letter: str, size: Any, channels: int = 1, halo: int = 0, reference: bool = False) -> dict[str, Any]:
    """One axis of a description of format 0.5."""
    if letter == "b":
        return {"type": "batch"}
    if letter == "c":
        return {"type": "channel", "channel_names": [f"channel{i}" for i in range(channels)]}
    described: dict[str, Any] = {"type": "time" if letter == "t" else "space", "id": NAMES[letter]}
    described["size"] = {"tensor_id": "raw", "axis_id": NAMES[letter]} if reference else size
    if halo:
        described["halo"] = halo
    return described


class PackageMaker:
    """Writes packages: what is not said is that of a plain 2-D network in TorchScript."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def description(
        self,
        *,
        letters: str = "bcyx",
        out_letters: str | None = None,
        size: Any = None,
        channels: int = 1,
        halo: int = 0,
        preprocessing: list[dict[str, Any]] | None = None,
        postprocessing: list[dict[str, Any]] | None = None,
    ) -> dict[str, Any]:
        size = size or {"min": 8, "step": 4}
        given = [axis(letter, size) for letter in letters]
        found = []
        for letter in out_letters or letters:
            is_spatial = letter in "zyxt"
            reference = is_spatial and (halo > 0 or isinstance(size, dict))
            found.append(axis(letter, size, channels, halo * (letter in "yx"), reference))
        z_score = {"id": "zero_mean_unit_variance", "kwargs": {"axes": [NAMES[x] for x in letters if x != "b"]}}
        return {
            "format_version": "0.5.3",
            "type": "model",
            "name": "A tiny model",
            "description": "Finds nothing.",
            "authors": [{"name": "Jane Doe"}],
            "license": "MIT",
            "cite": [{"text": "Doe 2026", "doi": "10.1000/1"}],
            "documentation": "README.md",
            "inputs": [
                {
                    "id": "raw",
                    "axes": given,
                    "test_tensor": {"source": "test_input.npy"},
                    "preprocessing": [z_score] if preprocessing is None else preprocessing,
                }
            ],
            "outputs": [
                {
                    "id": "membrane",
                    "axes": found,
                    "test_tensor": {"source": "test_output.npy"},
                    "postprocessing": postprocessing or [],
                }
            ],
            "weights": {"torchscript": {"source": "weights.pt", "pytorch_version": "2.1.0"}},
        }

    def files(
        self,
        network: nn.Module,
        description: dict[str, Any],
        given: np.ndarray,
        process: Callable[[Tensor], Tensor] | None = None,
        after: Callable[[Tensor], Tensor] | None = None,
    ) -> dict[str, bytes]:
        """All files of a package; `process` and `after` are what the description says in words."""
        prepared = torch.from_numpy(given.astype(np.float32))
        prepared = (process or z_score)(prepared)
        with torch.inference_mode():
            found = network(prepared)
            if after is not None:
                found = after(found)
        weights = traced(network, prepared)
        description["weights"].setdefault("torchscript", {})
        return {
            "rdf.yaml": yaml.safe_dump(description, sort_keys=False).encode(),
            "weights.pt": weights,
            "test_input.npy": npy(given),
            "test_output.npy": npy(found.numpy()),
            "README.md": b"# Validation\n",
        }

    def write(self, files: dict[str, bytes], name: str = "tiny.zip") -> Path:
        path = self.folder / name
        with zipfile.ZipFile(path, "w") as archive:
            for member, content in files.items():
                archive.writestr(member, content)
        return path

    def make(self, network: nn.Module | None = None, given: np.ndarray | None = None, **described: Any) -> Path:
        """A sound package."""
        process, after = described.pop("process", None), described.pop("after", None)
        description = self.description(**described)
        if given is None:
            given = noise((1, 1, 24, 32))
        return self.write(self.files(network or Tiny(), description, given, process, after))


def noise(shape: tuple[int, ...], seed: int = 1) -> np.ndarray:
    """A raw image with some structure."""
    values = np.random.default_rng(seed).normal(1000, 120, shape)
    return (values + 300 * np.sin(np.arange(shape[-1]) / 3)).astype(np.float32)


def z_score(values: Tensor) -> Tensor:
    return (values - values.mean()) / values.std(correction=0)


def traced(network: nn.Module, example: Tensor) -> bytes:
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(network.eval(), example), stream)
    return stream.getvalue()


def scripted(network: nn.Module) -> bytes:
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(network.eval()), stream)
    return stream.getvalue()


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def packages(tmp_path: Path) -> PackageMaker:
    return PackageMaker(tmp_path)


@pytest.fixture(scope="session")
def tools() -> Any:
    """What tests of this folder build packages with."""
    from types import SimpleNamespace

    return SimpleNamespace(
        Tiny=Tiny, Ordered=Ordered, noise=noise, z_score=z_score, traced=traced, scripted=scripted, npy=npy,
        sha256=sha256,
    )  # fmt: skip
