"""YAML of plain values: a bound on everything, no types of its own, no key twice."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import yaml

_DEEPEST = 40
_MOST_ENTRIES = 20_000
"""With everything counted where it is referred to."""
_SHOWN = 60
_TIMESTAMP = "tag:yaml.org,2002:timestamp"


class PlainYamlError(Exception):
    """A text that is no YAML of plain values; the message says why, and in which line."""


def load_yaml(content: bytes) -> Any:
    """Read a document of lists, mappings, texts and numbers; dates stay texts.

    Parameters
    ----------
    content : bytes
        UTF-8; its size was bounded by the caller.

    Raises
    ------
    PlainYamlError
        It is no YAML, has a key twice, is nested too deep, holds too much, or asks for a type.
    """
    try:
        text = content.decode("utf-8-sig")
        _check_events(text)
        found = yaml.load(text, Loader=_PlainLoader)  # noqa: S506 - a safe one
    except UnicodeDecodeError as error:
        raise PlainYamlError(f"it is no text in UTF-8 (byte {error.start})") from error
    except yaml.MarkedYAMLError as error:
        raise PlainYamlError(_where(error)) from error
    except yaml.YAMLError as error:
        raise PlainYamlError(" ".join(str(error).split())) from error
    _check_size(found)
    return found


class _PlainLoader(yaml.SafeLoader):
    """Makes plain values only, and says of each that it cannot make in which line it stands."""

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, OverflowError) as error:  # such as a number of thousands of digits
            raise yaml.constructor.ConstructorError(
                None, None, f"{node.value!s:.{_SHOWN}} is no value that can be read", node.start_mark
            ) from error

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        lines: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in lines:
                raise yaml.constructor.ConstructorError(
                    None, None, f"'{key.value:.{_SHOWN}}' is there already, in line {lines[key.value]}", key.start_mark
                )
            lines[key.value] = key.start_mark.line + 1
        return super().construct_mapping(node, deep)


# A date would be made of what looks like one, or an error of what looks like one and is none.
_PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _check_events(text: str) -> None:
    """Refuse deep nesting, explicit types and very many values without making anything of the text."""
    depth = 0
    event: Any
    for number, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader)):
        line = event.start_mark.line + 1
        tag = getattr(event, "tag", None)
        if tag is not None and tag != "!":
            raise PlainYamlError(f"line {line}: a value of the type '{tag:.{_SHOWN}}', and only plain ones are read")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEEPEST:
            raise PlainYamlError(f"line {line}: nested more than {_DEEPEST} deep")
        if number > 2 * _MOST_ENTRIES:
            raise PlainYamlError(f"it holds more than {_MOST_ENTRIES:,} values")


def _check_size(found: Any) -> None:
    """Refuse what is small as text and large when each reference is followed, or refers to itself."""
    waiting, count = [found], 0
    while waiting:
        value = waiting.pop()
        count += 1
        if count > _MOST_ENTRIES:
            raise PlainYamlError(f"it holds more than {_MOST_ENTRIES:,} values, or refers to itself")
        if isinstance(value, dict):
            waiting += [*value.keys(), *value.values()]
        elif isinstance(value, list | tuple | set):
            waiting += value


def _where(error: yaml.MarkedYAMLError) -> str:
    problem = " ".join(str(error.problem or error.context or "not understood").split())
    mark = error.problem_mark or error.context_mark
    return f"line {mark.line + 1}: {problem}" if mark is not None else problem
