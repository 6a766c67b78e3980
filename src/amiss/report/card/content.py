"""What a model card says, as plain values: HTML and Markdown are two ways to write them down."""

from __future__ import annotations

from dataclasses import dataclass, replace

from amiss.report.page import Chart, Fact
from amiss.report.words import shown

NBSP = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True)
class Grid:
    """A table with a header; its first column names the rows."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str = ""
    words: bool = False
    """Whether the other columns hold words, and not numbers."""
    heat: tuple[tuple[int, ...], ...] = ()
    """For each row how dark its cells after the first are, from 0 to 5; the numbers say the same."""


@dataclass(frozen=True)
class Part:
    """What stands under one heading."""

    title: str
    text: tuple[str, ...] = ()
    """Paragraphs."""
    grids: tuple[Grid, ...] = ()
    charts: tuple[Chart, ...] = ()
    """Drawings, which HTML alone shows; Markdown has their summaries."""
    lines: tuple[str, ...] = ()
    left_out: str = ""
    """In place of everything else: why there is nothing, and what to give."""


@dataclass(frozen=True)
class ModelCard:
    """A whole card; every text is plain, whatever it holds."""

    title: str
    lead: str
    facts: tuple[Fact, ...]
    parts: tuple[Part, ...]
    made: str
    """With what, and when."""


@dataclass(frozen=True)
class LeftOut:
    """A measurement that was not made, and why."""

    reason: str


def cleaned(card: ModelCard) -> ModelCard:
    """The card with every character written out that cannot be seen, breaks lines or turns text around."""
    return ModelCard(
        visible(card.title),
        visible(card.lead),
        tuple(Fact(*map(visible, (fact.term, fact.value, fact.note))) for fact in card.facts),
        tuple(_part(part) for part in card.parts),
        visible(card.made),
    )


def visible(text: str) -> str:
    """As `shown`, but with the space that keeps a number and its unit on one line."""
    return NBSP.join(shown(piece) for piece in text.split(NBSP))


def _part(part: Part) -> Part:
    return Part(
        visible(part.title),
        tuple(map(visible, part.text)),
        tuple(_grid(grid) for grid in part.grids),
        tuple(replace(chart, title=visible(chart.title), summary=visible(chart.summary)) for chart in part.charts),
        tuple(map(visible, part.lines)),
        visible(part.left_out),
    )


def _grid(grid: Grid) -> Grid:
    rows = tuple(tuple(map(visible, row)) for row in grid.rows)
    return replace(grid, head=tuple(map(visible, grid.head)), rows=rows, title=visible(grid.title))
