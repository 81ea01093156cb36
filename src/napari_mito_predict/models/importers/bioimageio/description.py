"""What a package says of itself: plain YAML, with a bound on everything, in the words of format 0.5."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_mito_predict._yaml import PlainYamlError, load_yaml
from napari_mito_predict.errors import DamagedModelError, ForeignModelError, one_line
from napari_mito_predict.models.bioimageio import problems, quiet, specification

if TYPE_CHECKING:
    from bioimageio.spec.model.v0_5 import ModelDescr

LARGEST_DESCRIPTION = 1 << 19

# What pydantic validators of the library were seen to let through for descriptions that are made up.
_LIBRARY_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NotImplementedError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
)


def read_description(content: bytes, path: Path) -> ModelDescr:
    """Read a description of format 0.4 or 0.5; no address is looked at.

    Parameters
    ----------
    content : bytes
        Of the YAML file.
    path : Path
        The package, for messages.

    Raises
    ------
    DamagedModelError
        It is no YAML, or holds more than a description does.
    ForeignModelError
        It does not describe a model, or not as the format demands.
    MissingExtraError
        ``bioimageio.spec`` is not installed.
    """
    try:
        found = load_yaml(content)
    except PlainYamlError as error:
        raise DamagedModelError(f"its description is no readable YAML ({error}).", file=path) from error
    if not isinstance(found, dict) or found.get("type") != "model":
        kind = found.get("type") if isinstance(found, dict) else None
        raise ForeignModelError(f"this package describes no model but '{kind!s:.40}'.", file=path)
    for tensor in _dictionaries(found.get("inputs")):
        if tensor.get("output_of") is not None:  # the library would look for that model in the internet
            raise ForeignModelError("it takes what another model gives: such chains are not run here.", file=path)
    return _validated(found, path)


def _dictionaries(value: Any) -> list[dict[Any, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _validated(content: dict[str, Any], path: Path) -> ModelDescr:
    spec = specification()
    from bioimageio.spec.model.v0_5 import ModelDescr

    try:
        with quiet(path.parent):
            found = spec.build_description(content, format_version="latest")
    except _LIBRARY_ERRORS as error:
        raise ForeignModelError(f"its description is not understood ({one_line(error)}).", file=path) from error
    if isinstance(found, ModelDescr):
        return found
    raise ForeignModelError(f"its description is not as bioimage.io demands it. {problems(found)}.", file=path)
