"""How fast training is, beside a plain loop of the kind pytorch_fnet has; ratios within one run, on this processor.

    python benchmarks/training_speed.py [--base-channels 32] [--batch 4] [--iterations 6] [--output speed.json]

All loops train the same network (U-Net of depth 4) on patches of 32 x 64 x 64 voxels. The plain loop was written from
a description of pytorch_fnet's: whole images in memory, a random patch of a random image through torch's DataLoader in
the main process, float32 in torch's default memory layout, mean squared error, Adam, the loss read each iteration.
"Inside" is the share of the loop's time spent in the network, its loss, gradients and optimiser.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from napari_mito_predict.networks.unet import UNet
from napari_mito_predict.training import TrainingConfig
from napari_mito_predict.training.data import FieldReader, load_data
from napari_mito_predict.training.devices import make_fabric
from napari_mito_predict.training.heartbeat import Heartbeat
from napari_mito_predict.training.run import Run
from napari_mito_predict.training.store import PairStore
from napari_mito_predict.training.trainer import Trainer

PATCH = (32, 64, 64)


def main() -> None:
    """Print iterations per second, ratio to the plain loop, and the share inside the network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base-channels", type=int, default=32)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--iterations", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=2, help="loops take turns, the best round counts")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        fields = write_fields(Path(folder))
        loops = {
            "plain loop, float32": lambda i: plain_loop(fields, options),
            "ours, float32": lambda i: our_loop(Path(folder) / f"32-{i}", fields, options, "32"),
            "ours, automatic precision": lambda i: our_loop(Path(folder) / f"auto-{i}", fields, options, "auto"),
        }
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in loops}
        for i in range(options.rounds):
            for name, loop in loops.items():
                found[name].append(loop(i))
    best = {name: max(values) for name, values in found.items()}
    plain = best["plain loop, float32"][0]
    rows = {
        name: {"iterations_per_s": rate, "ratio": rate / plain, "inside": inside}
        for name, (rate, inside) in best.items()
    }
    print(f"{torch.get_num_threads()} threads, width {options.base_channels}, batch {options.batch}")
    for name, row in rows.items():
        print(f"{name:28} {row['iterations_per_s']:.3f} it/s  x {row['ratio']:.2f}  inside {100 * row['inside']:.1f} %")
    if options.output:
        options.output.write_text(
            json.dumps(vars(options) | {"output": None, "rows": rows}, indent=1), encoding="utf-8"
        )


def write_fields(folder: Path) -> list[Path]:
    """Four random fields of 40 x 256 x 256 voxels: speed does not depend on what they show."""
    paths = []
    for i in range(4):
        path = folder / f"field{i}.ome.tif"
        data = np.random.default_rng(i).integers(0, 4000, (2, 40, 256, 256)).astype(np.uint16)
        sizes = {f"PhysicalSize{axis}": 0.1 for axis in "ZYX"} | {f"PhysicalSize{axis}Unit": "µm" for axis in "ZYX"}
        tifffile.imwrite(path, data, ome=True, metadata={"axes": "CZYX", "Channel": {"Name": ["TL", "TMRM"]}, **sizes})
        paths.append(path)
    return paths


def our_loop(folder: Path, fields: list[Path], options: argparse.Namespace, precision: str) -> tuple[float, float]:
    """Iterations per second and share inside, of the loop behind `mito-predict train`, after one to warm up."""
    config = TrainingConfig.parse(
        {
            "targets": {"mitochondria": "TMRM"},
            "data": {"files": [str(path) for path in fields]},
            "network": {"depth": 4, "base_channels": options.base_channels},
            "augment": {"flip": True, "noise": 0.3, "blur": 0.8, "intensity": 0.2},
            "split": {"test": 0, "validation": 0},
            "patch": PATCH,
            "batch_size": options.batch,
            "iterations": options.iterations + 1,
            "validate_every": 1_000_000,
            "precision": precision,
            "output": str(folder),
        }
    )
    run = Run.create(config)
    fabric = make_fabric(config)
    fabric.launch()
    data = load_data(FieldReader(config, look_for_shifts=False), PairStore(None))
    trainer = _Timed(run, config, data, fabric, Heartbeat(run, silent=True))
    trainer.fit()
    return trainer.rate, trainer.inside


class _Timed(Trainer):
    """The trainer, with a clock: validations are left out, the first iteration too."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._inside: list[float] = []
        self._ends: list[float] = []

    def _validate(self) -> None:
        """Validate nothing; at the end, wait for a device that is still computing."""
        self.progress.validated_at = self.progress.iteration
        if self._ends and torch.cuda.is_available():
            torch.cuda.synchronize()
            self._ends[-1] = time.perf_counter()

    def _step(self, batch: Any) -> None:
        began = time.perf_counter()
        super()._step(batch)
        self._ends.append(time.perf_counter())
        self._inside.append(self._ends[-1] - began)

    @property
    def rate(self) -> float:
        return (len(self._ends) - 1) / (self._ends[-1] - self._ends[0])

    @property
    def inside(self) -> float:
        return sum(self._inside[1:]) / (self._ends[-1] - self._ends[0])


class _RandomPatches(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    def __init__(self, fields: list[Path]) -> None:
        images = [tifffile.imread(path).astype(np.float32) for path in fields]
        self._images = [(i - i.mean((1, 2, 3), keepdims=True)) / i.std((1, 2, 3), keepdims=True) for i in images]

    def __len__(self) -> int:
        return 1_000_000

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        image = self._images[np.random.randint(len(self._images))]  # noqa: NPY002  as there
        starts = [np.random.randint(n - p + 1) for n, p in zip(image.shape[1:], PATCH, strict=True)]  # noqa: NPY002
        place = tuple(slice(s, s + p) for s, p in zip(starts, PATCH, strict=True))
        signal, target = (torch.from_numpy(image[c][place][None].copy()) for c in (0, 1))
        return signal, target


def plain_loop(fields: list[Path], options: argparse.Namespace) -> tuple[float, float]:
    """The same measurement of the plain loop."""
    network = UNet(ndim=3, depth=4, base_channels=options.base_channels)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3, betas=(0.5, 0.999))
    inside, ends = [], []
    for i, (signal, target) in enumerate(DataLoader(_RandomPatches(fields), batch_size=options.batch)):
        began = time.perf_counter()
        network.train()
        optimiser.zero_grad()
        loss = nn.functional.mse_loss(network(signal), target)
        loss.backward()
        optimiser.step()
        loss.item()
        ends.append(time.perf_counter())
        inside.append(ends[-1] - began)
        if i == options.iterations:
            break
    span = ends[-1] - ends[0]
    return (len(ends) - 1) / span, sum(inside[1:]) / span


if __name__ == "__main__":
    main()
