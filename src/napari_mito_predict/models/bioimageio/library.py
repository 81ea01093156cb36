"""The optional package `bioimageio.spec`: found or asked for, silent, and kept from looking at addresses."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from itertools import chain
from types import ModuleType
from typing import Any

from napari_mito_predict.errors import MissingExtraError

_OLDEST = (0, 5, 14)
"""Earlier ones break with the pydantic of today."""
_SHOWN = 3


def specification() -> ModuleType:
    """Give ``bioimageio.spec``.

    Raises
    ------
    MissingExtraError
        It is not installed, or too old.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import bioimageio.spec as spec
    except ImportError as error:
        raise MissingExtraError(
            "packages of bioimage.io need 'bioimageio.spec': install napari-mito-predict[bioimageio]."
        ) from error
    version = tuple(int(part) for part in spec.__version__.split(".")[:3])
    if version < _OLDEST:
        raise MissingExtraError(
            f"'bioimageio.spec' is of version {spec.__version__}, and packages of bioimage.io need "
            f"{'.'.join(map(str, _OLDEST))} or newer: install napari-mito-predict[bioimageio] anew."
        )
    module: ModuleType = spec
    return module


def problems(found: Any) -> str:
    """What the library found wrong with a description, the first of it, on one line."""
    errors = list(chain.from_iterable(detail.errors for detail in found.validation_summary.details))
    said = (f"{'.'.join(map(str, error.loc))}: {error.msg:.150}" for error in errors[:_SHOWN])
    return " ".join("; ".join(said).split())


@contextlib.contextmanager
def quiet(root: object) -> Iterator[None]:
    """Let the library check texts and files below `root` only: no address is looked at, and nothing is printed.

    Parameters
    ----------
    root : Path
        Where the files of the package are.
    """
    spec = specification()
    from loguru import logger

    logger.disable("bioimageio")
    try:
        with (
            warnings.catch_warnings(),
            spec.ValidationContext(root=root, perform_io_checks=False, log_warnings=False, progressbar=False),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.enable("bioimageio")
