"""Writes a card in the form that its file's name asks for."""

from __future__ import annotations

from pathlib import Path

from amiss.contracts import InputError
from amiss.data.atomic import write_atomic
from amiss.report.card.content import ModelCard
from amiss.report.card.html import to_html
from amiss.report.card.markdown import to_markdown
from amiss.report.render import require_jinja

HTML, MARKDOWN = (".html", ".htm"), (".md", ".markdown")


def require_card(path: Path) -> None:
    """Raise InputError, before any work is done, unless a card of that name can be made here."""
    suffix = path.suffix.lower()
    if suffix not in (*HTML, *MARKDOWN):
        raise InputError(f"cannot write a card to {path}: its name must end in {', '.join(HTML)} or {MARKDOWN[0]}")
    if suffix in HTML:
        require_jinja()


def write_card(card: ModelCard, path: Path) -> None:
    """Write HTML or Markdown, by suffix, whole or not at all.

    Raises InputError for another suffix or without Jinja2, and WorkError if the file cannot be written.
    """
    require_card(path)
    text = to_html(card) if path.suffix.lower() in HTML else to_markdown(card)
    write_atomic(path, lambda file: file.write(text.encode("utf-8", errors="backslashreplace")))
