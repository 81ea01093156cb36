"""Pieces of HTML: every text that comes from a file or a name is escaped here."""

from __future__ import annotations

import base64
import html
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LABELS = {
    "pcc": "PCC",
    "fine_pcc": "fine PCC",
    "spectral_pcc": "spectral PCC",
    "ssim_global": "SSIM, global form",
    "ssim_windowed": "SSIM, windowed",
    "r2": "R², fitted",
    "nrmse": "NRMSE, fitted",
    "psnr": "PSNR, fitted (dB)",
    "mae": "MAE, fitted",
    "resolution_um": "FSC resolution (µm)",
}


_BEST = "best"
_NAME = "name"


class Raw(str):
    """A piece of HTML that is escaped already."""


class Name(str):
    """Words in a table, which begin where their column does; numbers end there."""


def number(metric: str, value: float) -> str:
    """A score as text, without ``−0.000``; ``–`` where it has no meaning."""
    if math.isinf(value):
        return "∞"
    if not math.isfinite(value):
        return "–"
    if metric == "mae":  # in the units of the truth, whatever they are
        shown = f"{value:#.4g}".rstrip(".")
    elif metric == "psnr":
        shown = f"{value:z.2f}"
    else:
        shown = f"{value:z.3f}"
    return shown.replace("-", "−")


def with_error(mean: float, error: float) -> str:
    """``+0.025 ± 0.030``: two digits of the error, and as many places of the mean."""
    if not math.isfinite(error):
        return f"{mean:+.3g} (one field: no error)".replace("-", "−")
    places = 4
    if error > 0:
        places = max(0, 1 - math.floor(math.log10(error)))
    return f"{mean:+.{places}f} ± {error:.{places}f}".replace("-", "−")


def row(heads: Sequence[object], cells: Iterable[tuple[str, bool]], kind: str = "") -> str:
    """A table row: plain heads, then cells and whether each is the best of its column."""
    named = "".join(f"<td{_kind(head)}>{_escaped(head)}</td>" for head in heads)
    values = "".join(f"<td{_class(_BEST if best else '')}>{text(value)}</td>" for value, best in cells)
    return f"<tr{_class(kind)}>{named}{values}</tr>"


def _escaped(cell: object) -> str:
    if isinstance(cell, Raw):
        return cell
    return text(str(cell))


def _kind(cell: object) -> str:
    return _class(_NAME if isinstance(cell, Name) else "")


def _class(name: str) -> str:
    """The attribute of an element; none where it has no class."""
    return f' class="{name}"' if name else ""


def table(head: Sequence[str], rows: Sequence[str]) -> str:
    """A table that scrolls where the window is too narrow."""
    titles = "".join(f"<th{_kind(name)}>{text(name)}</th>" for name in head)
    return f'<div class="scroll"><table><thead><tr>{titles}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def picture(png: bytes, caption: str) -> str:
    """A PNG inside the page."""
    encoded = base64.b64encode(png).decode("ascii")
    source = f"data:image/png;base64,{encoded}"
    return f'<figure><img alt="{text(caption)}" src="{source}"><figcaption>{text(caption)}</figcaption></figure>'


def section(parts: Iterable[str], name: str = "") -> str:
    """A box of the page, of HTML parts; empty ones are left out. `name` is what links lead to it by."""
    content = "".join(part for part in parts if part)
    if name:
        return f'<section id="{name}">{content}</section>'
    return f"<section>{content}</section>"


def title(target: str) -> str:
    """A target as people write it."""
    return {"dna": "DNA"}.get(target, f"{target[:1].upper()}{target[1:]}")


def listed(names: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def count(n: int, what: str) -> str:
    """``1 field``, ``2 fields``."""
    plural = "" if n == 1 else "s"
    return f"{n} {what}{plural}"


def text(value: str) -> str:
    """Any text, escaped."""
    return html.escape(value, quote=True)
