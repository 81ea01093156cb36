"""What the engine makes of a graphics card: ours beside the bare network, MONAI, and what the card could do at best.

    python benchmarks/gpu.py [--output gpu.json] [--no-compile] [--rehearse]

One command of at most three minutes; all ratios are within one run on one card. Volumes are 32 planes of uint16 in main
memory. Seconds are medians, from numbers in main memory to numbers in main memory where nothing else is said:

- *bare*: one forward of the network, channels last, in its precision, from and to the device's memory
- *folded*, *strips*: ours without the engine, whole and in strips of 256 rows; *compiled*: `torch.compile` of *bare*
- *at best*: strips with what cannot be avoided: a page-locked copy up, another one down, and a copy into an array that
  the caller owns
- *ours*: `predict`, all of it, at the model's voxel size; *from finer* and *from coarser* voxels, resampled both ways
- *MONAI*: sliding window of 32 x 256 x 256, Gaussian weights, overlap 0.25, where MONAI is installed

Training is the loop behind `mito-predict train`, without validation and saving, beside a bare loop with one batch on
the device and fused Adam. Without a graphics card nothing is measured. `--rehearse` runs everything on the processor,
on volumes and networks that are far too small to tell anything.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import isnan, nan
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
import training_speed
from scipy import ndimage
from torch import Tensor, nn

from napari_mito_predict.models import Model, load_model
from napari_mito_predict.networks.unet import UNet
from napari_mito_predict.prediction import RunContext, normalize, plan_prediction, run
from napari_mito_predict.prediction.on_device import statistics
from napari_mito_predict.prediction.on_device.transfers import Transfers
from napari_mito_predict.prediction.unet import FoldedUNet

DTYPES = {"bf16": torch.bfloat16, "32": torch.float32}
ROWS = 256
WINDOW = (32, 256, 256)
FINER, COARSER = 0.08 / 0.11, 0.15 / 0.11
"""Voxel sizes as parts of the model's."""


@dataclass(frozen=True)
class Bench:
    """What to measure on, and how large."""

    device: torch.device
    planes: int
    sizes: tuple[int, ...]
    repeats: int
    compiles: bool
    width: int = 32
    """Channels of the paper's network."""
    precisions: tuple[str, ...] = ("bf16", "32")

    @property
    def is_gpu(self) -> bool:
        return self.device.type == "cuda"

    def seconds(self, work: Callable[[], object], *, warm_up: int = 2) -> float:
        """Median of some repetitions, all kernels included; NaN where the card's memory does not suffice."""
        found = []
        try:
            for i in range(-warm_up, self.repeats):
                self.wait()
                began = time.perf_counter()
                work()
                self.wait()
                if i >= 0:
                    found.append(time.perf_counter() - began)
        except torch.OutOfMemoryError:
            found = [nan]
        if isnan(found[0]):  # outside of the block, whose error holds what did not fit
            torch.cuda.empty_cache()
        return median(found)

    def wait(self) -> None:
        if self.is_gpu:
            torch.cuda.synchronize()

    def volume(self, size: int) -> np.ndarray:
        """Smooth noise about as bright as transmitted light, uint16, (planes, size, size)."""
        noise = np.random.default_rng(0).normal(0, 1, (self.planes, 256, 256)).astype(np.float32)
        smooth = ndimage.gaussian_filter(noise, 1.5)
        tile = (smooth / smooth.std() * 300 + 2000).astype(np.uint16)
        repeats = -(-size // 256)
        return np.ascontiguousarray(np.tile(tile, (1, repeats, repeats))[:, :size, :size])


def main() -> int:
    """Measure everything, print it, and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--rehearse", action="store_true")
    options = parser.parse_args()
    if not torch.cuda.is_available() and not options.rehearse:
        print("There is no NVIDIA GPU here, or this torch cannot use it: nothing was measured.", file=sys.stderr)
        return 1
    bench = Bench(torch.device("cuda"), 32, (1024, 2048), 3, not options.no_compile)
    if options.rehearse:
        bench = Bench(torch.device("cpu"), 16, (32, 48), 1, compiles=False, width=4, precisions=("32",))
    card = torch.cuda.get_device_name() if bench.is_gpu else "processor (a rehearsal: these numbers tell nothing)"
    print(f"{card}, torch {torch.__version__}, {torch.get_num_threads()} threads", flush=True)
    results: dict[str, Any] = {"card": card, "torch": torch.__version__, "rehearsal": options.rehearse}
    results["prediction"] = measure_prediction(bench)
    results["agreement"] = measure_agreement(bench)
    results["kernels"] = measure_first_convolution(bench)
    results["training"] = measure_training(bench)
    if options.output:
        options.output.write_text(json.dumps(without_nan(results), indent=1), encoding="utf-8")
    return 0


def without_nan(value: Any) -> Any:
    """The same with None for what could not be measured: JSON has no NaN."""
    if isinstance(value, dict):
        return {key: without_nan(each) for key, each in value.items()}
    if isinstance(value, list):
        return [without_nan(each) for each in value]
    if isinstance(value, float) and isnan(value):
        return None
    return value


def networks(bench: Bench) -> dict[str, Model]:
    """The bundled one, and the paper's (depth 4, width 32) with random weights."""
    bundled = load_model("mito-z")
    torch.manual_seed(0)
    paper = UNet(ndim=3, depth=4, base_channels=bench.width).eval().requires_grad_(False)
    return {"mito-z": bundled, "paper": Model(bundled.card.model_copy(update={"name": "paper"}), paper)}


# ---------------------------------------------------------------------- prediction


def measure_prediction(bench: Bench) -> list[dict[str, Any]]:
    """One row for each network, size and precision."""
    rows = []
    models = networks(bench)
    small, large = bench.sizes
    cases = [(name, small, precision) for precision in bench.precisions for name in models]
    for name, size, precision in [*cases, ("mito-z", large, bench.precisions[0])]:
        row: dict[str, Any] = {"network": name, "size": size, "precision": precision}
        everything = precision == bench.precisions[0]
        row |= case(bench, models[name], bench.volume(size), precision, everything=everything)
        rows.append(row)
        show(row)
    return rows


def show(row: dict[str, Any]) -> None:
    """Print what was measured, in one line."""
    words = [f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}" for key, value in row.items()]
    print("  ".join(words), flush=True)


def case(bench: Bench, model: Model, raw: np.ndarray, precision: str, *, everything: bool) -> dict[str, float]:
    """Seconds of all ways, and what follows from them."""
    found: dict[str, float] = {}
    found |= network_only(bench, model, raw, precision, compiled=everything and bench.compiles and raw.shape[1] <= 1024)
    found["ours"] = bench.seconds(lambda: ours(bench, model, raw, precision, 1.0))
    found["ours GiB"] = peak(bench, lambda: ours(bench, model, raw, precision, 1.0))
    found["at best"] = at_best(bench, model, raw, precision)
    found["ours / at best"] = found["ours"] / found["at best"]
    if everything:
        for label, factor in (("from finer", FINER), ("from coarser", COARSER)):
            seconds = bench.seconds(lambda factor=factor: ours(bench, model, raw, precision, factor), warm_up=1)  # type: ignore[misc]
            found[label] = seconds
            found[f"{label}, per network voxel / ours"] = seconds / factor**2 / found["ours"]
        found["busy"] = busy(bench, lambda: ours(bench, model, raw, precision, 1.0))
        monai = with_monai(bench, model, raw, precision)
        if monai is not None:
            found["MONAI"] = monai
            found["MONAI / ours"] = monai / found["ours"]
    return found


def ours(bench: Bench, model: Model, raw: np.ndarray, precision: str, factor: float) -> np.ndarray:
    """All of the engine, on voxels `factor` times as large as the model's along y and x."""
    z, y, x = model.voxel_size_um
    size = (z, y * factor, x * factor)
    plan = plan_prediction(raw, model, voxel_size_um=size, device=bench.device.type, precision=precision)
    data: np.ndarray = next(iter(run(plan, RunContext(keep_on_device=True)).predict().values())).data
    return data


def network_only(bench: Bench, model: Model, raw: np.ndarray, precision: str, *, compiled: bool) -> dict[str, float]:
    """The network by itself, from and to the device's memory."""
    dtype = DTYPES[precision]
    given = normalised(raw, model).to(bench.device, dtype)[None, None]
    bare = nn.Module.to(copy.deepcopy(model.network), bench.device, dtype)
    bare = bare.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    folded = FoldedUNet(unet(model), dtype, bench.device)
    found = {}
    with torch.inference_mode():
        found["bare"] = bench.seconds(lambda: bare(given))
        found["bare GiB"] = peak(bench, lambda: bare(given))
        found["folded"] = bench.seconds(lambda: folded(given))
        found["strips"] = bench.seconds(lambda: list(strips(folded, given)))
        if compiled:
            began = time.perf_counter()
            faster = torch.compile(bare)
            found["compiled"] = bench.seconds(lambda: faster(given))
            found["compiling"] = time.perf_counter() - began - (2 + bench.repeats) * found["compiled"]
    return found


def at_best(bench: Bench, model: Model, raw: np.ndarray, precision: str) -> float:
    """Strips, a page-locked copy up and one down, and a copy into an array that the caller owns."""
    dtype = DTYPES[precision]
    folded = FoldedUNet(unet(model), dtype, bench.device)
    lock = bench.is_gpu
    up = torch.empty(raw.shape, dtype=torch.uint16, pin_memory=lock)
    down = torch.empty(raw.shape, dtype=torch.float32, pin_memory=lock)
    statistics_ = normalize.measure(raw, model.card.input.normalisation)

    def work() -> np.ndarray:
        up.numpy()[:] = raw
        values = up.to(bench.device, non_blocking=True).float()
        values = values.clamp_(statistics_.low, statistics_.high).sub_(statistics_.offset).div_(statistics_.scale)
        start = 0
        for rows in strips(folded, values.to(dtype)[None, None]):
            stop = start + rows.shape[3]
            down[:, start:stop].copy_(rows[0, 0], non_blocking=True)
            start = stop
        bench.wait()
        return down.numpy().copy()

    with torch.inference_mode():
        return bench.seconds(work)


def strips(folded: FoldedUNet, given: Tensor) -> Any:
    """The answer in strips of `ROWS` rows."""
    stream, size = folded.stream(1), given.shape[3]
    for start in range(0, size, ROWS):
        rows = stream.push(given[:, :, :, start : start + ROWS], last=start + ROWS >= size)
        if rows is not None:
            yield rows


def with_monai(bench: Bench, model: Model, raw: np.ndarray, precision: str) -> float | None:
    """MONAI's sliding window; None where it is not installed."""
    try:
        from monai.inferers import sliding_window_inference
    except ImportError:
        return None
    dtype = DTYPES[precision]
    bare = nn.Module.to(copy.deepcopy(model.network), bench.device, dtype)
    bare = bare.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    given = normalised(raw, model)[None, None]
    window = tuple(min(a, b) for a, b in zip(WINDOW, raw.shape, strict=True))

    def work() -> np.ndarray:
        moved = given.to(bench.device, dtype)
        output: Any = sliding_window_inference(moved, window, 4, bare, overlap=0.25, mode="gaussian")
        array: np.ndarray = output.float().cpu().numpy()
        return array

    with torch.inference_mode():
        return bench.seconds(work, warm_up=1)


def normalised(raw: np.ndarray, model: Model) -> Tensor:
    """As the network takes it, float32."""
    statistics_ = normalize.measure(raw, model.card.input.normalisation)
    return torch.from_numpy(normalize.normalise(raw, statistics_))


def unet(model: Model) -> UNet:
    """The network of a model, which is one."""
    assert isinstance(model.network, UNet)
    return model.network


def peak(bench: Bench, work: Callable[[], object]) -> float:
    """Memory of the device at its peak, GiB; 0 on a processor."""
    if not bench.is_gpu:
        return 0.0
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    if isnan(bench.seconds(work, warm_up=0)):
        return nan
    return torch.cuda.max_memory_allocated() / 2**30


def busy(bench: Bench, work: Callable[[], object]) -> float:
    """Share of the time that the GPU computes or copies; 0 on a processor."""
    if not bench.is_gpu:
        return 0.0
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        bench.wait()
        began = time.perf_counter()
        work()
        bench.wait()
        seconds = time.perf_counter() - began
    spans = sorted((e.time_range.start, e.time_range.end) for e in profiler.events() if e.device_type.name == "CUDA")
    total, reached = 0.0, 0.0
    for start, end in spans:  # kernels and copies overlap
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total / 1e6 / seconds


# ---------------------------------------------------------------------- agreement and kernels


def measure_agreement(bench: Bench) -> dict[str, float]:
    """How well the card agrees with float32 on the processor, on a small volume."""
    model, raw = networks(bench)["mito-z"], bench.volume(min(256, bench.sizes[0]))
    expected = next(iter(run(plan_prediction(raw, model, device="cpu", precision="32")).predict().values())).data
    found = {}
    for precision in bench.precisions:
        data = ours(bench, model, raw, precision, 1.0)
        found[f"PCC, {precision}"] = float(np.corrcoef(data.ravel(), expected.ravel())[0, 1])
        found[f"largest error / std, {precision}"] = float(np.abs(data - expected).max() / expected.std())
    ways = Transfers(bench.device)
    for dtype in (np.uint16, np.float32):
        with ways.preparing():
            there = statistics.measure(ways.upload(raw.astype(dtype)), model.card.input.normalisation, where="")
        here = normalize.measure(raw.astype(dtype), model.card.input.normalisation)
        pairs = zip(
            (there.low, there.high, there.offset, there.scale),
            (here.low, here.high, here.offset, here.scale),
            strict=True,
        )
        found[f"largest relative difference of statistics, {np.dtype(dtype)}"] = max(abs(a / b - 1) for a, b in pairs)
    for name, value in found.items():
        print(f"{name}: {value:.9g}", flush=True)
    return found


def measure_first_convolution(bench: Bench) -> dict[str, float]:
    """Milliseconds of the first convolution with its one input channel, and with seven channels of zeros beside it."""
    shape = (1, 1, bench.planes, min(bench.sizes[0], 1024), min(ROWS, bench.sizes[0]))
    found = {}
    for channels in (16, 32):
        weight = torch.randn(channels, 1, 3, 3, 3, device=bench.device, dtype=torch.bfloat16)
        given = torch.randn(shape, device=bench.device, dtype=torch.bfloat16)
        for inputs in (1, 8):
            padding = (0, 0) * 3 + (0, inputs - 1)
            wide, kernel = (nn.functional.pad(t, padding) for t in (given, weight))
            wide, kernel = (t.contiguous(memory_format=torch.channels_last_3d) for t in (wide, kernel))
            with torch.inference_mode():
                seconds = bench.seconds(lambda wide=wide, kernel=kernel: nn.functional.conv3d(wide, kernel, padding=1))  # type: ignore[misc]
            found[f"first convolution, {inputs} to {channels} channels, ms"] = 1e3 * seconds
    for name, value in found.items():
        print(f"{name}: {value:.3g}", flush=True)
    return found


# ---------------------------------------------------------------------- training


def measure_training(bench: Bench) -> list[dict[str, Any]]:
    """Iterations per second of our loop and of a bare one."""
    batch, iterations = (8, 100) if bench.is_gpu else (1, 2)
    options = argparse.Namespace(base_channels=bench.width, batch=batch, iterations=iterations)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        fields = training_speed.write_fields(Path(folder))
        for precision in bench.precisions:
            rate, _ = training_speed.our_loop(Path(folder) / precision, fields, options, precision)
            bare = bare_loop(bench, options, precision)
            rows.append({"precision": precision, "ours it/s": rate, "bare it/s": bare, "ours / bare": rate / bare})
            show(rows[-1])
    return rows


def bare_loop(bench: Bench, options: argparse.Namespace, precision: str) -> float:
    """Iterations per second on one batch that is there already; nothing is read, sampled or logged."""
    network = UNet(ndim=3, depth=4, base_channels=options.base_channels).to(bench.device)
    network = network.to(memory_format=torch.channels_last_3d).train()  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(network.parameters(), 1e-3, fused=bench.is_gpu)
    given = torch.randn(options.batch, 1, *training_speed.PATCH, device=bench.device)
    truth = torch.randn_like(given)

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast(bench.device.type, torch.bfloat16, enabled=precision == "bf16"):
            output = network(given)
        nn.functional.mse_loss(output.float(), truth).backward()
        optimiser.step()

    for _ in range(min(5, options.iterations)):
        step()
    bench.wait()
    began = time.perf_counter()
    for _ in range(options.iterations):
        step()
    bench.wait()
    return options.iterations / (time.perf_counter() - began)


if __name__ == "__main__":
    sys.exit(main())
