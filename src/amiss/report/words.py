"""Names and numbers as a page shows them."""

from __future__ import annotations

import math


def shown(name: str) -> str:
    r"""A name with every character that cannot be seen, or that turns text around, written as `\n` or `\u202e`."""
    if name.isprintable():
        return name
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in name)


def split_path(name: str) -> tuple[str, str]:
    """Folder with its last slash, and file name; both as they are shown."""
    at = max(name.rfind("/"), name.rfind("\\")) + 1
    return shown(name[:at]), shown(name[at:])


def number(value: float) -> str:
    """Four significant digits: 0.01234, 1.235e-07, 12,345."""
    if not math.isfinite(value):
        return str(value)
    if abs(value) >= 1000:
        return f"{value:,.0f}" if abs(value) < 1e7 else f"{value:.3e}"
    return f"{value:.4g}"


def short(value: float) -> str:
    """One decimal at most: 92.3, 100."""
    return f"{value:.1f}".removesuffix(".0")


def p_text(value: float) -> str:
    """A p-value: two significant digits below a tenth, two decimals above."""
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def percent(share: float) -> str:
    """A share as a percentage in three digits: 5 %, 4.76 %."""
    return f"{float(f'{100 * share:.3g}'):g}\N{NO-BREAK SPACE}%"


def counted(n: int, noun: str) -> str:
    """So many: 1 image, 2,000 images."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def listed(words: list[str]) -> str:
    """Words of a sentence: a, b and c."""
    return " and ".join([part for part in (", ".join(words[:-1]), words[-1]) if part])
