"""The page is one file that runs nothing but its own script, whatever names it shows."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_pages import NASTY, make_card, make_page

from amiss.contracts import InputError, WorkError
from amiss.report.page import Fact, Section
from amiss.report.render import embedded, identity, render, write_page


class Parsed(HTMLParser):
    """Tags with their attributes, and the text within script, style and headings."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self.open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data):
        self.texts.append((self.open[-1] if self.open else "", data))

    def inside(self, tag):
        return [text for at, text in self.texts if at == tag]


def shape(parsed):
    """What a page is made of, without any text."""
    return [(tag, sorted(attributes)) for tag, attributes in parsed.tags]


def all_over(name):
    """A page on which a name stands everywhere."""
    card = make_card(name, 1.0, where=name, truth=name)
    return make_page(
        [card],
        title=name,
        lead=name,
        made=name,
        advice=name,
        after=name,
        notes=(name,),
        warnings=(name,),
        facts=(Fact(name, name, name),),
        sections=(Section(name, name, lines=(name,)),),
    )


PLAIN = Parsed(render(all_over("folder/plain.png")))


@pytest.mark.parametrize("name", NASTY)
def test_no_name_changes_what_the_page_is_made_of(name):
    found = Parsed(render(all_over(f"folder/{name}")))
    assert shape(found) == shape(PLAIN)


@settings(deadline=None, max_examples=60)
@given(st.text(min_size=1))
def test_no_text_changes_what_the_page_is_made_of(name):
    text = render(all_over(f"folder/{name}."))
    assert shape(Parsed(text)) == shape(PLAIN)
    text.encode("utf-8")


@pytest.mark.parametrize("name", [*NASTY, "invalid \udcff\udc80.png"])
def test_the_script_gets_names_exactly(name):
    page = make_page([make_card(name, 0.1 + 0.2)])
    text = render(page)
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1]
    assert json.loads(data)["cards"] == [[name, "0.30000000000000004", "new", 0]]
    assert not re.search(r"[<>&\u2028\u2029]", data)
    assert data.isascii()


def test_names_that_are_no_text_can_be_written(tmp_path):
    write_page(all_over("folder/invalid \udcff\udc80.png"), tmp_path / "page.html")
    assert shape(Parsed((tmp_path / "page.html").read_text(encoding="utf-8"))) == shape(PLAIN)


@given(st.recursive(st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_embedded_values_come_back(value):
    assert json.loads(embedded(value)) == value


def test_the_policy_allows_this_style_and_this_script_alone():
    parsed = Parsed(render(make_page([make_card("a", 1.0)])))
    policy = next(a["content"] for tag, a in parsed.tags if a.get("http-equiv") == "Content-Security-Policy")
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    assert "unsafe" not in policy
    _, script = parsed.inside("script")
    (style,) = parsed.inside("style")
    for kind, text in (("script-src", script), ("style-src", style)):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[kind] == f"'sha256-{digest}'"


def test_nothing_is_fetched_and_nothing_runs_from_attributes():
    parsed = Parsed(render(all_over("a")))
    for tag, attributes in parsed.tags:
        assert tag not in {"iframe", "object", "embed", "form", "base"}
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            assert name != "style", tag
            if name in {"src", "href"}:
                assert value.startswith(("data:", "#")), value
    text = render(make_page([]))
    assert not re.search(r"https?://", text)


def test_the_page_is_known_by_its_images_and_scores():
    page = make_page([make_card("a", 1.0), make_card("b", 0.5)])
    assert identity(page) == identity(replace(page, made="Made later."))
    assert identity(page) != identity(replace(page, cards=page.cards[:1]))
    assert identity(page) != identity(replace(page, title="Another"))


def test_without_jinja_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(InputError, match=r'pip install "amiss\[report\]"'):
        write_page(make_page([]), tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_a_page_that_cannot_be_written_leaves_nothing(tmp_path):
    path = tmp_path / "gone" / "page.html"
    with pytest.raises(WorkError, match="could not write"):
        write_page(make_page([]), path)
    assert not list(tmp_path.iterdir())


def colours(style, dark):
    blocks = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]+)", blocks[1 if dark else 0]))


def luminance(colour):
    digits = colour[1:] if len(colour) == 7 else "".join(2 * c for c in colour[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("dark", [False, True])
def test_text_stands_out(dark):
    (style,) = Parsed(render(make_page([]))).inside("style")
    found = colours(style, dark)
    pairs = [(text, ground) for text in ("ink", "soft", "blue", "rust", "violet") for ground in ("ground", "sheet")]
    pairs += [("ink", "well"), ("ground", "ink"), *((f"on-{mark}", mark) for mark in ("blue", "rust", "violet"))]
    for pair in pairs:
        light, low = sorted((luminance(found[name]) for name in pair), reverse=True)
        assert (light + 0.05) / (low + 0.05) >= 4.5, pair  # WCAG 2.2, level AA
