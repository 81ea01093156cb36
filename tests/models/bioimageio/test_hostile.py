"""Packages that were made to hurt, or were hurt on their way: a named error each, nothing written, nothing run."""

from __future__ import annotations

import contextlib
import io
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from napari_mito_predict.errors import DamagedModelError, ForeignModelError, MitoPredictError, ModelError
from napari_mito_predict.models import list_models, user_models_folder
from napari_mito_predict.models.importers import Told, read_foreign
from napari_mito_predict.models.library import import_model


class Saves(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        torch.save(x, "was-written")
        return x


class ReadsAFile(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.from_file("/etc/hostname", False, 4, dtype=torch.uint8).sum()


class RunsWhenOpened(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.training = False

    @torch.jit.export
    def __getstate__(self) -> bool:
        return self.training

    @torch.jit.export
    def __setstate__(self, state: bool) -> None:
        self.training = state
        torch.save(torch.zeros(1), "was-written")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


@pytest.fixture
def files(packages: Any, tools: Any) -> dict[str, bytes]:
    """Those of a sound package."""
    found: dict[str, bytes] = packages.files(tools.Tiny(), packages.description(), tools.noise((1, 1, 24, 32)))
    return found


@pytest.mark.parametrize(
    ("module", "name"), [(Saves, "save"), (ReadsAFile, "from_file"), (RunsWhenOpened, "__[gs]etstate__|save")]
)
def test_torchscript_that_reaches_beyond_tensors(
    packages: Any, tools: Any, files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    module: type[torch.nn.Module], name: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    files["weights.pt"] = tools.scripted(module())
    with pytest.raises(ModelError, match=f"uses '({name})'"):
        import_model(packages.write(files))
    assert not Path("was-written").exists()
    assert not list(user_models_folder().iterdir())


def _rewritten(content: bytes, change: Callable[[str, bytes], bytes | None]) -> bytes:
    """A zip file with some members changed."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as given, zipfile.ZipFile(stream, "w") as written:
        for name in given.namelist():
            changed = change(name, given.read(name))
            if changed is not None:
                written.writestr(name, changed)
    return stream.getvalue()


def _deep(name: str, content: bytes) -> bytes:
    if name.endswith(".py"):
        return content.replace(b"return ", b"return " + b"(" * 100_000, 1)
    return content


def _no_program(name: str, content: bytes) -> bytes | None:
    return None if "/code/" in name else content


@pytest.mark.parametrize(("change", "said"), [(_deep, "cannot be understood"), (_no_program, "no program in it")])
def test_torchscript_that_is_none(packages: Any, files: dict[str, bytes], change: Any, said: str) -> None:
    files["weights.pt"] = _rewritten(files["weights.pt"], change)
    with pytest.raises(DamagedModelError, match=said):
        read_foreign(packages.write(files), Told())


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "describes no model"),
        ("[1, 2]", "describes no model"),
        ("type: dataset\n", "no model but 'dataset'"),
        ("type: model\nformat_version: 9.9.9\n", "not as bioimage.io demands"),
        ("type: model\n", "not as bioimage.io demands"),
        ("type: !!python/object/apply:os.system ['touch was-run']\n", "value of the type"),
        ("type: !!int abc\n", "value of the type"),
        ("type: model\nx: " + "[" * 5000, "nested more than 40 deep"),
        ("type: model\n" + BOMB, "more than 20,000 values"),
        ("type: model\nx: &x [*x]\n", "more than 20,000 values"),
        ("type: model\nd: 2020-99-99\n", "not as bioimage.io demands"),
        ("\x00\x01", "no readable YAML"),
        ("type: model\ninputs: [{output_of: somebody/model}]\n", "what another model gives"),
        ("type: model\nformat_version: 0.5.3\ninputs: 3\noutputs: {}\nweights: [1]\n", "not as bioimage.io demands"),
    ],
)
def test_descriptions_that_are_none(packages: Any, files: dict[str, bytes], text: str, said: str) -> None:
    files["rdf.yaml"] = text.encode()
    with pytest.raises(ModelError, match=said):
        read_foreign(packages.write(files), Told())


def test_a_description_of_any_size(packages: Any, files: dict[str, bytes]) -> None:
    files["rdf.yaml"] = b"# " + b"x" * (1 << 20)
    with pytest.raises(DamagedModelError, match="larger than"):
        read_foreign(packages.write(files), Told())


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("../secret.pt", "lies outside of the package"),
        ("a/../../secret.pt", "lies outside of the package"),
        ("C:\\secret.pt", "lies outside of the package|not as bioimage.io demands"),
        ("ftp://example.com/x.pt", "lies outside of the package"),
        ("missing.pt", "'missing.pt' is missing"),
    ],
)
def test_files_that_are_elsewhere(packages: Any, files: dict[str, bytes], source: str, said: str) -> None:
    description = yaml.safe_load(files["rdf.yaml"])
    description["weights"]["torchscript"]["source"] = source
    files["rdf.yaml"] = yaml.safe_dump(description).encode()
    with pytest.raises(ModelError, match=said):
        read_foreign(packages.write(files), Told())


def test_an_absolute_path(packages: Any, files: dict[str, bytes], tmp_path: Path) -> None:
    secret = tmp_path / "secret.pt"
    secret.write_bytes(files["weights.pt"])
    description = yaml.safe_load(files["rdf.yaml"])
    description["weights"]["torchscript"]["source"] = str(secret)
    files["rdf.yaml"] = yaml.safe_dump(description).encode()
    with pytest.raises(ForeignModelError, match="lies outside of the package"):
        read_foreign(packages.write(files), Told())


def test_a_link_out_of_a_folder(packages: Any, files: dict[str, bytes], tmp_path: Path) -> None:
    folder = tmp_path / "package"
    folder.mkdir()
    (tmp_path / "secret.pt").write_bytes(files.pop("weights.pt"))
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / "weights.pt").symlink_to(tmp_path / "secret.pt")
    with pytest.raises(DamagedModelError, match="leads out of the package"):
        read_foreign(folder, Told())


def test_another_file_than_the_description_means(packages: Any, files: dict[str, bytes]) -> None:
    description = yaml.safe_load(files["rdf.yaml"])
    description["weights"]["torchscript"]["sha256"] = "0" * 64
    files["rdf.yaml"] = yaml.safe_dump(description).encode()
    with pytest.raises(DamagedModelError, match="not the file that its description means"):
        read_foreign(packages.write(files), Told())


def _huge_header(shape: str) -> bytes:
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "cannot be read"),
        (_huge_header("(1, 1, 100000, 100000)"), "cannot be read"),
        (_huge_header("(0, 1, 8, 8)"), "has the shape"),
        (b"\x93NUMPY\x01\x00\x10\x00[object Object]\n", "cannot be read"),
        (_huge_header("(1, 1, 8, 8").replace(b"}", b" "), "cannot be read"),
    ],
)
def test_tensors_that_are_none(packages: Any, files: dict[str, bytes], content: bytes, said: str) -> None:
    files["test_input.npy"] = content
    with pytest.raises(DamagedModelError, match=said):
        read_foreign(packages.write(files), Told())


def test_objects_in_tensors_are_never_made(packages: Any, tools: Any, files: dict[str, bytes]) -> None:
    import numpy as np

    files["test_input.npy"] = tools.npy(np.array([{}], dtype=object))
    with pytest.raises(DamagedModelError, match="cannot be read"):
        read_foreign(packages.write(files), Told())


@pytest.mark.parametrize("seed", range(60))
def test_any_damage_is_named(packages: Any, files: dict[str, bytes], seed: int) -> None:
    """Bytes of the files, and entries of the description, changed at random; sound ones may stay sound."""
    chance = random.Random(seed)
    if seed % 2:
        name = chance.choice(sorted(files))
        content = bytearray(files[name])
        for _ in range(chance.randrange(1, 20)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        if chance.random() < 0.3:
            del content[chance.randrange(len(content)) :]
        files[name] = bytes(content)
    else:
        description = yaml.safe_load(files["rdf.yaml"])
        for _ in range(chance.randrange(1, 4)):
            _change_an_entry(description, chance)
        files["rdf.yaml"] = yaml.safe_dump(description).encode()
    path = packages.write(files)
    with contextlib.suppress(MitoPredictError):
        read_foreign(path, Told())
    assert [info.name for info in list_models() if not info.bundled] == []


ODD: list[Any] = [
    None, -1, 0, 1e300, "x" * 500, "../x", [], {}, True, float("nan"), "b", 10**12, ["y"], {"min": 0},
]  # fmt: skip


def _change_an_entry(description: Any, chance: random.Random) -> None:
    """Walk down to a random entry and put something else there, or take it away."""
    place = description
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return
        key = chance.choice(keys)
        inner = place[key]
        if isinstance(inner, dict | list) and inner and chance.random() < 0.85:
            place = inner
            continue
        if chance.random() < 0.3:
            del place[key]
        else:
            odd: list[Any] = [
                None,
                -1,
                0,
                1e300,
                "x" * 500,
                "../x",
                [],
                {},
                True,
                float("nan"),
                "b",
                10**12,
                ["y"],
                {"min": 0},
            ]
            place[key] = chance.choice(odd)
        return
