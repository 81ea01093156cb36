"""Pages are templates, filled with data: whatever comes from a file or a name is escaped without anybody asking."""

from __future__ import annotations

import functools

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from napari_mito_predict.report.words import visible

_SHARED = "napari_mito_predict.report"


def render(template: str, *, package: str = _SHARED, **values: object) -> str:
    """A page as HTML that needs nothing else: no scripts, no network, pictures inside it.

    Parameters
    ----------
    template : str
        Its name below `templates` of the package, or of this one, whose frame and pieces all pages share.
    package : str
        Where the template is looked for first.
    **values
        What the template names. Text is escaped, and characters that cannot be seen are shown (`visible`).

    Raises
    ------
    jinja2.UndefinedError
        The template names a value that was not given.
    """
    return _environment(package).get_template(template).render(values)


@functools.cache
def _environment(package: str) -> Environment:
    packages = dict.fromkeys((package, _SHARED))
    return Environment(
        loader=ChoiceLoader([PackageLoader(name) for name in packages]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _shown(value: object) -> object:
    """What a template puts into the page; a piece of HTML that another template made stays as it is."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return visible(value)
    return value
