"""Under which licence a model may go on that was trained from another one."""

from __future__ import annotations

from napari_mito_predict.errors import ModelError

NOT_STATED = "not stated"
_PERMISSIVE = {
    "0bsd", "apache-2.0", "bsd-2-clause", "bsd-3-clause", "bsl-1.0", "cc-by-4.0", "cc0-1.0", "isc", "mit", "unlicense",
    "zlib",
}  # fmt: skip
"""What is made from a work under one of these may be under another licence."""


def is_binding(licence: str) -> bool:
    """Whether what is made from a work under `licence`, an SPDX expression, has to stay under it.

    Of a licence that is not known to be permissive that is assumed; of one that is not stated nothing is.
    """
    return bool(licence.strip()) and licence.strip().casefold() not in _PERMISSIVE


def licence_after(start: str, asked: str | None) -> str:
    """Licence of a model that was trained from another one.

    Parameters
    ----------
    start : str
        Of the model it was trained from, as an SPDX expression; empty where that is not stated.
    asked : str or None
        What is asked for; None for that of the start model.

    Returns
    -------
    str
        Empty where nobody stated one.

    Raises
    ------
    ModelError
        Another one is asked for than a start model allows.
    """
    if asked is None or asked.strip().casefold() == start.strip().casefold():
        return start
    if is_binding(start):
        raise ModelError(
            f"the start model is under {start}, and what is trained from it has to stay so: "
            f"'{asked or NOT_STATED}' is asked for. Leave 'licence' out, or choose another start model."
        )
    return asked.strip()
