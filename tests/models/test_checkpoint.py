"""Checkpoint files of torch are read as data: as torch reads them, and nothing else happens, whatever is in them."""

from __future__ import annotations

import contextlib
import os
import pickle
import random
import struct
import subprocess
import sys
import zipfile
from argparse import Namespace
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric.utilities.data import AttributeDict

from napari_mito_predict.errors import DamagedModelError
from napari_mito_predict.models.importers.checkpoint import Setting, is_checkpoint, load_checkpoint

LEGACY_START = [0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True}]


# ------------------------------------------------------------------------------------------ as torch
def every_kind_of_tensor() -> dict[str, Any]:
    numbers = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
    shared = torch.randn(10)
    dtypes = (torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.int8, torch.uint8, torch.complex64)
    return {
        **{str(dtype): numbers.to(dtype) for dtype in dtypes},
        "bool": numbers > 3,
        "scalar": torch.tensor(7),
        "empty": torch.empty(0, 3),
        "turned": numbers.permute(2, 0, 1),
        "part": numbers[:, 1:, ::2],
        "repeated": torch.ones(1, 3).expand(1, 3),
        "channels last": torch.randn(2, 3, 4, 5).contiguous(memory_format=torch.channels_last),
        "parameter": torch.nn.Parameter(torch.randn(3)),
        "shared": shared,
        "part of shared": shared[4:],
    }


def state_of_a_network() -> dict[str, Any]:
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    optimizer = torch.optim.Adam(network.parameters())
    network(torch.randn(1, 1, 8, 8)).sum().backward()
    optimizer.step()
    return {"nn_state": network.state_dict(), "optimizer_state": optimizer.state_dict(), "count_iter": 7}


def plain_data() -> dict[str, Any]:
    return {
        "text": "β-tubulin",
        "numbers": [1, -1, 300, 70000, 2**40, -(2**70), 0.5, True, False, None],
        "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)],
        "nested": {"a": {"b": {"c": [1, {"d": 2}]}}, 5: "five"},
        "ordered": OrderedDict(first=1, second=2),
    }


@pytest.mark.parametrize("make", [every_kind_of_tensor, state_of_a_network, plain_data])
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("protocol", [2, 3])
def test_reads_what_torch_wrote(
    tmp_path: Path, make: Callable[[], dict[str, Any]], zipped: bool, protocol: int
) -> None:
    content = make()
    path = tmp_path / "model.p"
    torch.save(content, path, _use_new_zipfile_serialization=zipped, pickle_protocol=protocol)
    assert is_checkpoint(path)
    assert_same(load_checkpoint(path), content)


def assert_same(found: Any, expected: Any) -> None:
    """Equal, whatever it is."""
    if isinstance(expected, torch.Tensor):
        assert found.dtype == expected.dtype
        assert torch.equal(found, expected.detach())
    elif isinstance(expected, dict):
        assert list(found) == list(expected)
        for key, value in expected.items():
            assert_same(found[key], value)
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for pair in zip(found, expected, strict=True):
            assert_same(*pair)
    else:
        assert found == expected


def test_settings_beside_weights_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    settings = AttributeDict(depth=4, folder=Path("/data"), inner=AttributeDict(size=(5, 4)))
    weights = {"state_dict": {"weight": torch.ones(2)}, "hyper_parameters": settings, "args": Namespace(lr=1)}
    torch.save(weights | {"ids": {1, 2}, "raw": b"bytes", "device": torch.device("cpu")}, path)
    found = load_checkpoint(path)
    assert torch.equal(found["state_dict"]["weight"], torch.ones(2))
    assert found["hyper_parameters"]["depth"] == 4
    assert found["hyper_parameters"]["inner"] == {"size": (5, 4)}
    assert isinstance(found["hyper_parameters"]["folder"], Setting)
    assert isinstance(found["args"], Setting)


def test_no_warning_for_weights_of_another_device(tmp_path: Path) -> None:
    path = tmp_path / "gpu.p"
    torch.save({"weight": torch.ones(3)}, path)
    _replace_in_pickle(path, b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:3")
    assert torch.equal(load_checkpoint(path)["weight"], torch.ones(3))


# -------------------------------------------------------------------------------------- hostile files
def zipped(path: Path, pickled: bytes, storages: dict[str, bytes] | None = None, **options: Any) -> Path:
    with zipfile.ZipFile(path, "w", **options) as archive:
        archive.writestr("model/data.pkl", pickled)
        archive.writestr("model/version", "3\n")
        for key, content in (storages or {}).items():
            archive.writestr(f"model/data/{key}", content)
    return path


def legacy(path: Path, pickled: bytes, storages: dict[str, bytes] | None = None) -> Path:
    start = b"".join(pickle.dumps(part, 2) for part in LEGACY_START)
    ends = [pickle.dumps(list(storages or {}), 2), *(storages or {}).values()]
    path.write_bytes(start + pickled + b"".join(ends))
    return path


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def whole(value: int) -> bytes:
    encoded = value.to_bytes(9, "little")
    return b"\x8a\x09" + encoded


def dictionary(**values: bytes) -> bytes:
    return b"\x80\x02}" + b"".join(text(name) + value + b"s" for name, value in values.items()) + b"."


def called(name: str, *arguments: bytes) -> bytes:
    module, _, function = name.rpartition(".")
    return f"c{module}\n{function}\n".encode() + b"(" + b"".join(arguments) + b"tR"


def tensor(
    key: str, count: int, shape: list[int], strides: list[int], dtype: str = "Float", *, legacy_file: bool = False
) -> bytes:
    storage = b"(" + text("storage") + f"ctorch\n{dtype}Storage\n".encode() + text(key) + text("cpu") + whole(count)
    if legacy_file:
        storage += b"N"  # there, it could be a view of another one
    sizes = (b"(" + b"".join(map(whole, numbers)) + b"t" for numbers in (shape, strides))
    hooks = called("collections.OrderedDict")
    return called("torch._utils._rebuild_tensor_v2", storage + b"tQ", whole(0), *sizes, b"\x89", hooks)


def laughs(levels: int) -> bytes:
    """A tuple of two of the same, and that again and again: tiny here, but never to be walked through."""
    return b"K\x01K\x01\x86" + b"q\x00h\x00\x86" * levels


FOUR = struct.pack("<4f", 1, 2, 3, 4)
PICKLES = {
    "system": dictionary(nn_state=called("os.system", text("touch RAN"))),
    "posix system": dictionary(nn_state=called("posix.system", text("touch RAN"))),
    "eval": dictionary(nn_state=called("builtins.eval", text("open('RAN', 'w')"))),
    "named only": dictionary(nn_state=b"csubprocess\nPopen\n"),
    "of torch": dictionary(nn_state=called("torch.load", text("RAN"))),
    "of numpy": dictionary(nn_state=called("numpy.testing._private.utils.runstring", text("1"), b"}")),
    "odd name": b"\x80\x02c\\x6fs\nsystem\n" + text("touch RAN") + b"\x85R.",
    "two gigabytes": dictionary(nn_state=called("builtins.bytearray", whole(2 << 30))),
    "made tensor": dictionary(nn_state=called("torch.Tensor", whole(10**12))),
    "meta tensor": dictionary(nn_state=called("torch._utils._rebuild_meta_tensor_no_storage", b"N")),
    "laughing call": b"\x80\x02" + laughs(60) + b")R.",
    "laughing value": b"\x80\x02}X\x01\x00\x00\x00a" + laughs(60) + b"s" + laughs(60) + b"R.",
    "deep": b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b".",
    "list": pickle.dumps([1, 2, 3], 2),
    "text": pickle.dumps("weights", 2),
    "million keys": b"\x80\x02}(" + b"".join(text(str(number)) + b"K\x01" for number in range(10**6)) + b"u.",
    "long text": b"\x80\x02}X\xff\xff\xff\xff" + b"a" * 1000,
    "huge text": b"\x80\x04\x8d" + struct.pack("<Q", 10**12) + b"a" * 1000,
    "huge memo": b"\x80\x02}r\xff\xff\xff\xffX\x01\x00\x00\x00a1.",
    "much text": dictionary(a=text("a" * (40 << 20))),
    "nothing on the stack": b"\x80\x02sss.",
    "no mark": b"\x80\x02}u.",
    "old object": b"\x80\x02(cos\nsystem\no.",
    "text opcodes": b"cos\nsystem\n(S'touch RAN'\ntR.",
    "state of a class": b"\x80\x02ccollections\nOrderedDict\n}X\x05\x00\x00\x00itemsK\x01sb)R" + text("a") + b"s.",
    "sizes that are text": dictionary(a=tensor("0", 4, [4], [1]).replace(whole(4), text("4"))),
}
TENSORS = {
    "huge storage": (tensor("0", 10**12, [4], [1]), FOUR),
    "huge legacy storage": (tensor("0", 10**12, [4], [1], legacy_file=True), FOUR),
    "large legacy storage": (tensor("0", 10**9, [4], [1], legacy_file=True), FOUR),
    "repeated legacy": (tensor("0", 4, [10**6, 10**6], [0, 0], legacy_file=True), FOUR),
    "reaching beyond, legacy": (tensor("0", 4, [4], [2], legacy_file=True), FOUR),
    "huge in all ways": (tensor("0", 10**12, [10**12], [1]), FOUR),
    "repeated without end": (tensor("0", 4, [10**6, 10**6], [0, 0]), FOUR),
    "reaching beyond": (tensor("0", 4, [4], [2]), FOUR),
    "shorter than declared": (tensor("0", 40, [4], [1]), FOUR),
    "longer than any": (tensor("0", 4, [2**60, 2**60], [0, 0]), FOUR),
    "axes and strides": (tensor("0", 4, [4], [1, 1]), FOUR),
    "elsewhere": (tensor("../../0", 4, [4], [1]), FOUR),
    "quantised": (tensor("0", 4, [4], [1], "QInt8"), FOUR),
    "unknown numbers": (tensor("0", 4, [4], [1], "Secret"), FOUR),
}


def write_hostile_files(folder: Path) -> list[Path]:
    files = []
    for number, (name, content) in enumerate(PICKLES.items()):
        files.append(zipped(folder / f"{number} {name}.p", content))
        files.append(legacy(folder / f"{number} {name} legacy.p", content))
    for name, (described, numbers) in TENSORS.items():
        content = dictionary(nn_state=b"}" + text("weight") + described + b"s")
        files.append(zipped(folder / f"{name}.p", content, {"0": numbers}))
        counts = (4, 40, 10**12)
        for count in counts:
            stored = {"0": struct.pack("<q", count) + numbers}
            files.append(legacy(folder / f"{name} legacy {count}.p", content, stored))
    return files + write_odd_archives(folder) + write_odd_files(folder)


def write_odd_archives(folder: Path) -> list[Path]:
    good = dictionary(weight=tensor("0", 10**8, [10**8], [1]))
    bomb = zipped(folder / "bomb.p", good, {"0": bytes(4 * 10**8)}, compression=zipfile.ZIP_DEFLATED)
    large = zipped(folder / "bomb of text.p", bytes(3 * 10**8), compression=zipfile.ZIP_DEFLATED)
    no_contents = zipped(folder / "no contents.zip", b"")
    with zipfile.ZipFile(no_contents, "w") as archive:
        archive.writestr("readme.txt", "nothing")
    two = zipped(folder / "two.p", good)
    with zipfile.ZipFile(two, "a") as archive:
        archive.writestr("other/data.pkl", good)
    script = zipped(folder / "torchscript.pt", good)
    with zipfile.ZipFile(script, "a") as archive:
        archive.writestr("model/constants.pkl", good)
    swapped = zipped(folder / "big-endian.p", good)
    with zipfile.ZipFile(swapped, "a") as archive:
        archive.writestr("model/byteorder", "big")
    entry = b"PK\x01\x02" + bytes(24) + struct.pack("<H", 5) + bytes(16)
    crowd = folder / "a million files.p"
    listed = b"".join(entry + b"%05x" % (number % 2**20) for number in range(10**6))
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, len(listed), 30, 0)
    crowd.write_bytes(b"PK\x03\x04" + bytes(26) + listed + end)
    return [bomb, large, no_contents, two, script, swapped, crowd]


def write_odd_files(folder: Path) -> list[Path]:
    contents = {"empty": b"", "words": b"not a model", "page": b"<html>404</html>", "zip": b"PK", "start": b"\x80"}
    files = []
    for name, content in contents.items():
        files.append(folder / f"{name}.p")
        files[-1].write_bytes(content)
    huge = folder / "huge.p"
    with huge.open("wb") as stream:
        stream.write(b"\x80\x02")
        stream.truncate(5 << 30)  # it takes no room on the disk
    (folder / "folder.p").mkdir()
    (folder / "loop.p").symlink_to("loop.p")
    return [*files, huge, folder / "folder.p", folder / "loop.p", folder / "missing.p"]


MEASURE = """
import re, sys, time
from pathlib import Path
import torch
from napari_mito_predict.errors import DamagedModelError
from napari_mito_predict.models.importers.checkpoint import load_checkpoint
slowest = 0
for name in sys.stdin.read().splitlines():
    began = time.process_time()
    try:
        load_checkpoint(Path(name))
    except DamagedModelError as error:
        message = str(error)
        assert message.startswith(name) and len(message) < len(name) + 300 and "\\n" not in message[len(name):], message
        print(message[len(name) :], file=sys.stderr)
    else:
        sys.exit(f"accepted: {name}")
    slowest = max(slowest, time.process_time() - began)
status = Path("/proc/self/status").read_text()  # `ru_maxrss` begins with the parent's
print(int(re.search(r"VmHWM:\\s+(\\d+)", status)[1]) // 1024, slowest)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_hostile_files_are_refused_in_no_time_and_little_memory(tmp_path: Path) -> None:
    files = write_hostile_files(tmp_path)
    os.mkfifo(tmp_path / "pipe.p")
    names = "\n".join(map(str, [*files, tmp_path / "pipe.p"]))
    command = [sys.executable, "-W", "error", "-c", MEASURE]
    done = subprocess.run(command, input=names, capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert done.returncode == 0, done.stderr
    mebibytes, slowest = done.stdout.split()
    assert not (tmp_path / "RAN").exists()
    assert int(mebibytes) < 1024
    assert float(slowest) < 5


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("os.system", "'os.system', which is code"),
        ("builtins.eval", "'eval', which is code"),
        ("torch.hub.load", "'torch.hub.load'"),
    ],
)
def test_says_which_code_a_file_holds(tmp_path: Path, name: str, said: str) -> None:
    path = zipped(tmp_path / "model.p", dictionary(nn_state=called(name, text("touch RAN"))))
    with pytest.raises(DamagedModelError, match=said):
        load_checkpoint(path)


@pytest.mark.parametrize("zipped_file", [True, False], ids=["zip", "legacy"])
def test_a_damaged_file_is_an_error_or_read(tmp_path: Path, zipped_file: bool) -> None:
    path = tmp_path / "model.p"
    torch.save(state_of_a_network(), path, _use_new_zipfile_serialization=zipped_file)
    content = path.read_bytes()
    random_numbers = random.Random(7)
    for _ in range(150):
        damaged = bytearray(content)
        for _ in range(random_numbers.choice([1, 1, 5, 40])):
            damaged[random_numbers.randrange(len(damaged))] = random_numbers.randrange(256)
        path.write_bytes(damaged[: random_numbers.choice([len(damaged), random_numbers.randrange(len(damaged))])])
        with contextlib.suppress(DamagedModelError):
            load_checkpoint(path)


def test_a_changed_weight_in_a_zip_file_is_found(tmp_path: Path) -> None:
    path = tmp_path / "model.p"
    torch.save({"weight": torch.full((100,), 0.5)}, path)
    content = path.read_bytes()
    numbers = torch.full((100,), 0.5).numpy().tobytes()
    path.write_bytes(content.replace(numbers, numbers[:-1] + b"\x3e"))
    with pytest.raises(DamagedModelError, match="cut or altered"):
        load_checkpoint(path)


def _replace_in_pickle(path: Path, old: bytes, new: bytes) -> None:
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            assert not name.endswith("data.pkl") or old in content
            archive.writestr(name, content.replace(old, new) if name.endswith("data.pkl") else content)
