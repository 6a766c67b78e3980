"""A card as Markdown (CommonMark with tables), in which nothing that a name holds is markup."""

from __future__ import annotations

import re
from collections.abc import Iterator

from amiss.report.card.content import NBSP, Grid, ModelCard, Part, cleaned

SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$&^])|(==)")
"""What begins markup within a line, in CommonMark or one of its common extensions."""
START = re.compile(r"^(?:([-+=:])|(\d+)([.)])(?=\s|$))")
"""What begins markup at the start of a line besides."""
LINK = re.compile(r"(?<=[a-z])(:)(?=//)|(?<=www)(\.)|(@)", re.IGNORECASE)
"""What makes a link of plain text, or calls a person, on some sites."""
BLANK = f" {NBSP}"


def to_markdown(card: ModelCard) -> str:
    """The card as text."""
    card = cleaned(card)
    blocks = [
        f"# {escape(card.title)}",
        escape(card.lead),
        *_grids(
            [Grid(("figure", "value", "meaning"), tuple((f.term, f.value, f.note) for f in card.facts), words=True)]
        ),
        *(block for part in card.parts for block in _part(part)),
        "---",
        escape(card.made),
    ]
    return "\n\n".join(blocks) + "\n"


def escape(text: str) -> str:
    """Text that Markdown shows as it is, wherever in a line it stands; it holds no line break."""
    found = SPECIAL.sub(lambda match: f"\\{match[0]}", text)
    found = LINK.sub(lambda match: f"\\{match[0]}", found)
    found = START.sub(lambda match: f"\\{match[1]}" if match[1] else f"{match[2]}\\{match[3]}", found)
    inner = found.strip(BLANK)
    at = found.index(inner)
    return _kept(found[:at]) + inner + _kept(found[at + len(inner) :])


def _kept(blanks: str) -> str:
    """Spaces at the ends of a text, which readers would drop, or take for code."""
    return "".join(f"&#{ord(blank)};" for blank in blanks)


def _part(part: Part) -> Iterator[str]:
    yield f"## {escape(part.title)}"
    if part.left_out:
        yield f"*Left out.* {escape(part.left_out)}"
        return
    yield from map(escape, part.text)
    yield from _grids(part.grids)
    lines = [f"{chart.title}: {chart.summary}." for chart in part.charts] + list(part.lines)
    if lines:
        yield "\n".join(f"- {escape(line)}" for line in lines)


def _grids(grids: tuple[Grid, ...] | list[Grid]) -> Iterator[str]:
    for grid in grids:
        if not grid.rows:
            continue
        if grid.title:
            yield f"**{escape(grid.title)}**"
        rule = ["---", *["---" if grid.words else "---:"] * (len(grid.head) - 1)]
        rows = [[escape(cell) for cell in row] for row in (grid.head, *grid.rows)]
        yield "\n".join("| " + " | ".join(row) + " |" for row in (rows[0], rule, *rows[1:]))
