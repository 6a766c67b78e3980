"""A card as one HTML file that needs nothing else, loads nothing and runs nothing."""

from __future__ import annotations

from importlib.resources import files

from amiss.report.card.content import ModelCard, cleaned
from amiss.report.render import environment, policy

STYLES = ("page.css", "card.css")


def to_html(card: ModelCard) -> str:
    """The card as text; raises InputError where Jinja2 is not installed."""
    here = files("amiss.report")
    style = "\n".join((here / name).read_text(encoding="utf-8") for name in STYLES)
    template = environment().get_template("card.html.j2")
    return template.render(card=cleaned(card), style=style, policy=policy(style))
