"""Tables as plain HTML for notebooks: no style sheet, no script, and every text escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

MOST = 20
"""A notebook shows so many rows."""


def columns_html(columns: dict[str, Sequence[str] | NDArray[np.generic]], total: int, what: str) -> str:
    """The first rows of columns (N,) by name; what: what the rows are called, such as images."""
    shown = [[cell(value) for value in column[:MOST]] for column in columns.values()]
    left = total - MOST
    more = f"<p>{left:,} more rows are not shown: .save() writes them all.</p>" if left > 0 else ""
    rows = list(zip(*shown, strict=True))
    return f"<p>{total:,} {escape(what)}</p>{table_html(list(columns), rows)}{more}"


def table_html(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; its first column names the rows."""
    top = "".join(f'<th scope="col">{text(name)}</th>' for name in head)
    body = "".join(
        f'<tr><th scope="row">{text(row[0])}</th>{"".join(f"<td>{text(one)}</td>" for one in row[1:])}</tr>'
        for row in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def cell(value: object) -> str:
    """A value as a table shows it: numbers in four digits."""
    return f"{value:.4g}" if isinstance(value, float | np.floating) else str(value)


def text(value: str) -> str:
    """Text that a page shows as it is, what cannot be seen written out."""
    visible = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in value)
    return escape(visible)
