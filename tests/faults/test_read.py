"""Every way a file can lie or be hurt ends in one named error: never in fewer planes, zeros or a crash.

One table: what is built, how it is damaged, what must be said. Backends written in C++ could take the whole process
with them, so those cases run in a process of their own and must end without a signal.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_mito_predict.errors import ImageError, MitoPredictError, UnreadableImageError
from napari_mito_predict.image import open_image, write_ome_zarr

STACK = np.random.default_rng(0).integers(0, 60000, (8, 64, 48), np.uint16)
Damage = Callable[[Path], None]


def tiff(path: Path, **options: object) -> None:
    options = {"photometric": "minisblack", "metadata": {"axes": "ZYX"}} | options
    tifffile.imwrite(path, STACK, **options)  # type: ignore[arg-type]


def plain(path: Path) -> None:
    tiff(path)


def compressed(path: Path) -> None:
    tiff(path, compression="zlib")


def silent(path: Path) -> None:
    tiff(path, compression="zlib", metadata=None)


def single(path: Path) -> None:
    tifffile.imwrite(path, STACK[0], photometric="minisblack", compression="zlib", metadata=None)


def imagej(path: Path) -> None:
    tiff(path, imagej=True, photometric=None)


def ome(path: Path) -> None:
    tiff(path, ome=True)


def ome_compressed(path: Path) -> None:
    tiff(path, ome=True, compression="zlib")


def cut(fraction: float) -> Damage:
    def damage(path: Path) -> None:
        os.truncate(path, int(path.stat().st_size * fraction))

    return damage


def replace_by(content: bytes) -> Damage:
    return lambda path: path.write_bytes(content) and None


def overwrite_at(fraction: float, content: bytes) -> Damage:
    def damage(path: Path) -> None:
        raw = bytearray(path.read_bytes())
        start = int(len(raw) * fraction)
        raw[start : start + len(content)] = content
        path.write_bytes(raw)

    return damage


def set_tag(code: int, value: int) -> Damage:
    """Set a short or long tag of the first page."""

    def damage(path: Path) -> None:
        with tifffile.TiffFile(path, mode="r+b") as file:
            tag = file.pages.first.tags[code]
            file.filehandle.seek(tag.offset + 2)
            file.filehandle.write(b"\x04\x00")  # as a 32-bit number
            file.filehandle.seek(tag.offset + 8)
            file.filehandle.write(value.to_bytes(4, "little"))

    return damage


def circle(path: Path) -> None:
    """Let the second directory name itself as the next one."""
    with tifffile.TiffFile(path) as file:
        second = file.pages[1].offset
    raw = bytearray(path.read_bytes())
    tags = int.from_bytes(raw[second : second + 2], "little")
    at = second + 2 + 12 * tags
    raw[at : at + 4] = second.to_bytes(4, "little")
    path.write_bytes(raw)


NOISE = np.random.default_rng(1).bytes(600)
TIFF_FAULTS = {
    "empty": (plain, replace_by(b""), "the file is empty"),
    "web-page": (plain, replace_by(b"<!DOCTYPE html><html>404</html>"), "a web page"),
    "web-page-in-capitals": (plain, replace_by(b"\n <HTML>"), "a web page"),
    "lfs-pointer": (plain, replace_by(b"version https://git-lfs.github.com/spec/v1\noid sha256:0"), "Git-LFS pointer"),
    "text": (plain, replace_by(b"hello, I am a text"), "not an image we can read"),
    "header-only": (plain, cut(0.00015), "damaged or incomplete"),
    "no-directory": (plain, replace_by(b"II*\0\x08\0\0\0"), "damaged|holds no image"),
    "cut-50": (plain, cut(0.5), "incomplete|cut short"),
    "cut-99": (plain, cut(0.99), "incomplete|cut short"),
    "compressed-cut-50": (compressed, cut(0.5), "damaged or incomplete"),
    "compressed-cut-99": (compressed, cut(0.99), "cut short"),
    "silent-cut-50": (silent, cut(0.5), "damaged or incomplete"),
    "imagej-cut-50": (imagej, cut(0.5), "damaged or incomplete"),
    "imagej-cut-99": (imagej, cut(0.99), "incomplete|cut short"),
    "ome-cut-50": (ome, cut(0.5), "damaged or incomplete"),
    "ome-cut-95": (ome, cut(0.95), "damaged or incomplete"),
    "ome-compressed-cut-50": (ome_compressed, cut(0.5), "damaged or incomplete"),
    "ome-compressed-cut-95": (ome_compressed, cut(0.95), "damaged or incomplete"),
    "compressed-noise": (compressed, overwrite_at(0.5, NOISE), "damaged or incomplete"),
    "width-of-2-to-the-31": (single, set_tag(256, 2**31 - 1), "the header announces stacks of 1 x 64 x 2147483647"),
    "height-of-2-to-the-31": (compressed, set_tag(257, 2**31 - 1), "damaged or incomplete"),
    "circular": (silent, circle, "damaged or incomplete"),
}


@pytest.mark.parametrize("fault", TIFF_FAULTS)
def test_damaged_tiff(tmp_path: Path, fault: str) -> None:
    build, damage, said = TIFF_FAULTS[fault]
    path = tmp_path / f"{fault}.tif"
    build(path)
    damage(path)
    with pytest.raises(UnreadableImageError, match=said) as caught:
        read_all(path)
    assert fault in str(caught.value), "the message names the file"
    assert "\n" not in str(caught.value)


def read_all(path: Path) -> None:
    image = open_image(path)
    for t in range(image.sizes["T"]):
        for channel in range(image.sizes["C"]):
            image.read(t, channel)


@pytest.mark.parametrize("build", [plain, compressed, imagej, ome, ome_compressed])
def test_the_undamaged_ones_are_fine(tmp_path: Path, build: Callable[[Path], None]) -> None:
    build(tmp_path / "a.tif")
    np.testing.assert_array_equal(open_image(tmp_path / "a.tif").read(), STACK)


def test_missing_part_of_an_ome_set(tmp_path: Path) -> None:
    xml = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:a">'
        '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="48" SizeY="64" '
        'SizeC="1" SizeZ="8" SizeT="2"><Channel ID="Channel:0:0" SamplesPerPixel="1"/>'
        '<TiffData FirstT="0" PlaneCount="8"><UUID FileName="a.ome.tif">urn:uuid:a</UUID></TiffData>'
        '<TiffData FirstT="1" PlaneCount="8"><UUID FileName="b.ome.tif">urn:uuid:b</UUID></TiffData>'
        "</Pixels></Image></OME>"
    )
    tiff(tmp_path / "a.ome.tif", description=xml, metadata=None)
    with pytest.raises(UnreadableImageError, match=r"1 of them are missing: b\.ome\.tif"):
        open_image(tmp_path / "a.ome.tif")


def test_fewer_planes_than_the_ome_metadata_declares(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    ome(path)
    raw = path.read_bytes()
    assert b'SizeZ="8"' in raw
    path.write_bytes(raw.replace(b'SizeZ="8"', b'SizeZ="9"').replace(b'PlaneCount="8"', b'PlaneCount="9"'))
    with pytest.raises(UnreadableImageError, match="incomplete"):
        read_all(path)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImageError, match=r"gone\.czi: cannot be opened"):
        open_image(tmp_path / "gone.czi")


@pytest.mark.skipif(sys.platform == "win32", reason="making links needs rights that testers may not have")
def test_a_link_to_itself(tmp_path: Path) -> None:
    (tmp_path / "loop.czi").symlink_to(tmp_path / "loop.czi")
    with pytest.raises(UnreadableImageError, match="cannot be opened"):
        open_image(tmp_path / "loop.czi")


@pytest.mark.parametrize("change", [lambda path: os.utime(path, ns=(1, 1)), cut(0.7), Path.unlink])
def test_a_file_that_changes_after_opening(tmp_path: Path, change: Damage) -> None:
    path = tmp_path / "a.tif"
    plain(path)
    image = open_image(path)
    image.read()
    change(path)
    with pytest.raises(UnreadableImageError, match=r"changed while it was being read|can no longer be read"):
        image.read()


# ------------------------------------------------------------------------------------------------------------- CZI


def empty_directory(path: Path) -> None:
    """Keep the metadata, forget every sub-block."""
    raw = bytearray(path.read_bytes())
    directory = raw.index(b"ZISRAWDIRECTORY")
    raw[directory + 32 : directory + 36] = bytes(4)
    path.write_bytes(raw)


def dimensions_without_end(path: Path) -> None:
    """Let a sub-block announce 2**30 dimensions; libCZI would write past its array of 40."""
    raw = path.read_bytes()
    at = raw.index(b"ZISRAWSUBBLOCK") + 32 + 16 + 28
    path.write_bytes(raw[:at] + (2**30).to_bytes(4, "little") + raw[at + 4 :])


def huge_tiles(path: Path) -> None:
    """Let every sub-block announce 2**30 pixels of width."""
    raw = path.read_bytes()
    entry = b"X\0\0\0" + bytes(4) + (28).to_bytes(4, "little")
    assert entry in raw
    path.write_bytes(raw.replace(entry, entry[:8] + (2**30).to_bytes(4, "little")))


def one_huge_tile(path: Path) -> None:
    """Let the last sub-block of the directory announce more width than it has: it is no smaller copy of others."""
    raw = path.read_bytes()
    entry = b"X\0\0\0" + bytes(4) + (28).to_bytes(4, "little")
    at = raw.rindex(entry) + 8
    path.write_bytes(raw[:at] + (2**30).to_bytes(4, "little") + raw[at + 4 :])


def negative_sizes(path: Path) -> None:
    """Let every sub-block be stored as less than nothing: it is no smaller copy, of which a plane can do without."""
    raw = path.read_bytes()
    entry = b"X\0\0\0" + bytes(4) + (28).to_bytes(4, "little") + bytes(4)
    assert entry in raw
    parts = raw.split(entry)
    path.write_bytes(
        parts[0] + b"".join(entry + (-5).to_bytes(4, "little", signed=True) + part[4:] for part in parts[1:])
    )


NUMBERS = (0, -1, 1, 1000, 65536, 2**30, 2**31 - 1, -(2**31))


def hurt(raw: bytes, rng: np.random.Generator) -> bytes:
    """Cut a CZI, zero a part of it, flip bits, or write a number where its directory or a sub-block has another one."""
    number = int(rng.choice(NUMBERS)).to_bytes(4, "little", signed=True)
    at = int(rng.integers(16, len(raw)))
    match rng.choice(["cut", "zero", "flip", "directory", "sub-block", "header"]):
        case "cut":
            return raw[:at]
        case "zero":
            hole = bytes(min(int(rng.choice([4, 32, 512])), len(raw) - at))
            return raw[:at] + hole + raw[at + len(hole) :]
        case "flip":
            flipped = bytearray(raw)
            for place in rng.integers(16, len(raw), 8):
                flipped[place] ^= 1 << int(rng.integers(8))
            return bytes(flipped)
        case "directory":
            at = raw.index(b"ZISRAWDIRECTORY") + int(rng.choice([16, 24, 32, 160, *range(160, 320, 4)]))
        case "sub-block":
            starts = [found.start() for found in re.finditer(b"ZISRAWSUBBLOCK", raw)]
            at = int(rng.choice(starts)) + int(rng.integers(4, 50)) * 4
        case "header":
            at = int(rng.integers(16, 120))
    return raw[:at] + number + raw[at + 4 :]


CZI_FAULTS = {
    "empty": (replace_by(b""), "the file is empty"),
    "lfs-pointer": (replace_by(b"version https://git-lfs.github.com/spec/v1\n"), "Git-LFS pointer"),
    "text": (replace_by(b"not a czi"), "not an image we can read"),
    "magic-only": (replace_by(b"ZISRAWFILE" + bytes(6)), "damaged or incomplete"),
    "cut-10": (cut(0.1), "damaged or incomplete"),
    "cut-50": (cut(0.5), "damaged or incomplete"),
    "cut-90": (cut(0.9), "damaged or incomplete"),
    "cut-99": (cut(0.99), "damaged or incomplete"),
    "no-pixels": (empty_directory, "holds no pixel data|damaged or incomplete"),
    "dimensions-without-end": (dimensions_without_end, "sub-block at byte|dimensions at byte"),
    "huge-tiles": (huge_tiles, "damaged"),
    "one-huge-tile": (one_huge_tile, "a sub-block of"),
    "negative-sizes": (negative_sizes, "an empty sub-block"),
}

NAMED = ("UnreadableImageError", "IncompleteImageError", "UnsupportedImageError")

IN_A_PROCESS = """
import pathlib, re, resource, signal, sys
resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
from napari_mito_predict.errors import MitoPredictError
from napari_mito_predict.image import open_image
for path in sys.argv[1:]:
    signal.alarm(20)
    try:
        image = open_image(path)
        for scene in range(len(image.scenes)):
            one = image.with_scene(scene)
            for t in range(min(3, one.sizes["T"])):
                for channel in range(min(3, one.sizes["C"])):
                    one.read(t, channel)
        print("\\nRESULT loaded")
    except MitoPredictError as error:
        print("\\nRESULT", type(error).__name__, ascii(str(error)))
status = pathlib.Path("/proc/self/status")
if status.exists():  # getrusage would begin with what the process needed that started this one
    kilobytes = int(re.search(r"VmHWM:\\s+(\\d+)", status.read_text())[1])
    assert kilobytes < 2**20, f"{kilobytes} kB of memory"
"""


def in_a_process(*paths: Path) -> list[str]:
    """Read files in a process of their own: one line for each, and never a signal."""
    pytest.importorskip("resource", reason="limits the memory of the process; not on Windows")
    done = subprocess.run(
        [sys.executable, "-c", IN_A_PROCESS, *map(str, paths)],
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        env=os.environ | {"PYTHONUTF8": "1"},
        check=False,
    )
    assert done.returncode >= 0, f"killed by signal {-done.returncode}"
    assert done.returncode == 0, done.stderr
    # aicspylibczi itself prints now and then.
    return [line[7:] for line in done.stdout.splitlines() if line.startswith("RESULT ")]


def test_damaged_czi(make_czi: Callable[..., tuple[Path, np.ndarray]]) -> None:
    """The table, then random damage that is an error or harmless; one process, because starting it takes longest."""
    named, random = [], []
    for fault, (damage, _) in CZI_FAULTS.items():
        named.append(make_czi(f"{fault}.czi")[0])
        damage(named[-1])
    rng = np.random.default_rng(0)
    for number in range(40):
        random.append(make_czi(f"noise{number}.czi")[0])
        overwrite_at(float(rng.random()), rng.bytes(64))(random[-1])
    sound_path = make_czi("sound.czi")[0]
    sound = sound_path.read_bytes()
    for number in range(150):
        random.append(sound_path.with_name(f"hurt{number}.czi"))
        random[-1].write_bytes(hurt(sound, rng))
    lines = in_a_process(*named, *random)
    assert len(lines) == len(named) + len(random), lines
    for (fault, (_, said)), line in zip(CZI_FAULTS.items(), lines, strict=False):
        assert line.startswith("UnreadableImageError"), f"{fault}: {line}"
        assert f"{fault}.czi" in line
        assert any(words in line for words in said.split("|")), f"{fault}: {line}"
    for line in lines[len(named) :]:
        assert line == "loaded" or line.startswith(NAMED), line


# -------------------------------------------------------------------------------------------------------- OME-Zarr
FOREIGN_VALUES = [
    None, True, -1, 0, 3, 2**31, 2**62, 10**400, 1e308, float("nan"), "", "x", "../..", "/etc", "\ud800", "0" * 5000,
    [], {}, [None], {"a": 1}, [1, 2, 3],
]  # fmt: skip


def edit_json(path: Path, rng: random.Random) -> None:
    """Put something else into a random place of a JSON file."""
    found = {"all": json.loads(path.read_text(encoding="utf-8"))}
    container, key = rng.choice(list(places(found)))
    if rng.random() < 0.2:
        del container[key]
    else:
        container[key] = rng.choice(FOREIGN_VALUES)
    path.write_text(json.dumps(found.get("all")), encoding="utf-8")


def places(value: object) -> Iterator[tuple[Any, Any]]:
    """Every place in a JSON value, as a container and an index or key in it."""
    keys: Any = range(len(value)) if isinstance(value, list) else value
    for key in list(keys):
        yield value, key
        if isinstance(value[key], dict | list):  # type: ignore[index]
            yield from places(value[key])  # type: ignore[index]


def harm(path: Path, rng: random.Random) -> None:
    """Damage one file of a folder."""
    files = sorted(file for file in path.rglob("*") if file.is_file())
    metadata = [file for file in files if file.suffix == ".json" or file.name in (".zarray", ".zattrs")]
    file = rng.choice(files)
    kind = rng.choice(["edit", "edit", "edit", "cut", "noise", "gone", "deep", "pipe"])
    if kind == "edit":
        edit_json(rng.choice(metadata), rng)
    elif kind == "cut":
        cut(rng.random())(file)
    elif kind == "noise":
        overwrite_at(rng.random(), rng.randbytes(8))(file)
    elif kind == "deep":
        rng.choice(metadata).write_text('{"multiscales": ' + "[" * 10_000 + "]" * 10_000 + "}", encoding="utf-8")
    else:
        file.unlink()
        if kind == "pipe":
            os.mkfifo(file)


def zarrs(folder: Path) -> list[Path]:
    """A file of our own, one in shards, and a plate."""
    zarr = pytest.importorskip("zarr", minversion="3", exc_type=ImportError)
    own = write_ome_zarr(
        folder / "own.ome.zarr", STACK, axes="ZYX", channel_names=["BF"], voxel_size_um=(0.3, 0.1, 0.1)
    )
    described = zarr.open_group(own).attrs["ome"]
    sharded = zarr.open_group(folder / "sharded.zarr", mode="w", zarr_format=3)
    sharded.attrs["ome"] = described
    sharded.create_array("0", shape=STACK.shape, dtype="u2", chunks=(1, 32, 24), shards=(4, 64, 48))[:] = STACK
    plate = zarr.open_group(folder / "plate.zarr", mode="w", zarr_format=2)
    plate.attrs["plate"] = {"wells": [{"path": "A/1", "rowIndex": 0, "columnIndex": 0}]}
    well = plate.create_group("A/1")
    well.attrs["well"] = {"images": [{"path": "0"}]}
    image = well.create_group("0")
    image.attrs.update(described)
    image.create_array("0", shape=STACK.shape, dtype="u2", chunks=(1, 64, 48))[:] = STACK
    return [own, folder / "sharded.zarr", folder / "plate.zarr"]


def test_damaged_zarr(tmp_path: Path) -> None:
    """Random damage is a named error or harmless, and over in a moment."""
    pytest.importorskip("resource", reason="limits the memory of the process; not on Windows")
    sound = zarrs(tmp_path)
    rng = random.Random(0)
    damaged = [tmp_path / f"{number}.zarr" for number in range(120)]
    for path in damaged:
        shutil.copytree(rng.choice(sound), path)
        harm(path, rng)
    start = time.monotonic()
    lines = in_a_process(*sound, *damaged)
    assert time.monotonic() - start < 60
    assert len(lines) == len(sound) + len(damaged), lines
    assert lines[: len(sound)] == ["loaded"] * len(sound)
    named = ("UnreadableImageError", "UnsupportedImageError", "UnknownAxesError", "MetadataError")
    for line in lines:
        assert line == "loaded" or line.startswith(named), line
        assert ".zarr" in line or line == "loaded"
        assert "\\n" not in line


def test_every_image_error_can_be_caught_as_one() -> None:
    assert issubclass(UnreadableImageError, ImageError)
    assert issubclass(ImageError, MitoPredictError)


FUZZED = {
    "plain": plain,
    "compressed": compressed,
    "silent": silent,
    "imagej": imagej,
    "ome": ome,
    "ome-compressed": ome_compressed,
}


def _hurt(content: bytes, random: Random) -> bytes:
    """Damage a file somewhere: cut it, flip bits, zero a range, or put an impossible number there."""
    hurt = bytearray(content)
    at = random.randrange(len(hurt) if random.random() < 0.5 else 2000)
    match random.choice(("cut", "flip", "zero", "number")):
        case "cut":
            return bytes(hurt[: at + 1])
        case "flip":
            hurt[at] ^= 1 << random.randrange(8)
        case "zero":
            hurt[at : at + 64] = bytes(len(hurt[at : at + 64]))
        case "number":
            hurt[at : at + 4] = b"\xff\xff\xff\x7f"[: len(hurt[at : at + 4])]
    return bytes(hurt)


@pytest.mark.parametrize("kind", FUZZED)
def test_any_damage_to_a_tiff_is_said_by_name(tmp_path: Path, kind: str) -> None:
    random = Random(kind)
    FUZZED[kind](tmp_path / "sound.tif")
    content = (tmp_path / "sound.tif").read_bytes()
    path = tmp_path / "hurt.tif"
    for _ in range(40):
        path.write_bytes(_hurt(content, random))
        with contextlib.suppress(ImageError):
            image = open_image(path, axes="ZYX")
            assert image.read().shape[-2:] == (image.sizes["Y"], image.sizes["X"])
