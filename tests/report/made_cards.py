"""Cards made by hand, and a reader of Markdown to judge them by."""

from __future__ import annotations

from amiss.report.card.content import Grid, ModelCard, Part
from amiss.report.page import Chart, Fact, Key

MARKUP = [
    "`code` and ``more``",
    "a | b | c",
    "|",
    "**bold** _slanted_ ~~gone~~ ==marked==",
    "[a](https://example.org) ![b](x.png) <https://example.org>",
    "https://example.org/x www.example.org mail@example.org @someone #12",
    "# heading",
    "1. first",
    "12) twelfth",
    "- item",
    "+ item",
    "    code",
    "---",
    "===",
    "> quoted",
    "&lt;b&gt; &#60;script&#62;",
    "\\",
    "\\|",
    "$x^2$ $$y$$",
    ":---:",
    "<!-- hidden -->",
    "[^1]: note",
    "trailing  ",
    " ",
]
"""Texts that Markdown would make something of."""


def card_of(name: str) -> ModelCard:
    """A card on which a name stands everywhere."""
    chart = Chart(name, '<svg class="chart" role="img" aria-label="drawn"></svg>', name, (Key("curve", name),))
    grid = Grid((name, name), ((name, name), ("a", name)), name)
    heat = Grid((name, name), ((name, name),), words=True, heat=((3,),))
    return ModelCard(
        name,
        name,
        (Fact(name, name, name),),
        (
            Part(name, (name, f"the name {name} in a sentence"), (grid, heat), (chart,), (name, f"said of {name}")),
            Part(name, left_out=name),
        ),
        name,
    )
