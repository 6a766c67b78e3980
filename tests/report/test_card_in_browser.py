"""A card in a real browser: nothing is loaded, run or injected, nothing complains, and it fits a phone."""

from __future__ import annotations

import numpy as np
import pytest
from made_cards import MARKUP, card_of
from made_pages import NASTY

from amiss import Detector
from amiss.report.card.asked import Asked
from amiss.report.card.content import visible
from amiss.report.card.make import model_card
from amiss.report.card.write import write_card

pytestmark = [pytest.mark.extra("browser"), pytest.mark.xdist_group("browser")]


@pytest.fixture(scope="module")
def card(tmp_path_factory):
    """The page of a model with everything measured."""
    rng = np.random.default_rng(0)
    detector = Detector("pca").fit(rng.integers(0, 200, (60, 28, 28), dtype=np.uint8))
    normal, anomalous = rng.integers(0, 200, (30, 28, 28), dtype=np.uint8), np.zeros((30, 28, 28), np.uint8)
    asked = Asked(normal, anomalous, compare=True, attack=(0.05,), corruptions=True, drift=normal)
    path = tmp_path_factory.mktemp("card") / "card.html"
    write_card(model_card(detector, "m.safetensors", asked), path)
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_asks_for_nothing_and_fits(browse, card, width, scheme):
    tab = browse(card, ready="main", viewport={"width": width, "height": 800}, color_scheme=scheme)
    assert tab.requests == [card.as_uri()]
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.locator("section").count() == 11
    assert tab.locator("table").count() >= 9
    assert tab.locator("svg.chart").count() >= 2


def test_its_parts_are_reached_by_their_links(browse, card):
    tab = browse(card, ready="main")
    links = tab.locator("nav a")
    assert links.count() == 11
    links.nth(9).click()
    assert tab.evaluate("document.querySelector(':target h2').textContent") == "Sensitivity to conditions"


def test_tables_can_be_read_aloud_and_scrolled_by_keyboard(browse, card):
    tab = browse(card, ready="main")
    assert tab.evaluate("[...document.querySelectorAll('th')].every((th) => th.scope)")
    assert tab.evaluate("[...document.querySelectorAll('.wide-table')].every((t) => t.tabIndex === 0 && t.ariaLabel)")
    bare = "document.querySelectorAll('svg:not([aria-hidden]):not([role=img][aria-label])').length"
    assert tab.evaluate(bare) == 0
    ids = "[...document.querySelectorAll('[id]')].map((e) => e.id)"
    assert tab.evaluate(f"new Set({ids}).size === {ids}.length")


def test_names_of_every_kind_do_no_harm(browse, tmp_path):
    for i, name in enumerate([*NASTY, *MARKUP]):
        path = tmp_path / f"{i}.html"
        write_card(card_of(name), path)
        tab = browse(path, ready="main", viewport={"width": 360, "height": 800})
        assert tab.evaluate("window.hurt") is None
        assert tab.evaluate("document.scripts.length + document.images.length") == 0
        assert tab.evaluate("document.querySelector('h1').textContent") == visible(name)
        assert tab.evaluate("document.documentElement.scrollWidth") <= 360
