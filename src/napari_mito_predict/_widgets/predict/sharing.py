"""Which findings of a plan are said of each model, and which are said once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_mito_predict._widgets.common.light_words import DISCLAIMED
from napari_mito_predict.image import Level

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from napari_mito_predict.image import Finding


@dataclass(frozen=True)
class Shared:
    """Findings by where they are said.

    Attributes
    ----------
    once : tuple of Finding
        About the image, whichever model is chosen; and disclaimers that several models have in common.
    of_model : dict of str to tuple of Finding
        The others, by model.
    same_as : dict of str to str
        Models about which the same was found as about an earlier one, and that one.
    """

    once: tuple[Finding, ...]
    of_model: dict[str, tuple[Finding, ...]]
    same_as: dict[str, str]


def share(findings: Sequence[Finding], models: Sequence[str], disclaimer_of: dict[str, str]) -> Shared:
    """Sort findings by where they are said, so that nothing stands twice and nothing is left out.

    Parameters
    ----------
    findings : sequence of Finding
        Of a plan.
    models : sequence of str
        Names of its models.
    disclaimer_of : dict of str to str
        The disclaimer of each model.
    """
    disclaimed = [finding for finding in findings if finding.code == DISCLAIMED]
    once = [finding for finding in findings if finding.model not in models]
    in_common = []
    if len(disclaimed) > 1:
        once += _in_common(disclaimed, disclaimer_of)
        in_common = disclaimed
    of_model: dict[str, tuple[Finding, ...]] = {}
    for name in models:
        about = (finding for finding in findings if finding.model == name and finding not in in_common)
        of_model[name] = tuple(dict.fromkeys(about))
    return Shared(tuple(dict.fromkeys(once)), of_model, _same(of_model))


def _in_common(disclaimed: Iterable[Finding], disclaimer_of: dict[str, str]) -> list[Finding]:
    """One finding for each disclaimer, which names all its models."""
    by_text: dict[tuple[str, str], list[Finding]] = {}
    for finding in disclaimed:
        by_text.setdefault((disclaimer_of[finding.model], finding.fix), []).append(finding)
    together = []
    for (disclaimer, _), found in by_text.items():
        names = ", ".join(finding.model for finding in found)
        together.append(replace(found[0], message=f"{names}: {disclaimer}", model=""))
    return together


def _same(of_model: dict[str, tuple[Finding, ...]]) -> dict[str, str]:
    same_as: dict[str, str] = {}
    first_with: dict[tuple[object, ...], str] = {}
    for name, found in of_model.items():
        key = tuple(_but_its_name(finding) for finding in found)
        earlier = first_with.setdefault(key, name)
        if earlier != name and any(finding.level is not Level.INFO for finding in found):
            same_as[name] = earlier
    return same_as


def _but_its_name(finding: Finding) -> tuple[object, ...]:
    """What a finding says, whichever model it is about."""
    message = finding.message.replace(finding.model, "")
    return finding.level, finding.code, message, finding.fix, finding.where
