"""A card as HTML and as Markdown: whatever it says, it says it as text."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_cards import MARKUP, card_of
from made_pages import NASTY
from test_render import Parsed, shape

from amiss.contracts import InputError, WorkError
from amiss.report.card.content import Grid, ModelCard, Part, visible
from amiss.report.card.html import to_html
from amiss.report.card.markdown import escape, to_markdown
from amiss.report.card.write import require_card, write_card

NAMES = [*NASTY, *MARKUP]
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


def parsed(text):
    """Markdown as a reader takes it: CommonMark with tables and strikethrough, raw HTML not refused."""
    reader = pytest.importorskip("markdown_it", reason="needs markdown-it-py: pip install amiss[test]")
    return reader.MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(text)


def kinds(text):
    """The structure of a Markdown text, without what it says."""
    flat = [token for block in parsed(text) for token in (block, *(block.children or []))]
    return [(token.type, token.tag) for token in flat if token.type != "text_special"]


def said(text):
    """What a Markdown text says, paragraph by paragraph."""
    return [
        "".join(child.content for child in block.children or []) for block in parsed(text) if block.type == "inline"
    ]


def merged(found):
    """Neighbouring pieces of text as one."""
    return [one for i, one in enumerate(found) if i == 0 or one != ("text", "") or found[i - 1] != one]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_changes_nothing_of_the_page_but_its_text(name):
    page = Parsed(to_html(card_of(name)))
    assert shape(page) == shape(Parsed(to_html(card_of("plain"))))
    assert [text for tag, text in page.texts if tag == "h1"] == [visible(name)]
    assert not any(tag == "script" for tag, _ in page.tags)
    assert not any(key.startswith("on") for _, attributes in page.tags for key in attributes)


@given(texts)
@settings(max_examples=40, deadline=None)
def test_any_text_changes_nothing_of_the_page_but_its_text(name):
    assert shape(Parsed(to_html(card_of(name)))) == shape(Parsed(to_html(card_of("plain"))))


def test_the_page_allows_its_own_style_and_nothing_else():
    text = to_html(card_of("plain"))
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    rules = policy[1].replace("&#39;", "'").split("; ")
    assert rules[0] == "default-src 'none'"
    assert not any(rule.startswith("script-src") for rule in rules)
    assert "<script" not in text
    assert not re.search(r'(src|href)="(?!#|data:)', text)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_changes_nothing_of_the_markdown_but_its_text(name):
    found, plain = to_markdown(card_of(name)), to_markdown(card_of("plain"))
    assert merged(kinds(found)) == merged(kinds(plain))
    assert said(found)[0] == visible(name).strip(" ") or "&#32;" in found


@given(texts)
@settings(max_examples=150, deadline=None)
def test_any_text_changes_nothing_of_the_markdown_but_its_text(name):
    assert merged(kinds(to_markdown(card_of(name)))) == merged(kinds(to_markdown(card_of("plain"))))


@given(texts)
@settings(max_examples=150, deadline=None)
def test_markdown_says_what_was_meant(name):
    (paragraph,) = said(escape(visible(name)))
    assert paragraph.replace("\N{NO-BREAK SPACE}", " ") == visible(name).replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize("name", ["left\u202eright\u2066", "line\nbreak\r", "\u200b\u2028\x00\x1b[31m"])
def test_nothing_hidden_is_left_in_either_form(name):
    text = to_markdown(card_of(name))
    assert all(c.isprintable() or c in "\n\N{NO-BREAK SPACE}" for c in text)
    assert visible(name).isprintable()


def test_links_and_callings_are_broken():
    text = escape("https://example.org www.example.org mail@example.org @someone")
    assert text == r"https\://example.org www\.example.org mail\@example.org \@someone"


def test_numbers_stay_readable():
    assert escape("0.01074: 5 % of 1,200 (4.9 to 5.1)") == "0.01074: 5 % of 1,200 (4.9 to 5.1)"
    assert escape("1. first") == r"1\. first"


def test_markdown_has_every_table_and_part():
    parts = (
        Part("A", ("Text.",), (Grid(("name", "number"), (("x", "1"), ("y", "2")), "Numbers"),), lines=("one", "two")),
        Part("B", left_out="Not asked for."),
        Part("C", grids=(Grid(("name", "number"), ()),)),
    )
    text = to_markdown(ModelCard("T", "L", (), parts, "M"))
    assert text == (
        "# T\n\nL\n\n## A\n\nText.\n\n**Numbers**\n\n| name | number |\n| --- | ---: |\n| x | 1 |\n| y | 2 |\n\n"
        "- one\n- two\n\n## B\n\n*Left out.* Not asked for.\n\n## C\n\n---\n\nM\n"
    )


def test_cards_are_written_by_suffix_whole_or_not_at_all(tmp_path):
    card = card_of("plain")
    write_card(card, tmp_path / "card.md")
    write_card(card, tmp_path / "card.html")
    assert (tmp_path / "card.md").read_text(encoding="utf-8") == to_markdown(card)
    assert (tmp_path / "card.html").read_text(encoding="utf-8") == to_html(card)
    with pytest.raises(InputError, match=r"its name must end in .html, .htm or .md"):
        require_card(tmp_path / "card.pdf")
    with pytest.raises(WorkError, match="nothing was replaced"):
        write_card(card, tmp_path / "nowhere" / "card.md")
    write_card(card_of("\udce9t\udce9"), tmp_path / "odd.md")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["card.html", "card.md", "odd.md"]


def test_without_jinja_a_page_is_refused_and_markdown_is_not(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "jinja2", None)
    with pytest.raises(InputError, match=r'pip install "amiss\[report\]"'):
        require_card(tmp_path / "card.html")
    require_card(tmp_path / "card.md")
