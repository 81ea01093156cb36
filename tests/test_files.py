"""Files are complete under their final name, or not there at all."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from napari_mito_predict._files import (
    atomic_folder,
    atomic_path,
    atomic_write_text,
    folder_for,
    remove_abandoned,
    sha256_file,
)
from napari_mito_predict.errors import UnwritableOutputError


def test_new_file_appears_whole(tmp_path: Path) -> None:
    final = tmp_path / "Größe.txt"
    with atomic_path(final) as temporary:
        temporary.write_text("content")
        assert not final.exists()
        assert temporary.suffix == ".txt"
    assert final.read_text() == "content"
    assert os.listdir(tmp_path) == [final.name]


def test_old_file_stays_when_the_writer_fails(tmp_path: Path) -> None:
    final = tmp_path / "result.txt"
    final.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_path(final) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert final.read_text() == "old"
    assert os.listdir(tmp_path) == ["result.txt"]


def test_old_file_stays_when_the_disk_is_full(tmp_path: Path) -> None:
    final = tmp_path / "result.txt"
    final.write_text("old")
    with pytest.raises(UnwritableOutputError, match="No space left"), atomic_path(final) as temporary:
        temporary.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert final.read_text() == "old"
    assert os.listdir(tmp_path) == ["result.txt"]


def test_old_file_stays_when_it_is_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    final, calls = tmp_path / "result.txt", []

    def refuse(source: object, target: object) -> None:
        calls.append(source)
        raise PermissionError(errno.EACCES, "in use by another program")

    monkeypatch.setattr(os, "replace", refuse)
    monkeypatch.setattr("time.sleep", lambda _: None)
    final.write_text("old")
    with pytest.raises(UnwritableOutputError, match="in use"):
        atomic_write_text(final, "new")
    assert len(calls) > 1  # a virus scanner lets go after a moment: it is tried again
    assert final.read_text() == "old"
    assert os.listdir(tmp_path) == ["result.txt"]


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnwritableOutputError, match="Check that the folder exists"):
        atomic_write_text(tmp_path / "nowhere" / "result.txt", "content")


def test_a_killed_writer_leaves_the_old_file(tmp_path: Path) -> None:
    final = tmp_path / "result.txt"
    final.write_text("old")
    code = (
        "import os, sys, pathlib\n"
        "from napari_mito_predict._files import atomic_path\n"
        "with atomic_path(pathlib.Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_text('half')\n"
        "    os._exit(9)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(final)], check=False)
    assert final.read_text() == "old"


def make_folder(path: Path, content: str) -> None:
    (path / "inner").mkdir(parents=True)
    (path / "inner" / "file.txt").write_text(content)


def test_new_folder_appears_whole(tmp_path: Path) -> None:
    final = tmp_path / "Größe"
    with atomic_folder(final) as temporary:
        make_folder(temporary, "content")
        assert not final.exists()
    assert (final / "inner" / "file.txt").read_text() == "content"
    assert os.listdir(tmp_path) == [final.name]


def test_every_file_of_a_folder_is_on_the_disk_before_it_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened: list[str] = []
    monkeypatch.setattr("napari_mito_predict._files.flush", lambda path: happened.append(path.name))
    monkeypatch.setattr("napari_mito_predict._files.rename", lambda old, new: happened.append(f"is {new.name}"))
    with atomic_folder(tmp_path / "result") as temporary:
        make_folder(temporary, "content")
        (temporary / "other.txt").write_text("content")
    assert sorted(happened[:2]) == ["file.txt", "other.txt"]
    assert happened[2:] == ["is result"]


@pytest.mark.skipif(os.name == "nt", reason="folders are not flushed there")
def test_a_new_name_is_on_the_disk_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[tuple[bool, bool]] = []

    def note(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        flushed.append((is_folder, (tmp_path / "new.txt").exists()))

    monkeypatch.setattr("os.fsync", note)
    atomic_write_text(tmp_path / "new.txt", "content")
    assert flushed == [(False, False), (True, True)]


def test_old_folder_is_replaced_by_the_new_one(tmp_path: Path) -> None:
    make_folder(tmp_path / "result", "old")
    (tmp_path / "result" / "only in the old one").touch()
    with atomic_folder(tmp_path / "result") as temporary:
        make_folder(temporary, "new")
    assert (tmp_path / "result" / "inner" / "file.txt").read_text() == "new"
    assert os.listdir(tmp_path / "result") == ["inner"]
    assert os.listdir(tmp_path) == ["result"]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_old_folder_stays_when_the_writer_fails(tmp_path: Path, error: BaseException) -> None:
    make_folder(tmp_path / "result", "old")
    with pytest.raises(type(error)) as raised, atomic_folder(tmp_path / "result") as temporary:
        make_folder(temporary, "half")
        raise error
    assert raised.value is error, "not translated: it may have nothing to do with the folder"
    assert (tmp_path / "result" / "inner" / "file.txt").read_text() == "old"
    assert os.listdir(tmp_path) == ["result"]


@pytest.mark.parametrize("error", [OSError(errno.EIO, "Input/output error"), KeyboardInterrupt()])
def test_old_folder_comes_back_when_the_last_rename_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    make_folder(tmp_path / "result", "old")
    replace = os.replace

    def refuse(source: Path, target: Path) -> None:
        if ".partial." in source.name:
            assert not target.exists(), "the old one is out of the way by now"
            raise error
        replace(source, target)

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(type(error)), atomic_folder(tmp_path / "result") as temporary:
        make_folder(temporary, "new")
    assert (tmp_path / "result" / "inner" / "file.txt").read_text() == "old"
    assert os.listdir(tmp_path) == ["result"]


def test_a_folder_that_may_not_be_replaced_stays(tmp_path: Path) -> None:
    make_folder(tmp_path / "result", "somebody else's")
    with pytest.raises(OSError, match="result"), atomic_folder(tmp_path / "result", replace=False) as temporary:
        make_folder(temporary, "new")
    assert (tmp_path / "result" / "inner" / "file.txt").read_text() == "somebody else's"
    assert os.listdir(tmp_path) == ["result"]


KILLED_WHILE_WRITING = """
import os, sys
from pathlib import Path
from napari_mito_predict._files import atomic_folder, atomic_path
folder = Path(sys.argv[1])
with atomic_folder(folder / "model") as temporary, atomic_path(folder / "image") as file:
    temporary.mkdir()
    (temporary / "weights").touch()
    file.touch()
    os._exit(1)
"""


def test_what_a_killed_process_left_is_removed_and_what_others_write_is_not(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED_WHILE_WRITING, str(tmp_path)], check=False, timeout=60)
    left, _ = tmp_path.iterdir()
    elsewhere = left.with_name(f".000000-{left.name.split('-', 1)[1]}")  # begun on another computer
    elsewhere.mkdir()
    (tmp_path / ".hidden.partial.txt").touch()
    with atomic_folder(tmp_path / "mine") as temporary, atomic_path(tmp_path / "too") as file:
        temporary.mkdir()
        file.touch()
        remove_abandoned(tmp_path)
        assert temporary.is_dir()
        assert file.is_file()
    assert set(os.listdir(tmp_path)) == {".hidden.partial.txt", elsewhere.name, "mine", "too"}
    remove_abandoned(tmp_path, locked=True)
    assert not elsewhere.exists()


KILLED_WHILE_REPLACING = """
import os, sys
from pathlib import Path
from napari_mito_predict import _files
rename = _files.rename
def dying_rename(old, new):
    if new.name == "model":
        os._exit(1)
    rename(old, new)
_files.rename = dying_rename
with _files.atomic_folder(Path(sys.argv[1]) / "model") as temporary:
    temporary.mkdir()
"""


def test_what_a_killed_process_moved_away_comes_back(tmp_path: Path) -> None:
    make_folder(tmp_path / "model", "old")
    subprocess.run([sys.executable, "-c", KILLED_WHILE_REPLACING, str(tmp_path)], check=False, timeout=60)
    assert not (tmp_path / "model").exists()
    remove_abandoned(tmp_path)
    assert os.listdir(tmp_path) == ["model"]
    assert (tmp_path / "model" / "inner" / "file.txt").read_text() == "old"


def test_of_a_process_that_is_killed_and_not_yet_buried_nothing_stays(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", KILLED_WHILE_WRITING, str(tmp_path)]) as killed:
        if sys.platform == "linux":
            os.waitid(os.P_PID, killed.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody has asked how
        else:
            killed.wait()
        remove_abandoned(tmp_path)
        assert not list(tmp_path.iterdir())


def test_new_folders_stay_only_where_something_was_written(tmp_path: Path) -> None:
    final = tmp_path / "new" / "place" / "result.txt"
    with pytest.raises(ValueError, match="refused"), folder_for(final):
        assert final.parent.is_dir()
        raise ValueError("refused")
    assert not list(tmp_path.iterdir())
    with folder_for(final):
        final.touch()
    assert final.exists()
    with pytest.raises(UnwritableOutputError, match="cannot be made"), folder_for(final / "below" / "a file"):
        pass


def test_sha256(tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    (tmp_path / "file").write_bytes(content)
    assert sha256_file(tmp_path / "file") == hashlib.sha256(content).hexdigest()
