"""Damage of every kind, each with its oracle: what has to be noticed, what changes nothing, and what nobody can notice.

Counted are four things, all of which have to be 0: crashes, hangs, errors without a name, and silent wrong answers. The
same cases in every run; `MITO_PREDICT_FUZZ_CASES=5000` makes more of them.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import imagecodecs
import numpy as np
import pytest
import tifffile
import yaml

from napari_mito_predict.image import write_ome_tiff, write_ome_zarr
from napari_mito_predict.models import export_model, save_model

pytest.importorskip("resource", reason="limits the memory of the process that reads; not on Windows")

CASES = int(os.environ.get("MITO_PREDICT_FUZZ_CASES", "560"))
WORKER = Path(__file__).with_name("fuzz_worker.py")
MOST_MIB = 1200
"""Of memory, of which 350 are torch."""
STACK = np.random.default_rng(0).integers(0, 4000, (4, 48, 40), np.uint16)


class Oracle(StrEnum):
    """What may become of a damaged thing."""

    REFUSED = "has to be noticed"
    SAME = "changes nothing that is read"
    NOTICED = "is refused, or changes nothing"
    ANY = "cannot be noticed, or not always: read, or an error with a name"


Damage = Callable[[Path, Random], None]
Table = dict[str, tuple[Damage, Oracle]]


# ---------------------------------------------------------------- damages of any file
def cut(path: Path, rng: Random) -> None:
    os.truncate(path, int(path.stat().st_size * rng.uniform(0.02, 0.95)))


def cut_end(path: Path, rng: Random) -> None:
    os.truncate(path, path.stat().st_size - rng.randint(1, 40))


def emptied(path: Path, rng: Random) -> None:
    path.write_bytes(b"")


def pipe(path: Path, rng: Random) -> None:
    path.unlink()
    os.mkfifo(path)


def device(path: Path, rng: Random) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def folder_instead(path: Path, rng: Random) -> None:
    path.unlink()
    path.mkdir()


def loop(path: Path, rng: Random) -> None:
    path.unlink()
    path.symlink_to(path.name)


def text(path: Path, rng: Random) -> None:
    path.write_bytes(rng.choice([b"<html>404</html>", b"version https://git-lfs.github.com/spec/v1\n", b"hello" * 99]))


def noise(path: Path, rng: Random) -> None:
    content = bytearray(path.read_bytes())
    at = rng.randrange(len(content))
    new = rng.randbytes(rng.choice([1, 4, 64]))
    content[at : at + len(new)] = new[: len(content) - at]
    path.write_bytes(content)


def flipped(path: Path, rng: Random) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(rng.choice([1, 1, 8])):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def number(path: Path, rng: Random) -> None:
    content = bytearray(path.read_bytes())
    value = rng.choice([0, -1, 1, 65536, 2**31 - 1, -(2**31)])
    at = rng.randrange(min(len(content) - 4, 3000))
    content[at : at + 4] = struct.pack("<i", value)
    path.write_bytes(content)


def appended(path: Path, rng: Random) -> None:
    with path.open("ab") as stream:
        stream.write(rng.randbytes(rng.randint(1, 400)))


def touched(path: Path, rng: Random) -> None:
    os.utime(path, ns=(rng.randrange(2**60), rng.randrange(2**60)))


INSTEAD: Table = {each.__name__: (each, Oracle.REFUSED) for each in (emptied, pipe, device, folder_instead, loop, text)}
UNTOLD: Table = {each.__name__: (each, Oracle.ANY) for each in (noise, flipped, number)}
SOUND: Table = {each.__name__: (each, Oracle.SAME) for each in (appended, touched)}
CHECKED: Table = {each.__name__: (each, Oracle.NOTICED) for each in (noise, flipped, number)}
"""Of what has checksums all over."""


# ---------------------------------------------------------------- TIFF
def plain_tiff(folder: Path) -> Path:
    tifffile.imwrite(folder / "plain.tif", STACK, metadata={"axes": "ZYX"}, photometric="minisblack")
    return folder / "plain.tif"


def tiled_tiff(folder: Path) -> Path:
    tifffile.imwrite(
        folder / "tiled.ome.tif",
        STACK,
        ome=True,
        photometric="minisblack",
        tile=(16, 16),
        compression="zlib",
        metadata={"axes": "ZYX"},
    )
    return folder / "tiled.ome.tif"


def our_tiff(folder: Path) -> Path:
    return write_ome_tiff(folder / "own.ome.tif", STACK, axes="ZYX", channel_names=["BF"])


def part_nowhere(path: Path, rng: Random) -> None:
    """Let a strip or tile be nowhere, or empty."""
    with tifffile.TiffFile(path) as tiff:
        page = rng.choice(list(tiff.pages))
        tags = [page.tags[code] for code in (273, 324, 279, 325) if code in page.tags]
        tag = rng.choice(tags)
        count, kind = tag.count, tag.dtype
    size = struct.calcsize({3: "H", 4: "I", 16: "Q"}[int(kind)])
    content = bytearray(path.read_bytes())
    at = tag.valueoffset + size * rng.randrange(count)
    content[at : at + size] = bytes(size)
    path.write_bytes(content)


def more_planes(path: Path, rng: Random) -> None:
    content = path.read_bytes()
    for old in (b'SizeZ="4"', b'"shape": [4, 48, 40]', b"images=4", b"slices=4"):
        content = content.replace(old, old.replace(b"4", b"9", 1))
    path.write_bytes(content)


def elsewhere(path: Path, rng: Random) -> None:
    names = rng.choice(["../secret.tif", "/etc/passwd", "C:\\secret.tif", "sub/../../secret.tif"])
    xml = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels ID="Pixels:0" '
        'DimensionOrder="XYZCT" Type="uint16" SizeX="40" SizeY="48" SizeC="1" SizeZ="4" SizeT="2">'
        f'<TiffData FirstT="0" PlaneCount="4"><UUID FileName="{path.name}">urn:uuid:a</UUID></TiffData>'
        f'<TiffData FirstT="1" PlaneCount="4"><UUID FileName="{names}">urn:uuid:b</UUID></TiffData>'
        "</Pixels></Image></OME>"
    )
    tifffile.imwrite(path, STACK, photometric="minisblack", description=xml, metadata=None)


TIFF: Table = {
    "cut": (cut, Oracle.REFUSED),
    "part nowhere": (part_nowhere, Oracle.NOTICED),  # where it is not compressed, all of it is known anyway
    "elsewhere": (elsewhere, Oracle.REFUSED),
    **INSTEAD,
    **UNTOLD,
    **SOUND,
}
OME: Table = TIFF | {"more planes": (more_planes, Oracle.REFUSED)}


# ---------------------------------------------------------------- PNG
def png(folder: Path) -> Path:
    (folder / "picture.png").write_bytes(imagecodecs.png_encode(STACK[0]))
    return folder / "picture.png"


PNG: Table = {"cut": (cut, Oracle.REFUSED), **INSTEAD, **CHECKED, **SOUND}


# ---------------------------------------------------------------- CZI
def huge_index(path: Path, rng: Random) -> None:
    """Let one sub-block of the directory lie far away from all others."""
    content = path.read_bytes()
    axis = rng.choice([b"C", b"Z", b"T"])
    entry = axis + b"\0\0\0"
    at = content.index(entry, content.index(b"ZISRAWDIRECTORY")) + 4
    far = struct.pack("<i", rng.choice([10**6, 2**30, 2**31 - 1]))
    path.write_bytes(content[:at] + far + content[at + 4 :])


def directory_number(path: Path, rng: Random) -> None:
    content = path.read_bytes()
    at = content.index(rng.choice([b"ZISRAWDIRECTORY", b"ZISRAWSUBBLOCK"])) + 16 + 4 * rng.randrange(60)
    value = struct.pack("<i", rng.choice([0, -1, 1000, 2**30, -(2**31)]))
    path.write_bytes(content[:at] + value + content[at + 4 :])


CZI: Table = {
    "cut": (cut, Oracle.REFUSED),
    "huge index": (huge_index, Oracle.REFUSED),
    "directory": (directory_number, Oracle.ANY),
    **INSTEAD,
    **UNTOLD,
}


# ---------------------------------------------------------------- OME-Zarr
def our_zarr(folder: Path) -> Path:
    return write_ome_zarr(
        folder / "own.ome.zarr", STACK, axes="ZYX", channel_names=["BF"], voxel_size_um=(0.3, 0.1, 0.1)
    )


def foreign_zarr(folder: Path) -> Path:
    """The same as if another program had written it, which may leave out chunks."""
    path = our_zarr(folder)
    found = json.loads((path / "zarr.json").read_text(encoding="utf-8"))
    del found["attributes"]["napari_mito_predict"]
    (path / "zarr.json").write_text(json.dumps(found), encoding="utf-8")
    return path


FOREIGN = [
    None, True, -1, 0, 2**31, 10**400, 1e308, float("nan"), "", "x", "../..", "/etc", "\x1b[2J", "\ud800", [], {},
    [None], {"a": 1}, [1, 2, 3],
]  # fmt: skip


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a JSON value, as a container and an index or key in it."""
    for key in list(range(len(value)) if isinstance(value, list) else value):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from places(value[key])


def edited(path: Path, rng: Random) -> None:
    """Put something else into a random place of a JSON file."""
    found = {"all": json.loads(path.read_text(encoding="utf-8"))}
    container, key = rng.choice(list(places(found)))
    container[key] = rng.choice(FOREIGN)
    path.write_text(json.dumps(found["all"]), encoding="utf-8")


def deep(path: Path, rng: Random) -> None:
    depth = rng.choice([200, 1000, 100_000])
    path.write_text('{"attributes": ' + "[" * depth + "]" * depth + "}", encoding="utf-8")


def of_file(pick: Callable[[Path], list[Path]], damage: Damage) -> Damage:
    """Damage one file of a folder."""

    def inside(path: Path, rng: Random) -> None:
        damage(rng.choice(pick(path)), rng)

    return inside


def metadata_files(path: Path) -> list[Path]:
    return sorted(path.rglob("zarr.json"))


def pixel_files(path: Path) -> list[Path]:
    return sorted(file for file in (path / "0" / "c").rglob("*") if file.is_file())


def array_value(key: str, *values: Any) -> Damage:
    def damage(path: Path, rng: Random) -> None:
        file = path / "0" / "zarr.json"
        found = json.loads(file.read_text(encoding="utf-8"))
        found[key] = rng.choice(values)
        file.write_text(json.dumps(found), encoding="utf-8")

    return damage


def led_outside(path: Path, rng: Random) -> None:
    file = path / "zarr.json"
    found = json.loads(file.read_text(encoding="utf-8"))
    dataset = found["attributes"]["ome"]["multiscales"][0]["datasets"][0]
    dataset["path"] = rng.choice(["../other/0", str(path / "0"), "0/../../x", "C:\\x", ""])
    file.write_text(json.dumps(found), encoding="utf-8")


def gone(path: Path, rng: Random) -> None:
    path.unlink()


def more_files(path: Path, rng: Random) -> None:
    (path / rng.choice(["notes.txt", "0/notes.txt", ".DS_Store"])).write_text("x", encoding="utf-8")


ZARR: Table = {
    "chunk gone": (of_file(pixel_files, gone), Oracle.REFUSED),
    "chunk cut": (of_file(pixel_files, cut), Oracle.REFUSED),
    "chunk pipe": (of_file(pixel_files, pipe), Oracle.REFUSED),
    "chunk emptied": (of_file(pixel_files, emptied), Oracle.REFUSED),
    "chunk noise": (of_file(pixel_files, noise), Oracle.ANY),
    "no numbers": (array_value("data_type", "string", "bytes", None, 3, "r8"), Oracle.REFUSED),
    "codec": (array_value("codecs", [], None, [{"name": "numcodecs.pickle"}], [{"name": "x"}], "a"), Oracle.REFUSED),
    "shape": (array_value("shape", [], None, [4, 48], [0, 48, 40], [-4, 48, 40], [4, 48, 10**30]), Oracle.REFUSED),
    "outside": (led_outside, Oracle.REFUSED),
    "edited": (of_file(metadata_files, edited), Oracle.ANY),
    "edited again": (of_file(metadata_files, edited), Oracle.ANY),
    "deep": (of_file(metadata_files, deep), Oracle.ANY),
    "metadata cut": (of_file(lambda path: [path / "zarr.json", path / "0" / "zarr.json"], cut), Oracle.REFUSED),
    "metadata pipe": (of_file(lambda path: [path / "zarr.json", path / "0" / "zarr.json"], pipe), Oracle.REFUSED),
    "more files": (more_files, Oracle.SAME),
}
HUGE: Table = {
    "shape": (
        array_value("shape", [4, 48, 2**31], [4, 2**40, 40], [2**31, 48, 40], [2**30] * 3, [4, 2**24, 2**24]),
        Oracle.REFUSED,
    )
}
"""What is opened, and not predicted."""


# ---------------------------------------------------------------- packages
def in_package(name: str, damage: Damage) -> Damage:
    return lambda path, rng: damage(path / name, rng)


PACKAGE: Table = {
    **{f"card {name}": (in_package("model.json", damage), oracle) for name, (damage, oracle) in INSTEAD.items()},
    **{
        f"weights {name}": (in_package("weights.safetensors", damage), oracle)
        for name, (damage, oracle) in (INSTEAD | CHECKED).items()
    },
    "card edited": (in_package("model.json", edited), Oracle.NOTICED),
    "card edited again": (in_package("model.json", edited), Oracle.NOTICED),
    "card cut": (in_package("model.json", cut), Oracle.REFUSED),
    "card deep": (in_package("model.json", deep), Oracle.REFUSED),
    "card noise": (in_package("model.json", noise), Oracle.NOTICED),
    "weights cut": (in_package("weights.safetensors", cut), Oracle.REFUSED),
    "weights longer": (in_package("weights.safetensors", appended), Oracle.REFUSED),
    "sample noise": (in_package("sample.npz", noise), Oracle.NOTICED),
    "sample cut": (in_package("sample.npz", cut), Oracle.REFUSED),
    "sample pipe": (in_package("sample.npz", pipe), Oracle.REFUSED),
    "more files": (lambda path, rng: (path / "notes.txt").write_text("x") and None, Oracle.SAME),
}


def added_member(path: Path, rng: Random) -> None:
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(rng.choice(["../evil", "/evil", "a\\..\\b", "C:/x"]), b"x")


def bomb(path: Path, rng: Random) -> None:
    """Zip the weights again, as gigabytes of zeros would be."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, bytes(40 << 20) if name.endswith("safetensors") else content)


ZIP: Table = {
    "cut": (cut, Oracle.REFUSED),
    "cut at the end": (cut_end, Oracle.REFUSED),
    "leads outside": (added_member, Oracle.REFUSED),
    "bomb": (bomb, Oracle.REFUSED),
    **INSTEAD,
    **CHECKED,
    "touched": (touched, Oracle.SAME),
}


# ---------------------------------------------------------------- run folders
def run_folder(folder: Path) -> Path:
    path = folder / "run"
    for part in ("checkpoints", "preview"):
        (path / part).mkdir(parents=True)
    (path / "config.yaml").write_text(yaml.safe_dump(REQUEST), encoding="utf-8")
    status = {"state": "running", "message": "x", "iteration": 5, "iterations": 9, "pid": 1, "heartbeat": 1.0}
    (path / "status.json").write_text(json.dumps(status | {"scores": {"best": 0.5}, "started": 1.0}), encoding="utf-8")
    lines = ["iteration,train_loss,val_loss,val_pcc,lr,seconds", "0,1,1,0.1,1e-3,1", "5,1,1,0.5,1e-3,2", ""]
    (path / "metrics.csv").write_text("\n".join(lines), encoding="utf-8")
    return path


CELLS = ["nan", "inf", "-1", "1e999", "x", "", "9" * 5000, "\0", '"', "1_0", "\x1b[31m", "½"]


def other_cell(path: Path, rng: Random) -> None:
    lines = path.read_text(encoding="utf-8").split("\n")
    row = rng.randrange(3)
    cells = lines[row].split(",")
    cells[rng.randrange(len(cells))] = rng.choice(CELLS)
    lines[row] = ",".join(cells)
    path.write_text("\n".join(lines), encoding="utf-8")


def asked_to_stop(damage: Damage) -> Damage:
    def inside(path: Path, rng: Random) -> None:
        (path / "stop").write_text("keep", encoding="utf-8")
        damage(path / "stop", rng)

    return inside


_ANY_INSTEAD = (emptied, pipe, device, folder_instead, loop, noise, deep)
RUN: Table = {
    "status edited": (in_package("status.json", edited), Oracle.ANY),
    "status edited again": (in_package("status.json", edited), Oracle.ANY),
    "cell": (in_package("metrics.csv", other_cell), Oracle.ANY),
    **{f"status {each.__name__}": (in_package("status.json", each), Oracle.ANY) for each in _ANY_INSTEAD},
    **{f"metrics {each.__name__}": (in_package("metrics.csv", each), Oracle.ANY) for each in _ANY_INSTEAD},
    **{f"stop {each.__name__}": (asked_to_stop(each), Oracle.ANY) for each in (pipe, device, loop, noise)},
    "request noise": (in_package("config.yaml", noise), Oracle.ANY),
}


# ---------------------------------------------------------------- configurations
REQUEST: dict[str, Any] = {
    "targets": {"mitochondria": "TMRM"},
    "data": {"files": ["day1/*.czi"]},
    "output": "run",
    "preset": "quick",
    "network": {"depth": 2, "base_channels": 4},
    "patch": [8, 16, 16],
    "batch_size": 2,
    "augment": {"noise": 0.1},
    "seed": 3,
}


def configuration(folder: Path) -> Path:
    (folder / "train.yaml").write_text(yaml.safe_dump(REQUEST, sort_keys=False), encoding="utf-8")
    return folder / "train.yaml"


def changed(**values: Any) -> Damage:
    def damage(path: Path, rng: Random) -> None:
        key = rng.choice(list(values))
        path.write_text(yaml.safe_dump(REQUEST | {key: rng.choice(values[key])}), encoding="utf-8")

    return damage


def added_text(*lines: str) -> Damage:
    def damage(path: Path, rng: Random) -> None:
        path.write_text(path.read_text(encoding="utf-8") + rng.choice(lines) + "\n", encoding="utf-8")

    return damage


def misspelt(path: Path, rng: Random) -> None:
    """Take a letter out of a key, or put one in."""
    key = rng.choice(list(REQUEST))
    at = rng.randrange(1, len(key))
    wrong = rng.choice([key[:at] + key[at + 1 :], f"{key[:at]}q{key[at:]}"])
    path.write_text(yaml.safe_dump({wrong if k == key else k: v for k, v in REQUEST.items()}), encoding="utf-8")


IMPOSSIBLE = changed(
    preset=["papr", "Paper", 3, None, ["paper"], {}],
    patch=[[0, 16, 16], [-4, 16, 16], [7, 16, 16], [16], [8] * 4, [10**9, 16, 16], "16", [1.5, 16, 16]],
    seed=[-1, 2**70, "x", 1.5, None, [1]],
    network=["unet", [], {"depth": 100}, {"depth": -1}, {"kind": "unett"}, {"base_channels": 0}],
    iterations=[0, -1, 10**30, float("nan"), "many"],
    learning_rate=[float("inf"), float("nan"), 0, -1],
    voxel_size_um=[[0, 0, 0], [float("nan")] * 3, [-1, 1, 1], [1e-9] * 3, [1e9] * 3, [1]],
    split=[{"by": "("}, {"by": "(" * 150}, {"test": 2}, {"test": float("nan")}, {"seed": -1}],
    batch_size=[0, 10**12, -3],
    targets=[{}, [], {"../x": 1}, None],
    data=[{}, {"files": []}, {"csv": "a", "files": ["b"]}, "x"],
)
TWICE = added_text("seed: 3", "preset: quick", "network: {depth: 2, depth: 3}", "a: {b: {c: 1, c: 1}}")
TYPES = added_text("title: !!int abc", "title: !!python/name:os.system", "title: !!set {a}", "x: *nope")
NESTED = added_text("title: " + "[" * 1000 + "]" * 1000, "a: &a [*a]", "<<: [1]")
DIGITS = added_text("warmup: " + "9" * 5000, "max_minutes: .inf", "clip_gradient: .nan")
HARMLESS = added_text("# hello", "", "title: 2020-01-01", "title: 2020-99-99")
CONFIG: Table = {
    "impossible": (IMPOSSIBLE, Oracle.REFUSED),
    "impossible again": (IMPOSSIBLE, Oracle.REFUSED),
    "misspelt": (misspelt, Oracle.REFUSED),
    "twice": (TWICE, Oracle.REFUSED),
    "types": (TYPES, Oracle.REFUSED),
    "nested": (NESTED, Oracle.REFUSED),
    "digits": (DIGITS, Oracle.REFUSED),
    "harmless": (HARMLESS, Oracle.ANY),
    **INSTEAD,
    **UNTOLD,
}


# ---------------------------------------------------------------- the run of it
class Case(NamedTuple):
    """One damaged thing."""

    name: str
    path: Path
    oracle: Oracle


class Subject(NamedTuple):
    """What is damaged, how, who reads it, and its share of the cases in percent."""

    table: Table
    kind: str
    share: int


SUBJECTS = {
    "tiff-plain": Subject(TIFF, "image", 8),
    "tiff-tiled": Subject(OME, "image", 8),
    "tiff-ours": Subject(OME, "image", 8),
    "png": Subject(PNG, "image", 7),
    "czi": Subject(CZI, "image", 11),
    "zarr": Subject(ZARR, "image", 16),
    "zarr-huge": Subject(HUGE, "plan", 2),
    "package": Subject(PACKAGE, "package", 14),
    "zip": Subject(ZIP, "package", 6),
    "run": Subject(RUN, "run", 10),
    "config": Subject(CONFIG, "config", 10),
}


@pytest.fixture
def sound(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], Path]:
    """Make what is damaged."""
    folder = tmp_path / "sound"
    folder.mkdir()
    files: dict[str, Callable[[Path], Path]] = {
        "tiff-plain": plain_tiff,
        "tiff-tiled": tiled_tiff,
        "tiff-ours": our_tiff,
        "png": png,
        "zarr": our_zarr,
        "zarr-huge": foreign_zarr,
        "run": run_folder,
        "config": configuration,
    }

    def make(subject: str) -> Path:
        if subject in files:
            return files[subject](folder)
        if subject == "czi":
            made: Path = request.getfixturevalue("make_czi")("sound/cells.czi")[0]
            return made
        network = request.getfixturevalue("plane_network")
        sample = np.random.default_rng(0).standard_normal((1, 16, 16), dtype=np.float32)
        package = folder / "model"
        save_model(package, request.getfixturevalue("plane_card"), network, sample)
        return package if subject == "package" else export_model(package, folder / "model.zip")

    return make


def damaged(subject: str, sound: Path, folder: Path) -> Iterator[Case]:
    table, _, share = SUBJECTS[subject]
    for number in range(max(CASES * share // 100, len(table))):
        name, (damage, oracle) = list(table.items())[number % len(table)]
        path = folder / f"{number}-{sound.name}"
        copy = shutil.copytree if sound.is_dir() else shutil.copy2
        copy(sound, path)
        damage(path, Random(f"{subject} {number}"))
        yield Case(f"{subject} {number} ({name})", path, oracle)


def outcomes(requests: list[tuple[str, Path]]) -> Iterator[dict[str, Any]]:
    """Let a process read all of them; where it dies, another one goes on behind what killed it."""
    left = list(requests)
    while left:
        lines = "".join(json.dumps({"kind": kind, "path": str(path)}) + "\n" for kind, path in left)
        environment = os.environ | {"PYTHONUTF8": "1", "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, str(WORKER)],
            input=lines,
            capture_output=True,
            encoding="utf-8",
            env=environment,
            check=False,
        )
        found = [json.loads(line) for line in done.stdout.splitlines()]
        yield from found
        if len(found) < len(left):
            assert done.returncode < 0, done.stderr
            yield {"result": f"killed by signal {-done.returncode}", "detail": "", "mib": 0}
        left = left[len(found) + 1 :]


def problem(oracle: Oracle, outcome: dict[str, Any], undamaged: str) -> str:
    """What is wrong with an outcome; empty where nothing is."""
    result, detail = outcome["result"], outcome["detail"]
    if outcome["mib"] > MOST_MIB:
        return f"took {outcome['mib']:.0f} MiB"
    if result not in ("read", "refused"):
        return f"{result}: {detail}"
    if oracle is Oracle.REFUSED and result == "read":
        return "silently read"
    if oracle is Oracle.SAME and result == "refused":
        return f"refused: {detail}"
    if oracle in (Oracle.SAME, Oracle.NOTICED) and result == "read" and detail != undamaged:
        return "silently read as something else"
    return ""


@pytest.mark.parametrize("subject", SUBJECTS)
def test_damage_is_noticed_wherever_it_can_be(subject: str, sound: Callable[[str], Path], tmp_path: Path) -> None:
    original = sound(subject)
    folder = tmp_path / "damaged"
    folder.mkdir()
    cases = list(damaged(subject, original, folder))
    kind = SUBJECTS[subject].kind
    requests = [(kind, original), *((kind, case.path) for case in cases)]
    listing = {"run": "runs", "package": "models", "zip": "models"}.get(subject)
    if listing is not None:
        requests.append((listing, folder))
    first, *found = outcomes(requests)
    assert first["result"] == "read", first
    if listing == "runs":
        assert found.pop()["detail"] == str(len(cases)), "every run is listed"
    elif listing is not None:
        rows = found.pop()
        no_models = sum("(folder_instead)" in case.name for case in cases)  # nothing says that it was one
        assert rows["detail"] == str(len(cases) - no_models), "and every package"
    problems = {
        case.name: wrong
        for case, outcome in zip(cases, found, strict=True)
        if (wrong := problem(case.oracle, outcome, first["detail"]))
    }
    assert not problems, "\n".join(f"{name}: {wrong}" for name, wrong in problems.items())
