"""What computes here: CPU, CUDA or Apple GPU, in which precision, and why."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, cast

import torch

from napari_mito_predict.errors import DeviceUnavailableError

Precision = Literal["32", "bf16", "16"]
PRECISIONS = ("auto", "32", "bf16", "16")

_WORDS = {"32": "single precision (float32)", "bf16": "mixed precision (bfloat16)", "16": "mixed precision (float16)"}
_TYPES = {"32": torch.float32, "bf16": torch.bfloat16, "16": torch.float16}


@dataclass(frozen=True, slots=True)
class Device:
    """A chosen device.

    Attributes
    ----------
    kind : {"cpu", "cuda", "mps"}
        What torch calls it.
    name : str
        What people call it.
    precision : {"32", "bf16", "16"}
        Precision of the convolutions; sums over tiles are always float32.
    reason : str
        Why this device and precision, one plain sentence.
    index : int
        Which of several GPUs.
    """

    kind: str
    name: str
    precision: Precision
    reason: str
    index: int = 0

    @property
    def torch_device(self) -> torch.device:
        """What torch takes for it."""
        if self.kind == "cuda":
            return torch.device(self.kind, self.index)
        return torch.device(self.kind)

    @property
    def dtype(self) -> torch.dtype:
        """Element type of the convolutions."""
        return _TYPES[self.precision]

    def __str__(self) -> str:
        return f"{self.name}, {_WORDS[self.precision]}"


def choose_device(device: str = "auto", precision: str = "auto") -> Device:
    """Decide what to compute on.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda", "cuda:N", "mps"}
        ``"auto"``: an NVIDIA (or ROCm) GPU, else an Apple GPU, else the processor.
    precision : {"auto", "32", "bf16", "16"}
        ``"auto"``: half precision where this device computes faster in it, else float32.

    Raises
    ------
    DeviceUnavailableError
        The device is not there, or cannot compute in the precision asked for.
    """
    if precision not in PRECISIONS:
        raise DeviceUnavailableError(f"Precision '{precision}' is not known; choose one of {', '.join(PRECISIONS)}.")
    parts = device.partition(":")
    kind, number = parts[0], parts[2]
    if kind == "auto" and not number:
        kind, why = _best_kind()
    else:
        why = "as asked for"
    if kind == "cpu" and not number:
        return _on_cpu(precision, why)
    if kind == "cuda" and (not number or number.isdecimal()):
        return _on_cuda(int(number or 0), precision, why)
    if kind == "mps" and not number:
        return _on_mps(precision, why)
    raise DeviceUnavailableError(
        f"Device '{device}' is not known; choose auto, cpu, cuda, cuda:1 (the second GPU) or mps."
    )


def describe() -> list[str]:
    """What computes here, how and why, in plain lines for people; the last line is what "auto" chooses."""
    lines = [
        f"torch {torch.__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}",
        f"Processor: {_cpu_name()}; torch uses {torch.get_num_threads()} of {os.cpu_count()} threads",
    ]
    if torch.cuda.is_available():
        for i in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(i)
            lines.append(
                f"GPU cuda:{i}: {torch.cuda.get_device_name(i)}, {free / 2**30:.1f} of {total / 2**30:.1f} GiB free"
            )
    elif not _built_with_cuda():
        lines.append("No NVIDIA GPU can be used: this torch was built without CUDA. See pytorch.org for a CUDA build.")
    else:
        lines.append("No NVIDIA GPU was found, although this torch could use one; check the driver (nvidia-smi).")
    if platform.system() == "Darwin":
        found = "available" if torch.backends.mps.is_available() else "not available"
        lines.append(f"Apple GPU (mps): {found}")
    chosen = choose_device()
    layout = "channels last"
    if chosen.kind == "mps":
        layout = "channels first, as Apple GPUs have it"
    lines.append(
        f"Kernels: batch normalisation is folded into the convolutions; {layout}; no torch.compile: it takes a while "
        "before anything is seen, and on processors the result was slower."
    )
    lines.append(f"Predictions run on {chosen}: {chosen.reason}")
    return lines


def _best_kind() -> tuple[str, str]:
    """The fastest kind of device there is, and why it was taken."""
    if torch.cuda.is_available():
        return "cuda", "the fastest device found"
    if torch.backends.mps.is_available():
        return "mps", "the fastest device found"
    return "cpu", "no GPU was found"


def _on_cpu(precision: str, why: str) -> Device:
    if precision == "16":
        raise DeviceUnavailableError("Processors do not compute in float16 well; use precision bf16 or 32.")
    if precision != "auto":
        why = f"{why}; precision as asked for."
    elif instructions := _cpu_bfloat16():
        precision = "bf16"
        why = f"{why}; {instructions} makes bfloat16 about twice as fast."
    else:
        precision = "32"
        why = f"{why}; this processor has no fast bfloat16 (AVX512-BF16 or AMX)."
    return Device("cpu", _cpu_name(), _literal(precision), why)


def _on_cuda(index: int, precision: str, why: str) -> Device:
    if not torch.cuda.is_available():
        reason = "this torch has no CUDA support"
        if _built_with_cuda():
            reason = "no NVIDIA GPU and driver was found"
        raise DeviceUnavailableError(f"CUDA was asked for, but {reason}. Use device auto or cpu.")
    if index >= torch.cuda.device_count():
        raise DeviceUnavailableError(f"GPU cuda:{index} was asked for, but there are only {torch.cuda.device_count()}.")
    major, minor = torch.cuda.get_device_capability(index)
    bfloat16 = major >= 8 or torch.version.hip is not None
    if precision == "bf16" and not bfloat16:
        raise DeviceUnavailableError(f"This GPU (compute capability {major}.{minor}) has no bfloat16; use 16 or 32.")
    if precision == "auto":
        # Tensor cores: float16 from 7.0 (Volta), bfloat16, which cannot overflow here, from 8.0 (Ampere).
        if bfloat16:
            precision = "bf16"
        elif major >= 7:
            precision = "16"
        else:
            precision = "32"
        why = f"{why}; compute capability {major}.{minor} is best used with {_WORDS[precision]}."
    else:
        why = f"{why}; precision as asked for."
    return Device("cuda", torch.cuda.get_device_name(index), _literal(precision), why, index)


def _on_mps(precision: str, why: str) -> Device:
    if not torch.backends.mps.is_available():
        raise DeviceUnavailableError("The Apple GPU (mps) was asked for, but is not available here. Use auto or cpu.")
    if precision == "auto":
        precision = "32"
        why = f"{why}; float32, since half precision gains little on Apple GPUs."
    else:
        why = f"{why}; precision as asked for."
    return Device("mps", "Apple GPU", _literal(precision), why)


def _literal(precision: str) -> Precision:
    """One of `PRECISIONS` but "auto", as type checkers know it."""
    return cast("Precision", precision)


def _cpu_bfloat16() -> str:
    """Name of the instructions that make bfloat16 fast on this processor, or "" without any."""
    for name, check in (("AMX", "_is_amx_tile_supported"), ("AVX512-BF16", "_is_avx512_bf16_supported")):
        supported: Callable[[], bool] | None = getattr(torch.cpu, check, None)  # torch has no public question for this
        if supported is not None and supported():
            return name
    return ""


def _built_with_cuda() -> bool:
    return torch.version.cuda is not None or torch.version.hip is not None


def _cpu_name() -> str:
    """Model name of the processor, as far as the operating system tells."""
    name = ""
    with suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as stream:  # Linux only
        name = next((line.partition(":")[2].strip() for line in stream if line.startswith("model name")), "")
    return name or platform.processor() or platform.machine() or "processor"
