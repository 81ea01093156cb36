"""Every way a model package can lie or be hurt ends in one named error, in little time and memory, with nothing left.

One table: how a sound package is damaged, what must be said. It runs in a process of its own, whose memory is measured.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import stat
import struct
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from napari_mito_predict.errors import DamagedModelError, ModelError
from napari_mito_predict.models import (
    export_model,
    import_model,
    list_models,
    read_card,
    read_package,
    save_model,
    verify_model,
)

Damage = Callable[[Path], None]
CARD, WEIGHTS, SAMPLE = "model.json", "weights.safetensors", "sample.npz"


@pytest.fixture
def models(_no_models_of_the_user: Path) -> Path:
    """The folder of the user's own models."""
    return _no_models_of_the_user


@pytest.fixture
def package(tmp_path: Path, plane_card, plane_network) -> Path:
    folder = tmp_path / "sound"
    sample = np.random.default_rng(0).standard_normal((1, 16, 16), dtype=np.float32)
    save_model(folder, plane_card, plane_network, sample)
    return folder


# ---------------------------------------------------------------- damages of a folder
def card(**changes: Any) -> Damage:
    """Change values of the card; ``a__b`` is ``b`` in ``a``."""

    def damage(folder: Path) -> None:
        content = json.loads((folder / CARD).read_text(encoding="utf-8"))
        for name, value in changes.items():
            part = content
            *outer, last = name.split("__")
            for key in outer:
                part = part[key]
            part[last] = value
        (folder / CARD).write_text(json.dumps(content), encoding="utf-8")

    return damage


def network(**arguments: Any) -> Damage:
    return card(architecture__arguments={"ndim": 2, "depth": 1, "base_channels": 2} | arguments)


def target(**changes: Any) -> Damage:
    return card(targets=[{"name": "mitochondria", "stain": "OMP25"} | changes])


def content(name: str, new: bytes) -> Damage:
    return lambda folder: (folder / name).write_bytes(new) and None


def instead(name: str, make: Callable[[Path], object]) -> Damage:
    def damage(folder: Path) -> None:
        (folder / name).unlink()
        make(folder / name)

    return damage


def sparse(size: int) -> Callable[[Path], object]:
    def make(path: Path) -> None:
        with path.open("wb") as stream:
            stream.truncate(size)

    return make


def header(change: Callable[[dict[str, Any]], None]) -> Damage:
    """Change what the weights file says of itself."""

    def damage(folder: Path) -> None:
        raw = (folder / WEIGHTS).read_bytes()
        length = int.from_bytes(raw[:8], "little")
        said = json.loads(raw[8 : 8 + length])
        change(said)
        text = json.dumps(said).encode()
        (folder / WEIGHTS).write_bytes(len(text).to_bytes(8, "little") + text + raw[8 + length :])

    return damage


def weight(**changes: Any) -> Damage:
    return header(lambda said: said["conv_out.weight"].update(changes))


def overlapping(said: dict[str, Any]) -> None:
    first, second = sorted(name for name in said if name != "__metadata__")[:2]
    said[second]["data_offsets"] = [0, said[second]["data_offsets"][1] - said[second]["data_offsets"][0]]
    said[first]["data_offsets"] = [0, said[first]["data_offsets"][1] - said[first]["data_offsets"][0]]


def npy(text: str, body: bytes = b"") -> bytes:
    raw = text.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(raw)) + raw + body


def sample(**arrays: bytes | np.ndarray) -> Damage:
    """Replace arrays of the self-test."""

    def damage(folder: Path) -> None:
        with np.load(folder / SAMPLE) as stored:
            found: dict[str, Any] = {name: stored[name] for name in stored.files}
        with zipfile.ZipFile(folder / SAMPLE, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, array in (found | arrays).items():
                raw = array
                if isinstance(array, np.ndarray):
                    buffer = io.BytesIO()
                    np.lib.format.write_array(buffer, array)
                    raw = buffer.getvalue()
                archive.writestr(f"{name}.npy", raw)

    return damage


def zeros(*shape: int, dtype: str = "float32") -> np.ndarray:
    return np.zeros(shape, dtype)


HUGE_NPY = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1000000, 1000000), }")
FLOAT = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 16, 16), }"

READING: dict[str, tuple[Damage, str]] = {
    "card-empty": (content(CARD, b""), "no JSON"),
    "card-cut": (content(CARD, b'{"schema_version": 2, "name"'), "no JSON"),
    "card-not-utf8": (content(CARD, b"\xff\xfe{}\xff"), "no JSON"),
    "card-list": (content(CARD, b"[]"), "no named values"),
    "card-deep": (content(CARD, b'{"a":' * 100_000), "nested far too deep|no JSON"),
    "card-deep-inside": (content(CARD, b'{"title":' + b"[" * 500 + b"]" * 500 + b"}"), "not a valid model card|deep"),
    "card-nan": (card(input__normalisation={"clip_percentiles": [float("nan"), 99]}), "not a valid model card"),
    "card-digits": (content(CARD, b'{"schema_version": ' + b"9" * 5000 + b"}"), "no JSON"),
    "card-megabytes": (content(CARD, b" " * (1 << 21)), "larger than a model may be"),
    "card-gigabytes": (instead(CARD, sparse(2 << 30)), "larger than a model may be"),
    "card-folder": (instead(CARD, Path.mkdir), "no file but a folder"),
    "card-newer": (card(schema_version=5), "newer version"),
    "card-true": (card(schema_version=True), "no whole number"),
    "card-1.0": (card(schema_version=1.0), "no whole number"),
    "card-long-key": (card(**{"metrics": {"x" * 100_000: {}}}), "metrics"),
    "depth-minus-1": (network(depth=-1), "depth has to be between 1 and 6, not -1"),
    "depth-0": (network(depth=0), "depth has to be between 1 and 6, not 0"),
    "depth-60": (network(depth=60), "depth has to be between 1 and 6, not 60"),
    "depth-2.5": (network(depth=2.5), "depth has to be a whole number between 1 and 6, not 2.5"),
    "depth-true": (network(depth=True), "depth has to be a whole number between 1 and 6, not True"),
    "depth-text": (network(depth="1"), "depth has to be a whole number"),
    "depth-list": (network(depth=[1]), "depth has to be a whole number"),
    "depth-null": (network(depth=None), "depth has to be a whole number"),
    "depth-huge": (network(depth=10**4000), "depth has to be between 1 and 6"),
    "convolutions": (network(convs_per_level=10**7), "convs_per_level has to be between 1 and 8, not 10000000"),
    "channels": (network(base_channels=10**9), "base_channels has to be between 1 and 512"),
    "channels-0": (network(in_channels=0), "in_channels has to be between 1 and 64, not 0"),
    "outputs": (network(out_channels=10**6), "out_channels has to be between"),
    "axes": (network(ndim=4), "ndim has to be 2 or 3, not 4"),
    "axes-2.0": (network(ndim=2.0), r"ndim has to be 2 or 3, not 2\.0"),
    "unknown-argument": (network(dept=4), "a unet has no 'dept'"),
    "argument-of-another": (network(heads=2), "a unet has no 'heads'"),
    "unknown-network": (card(architecture={"kind": "os.system", "arguments": {}}), "Unknown network 'os.system'"),
    "heads": (
        card(architecture={"kind": "gvtnet", "arguments": {"ndim": 2, "base_channels": 2, "heads": 3}}),
        "cannot be divided among 3 heads",
    ),
    "momentum": (card(architecture={"kind": "gvtnet", "arguments": {"momentum": 2}}), "momentum has to be a number"),
    "attention": (card(architecture={"kind": "gvtnet", "arguments": {"attention": "x"}}), "linear or softmax, not 'x'"),
    "largest-network": (network(depth=6, base_channels=512, convs_per_level=8), "do not fit the network"),
    "largest-stacks": (network(ndim=3, depth=6, base_channels=512), "do not fit the network"),
    "two-outputs": (network(out_channels=2), "2 outputs but 1 targets"),
    "voxel-infinite": (card(input__voxel_size_um=[None, 1e999, 1e999]), "voxel_size_um"),
    "voxel-tiny": (card(input__voxel_size_um=[None, 1e-9, 1e-9]), "voxel_size_um"),
    "limits-infinite": (target(contrast_limits=[0, 1e999]), "contrast_limits"),
    "limits-reversed": (target(contrast_limits=[6, -1]), "the lower one first"),
    "same-targets": (
        card(targets=[{"name": "dna", "stain": "x"}, {"name": "DNA", "stain": "y"}]),
        "two targets have one name",
    ),
    "no-targets": (card(targets=[]), "targets"),
    "name-elsewhere": (card(name="../evil"), "not a model name"),
    "weights-elsewhere": (card(weights={"file": "/etc/passwd", "sha256": ""}), "weights.file"),
    "weights-missing": (lambda folder: (folder / WEIGHTS).unlink(), "'weights.safetensors' is missing"),
    "weights-folder": (instead(WEIGHTS, Path.mkdir), "no file but a folder"),
    "weights-gigabytes": (instead(WEIGHTS, sparse(3 << 30)), "larger than a model may be"),
    "weights-zeros": (instead(WEIGHTS, sparse(1 << 29)), "no safetensors file|no JSON"),
    "weights-empty": (content(WEIGHTS, b""), "no safetensors file, or cut short"),
    "weights-header-length": (content(WEIGHTS, b"\xff" * 64), "no safetensors file, or cut short"),
    "weights-pickle": (content(WEIGHTS, b"\x80\x04cos\nsystem\n" * 20), "no safetensors file, or cut short"),
    "weights-deep": (content(WEIGHTS, (100_000).to_bytes(8, "little") + b"[" * 100_000), "no JSON"),
    "weights-list": (content(WEIGHTS, (2).to_bytes(8, "little") + b"[]"), "have no names"),
    "weights-twice": (content(WEIGHTS, (15).to_bytes(8, "little") + b'{"a":1, "a":2 }'), "no JSON"),
    "weights-float8": (weight(dtype="F8_E4M3"), "is of the type F8_E4M3; F64, F32, F16, BF16, I64 are read"),
    "weights-bool": (weight(dtype="BOOL"), "is of the type BOOL"),
    "weights-complex": (weight(dtype="C64"), "is of the type C64"),
    "weights-type-list": (weight(dtype=["F32"]), "is of the type"),
    "weights-huge-shape": (weight(shape=[2**62, 2**62]), "impossible shape"),
    "weights-large-shape": (weight(shape=[2**30, 2**30]), "does not go together"),
    "weights-negative": (weight(shape=[-1, 2]), "impossible shape"),
    "weights-many-axes": (weight(shape=[1] * 70), "impossible shape"),
    "weights-shape-text": (weight(shape="12"), "impossible shape"),
    "weights-offsets": (weight(data_offsets=[0, 10**12]), "does not go together"),
    "weights-nothing-said": (header(lambda said: said.update({"conv_out.weight": {}})), "not said what it is"),
    "weights-overlapping": (header(overlapping), "one behind the other|does not go together"),
    "weights-other-name": (
        header(lambda said: said.update(odd=said.pop("conv_out.weight"))),
        "do not fit the network; first of 2: conv_out.weight, odd",
    ),
    "weights-trailing": (
        lambda folder: (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes() + b"PK") and None,
        "weights end at byte",
    ),
    "weights-cut": (lambda folder: os.truncate(folder / WEIGHTS, (folder / WEIGHTS).stat().st_size - 9), "end at byte"),
    "weights-flipped": (
        lambda folder: (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:-1] + b"!") and None,
        "weights are damaged",
    ),
}
"""Read, as a list or a prediction does."""

VERIFYING: dict[str, tuple[Damage, str]] = {
    "sample-missing": (lambda folder: (folder / SAMPLE).unlink(), "'sample.npz' is missing"),
    "sample-empty": (content(SAMPLE, b""), "self-test 'sample.npz' is damaged"),
    "sample-text": (content(SAMPLE, b"PK no zip"), "self-test 'sample.npz' is damaged"),
    "sample-gigabytes": (instead(SAMPLE, sparse(1 << 30)), "larger than a model may be"),
    "sample-folder": (instead(SAMPLE, Path.mkdir), "no file but a folder"),
    "sample-no-output": (lambda folder: np.savez(folder / SAMPLE, input=zeros(1, 16, 16)), "no array 'output'"),
    "sample-objects": (
        lambda folder: np.savez(folder / SAMPLE, input=np.array([{}]), output=zeros(1, 16, 16)),
        "values of the type object",
    ),
    "sample-texts": (sample(input=np.full((1, 16, 16), "x")), "values of the type str"),
    "sample-integers": (sample(input=zeros(1, 16, 16, dtype="int32")), "values of the type int32"),
    "sample-complex": (sample(output=zeros(1, 16, 16, dtype="complex64")), "values of the type complex64"),
    "sample-declares-terabytes": (sample(input=HUGE_NPY), r"shape \(1, 1000000, 1000000\)"),
    "sample-bomb": (sample(input=zeros(1, 4096, 8192)), "larger than a model may be"),
    "sample-large": (sample(input=zeros(1, 1024, 3072)), r"with at most 2,097,152 values"),
    "sample-scalar": (sample(input=np.zeros((), np.float32)), "expected channels"),
    "sample-no-pixels": (sample(input=zeros(1, 0, 16)), "expected channels"),
    "sample-stack": (sample(input=zeros(1, 4, 16, 16)), r"shape \(1, 4, 16, 16\); its network takes \(C, Y, X\)"),
    "sample-channels": (sample(input=zeros(3, 16, 16)), "with 1 channels"),
    "sample-odd": (sample(input=zeros(1, 15, 16)), "sizes divisible by 2 x 2"),
    "sample-other-output": (sample(output=zeros(2, 16, 16)), r"output of its self-test has the shape \(2, 16, 16\)"),
    "sample-nan": (sample(input=np.full((1, 16, 16), np.nan, np.float32)), "NaN"),
    "sample-header": (sample(input=npy("{'descr': ", b"\0" * 1024)), "does not say what it is"),
    "sample-header-long": (sample(input=npy(FLOAT + " " * 20_000, b"\0" * 1024)), "damaged"),
    "sample-cut": (sample(input=npy(FLOAT, b"\0" * 100)), "self-test 'sample.npz' is damaged"),
    "sample-code": (sample(input=npy("__import__('os')", b"\0" * 1024)), "does not say what it is"),
}
"""Of the self-test; a model that lost it still predicts."""


# ---------------------------------------------------------------- damages of a zip file
def rezip(path: Path, change: Callable[[zipfile.ZipFile, dict[str, bytes]], None], **options: Any) -> None:
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", **options) as archive:
        change(archive, members)


def write_all(archive: zipfile.ZipFile, members: dict[str, bytes]) -> None:
    for name, raw in members.items():
        archive.writestr(name, raw)


def with_name(name: str) -> Damage:
    """Add a member with an odd name."""

    def change(archive: zipfile.ZipFile, members: dict[str, bytes]) -> None:
        write_all(archive, members)
        info = zipfile.ZipInfo("placeholder")
        info.filename = name
        archive.writestr(info, b"evil")

    return lambda path: rezip(path, change)


def twice(path: Path) -> None:
    def change(archive: zipfile.ZipFile, members: dict[str, bytes]) -> None:
        write_all(archive, members)
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr(CARD, b"{}")

    rezip(path, change)


def linked(path: Path) -> None:
    def change(archive: zipfile.ZipFile, members: dict[str, bytes]) -> None:
        write_all(archive, {name: raw for name, raw in members.items() if name != CARD})
        info = zipfile.ZipInfo(CARD)
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, b"/etc/passwd")

    rezip(path, change)


def patched(field: int, value: int, *, bits: bool = False) -> Damage:
    """Set a 16-bit field of all entries of the directory, such as the method; or add bits to it."""

    def damage(path: Path) -> None:
        raw = bytearray(path.read_bytes())
        for found in re.finditer(b"PK\x01\x02", bytes(raw)):
            place = found.start() + field
            old = int.from_bytes(raw[place : place + 2], "little") if bits else 0
            raw[place : place + 2] = (old | value).to_bytes(2, "little")
        path.write_bytes(raw)

    return damage


def bomb(name: str, size: int) -> Damage:
    def change(archive: zipfile.ZipFile, members: dict[str, bytes]) -> None:
        write_all(archive, {other: raw for other, raw in members.items() if other != name})
        info = zipfile.ZipInfo(name)
        info.compress_type = zipfile.ZIP_DEFLATED
        with archive.open(info, "w") as stream:
            for _ in range(size >> 20):
                stream.write(bytes(1 << 20))

    return lambda path: rezip(path, change)


def many_names(path: Path) -> None:
    with zipfile.ZipFile(path, "a") as archive:
        for number in range(20_000):
            archive.writestr(f"{number:0100}", b"")


def method(number: int) -> Damage:
    return lambda path: rezip(path, write_all, compression=number)


ZIPS: dict[str, tuple[Damage, str]] = {
    "cut": (lambda path: os.truncate(path, path.stat().st_size // 2), "cut short: its end is missing"),
    "no-zip": (lambda path: path.write_bytes(b"hello") and None, "neither a model folder nor a zipped one"),
    "empty": (lambda path: path.write_bytes(b"") and None, "neither a model folder nor a zipped one"),
    "no-model": (
        lambda path: rezip(path, lambda archive, _: archive.writestr("a.txt", "a")),
        "'model.json' is missing",
    ),
    "encrypted": (patched(8, 1, bits=True), "'model.json' in it is encrypted"),
    "unknown-method": (patched(10, 77), r"a method that is not read here \(number 77\)"),
    "bzip2": (method(zipfile.ZIP_BZIP2), "not read here .bzip2."),
    "lzma": (method(zipfile.ZIP_LZMA), "not read here .LZMA."),
    "upwards": (with_name("../evil.png"), r"'\.\./evil\.png' in it leads out of the zip file"),
    "upwards-inside": (with_name("a/../../evil"), "leads out of the zip file"),
    "absolute": (with_name("/etc/evil"), "leads out of the zip file"),
    "drive": (with_name("C:evil"), "leads out of the zip file"),
    "backslash": (with_name("..\\evil"), "has a backslash in its name"),
    "twice": (twice, "'model.json' is in it 2 times"),
    "twice-in-capitals": (with_name("MODEL.JSON"), "'model.json' is in it 2 times"),
    "twice-by-a-dot": (with_name("./model.json"), "'model.json' is in it 2 times"),
    "link": (linked, "'model.json' in it is a link"),
    "bomb-card": (bomb(CARD, 64 << 20), "'model.json' in it is larger than a model may be"),
    "bomb-weights": (bomb(WEIGHTS, 64 << 20), "claims to be 67,108,864 bytes, compressed to"),
    "many-names": (many_names, "lists far more files than a model has"),
    "two-models": (
        lambda path: rezip(
            path, lambda archive, members: write_all(archive, {f"a/{CARD}": members[CARD], f"b/{CARD}": members[CARD]})
        ),
        "holds 2 models",
    ),
}

IN_A_PROCESS = """
import pathlib, re, sys, time
from napari_mito_predict.errors import MitoPredictError
from napari_mito_predict.models import verify_model
import torch
for path in sys.argv[1:]:
    begin = time.monotonic()
    try:
        verify_model(pathlib.Path(path))
        said = "loaded"
    except MitoPredictError as error:
        said = f"{type(error).__name__} {ascii(str(error))}"
    print("RESULT", round(time.monotonic() - begin, 2), said)
status = pathlib.Path("/proc/self/status")
if status.exists():  # getrusage would begin with what the process needed that started this one
    print("MEMORY", re.search(r"VmHWM:\\s+(\\d+)", status.read_text())[1])
"""


def in_a_process(paths: list[Path]) -> tuple[list[tuple[float, str]], int]:
    """Verify packages in a process of their own: seconds and outcome of each, and kB of memory of all (0: unknown)."""
    done = subprocess.run(
        [sys.executable, "-c", IN_A_PROCESS, *map(str, paths)],
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        env=os.environ | {"PYTHONUTF8": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    results = [line.split(maxsplit=2)[1:] for line in done.stdout.splitlines() if line.startswith("RESULT")]
    memory = [int(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("MEMORY")]
    return [(float(seconds), said) for seconds, said in results], max(memory, default=0)


def test_damaged_packages_are_named_in_little_time_and_memory(tmp_path: Path, package: Path) -> None:
    expected = []
    paths = []
    for name, (damage, said) in (READING | VERIFYING).items():
        shutil.copytree(package, tmp_path / name)
        damage(tmp_path / name)
        paths.append(tmp_path / name)
        expected.append(said)
    for name, (damage, said) in ZIPS.items():
        path = tmp_path / f"{name}.zip"
        export_model(package, path)
        damage(path)
        paths.append(path)
        expected.append(said)
    results, kilobytes = in_a_process(paths)
    assert len(results) == len(paths)
    wrong = []
    for path, said, (seconds, result) in zip(paths, expected, results, strict=True):
        named = re.match("(Damaged|Invalid)ModelError", result) and path.name in result
        if not named or not re.search(said, result.replace("\\'", "'")) or seconds > 5:
            wrong.append((path.name, seconds, result))
    assert not wrong
    assert kilobytes < 2**20, f"{kilobytes} kB of memory"


@pytest.mark.parametrize("fault", [*READING, *ZIPS])
def test_nothing_is_added_of_a_damaged_package(package: Path, fault: str, models: Path, tmp_path: Path) -> None:
    path = package
    if fault in READING:
        READING[fault][0](path)
    else:
        path = export_model(package, tmp_path / "damaged.zip")
        ZIPS[fault][0](path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ModelError):
        import_model(path)
    assert not list(models.iterdir())
    assert sorted(tmp_path.rglob("*")) == before, "what was to be imported stays as it is"


@pytest.mark.parametrize("fault", [name for name in VERIFYING if name != "sample-missing"])
def test_a_damaged_self_test_keeps_a_model_out_but_not_from_predicting(package: Path, fault: str, models: Path) -> None:
    VERIFYING[fault][0](package)
    assert read_package(package).sample is None
    with pytest.raises(DamagedModelError):
        import_model(package)
    assert not list(models.iterdir())


def test_pipes_are_never_opened(tmp_path: Path, package: Path, models: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("there are no pipes with names here")
    os.mkfifo(tmp_path / "f.zip")
    for member in (CARD, WEIGHTS, SAMPLE):
        folder = models / f"pipe-{member}"
        shutil.copytree(package, folder)
        (folder / member).unlink()
        os.mkfifo(folder / member)
        with pytest.raises(DamagedModelError, match="no file but a pipe"):
            verify_model(folder)
    for read in (read_card, verify_model, import_model):
        with pytest.raises(DamagedModelError, match=r"f\.zip: is a pipe, no model"):
            read(tmp_path / "f.zip")
    with pytest.raises(DamagedModelError, match="is a pipe"):
        import_model(tmp_path / "f.zip", sha256="0" * 64)
    assert any("pipe" in (info.problem or "") for info in list_models())


def damaged_at_random(raw: bytes, random: Random) -> bytes:
    """Flip, overwrite, insert, remove or cut bytes."""
    changed = bytearray(raw)
    for _ in range(random.choice([1, 1, 1, 3, 10])):
        place = random.randrange(len(changed)) if changed else 0
        kind = random.choice(["flip", "bytes", "zeros", "insert", "remove", "cut", "end"])
        count = random.choice([1, 2, 8, 100])
        if kind == "flip" and changed:
            changed[place] ^= 1 << random.randrange(8)
        elif kind == "bytes":
            changed[place : place + count] = random.randbytes(count)
        elif kind == "zeros":
            changed[place : place + count] = bytes(count)
        elif kind == "insert":
            changed[place:place] = random.randbytes(count)
        elif kind == "remove":
            del changed[place : place + count]
        elif kind == "cut":
            del changed[place:]
        else:  # where zip files have their directory
            near = max(0, len(changed) - 1 - random.randrange(200))
            changed[near : near + 1] = random.randbytes(1)
    return bytes(changed)


def fuzz(package: Path, work: Path, seed: int) -> str:
    """Damage one file of a package, or all of it zipped, and use it: what happened."""
    random = Random(seed)
    if random.random() < 0.5:
        path = work / f"{seed}"
        shutil.copytree(package, path)
        file = path / random.choice([CARD, CARD, WEIGHTS, SAMPLE])
    else:
        path = file = export_model(package, work / f"{seed}.zip")
        if random.random() < 0.3:
            with zipfile.ZipFile(path) as archive:
                members = {name: archive.read(name) for name in archive.namelist()}
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                write_all(archive, members)
    file.write_bytes(damaged_at_random(file.read_bytes(), random))
    begin = time.process_time()
    outcomes = []
    messages = []
    for use in (read_card, read_package, verify_model, lambda path: export_model(path, work / f"{seed}.out.zip")):
        try:
            use(path)
        except ModelError as error:
            outcomes.append(type(error).__name__)
            messages.append(str(error))
        else:
            outcomes.append("used")
    assert time.process_time() - begin < 5, "takes long"
    assert "\n" not in "".join(messages), messages
    assert "used" in outcomes or not (work / f"{seed}.out.zip").exists()
    return " ".join(outcomes)


def test_random_damage_is_an_error_of_models_or_harmless(package: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    outcomes = [fuzz(package, work, seed) for seed in range(60)]
    assert sum("Error" in outcome for outcome in outcomes) > 30
