"""Names and numbers as a page shows them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amiss.report.words import listed, number, p_text, short, shown, split_path


@given(st.text())
def test_what_is_shown_can_be_seen_and_is_valid_text(name):
    assert shown(name).isprintable()
    shown(name).encode("utf-8")


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_visible_names_are_shown_as_they_are(name):
    assert shown(name) == name


def test_hidden_characters_are_written_out():
    assert shown("a\nb\u202ec\udcff") == "a\\nb\\u202ec\\udcff"


@pytest.mark.parametrize(
    ("name", "parts"),
    [("a/b/c.png", ("a/b/", "c.png")), ("c.png", ("", "c.png")), ("a\\c.png", ("a\\", "c.png")), ("a/", ("a/", ""))],
)
def test_paths_are_split_at_their_last_slash(name, parts):
    assert split_path(name) == parts


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0123456, "0.01235"), (12345.6, "12,346"), (1.5e9, "1.500e+09"), (-0.5, "-0.5"), (0.0, "0"), (1e-9, "1e-09")],
)
def test_numbers_have_four_digits(value, text):
    assert number(value) == text


def test_short_numbers_p_values_and_lists():
    assert (short(92.31), short(100.0)) == ("92.3", "100")
    assert (p_text(0.00123), p_text(0.5), p_text(1.0)) == ("0.0012", "0.50", "1.00")
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
