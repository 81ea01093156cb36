"""Our training loop beside the same arithmetic with nothing around it, in turn.

`benchmarks/training_speed.py` makes the fields and runs our loop, with patches, augmentation, metrics and status. The
bare loop has the same network (U-Net of depth 4), batch, patches of 32 x 64 x 64, precision, layout, loss and
optimiser, and trains on one batch that is already there.
"""

from __future__ import annotations

import importlib.util
import tempfile
import time
from argparse import Namespace
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any

import torch
from torch import nn

from exact_streaming.bare import autocast
from napari_mito_predict.networks.unet import UNet

_PATCH = (32, 64, 64)


def measure_training(arguments: dict[str, Any]) -> dict[str, Any]:
    """`arguments`: width, batch, iterations, repeats, precision. Iterations/s of both, ratio of ours to the bare."""
    speed = training_speed()
    options = Namespace(base_channels=arguments["width"], batch=arguments["batch"], iterations=arguments["iterations"])
    bare, ours, inside, ratios = [], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        fields = speed.write_fields(Path(folder))
        for i in range(arguments["repeats"]):
            bare.append(bare_loop(options, arguments["precision"]))
            rate, share = speed.our_loop(Path(folder) / str(i), fields, options, arguments["precision"])
            ours.append(rate)
            inside.append(share)
            ratios.append(rate / bare[-1])
            print(f"  round {i + 1}: bare {bare[-1]:.3f} it/s, ours {rate:.3f} it/s", flush=True)
    return {
        "bare_per_s": median(bare),
        "ours_per_s": median(ours),
        "ratio": median(ratios),
        "inside": median(inside),
        "rounds": {"bare": bare, "ours": ours, "inside": inside},
    }


def bare_loop(options: Namespace, precision: str) -> float:
    """Iterations per second, after one to warm up."""
    network = UNet(ndim=3, depth=4, base_channels=options.base_channels).to(memory_format=torch.channels_last_3d)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3, betas=(0.5, 0.999))
    shape = (options.batch, 1, *_PATCH)
    given, truth = (torch.randn(shape).contiguous(memory_format=torch.channels_last_3d) for _ in range(2))
    began = time.perf_counter()
    for i in range(options.iterations + 1):
        if i == 1:
            began = time.perf_counter()
        network.train()
        optimiser.zero_grad(set_to_none=True)
        with autocast(precision):
            predicted = network(given)
        loss = nn.functional.mse_loss(predicted.float(), truth)
        loss.backward()
        optimiser.step()
        loss.item()
    return options.iterations / (time.perf_counter() - began)


def training_speed() -> ModuleType:
    """The module `benchmarks/training_speed.py`."""
    path = Path(__file__).resolve().parents[1] / "training_speed.py"
    spec = importlib.util.spec_from_file_location("training_speed", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
