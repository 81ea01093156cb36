"""What `docs/reliability.md` cites is there."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent
TEXT = (TESTS.parent / "docs" / "reliability.md").read_text(encoding="utf-8")
FUZZ = (TESTS / "faults" / "test_fuzz.py").read_text(encoding="utf-8")


def test_every_test_that_is_named_is_there() -> None:
    named = set(re.findall(r"`((?:\w+/)*test_\w+)(?:\.py)?`", TEXT))
    assert len(named) > 40
    missing = {name for name in named if not (TESTS / f"{name.removeprefix('tests/')}.py").is_file()}
    assert not missing


def test_every_damage_of_the_fuzz_that_is_named_is_there() -> None:
    named = {word.strip() for words in re.findall(r"fuzz \*([^*]+)\*", TEXT) for word in words.split(",")}
    assert len(named) > 20
    keys = set(re.findall(r'"([\w -]+)":', FUZZ))
    done = {function.replace("_", " ") for function in re.findall(r"^def (\w+)\(path", FUZZ, re.MULTILINE)}
    of_weights = {f"weights {name}" for name in done}
    assert not named - keys - done - of_weights


def test_every_row_is_there_once() -> None:
    rows: list[int] = []
    for first, last in re.findall(r"^\| (\d+)(?:-(\d+))? ", TEXT.partition("## Row by row")[2], re.MULTILINE):
        rows += range(int(first), int(last or first) + 1)
    assert rows == list(range(1, 98))
