"""The page in a real browser: sorting, filtering, ticking, the CSV; nothing is loaded, and nothing is injected."""

from __future__ import annotations

import csv
import io

import pytest
from made_pages import NASTY, THRESHOLD, make_card, make_page

from amiss.data.review import read_review

pytestmark = [pytest.mark.extra("browser"), pytest.mark.xdist_group("browser")]


def five(**more):
    """Cards from the highest score on: three above the threshold, one nearly so."""
    names = ["new/b10.png", "new/b9.png", "new/a.png", "old/c.png", "old/d.png"]
    cards = [make_card(name, score) for name, score in zip(names, [0.9, 0.8, 0.7, 0.45, 0.1], strict=True)]
    return make_page(cards, **more)


def test_sorting(browse):
    page = five()
    tab = browse(page)
    names = [card.name for card in page.cards]
    assert tab.order == names
    for choice, expected in {
        "low": names[::-1],
        "name": ["new/a.png", "new/b9.png", "new/b10.png", "old/c.png", "old/d.png"],
        "near": sorted(names, key=lambda name: abs(page.cards[names.index(name)].score - THRESHOLD)),
        "down": names,
    }.items():
        tab.select_option("#sort", choice)
        assert tab.order == expected, choice


def test_filtering(browse):
    tab = browse(five())
    assert tab.count == "5 shown, 0 ticked"
    tab.select_option("#show", "above")
    assert tab.order == ["new/b10.png", "new/b9.png", "new/a.png"]
    assert tab.count == "3 of 5 shown, 0 ticked"
    tab.select_option("#show", "below")
    assert tab.order == ["old/c.png", "old/d.png"]
    tab.fill("#find", "C.PNG")
    assert tab.order == ["old/c.png"]
    tab.select_option("#show", "ticked")
    assert tab.order == []
    assert tab.locator("#none").is_visible()
    tab.click("#reset")
    assert len(tab.order) == 5


def test_sets_and_labels_are_filtered(browse):
    cards = [
        make_card("a", 3.0, where="train", truth="normal"),
        make_card("b", 2.0, where="calibration", truth="anomalous"),
    ]
    tab = browse(make_page(cards))
    tab.select_option("#show", "set:calibration")
    assert tab.order == ["b"]
    tab.select_option("#show", "truth:normal")
    assert tab.order == ["a"]
    tab.select_option("#show", "all")
    tab.select_option("#sort", "set")
    assert tab.order == ["b", "a"]


def test_ranked_cards_can_be_sorted_by_score(browse):
    tab = browse(make_page([make_card("a", 1.0, suspicion=9.0), make_card("b", 2.0, suspicion=1.0)]))
    assert tab.order == ["a", "b"]
    tab.select_option("#sort", "high")
    assert tab.order == ["b", "a"]


def test_ticking_with_the_mouse(browse):
    tab = browse(five())
    anomaly = tab.locator("#c1 button", has_text="anomaly")
    anomaly.click()
    assert tab.ticks == {"c1": "anomaly"}
    assert anomaly.get_attribute("aria-pressed") == "true"
    assert tab.count == "5 shown, 1 ticked"
    assert tab.locator("#said").text_content() == "b9.png: anomaly"
    tab.locator("#c1 button", has_text="unsure").click()
    assert tab.ticks == {"c1": "unsure"}
    tab.locator("#c1 button", has_text="unsure").click()
    assert tab.ticks == {}
    assert tab.locator("#save").is_disabled()


def test_the_whole_review_with_the_keyboard(browse):
    tab = browse(five())
    tab.keyboard.press("j")  # takes the first image in hand
    for key in ("a", "n", "k", "x", "End", "u", "Home", "ArrowRight", "u"):
        tab.keyboard.press(key)
    assert tab.ticks == {"c0": "anomaly", "c1": "unsure", "c4": "unsure"}
    assert tab.evaluate("document.activeElement.id") == "c2"
    tab.keyboard.press("/")
    assert tab.evaluate("document.activeElement.id") == "find"
    tab.keyboard.type("nu")  # letters are text here
    assert tab.locator("#find").input_value() == "nu"
    tab.fill("#find", "old")
    tab.keyboard.press("Escape")
    assert tab.evaluate("document.activeElement.id") == "c3"
    tab.keyboard.press("?")
    assert tab.locator("#help").is_visible()
    tab.keyboard.press("n")
    tab.keyboard.press("Escape")
    assert not tab.locator("#help").is_visible()
    assert len(tab.ticks) == 3


def test_tab_reaches_one_image_and_its_buttons(browse):
    tab = browse(five())
    tab.focus("#save") if tab.locator("#save").is_enabled() else tab.focus("#help-open")
    reached = []
    for _ in range(5):
        tab.keyboard.press("Tab")
        reached.append(tab.evaluate("document.activeElement.closest('.card')?.id ?? document.activeElement.tagName"))
    assert reached[:4] == ["c0"] * 4
    assert not reached[4].startswith("c")
    ring = tab.evaluate(
        "(document.querySelector('#c0').focus(), getComputedStyle(document.querySelector('#c0')).outlineWidth)"
    )
    assert float(ring.removesuffix("px")) >= 2


def test_letters_can_be_turned_off(browse):
    tab = browse(five())
    tab.click("#help-open")
    tab.uncheck("#keys")
    tab.keyboard.press("Escape")
    tab.focus("#c0")
    tab.keyboard.press("a")
    assert tab.ticks == {}
    tab.reload()
    tab.wait_for_selector("html[data-ready]")
    assert not tab.locator("#keys").is_checked()


def test_the_loupe(browse):
    tab = browse(five())
    tab.locator("#c1 .tiles").click()
    assert "b9.png" in tab.locator("#loupe-title").text_content()
    assert "new/b9.png" in tab.locator("#loupe-body").text_content()
    tab.keyboard.press("n")
    assert tab.ticks == {"c1": "normal"}
    assert "a.png" in tab.locator("#loupe-title").text_content()
    tab.click("#before")
    assert tab.locator("#loupe-marks [aria-pressed=true]").text_content() == "normal"
    tab.locator("#loupe-marks button", has_text="anomaly").click()
    tab.keyboard.press("Escape")
    assert tab.ticks == {"c1": "anomaly"}
    assert tab.evaluate("document.activeElement.id") == "c1"


def test_ticks_outlive_the_window_and_belong_to_their_page(browse):
    tab = browse(five())
    tab.focus("#c2")
    tab.keyboard.press("a")
    tab.reload()
    tab.wait_for_selector("html[data-ready]")
    assert tab.ticks == {"c2": "anomaly"}
    other = browse(five(title="Another page"))
    assert other.ticks == {}


@pytest.mark.parametrize(
    "before",
    [
        "Object.defineProperty(window, 'localStorage', { get() { throw new Error('refused'); } })",
        "Storage.prototype.setItem = () => { throw new Error('full'); }",
    ],
    ids=["refused", "full"],
)
def test_without_a_store_ticks_are_kept_in_memory(browse, before):
    tab = browse(five(), before=before)
    tab.focus("#c0")
    tab.keyboard.press("a")
    assert tab.ticks == {"c0": "anomaly"}
    assert "download the review before you close it" in tab.locator("#trouble").text_content()
    assert "b10.png,anomaly" in tab.download()


def test_what_the_store_holds_is_not_trusted(browse):
    tab = browse(five())
    key = tab.evaluate("'amiss-review:' + JSON.parse(document.getElementById('data').textContent).id")
    for held in ("{", "[]", '{"0":"<b>","99":"normal","1":"normal","length":"normal"}', "null", '"text"'):
        tab.evaluate("([key, held]) => localStorage.setItem(key, held)", [key, held])
        tab.reload()
        tab.wait_for_selector("html[data-ready]")
        assert tab.ticks == ({"c1": "normal"} if "99" in held else {}), held


def test_the_csv_holds_the_ticked_images_alone(browse):
    tab = browse(five())
    for number, key in (("c3", "u"), ("c0", "a"), ("c1", "n")):
        tab.focus(f"#{number}")
        tab.keyboard.press(key)
    assert tab.download() == (
        "image_path,review,pred_score,set\r\n"
        "new/b10.png,anomaly,0.9,new\r\n"
        "new/b9.png,normal,0.8,new\r\n"
        "old/c.png,unsure,0.45,new\r\n"
    )


def test_names_of_every_kind_do_no_harm_and_come_back_exactly(browse, tmp_path):
    names = [*NASTY, NASTY[0]]  # two images of one name are two images
    cards = [
        make_card(name, float(len(names) - i), where="train" if i % 2 else "calibration")
        for i, name in enumerate(names)
    ]
    page = make_page(cards, title="Review of photos")
    tab = browse(page)
    assert tab.order == names
    for i in range(len(names)):
        tab.focus(f"#c{i}")
        tab.keyboard.press("nau"[i % 3])
    tab.select_option("#sort", "name")
    tab.fill("#find", "script")
    tab.keyboard.press("Escape")
    tab.keyboard.press("Enter")
    assert tab.evaluate("window.hurt") is None
    assert tab.evaluate("document.scripts.length") == 2
    assert tab.evaluate("document.querySelectorAll('[onerror], [onfocus], [autofocus], iframe, object').length") == 0
    tab.keyboard.press("Escape")
    text = tab.download()
    rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    assert [row["image_path"] for row in rows] == names
    assert [row["review"] for row in rows] == [("normal", "anomaly", "unsure")[i % 3] for i in range(len(names))]
    assert [float(row["pred_score"]) for row in rows] == [card.score for card in cards]
    assert [row["set"] for row in rows] == [card.where for card in cards]
    path = tmp_path / "review.csv"
    path.write_bytes(text.encode("utf-8"))
    marks = read_review(path).marks
    assert marks[names[1]] == "anomaly"
    assert set(marks) == set(names)


def test_names_show_their_hidden_characters(browse):
    tab = browse(make_page([make_card("left\u202egnp.exe\nnext", 1.0)]))
    assert "left\\u202egnp.exe\\nnext" in tab.locator("#c0 h3").text_content()


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_wider_than_the_window(browse, width):
    long = make_card("folder/" + "x" * 248 + ".png", 0.9)
    tab = browse(make_page([long, *five().cards]), viewport={"width": width, "height": 700})
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    tab.locator("#c0 .tiles").click()
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.evaluate(
        "(({ scrollWidth, clientWidth }) => scrollWidth <= clientWidth)(document.querySelector('#loupe'))"
    )


def test_every_picture_and_field_has_a_name(browse):
    tab = browse(five())
    bare = tab.evaluate("""() => [
        ...[...document.querySelectorAll("img")].filter((img) => !img.alt),
        ...document.querySelectorAll("svg:not([aria-hidden]):not([role=img][aria-label])"),
        ...[...document.querySelectorAll("input, select")].filter((field) => !field.labels.length),
    ].map((element) => element.outerHTML)""")
    assert bare == []
    assert tab.evaluate("new Set([...document.querySelectorAll('[id]')].map((e) => e.id)).size") == tab.evaluate(
        "document.querySelectorAll('[id]').length"
    )


def test_two_thousand_images_open_at_once(browse):
    cards = [make_card(f"folder/{i:05}.png", 1 - i / 2000) for i in range(2000)]
    tab = browse(make_page(cards))
    tab.select_option("#sort", "low")
    assert tab.order[0] == "folder/01999.png"
    assert tab.count == "2,000 shown, 0 ticked"


def test_a_page_without_images_or_decision(browse):
    tab = browse(make_page([], threshold=None, scale=None, shared=()))
    tab.keyboard.press("j")
    tab.keyboard.press("Enter")
    assert tab.count == "0 shown, 0 ticked"
    assert tab.locator("#none").is_visible()


def test_without_script_the_images_are_there(chromium, tmp_path):
    from amiss.report.render import write_page

    write_page(five(), tmp_path / "page.html")
    context = chromium.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto((tmp_path / "page.html").as_uri())
    assert tab.locator(".card img").count() == 5
    assert tab.locator("noscript p").is_visible()
    assert not tab.locator(".bar").is_visible()
    context.close()
